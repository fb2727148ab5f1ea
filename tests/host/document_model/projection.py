# SPDX-License-Identifier: Apache-2.0
"""Section 5: the fixed random matrix, products with it, and Q."""

import base64
import math

from .arithmetic import GOLDEN, MODULUS, mix32, round_shift, sat

UNIT_BITS = {"sign": 0, "sparse": 0, "dense": 8, "stored": 7}


def generated_row(kind, seed, row, columns):
    """Row `row` of a matrix that is not stored."""
    key = mix32(seed)
    if kind == "sparse":
        word = mix32(key + row)
        tied = ((word >> 16) * columns) >> 16
        return [(-1 if word & 1 else 1) * (column == tied) for column in range(columns)]
    per_word = 32 if kind == "sign" else 4
    first = row * -(-columns // per_word)
    elements = []
    for column in range(columns):
        word = mix32(key + first + column // per_word)
        if kind == "sign":
            elements.append(-1 if word >> (column % 32) & 1 else 1)
        else:
            byte = word >> (8 * (column % 4)) & 255
            elements.append(2 * (byte - 256 * (byte > 127)) + 1)
    return elements


def layer_seed(seed, layer):
    return seed if layer == 0 else mix32((seed + layer * GOLDEN) % MODULUS)


class Matrix:
    """F, or G, or B."""

    def __init__(self, rule, seed, rows, columns):
        self.bits = UNIT_BITS[rule.projection]
        if rule.projection == "stored":
            content = [v - 256 * (v > 127) for v in base64.b64decode(rule.matrix)]
            self.rows = [content[j * columns : (j + 1) * columns] for j in range(rows)]
        else:
            self.rows = [generated_row(rule.projection, seed, j, columns) for j in range(rows)]

    def product(self, signal):
        """u of section 5.6."""
        return [
            round_shift(sum(f * a for f, a in zip(row, signal, strict=True)), self.bits)
            for row in self.rows
        ]

    def fold(self, vector):
        """Section 5.7."""
        columns = zip(*self.rows, strict=True)
        return [
            round_shift(sum(v * f for v, f in zip(vector, column, strict=True)), self.bits)
            for column in columns
        ]


def follow(q, errors, folded, update_shift):
    """Let Q follow an update of the weights."""
    for row, d in zip(q, errors, strict=True):
        for k, g in enumerate(folded):
            row[k] = sat(row[k] - round_shift(d * g, update_shift), 32)


def modulation(q, signal, scale):
    """Section 5.8: the modulation and its clamps."""
    m, clamps = [], 0
    for row in q:
        total = round_shift(sum(v * a for v, a in zip(row, signal, strict=True)), 12)
        narrow = sat(total, 32)
        scaled = round_shift(narrow * scale[0], scale[1])
        m.append(sat(scaled, 16))
        clamps += (narrow != total) + (m[-1] != scaled)
    return m, clamps


def magnitude(kind, deviation, n, columns):
    """Section 5.9."""
    result = deviation * math.sqrt(2 / n)
    if kind == "dense":
        result = result * math.sqrt(3)
    if kind == "sparse":
        result = result * math.sqrt(columns)
    return result
