# SPDX-License-Identifier: Apache-2.0
"""Sections 2, 3 and 6.5: scales, rounding, generator, dither, decay."""

import math

GOLDEN = 0x9E3779B9
DITHER_STREAM = 0x44495448
ROWS_STREAM = 0x524F5753
LOG2_E = 47274
MODULUS = 2**32


def from_real(factor):
    """A scale as the pair (multiplier, shift)."""
    if factor == 0:
        return 0, 0
    fraction, exponent = math.frexp(abs(factor))
    multiplier = round(fraction * 2**15)
    if multiplier == 32768:
        multiplier, exponent = 16384, exponent + 1
    shift = 15 - exponent
    if shift > 46:
        return 0, 0
    if shift < 0:
        raise ValueError(f"{factor} is too large for a scale")
    return (multiplier if factor > 0 else -multiplier), shift


def round_shift(value, shift):
    return value if shift == 0 else (value + 2 ** (shift - 1)) >> shift


def shift_by(value, shift):
    return round_shift(value, shift) if shift >= 0 else value * 2**-shift


def clamp(value, low, high):
    return min(max(value, low), high)


def sat(value, bits):
    return clamp(value, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def mix32(value):
    value = (value + GOLDEN) % MODULUS
    value = ((value ^ (value >> 16)) * 0x7FEB352D) % MODULUS
    value = ((value ^ (value >> 15)) * 0x846CA68B) % MODULUS
    return value ^ (value >> 16)


def dither_key(seed, step, update):
    stream = mix32(seed ^ DITHER_STREAM)
    return mix32(mix32(stream + step) + update)


def dither_offset(base, column, bits):
    return ((base + (column >> 1) * GOLDEN) % MODULUS) >> (32 - bits)


def thinned(delta, gate, key):
    """Section 6.3: a delta of every row behind the row gate."""
    result, stream = [], mix32(key ^ ROWS_STREAM)
    for i, value in enumerate(delta):
        if 0 < abs(value) < gate:
            u = mix32(stream + i) >> 16
            size = gate if u * gate < abs(value) * 2**16 else 0
            value = size if value > 0 else -size
        result.append(value)
    return result


def decayed(scale, factor):
    multiplier, shift = scale
    magnitude = (abs(multiplier) * factor + 2**14) >> 15
    if 0 < magnitude < 16384:
        magnitude, shift = 2 * magnitude, shift + 1
    if magnitude == 0 or shift > 46:
        return 0, 0
    return (magnitude if multiplier > 0 else -magnitude), shift
