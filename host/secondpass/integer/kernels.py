# SPDX-License-Identifier: Apache-2.0
"""Inference and update kernels in integers (docs/numerics.md, sections 4 to 6)."""

import numpy as np
import numpy.typing as npt

from secondpass.fixedpoint import Scale
from secondpass.integer.arithmetic import (
    Int64Array,
    dither_row,
    round_shift,
    saturate,
    saturate16,
    scale16,
)
from secondpass.network import Int16Array, Int32Array
from secondpass.projection import dense_matrix, sign_matrix, sparse_matrix


def quantise(raw: npt.ArrayLike, zero_point: int, scale: Scale) -> tuple[Int16Array, int]:
    """Turn a raw sample into the first activation; return it and its saturations."""
    result, clamped = scale16(np.asarray(raw, dtype=np.int64) - zero_point, scale)
    return result.astype(np.int16), clamped


def fully_connected(
    inputs: Int16Array, weights: Int16Array, bias: Int32Array, shift: int, activation: str
) -> tuple[Int16Array, int]:
    """Return the layer's activation (outputs,) and its saturations.

    ReLU clamps to [0, 32767] and counts only the upper bound.
    """
    accumulator = weights.astype(np.int64) @ inputs.astype(np.int64) + bias
    value = round_shift(accumulator, shift)
    if activation == "relu":
        value = np.maximum(value, 0)
    result, clamped = saturate16(value)
    return result.astype(np.int16), clamped


def project(
    kind: str, error: Int16Array, inputs: Int16Array, seed: int, scale: Scale
) -> tuple[Int16Array, int]:
    """Return the modulated input x + F e and its saturations."""
    size, outputs = inputs.size, error.size
    wide = error.astype(np.int64)
    if kind == "sign":
        projected = sign_matrix(seed, size, outputs) @ wide
    elif kind == "sparse":
        projected = sparse_matrix(seed, size, outputs) @ wide
    else:
        projected = round_shift(dense_matrix(seed, size, outputs) @ wide, 8)
    modulation, first = scale16(projected, scale)
    result, second = saturate16(inputs.astype(np.int64) + modulation)
    return result.astype(np.int16), first + second


def error_signs(error: Int16Array) -> Int16Array:
    """Return the sign of each error at full scale: -32767, 0 or 32767."""
    return np.asarray(np.sign(error) * np.int16(32767), dtype=np.int16)


def row_errors(delta: npt.ArrayLike, rate: Scale) -> tuple[Int16Array, int]:
    """Fold the learning rate into a layer's delta; return row errors and their saturations."""
    result, clamped = scale16(delta, rate)
    return result.astype(np.int16), clamped


def update(
    weights: Int16Array,
    bias: Int32Array,
    errors: Int16Array,
    presynaptic: Int16Array,
    in_frac: int,
    key: int,
) -> tuple[int, int]:
    """Update weights and bias in place; return saturations and the number of active rows.

    A row whose error is zero is left alone.
    """
    clamped_total = 0
    active = np.flatnonzero(errors)
    wide = presynaptic.astype(np.int64)
    for row in active:
        error = int(errors[row])
        dither = dither_row(key, int(row), wide.size)
        step = (error * wide + dither) >> 16
        new_row, clamped = saturate16(weights[row].astype(np.int64) - step)
        weights[row] = new_row.astype(np.int16)
        new_bias, bias_clamped = saturate(
            int(bias[row]) - bias_step(error, in_frac), -(2**31), 2**31 - 1
        )
        bias[row] = np.int32(new_bias)
        clamped_total += clamped + bias_clamped
    return clamped_total, int(active.size)


def bias_step(error: int, in_frac: int) -> int:
    """Return the bias update: the row error times a constant input of one."""
    shift = 2 * in_frac - 16
    if shift >= 0:
        return error << shift
    return int(round_shift(error, -shift))


def argmax(logits: Int16Array) -> int:
    """Return the index of the largest logit, the lowest one when several are equal."""
    return int(np.argmax(logits))


def as_int64(values: npt.ArrayLike) -> Int64Array:
    """Widen to int64."""
    return np.asarray(values, dtype=np.int64)
