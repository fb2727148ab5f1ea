# SPDX-License-Identifier: Apache-2.0
"""docs/numerics.md once more, in plain Python integers, section by section.

Written from the document alone. It must not import secondpass: an error shared with the NumPy
reference would go unnoticed. Python integers cannot overflow, so this model also finds machine
integers that are too narrow in the reference.
"""

import math
from collections import Counter

GOLDEN = 0x9E3779B9
DITHER_STREAM = 0x44495448
LOG2_E = 47274
MODULUS = 2**32
EXP2 = [
    *(32768, 32066, 31379, 30706, 30048, 29405, 28774, 28158, 27554, 26964, 26386),
    *(25821, 25268, 24726, 24196, 23678, 23170, 22674, 22188, 21713, 21247, 20792),
    *(20347, 19911, 19484, 19066, 18658, 18258, 17867, 17484, 17109, 16743, 16384),
]


# Section 2: scales and rounding


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


# Section 3: generator and dither


def mix32(value):
    value = (value + GOLDEN) % MODULUS
    value = ((value ^ (value >> 16)) * 0x7FEB352D) % MODULUS
    value = ((value ^ (value >> 15)) * 0x846CA68B) % MODULUS
    return value ^ (value >> 16)


def dither_key(seed, step, layer):
    stream = mix32(seed ^ DITHER_STREAM)
    return mix32(mix32(stream + step) + layer)


def dither_offset(base, column):
    return ((base + (column >> 1) * GOLDEN) % MODULUS) >> 16


# Section 4.3: softmax


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


