# SPDX-License-Identifier: Apache-2.0
"""Rounding, saturation and the generator: C equals the NumPy reference."""

import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import INT32, KernelHost, exactly, scales, words

from secondpass.fixedpoint import Scale
from secondpass.integer import arithmetic
from secondpass.integer.projections import layer_seed

WIDE = st.one_of(
    st.sampled_from([*INT32, 0, 1, -1, 2**15, -(2**15)]),
    st.integers(*INT32),
    st.integers(-(2**17), 2**17),
)


@exactly
@given(values=st.lists(WIDE, min_size=1, max_size=50), scale=scales)
@example(values=[-3, -1, 1, 3], scale=Scale(2**14, 15))
@example(values=[*INT32], scale=Scale(-(2**15) + 1, 46))
@example(values=[*INT32], scale=Scale(2**15 - 1, 0))
@example(values=[*INT32, 2**17, -(2**17)], scale=Scale(2**15 - 1, 31))
@example(values=[*INT32, 2**17, -(2**17)], scale=Scale(-(2**14), 32))
@example(values=[*INT32], scale=Scale(2**15 - 1, 33))
@example(values=[2**15 - 1, 2**15, -(2**15), -(2**15) - 1], scale=Scale(2**14, 14))
def test_scale16(kernels: KernelHost, values: list[int], scale: Scale) -> None:
    saturations = kernels.ffi.new("uint32_t *")
    got = [kernels.call("sp_scale16", value, scale, saturations) for value in values]
    expected, clamped = arithmetic.scale16(values, scale)
    assert got == expected.tolist()
    assert saturations[0] == clamped


@exactly
@given(values=st.lists(st.integers(-(2**15), 2**15), min_size=1, max_size=50), scale=scales)
@example(values=[-(2**15), 2**15], scale=Scale(-(2**15) + 1, 30))
@example(values=[-(2**15), 2**15], scale=Scale(2**15 - 1, 30))
@example(values=[-(2**15), 2**15], scale=Scale(2**15 - 1, 31))
@example(values=[-(2**15), 2**15], scale=Scale(2**15 - 1, 0))
def test_scale16_in_32_bits(kernels: KernelHost, values: list[int], scale: Scale) -> None:
    saturations = kernels.ffi.new("uint32_t *")
    short = kernels.call("sp_short_scale", scale)
    got = [kernels.lib.sp_scale16_short(value, short, saturations) for value in values]
    expected, clamped = arithmetic.scale16(values, scale)
    assert got == expected.tolist()
    assert saturations[0] == clamped


@exactly
@given(value=WIDE, factor=st.integers(-(2**15), 2**15))
@example(value=2**16 - 1, factor=-(2**15))
@example(value=-1, factor=2**15)
@example(value=-(2**31), factor=-(2**15))
def test_product(kernels: KernelHost, value: int, factor: int) -> None:
    assert kernels.lib.sp_product(value, factor) == value * factor


def test_scale16_rounds_half_up(kernels: KernelHost) -> None:
    half = Scale(2**14, 15)
    saturations = kernels.ffi.new("uint32_t *")
    got = [kernels.call("sp_scale16", v, half, saturations) for v in (-3, -2, -1, 0, 1, 2, 3)]
    assert got == [-1, -1, 0, 0, 1, 1, 2]
    assert saturations[0] == 0


@exactly
@given(value=st.integers(-(2**62) + 1, 2**62 - 1), shift=st.integers(0, 46))
@example(value=2**62 - 1, shift=46)
@example(value=-(2**62) + 1, shift=46)
@example(value=-1, shift=0)
@example(value=2**31 - 1 - 2**29, shift=30)
@example(value=-(2**31), shift=30)
@example(value=2**31 - 1, shift=0)
def test_round_shift(kernels: KernelHost, value: int, shift: int) -> None:
    expected = (value + ((1 << shift) >> 1)) >> shift
    assert kernels.lib.sp_round_shift(value, shift) == expected
    assert int(arithmetic.round_shift(value, shift)) == expected
    if shift <= 30 and -(2**31) <= value <= 2**31 - 1 - ((1 << shift) >> 1):
        assert kernels.lib.sp_round_shift32(value, shift) == expected


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_saturate(kernels: KernelHost, bits: int) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    far = (-(2**62), 2**62) if bits > 8 else INT32
    saturate = getattr(kernels.lib, f"sp_saturate{bits}")
    for value in (low - 1, low, low + 1, -1, 0, 1, high - 1, high, high + 1, *far):
        saturations = kernels.ffi.new("uint32_t *", 7)
        expected, clamped = arithmetic.saturate(value, low, high)
        assert saturate(value, saturations) == expected
        assert saturations[0] == 7 + clamped


@pytest.mark.parametrize("value", [*INT32, *(v + d for v in (-(2**15), 2**15) for d in (-1, 0, 1))])
def test_fit16(kernels: KernelHost, value: int) -> None:
    saturations = kernels.ffi.new("uint32_t *", 7)
    expected, clamped = arithmetic.saturate(value, -(2**15), 2**15 - 1)
    assert kernels.lib.sp_fit16(value, saturations) == expected
    assert saturations[0] == 7 + clamped


@exactly
@given(seed=words, step=words, layer=st.integers(0, 200))
@example(seed=2**32 - 1, step=1, layer=0)
def test_generator(kernels: KernelHost, seed: int, step: int, layer: int) -> None:
    assert kernels.lib.sp_mix32(seed) == arithmetic.mix32_scalar(seed)
    key = kernels.lib.sp_dither_key(seed, step, layer)
    assert key == arithmetic.dither_key(seed, step, layer)
    assert kernels.lib.sp_layer_seed(seed, layer) == layer_seed(seed, layer)


def test_rows_begin_on_four_byte_boundaries(kernels: KernelHost) -> None:
    for inputs in (*range(1, 20), 4093, 4094, 4095, 4096):
        assert kernels.lib.sp_row_stride(inputs) == (inputs + 1) // 2 * 2
        assert kernels.lib.sp_row_stride8(inputs) == (inputs + 3) // 4 * 4


@exactly
@given(data=st.binary(max_size=600))
@example(data=b"123456789")
def test_crc32(kernels: KernelHost, data: bytes) -> None:
    copy = np.frombuffer(data, np.uint8).copy()
    assert kernels.call("sp_link_crc32", copy, len(data)) == zlib.crc32(data)
