# SPDX-License-Identifier: Apache-2.0
"""Sections 2.1, 6.1, 7.1 and 7.2: formats, what the host makes of a rule, how deep it reaches."""

from .arithmetic import from_real
from .projection import magnitude

FINE = {"a16w16": 0, "a16w8": 0, "a8w8": 8}
UPDATE_SHIFT = {"a16w16": 16, "a16w8": 24, "a8w8": 16}
WEIGHT_BITS = {"a16w16": 16, "a16w8": 8, "a8w8": 8}
TWO_PASS = ("pepita", "mempepita", "hebbian", "tl", "ftp")
PROJECTED = (*TWO_PASS, "dfa")


class Shape:
    """Everything of a network but its weights."""

    def __init__(self, network):
        layers = network.layers
        self.input, self.head = network.input, network.head
        self.fine = FINE[network.format]
        self.update_shift = UPDATE_SHIFT[network.format]
        self.weight_bits = WEIGHT_BITS[network.format]
        self.last = len(layers) - 1
        self.units = [len(layer.bias) for layer in layers]
        self.outputs = self.units[-1]
        self.activation = [layer.activation for layer in layers]
        self.weight_frac = [layer.weight_frac for layer in layers]
        out_frac = [layer.out_frac for layer in layers]
        self.in_frac = [network.input.frac_bits, *out_frac[:-1]]
        self.result_frac = [frac + self.fine for frac in out_frac]
        self.pre_frac = [
            12 if kind == "tanh" else frac
            for kind, frac in zip(self.activation, self.result_frac, strict=True)
        ]
        self.shift = [
            a + w - z for a, w, z in zip(self.in_frac, self.weight_frac, self.pre_frac, strict=True)
        ]
        labels = self.head in ("softmax", "sigmoid")
        self.error_frac = 15 if labels else self.result_frac[-1]


class Plan:
    """What a rule does in a network: trainable, depth, fractional bits, settings."""

    def __init__(self, shape, rule, rate=None, layer_rates=None):
        self.shape, self.rule = shape, rule
        last = shape.last
        self.trainable = self._trainable()
        self.learns = [what != "none" for what in self.trainable]
        highest = max((i for i in range(last) if self.learns[i]), default=-1)
        self.presynaptic = getattr(rule, "presynaptic", "first")
        self.output_error = getattr(rule, "output_error", "first")
        whole = rule.name in ("hebbian", "tl") or "second" in (self.presynaptic, self.output_error)
        self.depth = last if self.learns[last] and whole else highest + 1
        if rule.name not in TWO_PASS:
            self.depth = 0
        self.lowest = min((i for i in range(last + 1) if self.learns[i]), default=last + 1)
        self.short = rule.name == "pepita" and rule.second_pass == "short" and self.depth > 0
        self.delta_frac = self._delta_frac()
        self.exponents = [
            w + shape.update_shift - a - d
            for w, a, d in zip(shape.weight_frac, shape.in_frac, self.delta_frac, strict=True)
        ]
        rate = rule.learning_rate if rate is None else rate
        factors = layer_rates or rule.layer_rates or [1.0] * (last + 1)
        self.rates = [
            from_real((rate * factor) * 2.0**exponent)
            for factor, exponent in zip(factors, self.exponents, strict=True)
        ]
        self.clips = [
            min(max(round(rule.clip * 2.0 ** (exponent + d)), 1), 32767) if rule.clip else 32767
            for exponent, d in zip(self.exponents, self.delta_frac, strict=True)
        ]
        self.row_gates = [min(round(rule.row_gate * 2.0**d), 32767) for d in self.delta_frac]
        self.gate = min(round(rule.gate * 2.0**shape.error_frac), 65535)
        self.decay_factor = round(rule.decay_factor * 32768)
        self.factors = self._factors()
        self.projections = [from_real(factor) for factor in self.factors]

    def _trainable(self):
        last = self.shape.last
        given = self.rule.trainable or ["all"] * (last + 1)
        if self.rule.name == "bias":
            return ["none" if what == "none" else "bias" for what in given]
        if self.rule.name == "last":
            return ["none"] * last + [given[last]]
        return list(given)

    def _delta_frac(self):
        shape = self.shape
        if self.rule.name not in ("bp", "bias"):
            return [*shape.result_frac[:-1], shape.error_frac]
        fracs = [shape.error_frac]
        for index in range(shape.last - 1, -1, -1):
            fracs.insert(0, min(13, shape.weight_frac[index + 1] + fracs[0]))
        return fracs

    def _factors(self):
        """The real factors that the table of section 7.2 makes scales of."""
        shape, rule = self.shape, self.rule
        if rule.name not in PROJECTED:
            return []
        n = shape.outputs if rule.name in ("ftp", "dfa") else shape.input.size
        size = magnitude(rule.projection, rule.projection_scale, n, shape.outputs)
        result = shape.result_frac
        signal = 15 if rule.error_signal == "sign" else shape.error_frac
        if rule.name == "dfa":
            return [size * 2.0 ** (result[i] - signal) for i in range(shape.last) if self.learns[i]]
        if self.depth == 0:
            return []
        if rule.name == "ftp" and rule.target_function == "linear":
            return [-size * rule.target_scale * 2.0 ** (result[0] - signal)]
        if rule.name == "ftp":
            return [
                size * 2.0 ** (12 - shape.error_frac),
                rule.target_scale * 2.0 ** (result[0] - 15),
            ]
        size = -size if rule.modulation == "subtract" else size
        of_input = size * 2.0 ** (shape.input.frac_bits + shape.fine - signal)
        if not self.short:
            return [of_input]
        of_z = size * 2.0 ** (shape.pre_frac[0] - shape.weight_frac[0] + 12 - signal)
        return [of_z, of_input] if self.presynaptic == "second" else [of_z]
