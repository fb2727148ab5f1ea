# SPDX-License-Identifier: Apache-2.0
"""Output errors of the heads in integers (docs/numerics.md, section 4.4)."""

import numpy as np

from secondpass.integer.arithmetic import Int64Array, saturate16
from secondpass.network import Int16Array

LOG2_E = 47274
"""log2(e) with 15 fractional bits."""

EXP2_TABLE = np.array([round(2.0 ** (15 - i / 32)) for i in range(33)], dtype=np.int64)
"""2**(-i/32) with 15 fractional bits; 33 entries, the last one 0.5."""


def exponentials(logits: Int16Array, frac_bits: int) -> Int64Array:
    """Return exp(logit - largest logit) with 15 fractional bits, in [0, 32768]."""
    wide = logits.astype(np.int64)
    distance = (wide.max() - wide) * LOG2_E
    fraction_bits = frac_bits + 15
    whole = distance >> fraction_bits
    fraction = distance & ((1 << fraction_bits) - 1)
    index = fraction >> (fraction_bits - 5)
    rest = (fraction & ((1 << (fraction_bits - 5)) - 1)) >> (fraction_bits - 15)
    upper = EXP2_TABLE[index]
    mantissa = upper - (((upper - EXP2_TABLE[index + 1]) * rest + 512) >> 10)
    shift = np.minimum(whole, 17)
    return np.asarray((mantissa + ((1 << shift) >> 1)) >> shift, dtype=np.int64)


def probabilities(logits: Int16Array, frac_bits: int) -> Int64Array:
    """Return the class probabilities with 15 fractional bits, each in [0, 32768]."""
    values = exponentials(logits, frac_bits)
    total = values.sum()
    return np.asarray(((values << 15) + (total >> 1)) // total, dtype=np.int64)


def softmax_error(logits: Int16Array, frac_bits: int, label: int) -> tuple[Int16Array, int]:
    """Return the output error (probability minus one-hot, Q0.15) and the label's probability."""
    probability = probabilities(logits, frac_bits)
    error = probability.copy()
    error[label] -= 1 << 15
    clamped, _ = saturate16(error)
    return clamped.astype(np.int16), int(probability[label])


def sigmoid_error(logit: Int16Array, frac_bits: int, label: int) -> tuple[Int16Array, int]:
    """Return the error (1,) of one logit and the label's probability: a softmax of (0, logit)."""
    pair = np.array([0, logit[0]], dtype=np.int16)
    probability = probabilities(pair, frac_bits)
    error, _ = saturate16(probability[1:] - (label << 15))
    return error.astype(np.int16), int(probability[label])


def mean_square(error: Int16Array) -> int:
    """Return the mean of the squared error, with twice its fractional bits, rounded."""
    wide = error.astype(np.int64)
    return int(((wide * wide).sum() + error.size // 2) // error.size)
