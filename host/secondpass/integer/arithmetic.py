# SPDX-License-Identifier: Apache-2.0
"""Rounding, saturation and the counter-based generator (docs/numerics.md, sections 2 and 3)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.fixedpoint import Scale

Int64Array = npt.NDArray[np.int64]
UInt32Array = npt.NDArray[np.uint32]

GOLDEN = 0x9E3779B9
"""2**32 divided by the golden ratio: the increment of a Weyl sequence."""
DITHER_STREAM = 0x44495448
"""ASCII "DITH": tells the dither's use of a seed from the projection's use of the same seed."""

ROWS_STREAM = 0x524F5753
"""ASCII "ROWS": tells the row gate's use of a dither key from the rounding's."""


def round_shift(value: npt.ArrayLike, shift: int) -> Int64Array:
    """Shift right with rounding: add half, then arithmetic shift. `shift` in [0, 46]."""
    wide = np.asarray(value, dtype=np.int64)
    if shift == 0:
        return wide
    return np.asarray((wide + (1 << (shift - 1))) >> shift, dtype=np.int64)


def saturate(value: npt.ArrayLike, low: int, high: int) -> tuple[Int64Array, int]:
    """Clamp to [low, high]; return the result and how many values were clamped."""
    wide = np.asarray(value, dtype=np.int64)
    clamped = np.clip(wide, low, high)
    return clamped, int(np.count_nonzero(clamped != wide))


def saturate16(value: npt.ArrayLike) -> tuple[Int64Array, int]:
    """Clamp to int16; return the result (as int64) and how many values were clamped."""
    return saturate(value, -(2**15), 2**15 - 1)


def scale16(value: npt.ArrayLike, scale: Scale) -> tuple[Int64Array, int]:
    """Multiply by a scale, round half up, clamp to int16; `value` fits int32."""
    product = np.asarray(value, dtype=np.int64) * scale.multiplier
    return saturate16(round_shift(product, scale.shift))


def mix32(value: Any) -> UInt32Array:
    """Hash 32-bit counters to 32 bits: golden increment, then two xor-multiply rounds.

    The rounds and constants are those of Wellons' "lowbias32".
    """
    x = np.atleast_1d(np.asarray(value)).astype(np.uint32) + np.uint32(GOLDEN)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return np.asarray(x, dtype=np.uint32)


def mix32_scalar(value: int) -> int:
    """Hash one 32-bit counter (taken modulo 2**32)."""
    return int(mix32(np.uint32(value & 0xFFFFFFFF))[0])


def dither_key(dither_seed: int, step: int, layer: int) -> int:
    """Return the key of one layer's rounding in one step.

    The seed is hashed before the step is added: the steps of neighbouring seeds are unrelated.
    """
    stream = mix32_scalar(dither_seed ^ DITHER_STREAM)
    return mix32_scalar(mix32_scalar(stream + step) + layer)


def dither_rows(key: int, rows: npt.ArrayLike, columns: int, bits: int) -> Int64Array:
    """Return rounding offsets of `bits` bits for rows (count,), columns: (count, columns).

    A pair of columns shares a value.
    """
    base = mix32(np.asarray(rows, dtype=np.uint32) + np.uint32(key))
    pairs = np.arange((columns + 1) // 2, dtype=np.uint32) * np.uint32(GOLDEN)
    offsets = (base[:, None] + pairs[None, :]) >> np.uint32(32 - bits)
    return np.repeat(offsets, 2, axis=1)[:, :columns].astype(np.int64)


def row_draws(key: int, rows: int) -> Int64Array:
    """Return a number in [0, 2**16) for each of the first rows of an update: the row gate's."""
    stream = mix32_scalar(key ^ ROWS_STREAM)
    words = mix32(np.arange(rows, dtype=np.uint32) + np.uint32(stream))
    return (words >> np.uint32(16)).astype(np.int64)
