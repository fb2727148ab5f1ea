# SPDX-License-Identifier: Apache-2.0
"""Activation functions and their derivatives in integers (docs/numerics.md, section 4.3)."""

import numpy as np

from secondpass.integer.arithmetic import Int64Array, round_shift, saturate
from secondpass.network import FINE_BITS, Int16Array

TANH_TABLE = np.array(
    [min(round(np.tanh(i / 32) * 2**15), 2**15 - 1) for i in range(257)], dtype=np.int64
)
"""tanh(i / 32) with 15 fractional bits, i = 0 .. 256."""


def tanh_q15(value: Int16Array) -> Int64Array:
    """Return tanh of values with 12 fractional bits, with 15 fractional bits."""
    wide = np.asarray(value, dtype=np.int64)
    magnitude = np.minimum(np.abs(wide), 2**15 - 1)
    index, rest = magnitude >> 7, magnitude & 127
    lower = TANH_TABLE[index]
    result = lower + (((TANH_TABLE[index + 1] - lower) * rest + 64) >> 7)
    return np.asarray(np.where(wide < 0, -result, result), dtype=np.int64)


def activate(kind: str, value: Int16Array, frac: int) -> Int16Array:
    """Return the activation, with `frac` fractional bits, of a pre-activation."""
    wide = np.asarray(value, dtype=np.int64)
    if kind == "relu":
        wide = np.maximum(wide, 0)
    elif kind == "hard_tanh":
        wide = np.clip(wide, -(1 << frac), 1 << frac)
    elif kind == "tanh":
        wide = round_shift(tanh_q15(value), 15 - frac)
    return wide.astype(np.int16)


def times_derivative(kind: str, delta: Int16Array, result: Int16Array, frac: int) -> Int16Array:
    """Multiply a delta by the derivative of the activation that gave `result`."""
    wide, h = np.asarray(delta, dtype=np.int64), np.asarray(result, dtype=np.int64)
    if kind == "relu":
        wide = wide * (h > 0)
    elif kind == "hard_tanh":
        wide = wide * (np.abs(h) < 1 << frac)
    elif kind == "tanh":
        slope = 2**15 - round_shift(h * h, 2 * frac - 15)
        wide = round_shift(wide * slope, 15)
    return wide.astype(np.int16)


def narrow(value: Int16Array) -> tuple[np.ndarray, int]:
    """Round an int16 result to the int8 that the next layer reads; return it and clamps."""
    result, clamped = saturate(round_shift(value, FINE_BITS), -128, 127)
    return result.astype(np.int8), clamped
