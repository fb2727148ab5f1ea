# SPDX-License-Identifier: Apache-2.0
"""Inputs, sums and measures of vectors: C equals NumPy, saturations included."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import KernelHost, data_seeds, exactly, kinds, make_data, scales, sizes

from secondpass.fixedpoint import Scale
from secondpass.integer import kernels as reference
from secondpass.integer.heads import mean_square
from secondpass.network import SAMPLE_DTYPES

QUANTISE = {"uint8": "sp_quantise_u8", "int8": "sp_quantise_i8", "int16": "sp_quantise_i16"}


@exactly
@given(
    length=sizes,
    zero_point=st.one_of(st.sampled_from([-(2**15), 2**15 - 1]), st.integers(-300, 300)),
    scale=scales,
    kind=kinds,
    offset=st.integers(0, 3),
    dtype=st.sampled_from(list(QUANTISE)),
    seed=data_seeds,
)
@example(70, -(2**15), Scale(2**15 - 1, 0), "highest", 1, "int16", 0)
@example(70, 0, Scale(16448, 7), "sparse", 1, "uint8", 0)  # a real image: nothing saturates
@example(70, 0, Scale(2**14, 14), "full", 3, "int16", 0)
@example(70, 0, Scale(2**15 - 1, 15), "rails", 0, "int16", 0)
@example(70, 0, Scale(-(2**14), 14), "lowest", 0, "int16", 0)  # just saturates
@example(9, 255, Scale(2**14, 14), "sparse", 2, "uint8", 0)
@example(9, 256, Scale(2**14, 14), "highest", 2, "uint8", 0)
@example(9, -1, Scale(2**14, 14), "zero", 2, "uint8", 0)
@example(70, 0, Scale(16448, 7), "sparse", 1, "int8", 0)
@example(70, -128, Scale(2**14, 14), "full", 3, "int8", 0)  # the zero point is a rail
@example(9, -129, Scale(2**14, 14), "rails", 2, "int8", 0)
@example(9, 127, Scale(2**14, 14), "rails", 2, "int8", 0)
@example(9, 128, Scale(2**14, 14), "rails", 0, "int8", 0)
@example(9, 0, Scale(2**14, 6), "rails", 0, "int8", 0)  # just fits, on both sides
@example(9, 0, Scale(-(2**14), 6), "rails", 0, "int8", 0)  # only -128 saturates
@example(9, -(2**15), Scale(2**15 - 1, 0), "full", 1, "int8", 0)
@example(9, 2**15 - 1, Scale(-(2**15) + 1, 30), "rails", 0, "uint8", 0)
@example(9, 2**15 - 1, Scale(-(2**15) + 1, 31), "rails", 0, "uint8", 0)
@example(9, 2**15 - 1, Scale(-(2**15) + 1, 18), "lowest", 0, "int16", 0)  # beyond 32 bits
@example(9, 2**15 - 1, Scale(2**15 - 1, 46), "full", 0, "int16", 0)
@example(9, -(2**15), Scale(-(2**14), 31), "full", 0, "uint8", 0)
@example(9, -(2**15), Scale(-(2**14), 32), "full", 0, "uint8", 0)
def test_quantise(
    kernels: KernelHost,
    length: int,
    zero_point: int,
    scale: Scale,
    kind: str,
    offset: int,
    dtype: str,
    seed: int,
) -> None:
    bits = 8 if dtype == "int8" else 16
    sample: Any = make_data(kind, seed, length, bits=bits).astype(SAMPLE_DTYPES[dtype])
    raw = np.frombuffer(bytes(offset) + sample.tobytes(), np.uint8).copy()[offset:]
    expected, clamped = reference.quantise(sample, zero_point, scale)
    got, saturations = kernels.vector(length, QUANTISE[dtype], raw, length, zero_point, scale)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(length=sizes, kind=kinds, offset=st.integers(0, 3), seed=data_seeds)
def test_load(kernels: KernelHost, length: int, kind: str, offset: int, seed: int) -> None:
    values: Any = make_data(kind, seed, length).astype("<i2")
    raw = np.frombuffer(bytes(offset) + values.tobytes(), np.uint8).copy()[offset:]
    got, _ = kernels.vector(length, "sp_load_i16", raw, length)
    np.testing.assert_array_equal(got, values)


PAIRED = {"add": reference.add, "subtract": reference.subtract}


@exactly
@given(length=sizes, first_kind=kinds, second_kind=kinds, seed=data_seeds)
@example(3, "lowest", "highest", 0)
@example(3, "highest", "lowest", 0)
@example(3, "lowest", "lowest", 0)
@pytest.mark.parametrize("name", PAIRED)
def test_sums(
    kernels: KernelHost, name: str, length: int, first_kind: str, second_kind: str, seed: int
) -> None:
    first, second = make_data(first_kind, seed, length), make_data(second_kind, seed + 1, length)
    expected, clamped = PAIRED[name](first, second)
    apart = kernels.vector(length, f"sp_{name}_a16", first, second, length)
    within = kernels.in_place(first, f"sp_{name}_a16", (second,))
    for got, saturations in (apart, within):
        np.testing.assert_array_equal(got, expected)
        assert saturations == clamped


def test_sum_into_the_second_vector(kernels: KernelHost) -> None:
    """The second argument may be the result too, and both may be."""
    second = np.array([1, -2, 30000, -30000], np.int16)
    first = np.array([10, 20, 30000, 30000], np.int16)
    assert kernels.call("sp_subtract_a16", first, second, 4, second) == 1
    assert second.tolist() == [9, 22, 0, 2**15 - 1]
    assert kernels.call("sp_add_a16", first, first, 4, first) == 2
    assert first.tolist() == [20, 40, 2**15 - 1, 2**15 - 1]


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
@example(5, "lowest", 0)
@example(5, "highest", 0)
def test_negate(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    values = make_data(kind, seed, length)
    expected, clamped = reference.subtract(0, values)
    apart = kernels.vector(length, "sp_negate_a16", values, length)
    within = kernels.in_place(values, "sp_negate_a16", ())
    for got, saturations in (apart, within):
        np.testing.assert_array_equal(got, expected)
        assert saturations == clamped


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
@example(5, "lowest", 0)
@example(9, "full", 0)
def test_rescale(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    """Every shift."""
    values = make_data(kind, seed, length)
    for shift in range(-15, 16):
        expected, clamped = reference.rescale(values, shift)
        apart = kernels.vector(length, "sp_rescale_a16", values, length, shift)
        within = kernels.in_place(values, "sp_rescale_a16", (), shift)
        for got, saturations in (apart, within):
            np.testing.assert_array_equal(got, expected)
            assert saturations == clamped


def check_measures(kernels: KernelHost, values: npt.NDArray[np.int16]) -> None:
    length = values.size
    assert kernels.call("sp_mean_square", values, length) == mean_square(values)
    largest = int(np.abs(values.astype(np.int64)).max())
    assert kernels.call("sp_largest", values, length) == largest


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
@example(7, "lowest", 0)
@example(1, "sparse", 0)
def test_measures(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    check_measures(kernels, make_data(kind, seed, length))


@pytest.mark.parametrize("kind", ["lowest", "highest", "rails", "full"])
def test_measures_of_4096_values(kernels: KernelHost, kind: str) -> None:
    check_measures(kernels, make_data(kind, 1, 4096))


def test_mean_square_rounds(kernels: KernelHost) -> None:
    assert kernels.call("sp_mean_square", np.array([1, 0], np.int16), 2) == 1
    assert kernels.call("sp_mean_square", np.array([1, 0, 0], np.int16), 3) == 0
    assert kernels.call("sp_mean_square", np.array([-1, 1, 0], np.int16), 3) == 1


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
@example(length=7, kind="lowest", seed=0)
def test_argmax(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    values = make_data(kind, seed, length)
    values[-1] = values.max()  # a tie: the lowest index must win
    expected = reference.argmax(values)
    assert kernels.call("sp_argmax", values, length) == expected
    assert not (values[:expected] == values.max()).any()
