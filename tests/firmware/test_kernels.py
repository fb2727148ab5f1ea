# SPDX-License-Identifier: Apache-2.0
"""Inference kernels: every C form equals the NumPy reference, saturations included."""

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import (
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
from secondpass.integer import arithmetic
from secondpass.integer import kernels as reference
from secondpass.integer.softmax import softmax_error
from secondpass.rules import PROJECTIONS

WIDE = st.one_of(
    st.sampled_from([-(2**31), 2**31 - 1, 0, 1, -1, 2**15, -(2**15)]),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**17), 2**17),
)


@exactly
@given(values=st.lists(WIDE, min_size=1, max_size=50), scale=scales)
@example(values=[-3, -1, 1, 3], scale=Scale(2**14, 15))
def test_scale16(kernels: KernelHost, values: list[int], scale: Scale) -> None:
    saturations = kernels.ffi.new("uint32_t *")
    got = [kernels.lib.sp_scale16(v, kernels.scale(scale), saturations) for v in values]
    expected, clamped = arithmetic.scale16(values, scale)
    assert got == expected.tolist()
    assert saturations[0] == clamped


def test_scale16_rounds_half_up(kernels: KernelHost) -> None:
    half = {"multiplier": 2**14, "shift": 15}
    saturations = kernels.ffi.new("uint32_t *")
    got = [kernels.lib.sp_scale16(v, half, saturations) for v in (-3, -2, -1, 0, 1, 2, 3)]
    assert got == [-1, -1, 0, 0, 1, 1, 2]
    assert saturations[0] == 0


@exactly
@given(seed=words, step=words, layer=st.integers(0, 200))
@example(seed=2**32 - 1, step=1, layer=0)
def test_generator(kernels: KernelHost, seed: int, step: int, layer: int) -> None:
    assert kernels.lib.sp_mix32(seed) == arithmetic.mix32_scalar(seed)
    key = kernels.lib.sp_dither_key(seed, step, layer)
    assert key == arithmetic.dither_key(seed, step, layer)


@exactly
@given(data=st.binary(max_size=600))
@example(data=b"123456789")
def test_crc32(kernels: KernelHost, data: bytes) -> None:
    copy = np.frombuffer(data, np.uint8).copy()
    assert kernels.lib.sp_link_crc32(kernels.pointer(copy), len(data)) == zlib.crc32(data)


@exactly
@given(
    inputs=sizes,
    outputs=sizes,
    shift=st.integers(0, 30),
    relu=st.booleans(),
    x_kind=kinds,
    weight_kind=kinds,
    bias_kind=kinds,
    seed=data_seeds,
)
@example(70, 70, 15, False, "lowest", "lowest", "highest", 0)
@example(69, 3, 0, True, "lowest", "highest", "lowest", 0)
@example(1, 1, 30, True, "full", "full", "full", 0)
def test_fc(
    kernels: KernelHost,
    inputs: int,
    outputs: int,
    shift: int,
    relu: bool,
    x_kind: str,
    weight_kind: str,
    bias_kind: str,
    seed: int,
) -> None:
    x = make_data(x_kind, seed, inputs)
    weights = make_data(weight_kind, seed + 1, outputs, inputs)
    bias = make_data(bias_kind, seed + 2, outputs, bits=32)
    activation = "relu" if relu else "identity"
    expected, clamped = reference.fully_connected(x, weights, bias, shift, activation)
    x_padded, rows = padded(x), padded(weights)
    layer = kernels.shape(inputs, outputs, shift=shift, relu=int(relu))
    got, saturations = kernels.vector(
        outputs,
        lambda y: kernels.lib.sp_fc_a16w16(
            layer, kernels.pointer(x_padded), kernels.pointer(rows), kernels.pointer(bias), y
        ),
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(
    length=sizes,
    zero_point=st.one_of(st.sampled_from([-(2**15), 2**15 - 1]), st.integers(-300, 300)),
    scale=scales,
    kind=kinds,
    offset=st.integers(0, 3),
    wide=st.booleans(),
    seed=data_seeds,
)
@example(70, -(2**15), Scale(2**15 - 1, 0), "highest", 1, True, 0)
def test_quantise(
    kernels: KernelHost,
    length: int,
    zero_point: int,
    scale: Scale,
    kind: str,
    offset: int,
    wide: bool,
    seed: int,
) -> None:
    sample: Any = make_data(kind, seed, length).astype("<i2")
    if not wide:
        sample = (sample & 255).astype(np.uint8)
    raw = np.frombuffer(bytes(offset) + sample.tobytes(), np.uint8).copy()
    expected, clamped = reference.quantise(sample, zero_point, scale)
    kernel = kernels.lib.sp_quantise_i16 if wide else kernels.lib.sp_quantise_u8
    got, saturations = kernels.vector(
        length,
        lambda x: kernel(
            kernels.pointer(raw[offset:]), length, zero_point, kernels.scale(scale), x
        ),
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(
    inputs=sizes,
    outputs=sizes,
    seed=words,
    scale=scales,
    x_kind=kinds,
    error_kind=kinds,
    data_seed=data_seeds,
)
@example(70, 70, 2**32 - 1, Scale(2**15 - 1, 0), "highest", "lowest", 0)
@example(3, 33, 1, Scale(-(2**14), 14), "lowest", "lowest", 0)
@example(3, 5, 1, Scale(2**14, 14), "small", "full", 0)
@pytest.mark.parametrize("kind", PROJECTIONS)
def test_project(
    kernels: KernelHost,
    kind: str,
    inputs: int,
    outputs: int,
    seed: int,
    scale: Scale,
    x_kind: str,
    error_kind: str,
    data_seed: int,
) -> None:
    x = make_data(x_kind, data_seed, inputs)
    error = make_data(error_kind, data_seed + 1, outputs)
    expected, clamped = reference.project(kind, error, x, seed, scale)
    kernel = getattr(kernels.lib, f"sp_project_{kind}_a16")
    got, saturations = kernels.vector(
        inputs,
        lambda modulated: kernel(
            kernels.pointer(error),
            outputs,
            kernels.pointer(x),
            inputs,
            seed,
            kernels.scale(scale),
            modulated,
        ),
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


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
        classes,
        lambda error: kernels.lib.sp_softmax_error(
            kernels.pointer(logits), classes, frac_bits, label, error
        ),
        padding=False,
    )
    np.testing.assert_array_equal(got, expected)
    assert probability == expected_probability


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
def test_error_signs(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    error = make_data(kind, seed, length)
    got, _ = kernels.vector(
        length,
        lambda signs: kernels.lib.sp_error_signs(kernels.pointer(error), length, signs),
        padding=False,
    )
    np.testing.assert_array_equal(got, reference.error_signs(error))


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
@example(length=7, kind="lowest", seed=0)
def test_argmax(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    values = make_data(kind, seed, length)
    values[-1] = values.max()  # a tie: the lowest index must win
    expected = reference.argmax(values)
    assert kernels.lib.sp_argmax(kernels.pointer(values), length) == expected
    assert not (values[:expected] == values.max()).any()
