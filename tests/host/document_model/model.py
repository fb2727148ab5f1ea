# SPDX-License-Identifier: Apache-2.0
"""Section 6: the frame of a step, row errors and updates."""

from collections import Counter

from . import rules
from .arithmetic import (
    MODULUS,
    clamp,
    decayed,
    dither_key,
    dither_offset,
    mix32,
    round_shift,
    shift_by,
    thinned,
)
from .forward import Forward
from .projection import Matrix
from .settings import Plan, Shape
from .threshold import Threshold


class DocumentModel(Forward):
    """A network and a rule, read once; weights are lists of lists.

    `counts` has tuples as keys: (name,) or, for the counters of a layer, (layer, name).
    """

    def __init__(self, network, rule, rate=None, layer_rates=None):
        self.shape, self.rule = Shape(network), rule
        self.weights = [[[int(w) for w in row] for row in x.weights] for x in network.layers]
        self.biases = [[int(b) for b in layer.bias] for layer in network.layers]
        self.step = 0
        self.counts = Counter()
        self.q = []
        self.repaired = 0
        self.threshold = Threshold()
        self.configure(rate, layer_rates)

    def configure(self, rate=None, layer_rates=None):
        """Write all settings: rates start again, Q is made anew."""
        self.plan = Plan(self.shape, self.rule, rate, layer_rates)
        self.rates = list(self.plan.rates)
        if self.plan.short:
            self.q = [self.matrix().fold(row) for row in self.weights[0]]

    def matrix(self, seed=None, rows=None):
        """The matrix of the rule, or another with its own seed and rows."""
        if rows is None:
            rows = self.shape.units[0] if self.rule.name == "ftp" else self.shape.input.size
        seed = self.rule.projection_seed if seed is None else seed
        return Matrix(self.rule, seed, rows, self.shape.outputs)

    def scale16(self, value, scale, *counter):
        return self.saturate(round_shift(value * scale[0], scale[1]), 16, *counter)

    @property
    def has_labels(self):
        return self.shape.head in ("softmax", "sigmoid")

    def infer(self, raw):
        return self.first_pass(raw)[-1].result

    def evaluate(self, raw, target):
        """Prediction and score."""
        h = self.first_pass(raw)
        predicted = self.predict(h[-1].result)
        self.counts["evaluated",] += 1
        if self.has_labels:
            self.counts["evaluated_correct",] += predicted == target
            return predicted, 0
        score = self.score(self.error_of(h[-1].result, h[0].result, target)[0])
        if self.shape.head == "reconstruction":
            predicted = self.threshold.sample(score, trained=False)
            self.counts["evaluated_correct",] += predicted == target
        return predicted, score

    def train(self, raw, target):
        """Prediction, label probability and score."""
        h = rules.time_local_first(self, raw) if self.rule.name == "tl" else self.first_pass(raw)
        predicted = self.predict(h[-1].result)
        e, wanted, said, probability = self.error_of(h[-1].result, h[0].result, target)
        score = self.score(e)
        if self.shape.head == "reconstruction":
            predicted = self.threshold.sample(score, trained=True)
        self.counts["trained",] += 1
        judged = self.has_labels or self.shape.head == "reconstruction"
        self.counts["trained_correct",] += judged and predicted == target
        if max(abs(v) for v in e) < self.plan.gate:
            self.counts["skipped",] += 1
        else:
            sample = rules.Sample(raw, target, h, e, wanted, said)
            rules.LEARN[self.rule.name](self, sample)
        self.step = (self.step + 1) % MODULUS
        if self.rule.decay_steps > 0 and self.step % self.rule.decay_steps == 0:
            self.rates = [decayed(rate, self.plan.decay_factor) for rate in self.rates]
        return predicted, probability, score

    def update(self, index, delta, presynaptic, number=None):
        """Sections 6.3 and 6.4; `number` is m of the dither. Returns the row errors."""
        what = self.plan.trainable[index]
        if what == "none":
            return []
        multiplier, shift = self.rates[index]
        key = dither_key(self.rule.dither_seed, self.step, index if number is None else number)
        clip, saturations = self.plan.clips[index], (index, "weight_saturations")
        errors = []
        for value in thinned(delta, self.plan.row_gates[index], key):
            product = round_shift(value * multiplier, shift)
            errors.append(clamp(product, -clip, clip))
            self.counts[index, "error_saturations"] += errors[-1] != product
        bits, exponent = self.shape.update_shift, 2 * self.shape.in_frac[index]
        for i, d in enumerate(errors):
            if d == 0:
                continue
            self.counts[index, "active_rows"] += 1
            if what == "all":
                base, row = mix32(key + i), self.weights[index][i]
                for j, p in enumerate(presynaptic):
                    change = (d * p + dither_offset(base, j, bits)) >> bits
                    row[j] = self.saturate(row[j] - change, self.shape.weight_bits, *saturations)
            bias = self.biases[index][i] - shift_by(d, bits - exponent)
            self.biases[index][i] = self.saturate(bias, 32, *saturations)
        return errors
