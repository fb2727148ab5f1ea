# SPDX-License-Identifier: Apache-2.0
"""The update and its row errors: every C form equals the NumPy reference."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import (
    Guarded,
    KernelHost,
    data_seeds,
    exactly,
    kinds,
    make_data,
    padded,
    scales,
    sizes,
    words,
)

from secondpass.fixedpoint import Scale
from secondpass.integer import kernels as reference


@exactly
@given(length=sizes, rate=scales, kind=kinds, seed=data_seeds)
@example(length=3, rate=Scale(2**15 - 1, 14), kind="rails", seed=1)
def test_row_errors(kernels: KernelHost, length: int, rate: Scale, kind: str, seed: int) -> None:
    delta = make_data(kind, seed, length)
    expected, clamped = reference.row_errors(delta, rate)
    got, saturations = kernels.vector(
        length,
        lambda errors: kernels.lib.sp_row_errors(
            kernels.pointer(delta), length, kernels.scale(rate), errors
        ),
        padding=False,
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(length=sizes, rate=scales, first_kind=kinds, second_kind=kinds, seed=data_seeds)
@example(2, Scale(2**14, 15), "lowest", "highest", 0)
@pytest.mark.parametrize("derivative", ["difference", "relu"])
def test_row_errors_of_two_passes(
    kernels: KernelHost,
    derivative: str,
    length: int,
    rate: Scale,
    first_kind: str,
    second_kind: str,
    seed: int,
) -> None:
    first = make_data(first_kind, seed, length)
    second = make_data(second_kind, seed + 1, length)
    delta = first.astype(np.int64) - second
    if derivative == "relu":
        delta[first <= 0] = 0
    expected, clamped = reference.row_errors(delta, rate)
    kernel = getattr(kernels.lib, f"sp_row_errors_{derivative}")
    got, saturations = kernels.vector(
        length,
        lambda errors: kernel(
            kernels.pointer(first), kernels.pointer(second), length, kernels.scale(rate), errors
        ),
        padding=False,
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(
    inputs=sizes,
    outputs=sizes,
    in_frac=st.integers(0, 15),
    key=words,
    error_kind=kinds,
    presynaptic_kind=kinds,
    weight_kind=kinds,
    bias_kind=kinds,
    seed=data_seeds,
)
@example(70, 70, 15, 2**32 - 1, "lowest", "lowest", "lowest", "lowest", 0)
@example(69, 5, 15, 7, "lowest", "lowest", "lowest", "highest", 0)
@example(5, 3, 0, 0, "lowest", "highest", "highest", "highest", 0)
@example(1, 1, 7, 0, "full", "full", "rails", "full", 3)
@example(9, 8, 8, 5, "sparse", "full", "rails", "full", 3)
def test_update(
    kernels: KernelHost,
    inputs: int,
    outputs: int,
    in_frac: int,
    key: int,
    error_kind: str,
    presynaptic_kind: str,
    weight_kind: str,
    bias_kind: str,
    seed: int,
) -> None:
    errors = make_data(error_kind, seed, outputs)
    presynaptic = make_data(presynaptic_kind, seed + 1, inputs)
    weights = make_data(weight_kind, seed + 2, outputs, inputs)
    bias = make_data(bias_kind, seed + 3, outputs, bits=32)
    rows = padded(weights)
    new_rows = Guarded(rows.shape, np.int16, rows)
    new_bias = Guarded(bias.shape, np.int32, bias)
    before = padded(presynaptic)
    active = kernels.ffi.new("uint32_t *", 5)
    saturations = kernels.lib.sp_update_a16w16(
        kernels.shape(inputs, outputs, in_frac=in_frac),
        kernels.pointer(errors),
        kernels.pointer(before),
        key,
        kernels.pointer(new_rows.array),
        kernels.pointer(new_bias.array),
        active,
    )
    expected_saturations, expected_active = reference.update(
        weights, bias, errors, presynaptic, in_frac, key
    )
    np.testing.assert_array_equal(new_rows.array[:, :inputs], weights)
    np.testing.assert_array_equal(new_bias.array, bias)
    assert saturations == expected_saturations
    assert active[0] == 5 + expected_active
    assert not new_rows.array[:, inputs:].any(), "the padding is not zero"
    new_rows.check()
    new_bias.check()


def test_update_subtracts(kernels: KernelHost) -> None:
    """A positive error times a positive input lowers the weight and the bias; by hand."""
    errors = np.array([2**14], np.int16)
    presynaptic = np.array([2**14, -(2**14)], np.int16)
    weights = np.array([100, 100], np.int16)
    bias = np.array([1000], np.int32)
    active = kernels.ffi.new("uint32_t *")
    kernels.lib.sp_update_a16w16(
        kernels.shape(2, 1, in_frac=8),
        kernels.pointer(errors),
        kernels.pointer(presynaptic),
        0,
        kernels.pointer(weights),
        kernels.pointer(bias),
        active,
    )
    assert weights.tolist() == [100 - 2**12, 100 + 2**12]
    assert bias.tolist() == [1000 - 2**14]


@exactly
@given(inputs=sizes, outputs=sizes, seed=data_seeds)
def test_update_skips_rows_without_error(
    kernels: KernelHost, inputs: int, outputs: int, seed: int
) -> None:
    weights = padded(make_data("full", seed, outputs, inputs))
    bias = make_data("full", seed, outputs, bits=32)
    before = weights.copy(), bias.copy()
    presynaptic = padded(make_data("full", seed, inputs))
    active = kernels.ffi.new("uint32_t *")
    saturations = kernels.lib.sp_update_a16w16(
        kernels.shape(inputs, outputs, in_frac=12),
        kernels.pointer(np.zeros(outputs, np.int16)),
        kernels.pointer(presynaptic),
        seed,
        kernels.pointer(weights),
        kernels.pointer(bias),
        active,
    )
    np.testing.assert_array_equal(weights, before[0])
    np.testing.assert_array_equal(bias, before[1])
    assert (saturations, active[0]) == (0, 0)
