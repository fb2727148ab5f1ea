# SPDX-License-Identifier: Apache-2.0
"""Section 4: the input, layers, activations and heads."""

import re
from dataclasses import dataclass
from pathlib import Path

from .arithmetic import LOG2_E, from_real, round_shift, sat, shift_by

EXP2 = [
    *(32768, 32066, 31379, 30706, 30048, 29405, 28774, 28158, 27554, 26964, 26386),
    *(25821, 25268, 24726, 24196, 23678, 23170, 22674, 22188, 21713, 21247, 20792),
    *(20347, 19911, 19484, 19066, 18658, 18258, 17867, 17484, 17109, 16743, 16384),
]


def _tanh_table():
    """The table H of section 4.3, read from the document."""
    document = Path(__file__).parents[3] / "docs" / "numerics.md"
    text = document.read_text(encoding="utf-8")
    numbers = re.search(r"H\[0\.\.256\] = [^=\n]+=\n([\d\s]+?)\s+H\[i\] = 32767", text)[1]
    table = [int(number) for number in numbers.split()]
    return table + [32767] * (257 - len(table))


TANH = _tanh_table()


@dataclass
class Response:
    """What a layer makes: pre-activation, result, and what the next layer reads."""

    z: list
    result: list
    out: list


def tanh15(z):
    m = min(abs(z), 32767)
    i, rest = m >> 7, m % 128
    r = TANH[i] + (((TANH[i + 1] - TANH[i]) * rest + 64) >> 7)
    return -r if z < 0 else r


def activation(kind, z, frac):
    if kind == "relu":
        return max(z, 0)
    if kind == "hard_tanh":
        return min(max(z, -(2**frac)), 2**frac)
    return round_shift(tanh15(z), 15 - frac) if kind == "tanh" else z


def times_derivative(kind, d, h, frac):
    if kind == "relu":
        return d if h > 0 else 0
    if kind == "hard_tanh":
        return d if abs(h) < 2**frac else 0
    if kind == "tanh":
        return round_shift(d * (32768 - round_shift(h * h, 2 * frac - 15)), 15)
    return d


def softmax_parts(logits, frac_bits):
    """For each class: power, whole, index, rest and q."""
    parts, largest = [], max(logits)
    for logit in logits:
        power = (largest - logit) * LOG2_E
        whole = power >> (frac_bits + 15)
        fraction = power % 2 ** (frac_bits + 15)
        index = fraction >> (frac_bits + 10)
        rest = (fraction % 2 ** (frac_bits + 10)) >> frac_bits
        mantissa = EXP2[index] - (((EXP2[index] - EXP2[index + 1]) * rest + 512) >> 10)
        parts.append((power, whole, index, rest, round_shift(mantissa, min(whole, 17))))
    return parts


def probabilities(logits, frac_bits):
    q = [part[-1] for part in softmax_parts(logits, frac_bits)]
    total = sum(q)
    return [(value * 2**15 + total // 2) // total for value in q]


class Forward:
    """Layers and heads of a model that has `shape` (settings.Shape), weights and counts."""

    def saturate(self, value, bits, *counter):
        """Clamp, and count."""
        result = sat(value, bits)
        self.counts[counter] += result != value
        return result

    def narrow(self, result, *counter):
        if not self.shape.fine:
            return result
        return [self.saturate(round_shift(v, 8), 8, *counter) for v in result]

    def quantise(self, raw):
        spec, shape, counter = self.shape.input, self.shape, "input_saturations"
        multiplier, shift = from_real(spec.step * 2.0 ** (spec.frac_bits + shape.fine))
        x = [
            self.saturate(round_shift((int(v) - spec.zero_point) * multiplier, shift), 16, counter)
            for v in raw
        ]
        if spec.mean:
            mean = [round(m * 2.0 ** (spec.frac_bits + shape.fine)) for m in spec.mean]
            x = [self.saturate(v - m, 16, counter) for v, m in zip(x, mean, strict=True)]
        return Response(x, x, self.narrow(x, counter))

    def layer(self, index, x):
        shape, counter = self.shape, (index, "activation_saturations")
        kind, z = shape.activation[index], []
        for row, bias in zip(self.weights[index], self.biases[index], strict=True):
            total = bias + sum(w * v for w, v in zip(row, x, strict=True))
            value = shift_by(total, shape.shift[index])
            z.append(sat(value, 16))
            counted = (value > 32767 and kind in ("relu", "identity")) or (
                value < -32768 and kind == "identity"
            )
            self.counts[counter] += counted
        result = [activation(kind, v, shape.result_frac[index]) for v in z]
        return Response(z, result, self.narrow(result, *counter) if index < shape.last else None)

    def first_pass(self, raw):
        """h[-1], h[0], .. as a list that starts with the input."""
        h = [self.quantise(raw)]
        for index in range(self.shape.last + 1):
            h.append(self.layer(index, h[-1].out))
        return h

    def predict(self, y):
        if self.shape.head == "softmax":
            return y.index(max(y))
        return int(self.shape.head == "sigmoid" and y[0] > 0)

    def error_of(self, y, x, target):
        """e, wanted, said and the label probability; x is the quantised input."""
        head, frac = self.shape.head, self.shape.result_frac[-1]
        if head in ("softmax", "sigmoid"):
            p = probabilities(y if head == "softmax" else [0, y[0]], frac)
            probability = p[target]
            if head == "softmax":
                wanted = [32768 * (k == target) for k in range(len(y))]
            else:
                p, wanted = p[1:], [32768 * target]
            e = [sat(a - b, 16) for a, b in zip(p, wanted, strict=True)]
            said = [sat(a + b, 16) for a, b in zip(e, wanted, strict=True)]
            return e, wanted, said, probability
        counter = (self.shape.last, "error_saturations")
        if head == "mse":
            wanted = [int(v) for v in target]
        else:
            shift = self.shape.input.frac_bits + self.shape.fine - frac
            wanted = [self.saturate(shift_by(v, shift), 16, *counter) for v in x]
        e = [self.saturate(a - b, 16, *counter) for a, b in zip(y, wanted, strict=True)]
        return e, wanted, y, 0

    def score(self, e):
        if self.shape.head in ("softmax", "sigmoid"):
            return 0
        return (sum(v * v for v in e) + len(e) // 2) // len(e)
