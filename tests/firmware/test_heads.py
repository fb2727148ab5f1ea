# SPDX-License-Identifier: Apache-2.0
"""Output errors of the heads: C equals NumPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import Guarded, KernelHost, data_seeds, exactly, kinds, make_data, sizes

from secondpass.integer.arithmetic import saturate16
from secondpass.integer.heads import sigmoid_error, softmax_error

ONE = 2**15


@exactly
@given(classes=sizes, frac_bits=st.integers(0, 15), kind=kinds, seed=data_seeds, data=st.data())
@example(classes=70, frac_bits=0, kind="rails", seed=0, data=None)
def test_softmax_error(
    kernels: KernelHost, classes: int, frac_bits: int, kind: str, seed: int, data: Any
) -> None:
    logits = make_data(kind, seed, classes)
    label = data.draw(st.integers(0, classes - 1)) if data else 0
    expected, expected_probability = softmax_error(logits, frac_bits, label)
    got, probability = kernels.vector(
        classes, "sp_softmax_error", logits, classes, frac_bits, label, padding=False
    )
    np.testing.assert_array_equal(got, expected)
    assert probability == expected_probability


@pytest.mark.parametrize("frac_bits", [0, 12, 15])
@pytest.mark.parametrize("kind", ["zero", "small", "rails", "full"])
def test_softmax_error_of_4096_classes(kernels: KernelHost, kind: str, frac_bits: int) -> None:
    """The largest sum of exponentials, 2^27, in the largest head."""
    logits = make_data(kind, 1, 4096)
    expected, expected_probability = softmax_error(logits, frac_bits, 4095)
    got, probability = kernels.vector(
        4096, "sp_softmax_error", logits, 4096, frac_bits, 4095, padding=False
    )
    np.testing.assert_array_equal(got, expected)
    assert probability == expected_probability


LOGITS = sorted({*range(-(2**15), 2**15, 61), -1, 0, 1, 2**15 - 1})


@pytest.mark.parametrize("frac_bits", range(16))
@pytest.mark.parametrize("label", [0, 1])
def test_sigmoid_error(kernels: KernelHost, label: int, frac_bits: int) -> None:
    error = Guarded((2,), np.int16)
    for logit in LOGITS[:: 1 if frac_bits in (0, 12, 15) else 11]:
        error.array[...] = -1
        probability = kernels.call("sp_sigmoid_error", logit, frac_bits, label, error)
        expected, expected_probability = sigmoid_error(
            np.array([logit], np.int16), frac_bits, label
        )
        assert error.array.tolist() == [expected[0], 0]
        assert probability == expected_probability


def test_sigmoid_error_by_hand(kernels: KernelHost) -> None:
    """A logit of zero says nothing; the error pushes towards the label."""
    error = Guarded((2,), np.int16)
    assert kernels.call("sp_sigmoid_error", 0, 12, 1, error) == ONE // 2
    assert error.array[0] == -ONE // 2
    assert kernels.call("sp_sigmoid_error", 0, 12, 0, error) == ONE // 2
    assert error.array[0] == ONE // 2
    assert kernels.call("sp_sigmoid_error", 2**15 - 1, 11, 0, error) == 0
    assert error.array[0] == ONE - 1


@exactly
@given(
    length=sizes,
    kind=kinds,
    value=st.sampled_from([0, ONE]),
    place=st.integers(0, 69),
    seed=data_seeds,
)
@example(3, "highest", ONE, 1, 0)
@example(3, "lowest", ONE, 1, 0)
def test_prediction_and_target(
    kernels: KernelHost, length: int, kind: str, value: int, place: int, seed: int
) -> None:
    index = place % length
    error = make_data(kind, seed, length)
    wanted = np.zeros(length, np.int64)
    wanted[index] = value
    expected, _ = saturate16(error + wanted)
    got, _ = kernels.vector(length, "sp_prediction", error, length, index, value)
    np.testing.assert_array_equal(got, expected)
    negative, _ = kernels.vector(length, "sp_negative_one_hot", length, index, value)
    np.testing.assert_array_equal(negative, -wanted)
