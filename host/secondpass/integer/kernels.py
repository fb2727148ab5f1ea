# SPDX-License-Identifier: Apache-2.0
"""Kernels of inference and update in integers (docs/numerics.md, sections 4 and 6)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.fixedpoint import Scale
from secondpass.integer.arithmetic import (
    Int64Array,
    dither_rows,
    round_shift,
    row_draws,
    saturate,
    saturate16,
    scale16,
)
from secondpass.network import Int16Array, Int32Array, WeightArray

Activation = npt.NDArray[Any]
"""What a layer reads: int16, or int8 in the format a8w8."""


def quantise(raw: npt.ArrayLike, zero_point: int, scale: Scale) -> tuple[Int16Array, int]:
    """Turn a raw sample into the first activation; return it and its saturations."""
    return _int16(*scale16(np.asarray(raw, dtype=np.int64) - zero_point, scale))


def pre_activation(
    inputs: Activation, weights: WeightArray, bias: Int32Array, shift: int, activation: str
) -> tuple[Int16Array, int]:
    """Return a layer's pre-activation (outputs,) and its saturations. `shift` is in [-8, 30].

    Where an activation function is flat, a clamp changes nothing and is not counted: below zero
    for ReLU, on both sides for tanh and hard tanh.
    """
    accumulator = as_int64(weights) @ as_int64(inputs) + bias
    value = round_shift(accumulator, shift) if shift >= 0 else accumulator << -shift
    result, _ = saturate16(value)
    clamped = 0
    if activation in ("relu", "identity"):
        clamped += int(np.count_nonzero(value > result))
    if activation == "identity":
        clamped += int(np.count_nonzero(value < result))
    return result.astype(np.int16), clamped


def change(inputs: Int16Array, weights: WeightArray, shift: int) -> tuple[Int16Array, int]:
    """Return what a change of a layer's inputs makes of its pre-activation (outputs,)."""
    return _int16(*saturate16(round_shift(as_int64(weights) @ as_int64(inputs), shift)))


def backward(delta: Int16Array, weights: WeightArray, shift: int) -> tuple[Int16Array, int]:
    """Return the delta (inputs,) that a layer hands down, before the derivative."""
    return _int16(*saturate16(round_shift(as_int64(weights).T @ as_int64(delta), shift)))


def add(first: Int16Array, second: npt.ArrayLike) -> tuple[Int16Array, int]:
    """Return the sum and its saturations."""
    return _int16(*saturate16(as_int64(first) + as_int64(second)))


def subtract(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Int16Array, int]:
    """Return the difference and its saturations."""
    return _int16(*saturate16(as_int64(first) - as_int64(second)))


def rescale(value: Int16Array, shift: int) -> tuple[Int16Array, int]:
    """Shift right with rounding, or left when `shift` is negative."""
    wide = as_int64(value)
    return _int16(*saturate16(round_shift(wide, shift) if shift >= 0 else wide << -shift))


def thin_rows(delta: Int16Array, gate: int, key: int) -> Int16Array:
    """Return deltas of which those below `gate` became zero or the gate; their mean stays.

    `gate` is in [0, 2**15), in steps of the delta; `key` is the dither's of this update.
    """
    if not gate:
        return delta
    wide = as_int64(delta)
    magnitude = np.abs(wide)
    kept = row_draws(key, wide.size) * gate < magnitude << 16
    drawn = np.where(kept, np.sign(wide) * gate, 0)
    return np.where(magnitude < gate, drawn, wide).astype(np.int16)


def row_errors(delta: Int16Array, rate: Scale, clip: int) -> tuple[Int16Array, int]:
    """Fold the learning rate into a layer's delta; return row errors and their saturations."""
    product = as_int64(delta) * rate.multiplier
    return _int16(*saturate(round_shift(product, rate.shift), -clip, clip))


def update(
    weights: WeightArray,
    errors: Int16Array,
    presynaptic: Activation,
    shift: int,
    key: int,
) -> int:
    """Update weights in place; return saturations. A row whose error is zero is left alone."""
    active = np.flatnonzero(errors)
    if not active.size:
        return 0
    dither = dither_rows(key, active, presynaptic.size, shift)
    step = (as_int64(errors[active])[:, None] * as_int64(presynaptic)[None, :] + dither) >> shift
    limits = np.iinfo(weights.dtype)
    result, clamped = saturate(as_int64(weights[active]) - step, limits.min, limits.max)
    weights[active] = result.astype(weights.dtype)
    return clamped


def update_bias(bias: Int32Array, errors: Int16Array, exponent: int) -> int:
    """Update biases in place, their input being one; return saturations.

    `exponent` is twice the fractional bits of the layer's input minus the update's shift.
    """
    wide = as_int64(errors)
    step = wide << exponent if exponent >= 0 else round_shift(wide, -exponent)
    result, clamped = saturate(as_int64(bias) - step, -(2**31), 2**31 - 1)
    bias[...] = result.astype(np.int32)
    return clamped


def error_signs(error: Int16Array) -> Int16Array:
    """Return the sign of each error at full scale: -32767, 0 or 32767."""
    return np.asarray(np.sign(error) * np.int16(32767), dtype=np.int16)


def argmax(logits: Int16Array) -> int:
    """Return the index of the largest logit, the lowest one when several are equal."""
    return int(np.argmax(logits))


def decayed(rate: Scale, factor: int) -> Scale:
    """Return a rate times a Q15 factor in [16384, 32768]."""
    magnitude = (abs(rate.multiplier) * factor + 2**14) >> 15
    shift = rate.shift
    if 0 < magnitude < 2**14:
        magnitude, shift = 2 * magnitude, shift + 1
    if magnitude == 0 or shift > 46:
        return Scale(0, 0)
    return Scale(magnitude if rate.multiplier > 0 else -magnitude, shift)


def as_int64(values: npt.ArrayLike) -> Int64Array:
    """Widen to int64."""
    return np.asarray(values, dtype=np.int64)


def _int16(values: Int64Array, clamped: int) -> tuple[Int16Array, int]:
    return values.astype(np.int16), clamped