def softmax_error(logits, frac_bits, label):
    """The output error and the label probability."""
    q = [part[-1] for part in softmax_parts(logits, frac_bits)]
    total = sum(q)
    p = [(value * 2**15 + total // 2) // total for value in q]
    return [min(v - 32768 * (k == label), 32767) for k, v in enumerate(p)], p[label]


# Section 5: projection


def projection_row(kind, seed, row, classes):
    """Row `row` of F."""
    key = mix32(seed)
    if kind == "sparse":
        word = mix32(key + row)
        tied = ((word >> 16) * classes) >> 16
        return [(-1 if word & 1 else 1) * (column == tied) for column in range(classes)]
    per_word = 32 if kind == "sign" else 4
    first = row * -(-classes // per_word)
    elements = []
    for column in range(classes):
        word = mix32(key + first + column // per_word)
        if kind == "sign":
            elements.append(-1 if word >> (column % 32) & 1 else 1)
        else:
            byte = word >> (8 * (column % 4)) & 255
            elements.append(2 * (byte - 256 * (byte > 127)) + 1)
    return elements


class DocumentModel:
    """Section 6. `network`, `rule` and `factors` are read once; weights are lists of lists.

    `counts` has the keys input_saturations, and (layer, name) for the counters of a layer.
    """

    def __init__(self, network, rule, factors=None):
        self.input, self.rule = network.input, rule
        layers = network.layers
        self.weights = [[[int(w) for w in row] for row in layer.weights] for layer in layers]
        self.biases = [[int(b) for b in layer.bias] for layer in layers]
        self.weight_frac = [layer.weight_frac for layer in layers]
        self.out_frac = [layer.out_frac for layer in layers]
        self.in_frac = [self.input.frac_bits, *self.out_frac[:-1]]
        self.relu = [layer.activation == "relu" for layer in layers]
        self.last = len(layers) - 1
        self.input_scale = from_real(self.input.step * 2.0**self.input.frac_bits)
        self.ftp = rule.name == "ftp"
        classes = layers[-1].weights.shape[0]
        rows = classes if self.ftp else self.input.size
        magnitude = rule.projection_scale * math.sqrt(2 / rows)
        if rule.projection == "dense":
            magnitude = magnitude * math.sqrt(3)
        if rule.projection == "sparse":
            magnitude = magnitude * math.sqrt(classes)
        if self.ftp:
            self.projection = from_real(-magnitude * 2.0 ** (self.out_frac[0] - 15))
        else:
            self.projection = from_real(magnitude * 2.0 ** (self.input.frac_bits - 15))
        self.rates = []
        for index, factor in enumerate(factors or [1.0] * len(layers)):
            delta_frac = 15 if index == self.last else self.out_frac[index]
            exponent = self.weight_frac[index] + 16 - self.in_frac[index] - delta_frac
            self.rates.append(from_real((rule.learning_rate * factor) * 2.0**exponent))
        self.step = 0
        self.counts = Counter()

    def saturate(self, value, bits, counter):
        result = min(max(value, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
        self.counts[counter] += result != value
        return result

    def scale16(self, value, scale, counter):
        return self.saturate(round_shift(value * scale[0], scale[1]), 16, counter)

    def quantise(self, raw):
        zero = self.input.zero_point
        return [self.scale16(int(v) - zero, self.input_scale, "input_saturations") for v in raw]

    def layer(self, index, x):
        shift = self.in_frac[index] + self.weight_frac[index] - self.out_frac[index]
        y = []
        for row, bias in zip(self.weights[index], self.biases[index], strict=True):
            value = round_shift(bias + sum(w * v for w, v in zip(row, x, strict=True)), shift)
            if self.relu[index] and value < 0:
                value = 0
            y.append(self.saturate(value, 16, (index, "activation_saturations")))
        return y

    def infer(self, raw):
        x = self.quantise(raw)
        for index in range(self.last + 1):
            x = self.layer(index, x)
        return x

    def evaluate(self, raw, label):
        logits = self.infer(raw)
        predicted = logits.index(max(logits))
        self.counts["evaluated"] += 1
        self.counts["evaluated_correct"] += predicted == label
        return predicted

    def modulate(self, error, x):
        result = []
        counter = (0, "activation_saturations") if self.ftp else "input_saturations"
        if self.rule.error_signal == "sign":
            error = [32767 * ((e > 0) - (e < 0)) for e in error]
        for j, value in enumerate(x):
            row = projection_row(self.rule.projection, self.rule.projection_seed, j, len(error))
            u = sum(f * e for f, e in zip(row, error, strict=True))
            if self.rule.projection == "dense":
                u = round_shift(u, 8)
            g = self.scale16(u, self.projection, counter)
            result.append(self.saturate(value + g, 16, counter))
        return result

    def update(self, index, delta, presynaptic):
        rate, name = self.rates[index], (index, "weight_saturations")
        errors = [self.scale16(v, rate, (index, "error_saturations")) for v in delta]
        key = dither_key(self.rule.dither_seed, self.step, index)
        for i, error in enumerate(errors):
            if error == 0:
                continue
            self.counts[index, "active_rows"] += 1
            base, row = mix32(key + i), self.weights[index][i]
            for j, value in enumerate(presynaptic):
                change = (error * value + dither_offset(base, j)) >> 16
                row[j] = self.saturate(row[j] - change, 16, name)
            exponent = 2 * self.in_frac[index] - 16
            change = error * 2**exponent if exponent >= 0 else round_shift(error, -exponent)
            self.biases[index][i] = self.saturate(self.biases[index][i] - change, 32, name)

    def train(self, raw, label):
        """Predicted class and label probability."""
        x = self.quantise(raw)
        first = [x]
        for index in range(self.last + 1):
            first.append(self.layer(index, first[-1]))
        logits = first[-1]
        error, label_probability = softmax_error(logits, self.out_frac[-1], label)
        predicted = logits.index(max(logits))
        self.counts["trained"] += 1
        self.counts["trained_correct"] += predicted == label
        if self.ftp:
            self.learn_ftp(first, error)
        else:
            self.learn_pepita(first, error, label)
        self.step = (self.step + 1) % MODULUS
        return predicted, label_probability

    def learn_ftp(self, first, error):
        target = self.modulate(error, first[1])
        for index in range(self.last):
            if index > 0:
                target = self.layer(index, target)
            delta = [
                0 if self.relu[index] and h <= 0 else h - t
                for h, t in zip(first[index + 1], target, strict=True)
            ]
            self.update(index, delta, first[index])
        self.update(self.last, error, first[self.last])

    def learn_pepita(self, first, error, label):
        second = [self.modulate(error, first[0])]
        presynaptic = second if self.rule.presynaptic == "second" else first
        for index in range(self.last):
            second.append(self.layer(index, second[-1]))
            delta = [a - b for a, b in zip(first[index + 1], second[-1], strict=True)]
            self.update(index, delta, presynaptic[index])
        if self.rule.output_error == "second":
            error, _ = softmax_error(self.layer(self.last, second[-1]), self.out_frac[-1], label)
        self.update(self.last, error, presynaptic[self.last])
