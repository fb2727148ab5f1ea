# SPDX-License-Identifier: Apache-2.0
"""What a rule does in a given network: which layers learn, how far passes go, in which formats."""

import base64
import binascii
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError
from secondpass.fixedpoint import Scale
from secondpass.network import FORMATS, PROBABILITY_FRAC, TANH_FRAC, Format, Network
from secondpass.projection import element_magnitude
from secondpass.rules import (
    Backprop,
    Dfa,
    Ftp,
    Hebbian,
    Mempepita,
    Pepita,
    ProjectedRule,
    Rule,
    per_layer,
)

BACKWARD_FRAC = 13
"""Fractional bits of the deltas that back-propagation hands down, where weights allow it."""
FOLD_SHIFT = 12
"""Bits that the product of Q and the error signal loses before it is scaled."""
NO_CLIP = 2**15 - 1
LARGEST_ROW_GATE = 2**15 - 1
FULL_FACTOR = 2**15
"""A decay factor of one, Q15."""


@dataclass(frozen=True)
class StepSettings:
    """What a device may be told at run time (docs/numerics.md, section 6.1).

    `projections`: scales of projected errors; how many depends on the rule.
    `rates[l]` turns the delta of layer l into its row error; `clips[l]` bounds the row error.
    `row_gates[l]`: bound of the deltas of layer l that are thinned out, in its format; 0: none.
    `gate`: bound of the largest error component, in its format; 0: none.
    `decay_factor`: Q15, applied to the rates after every `decay_steps` steps (0: never).
    """

    projections: tuple[Scale, ...]
    projection_seed: int
    dither_seed: int
    rates: tuple[Scale, ...]
    clips: tuple[int, ...]
    row_gates: tuple[int, ...]
    gate: int = 0
    decay_steps: int = 0
    decay_factor: int = FULL_FACTOR


class Learning:
    """A rule in a network. Raises `NetworkError` when they do not fit, saying why."""

    def __init__(self, network: Network, rule: Rule) -> None:
        network.require_trainable()
        self.network = network
        self.rule = rule
        self.last = len(network.layers) - 1
        self.trainable = rule.layer_trainable(len(network.layers))
        per_layer("layer_rates", rule.layer_rates, 1.0, len(network.layers))
        self._check_format()
        if isinstance(rule, ProjectedRule) and rule.projection == "stored":
            _ = self.matrix

    def _check_format(self) -> None:
        rule, name = self.rule, self.network.format
        if name != "a8w8":
            return
        if isinstance(rule, Hebbian):
            raise NetworkError(
                f"the rule {rule.name} has no form in a8w8: it learns from the presynaptic "
                "activations of both passes, which differ by less than a step of int8; use a16w8"
            )
        if isinstance(rule, Mempepita) and "second" in (rule.presynaptic, rule.output_error):
            raise NetworkError(
                "a8w8 carries the second pass as its difference to the first, so presynaptic and "
                "output_error must be 'first'; use a16w8 for 'second'"
            )

    @property
    def format(self) -> Format:
        """The network's number format."""
        return FORMATS[self.network.format]

    @property
    def short(self) -> bool:
        """Whether Q = W1 F is kept and used."""
        rule = self.rule
        return isinstance(rule, Pepita) and rule.second_pass == "short" and self.second_depth > 0

    @property
    def presynaptic(self) -> str:
        """Which pass supplies the presynaptic activations."""
        return self.rule.presynaptic if isinstance(self.rule, Mempepita) else "first"

    @property
    def output_error(self) -> str:
        """Which pass supplies the error of the output layer."""
        return self.rule.output_error if isinstance(self.rule, Mempepita) else "first"

    @property
    def hidden_learning(self) -> tuple[int, ...]:
        """Indices of hidden layers that learn."""
        return tuple(i for i in range(self.last) if self.trainable[i] != "none")

    @property
    def second_depth(self) -> int:
        """Hidden layers that the second pass computes: no more than learning needs."""
        if not self.rule.two_pass:
            return 0
        output_learns = self.trainable[self.last] != "none"
        needs_all = isinstance(self.rule, Hebbian) or "second" in (
            self.presynaptic,
            self.output_error,
        )
        if output_learns and needs_all:
            return self.last
        return max(self.hidden_learning, default=-1) + 1

    @property
    def lowest(self) -> int:
        """Index of the lowest layer that learns: back-propagation ends there."""
        return min((i for i, v in enumerate(self.trainable) if v != "none"), default=self.last + 1)

    def has_room(self, index: int) -> bool:
        """Tell whether C keeps a bound of each row's weights: int16 ones that learn."""
        return self.network.format == "a16w16" and self.trainable[index] == "all"

    def keeps_pre_activation(self, index: int) -> bool:
        """Whether a hidden layer's pre-activation is kept for the second pass."""
        if self.lowest > self.last:
            return False  # nothing learns
        fine = self.network.format == "a8w8"
        return index < self.last and (fine or (index == 0 and self.short))

    @property
    def projected_rows(self) -> int:
        """Rows of the projection matrix: inputs for PEPITA, first hidden units for FTP."""
        if isinstance(self.rule, Ftp):
            return self.network.layers[0].outputs
        return self.network.input.size

    @property
    def nonlinear_targets(self) -> bool:
        """Whether FTP projects prediction and target one by one."""
        return isinstance(self.rule, Ftp) and self.rule.target_function != "linear"

    @cached_property
    def matrix(self) -> npt.NDArray[np.int8]:
        """The stored projection matrix (rows, outputs)."""
        assert isinstance(self.rule, ProjectedRule)
        try:
            content = base64.b64decode(self.rule.matrix, validate=True)
        except binascii.Error as error:
            raise NetworkError(f"the stored projection is not base64 ({error})") from None
        shape = (self.projected_rows, self.network.outputs)
        if len(content) != shape[0] * shape[1]:
            raise NetworkError(
                f"the stored projection has {len(content)} elements; this network needs "
                f"{shape[0]} x {shape[1]}"
            )
        return np.frombuffer(content, dtype=np.int8).reshape(shape)

    def delta_frac(self, index: int) -> int:
        """Fractional bits of a layer's delta."""
        if index == self.last:
            return self.network.error_frac
        if isinstance(self.rule, Backprop):
            above = self.network.layers[index + 1].weight_frac + self.delta_frac(index + 1)
            return min(BACKWARD_FRAC, above)
        return self.network.result_frac(index)

    def backward_shift(self, index: int) -> int:
        """Right shift from W^T delta of layer `index` to the delta of the layer below."""
        weight_frac = self.network.layers[index].weight_frac
        return weight_frac + self.delta_frac(index) - self.delta_frac(index - 1)

    def row_error_exponent(self, index: int) -> int:
        """Return the power of two that turns rate times delta into a row error."""
        layer = self.network.layers[index]
        return (
            layer.weight_frac
            + self.format.update_shift
            - self.network.in_frac(index)
            - self.delta_frac(index)
        )

    def settings(
        self, learning_rate: float | None = None, layer_rates: tuple[float, ...] | None = None
    ) -> StepSettings:
        """Express the rule in the number formats of the network.

        `learning_rate` and `layer_rates` override the rule's.
        """
        rule = self.rule
        rate = rule.learning_rate if learning_rate is None else learning_rate
        layers = len(self.network.layers)
        factors = per_layer("layer_rates", layer_rates or rule.layer_rates, 1.0, layers)
        exponents = [self.row_error_exponent(index) for index in range(layers)]
        return StepSettings(
            projections=tuple(Scale.from_real(f) for f in self._projection_factors()),
            projection_seed=rule.projection_seed if isinstance(rule, ProjectedRule) else 0,
            dither_seed=rule.dither_seed,
            rates=tuple(
                Scale.from_real(rate * factor * 2.0**exponent)
                for factor, exponent in zip(factors, exponents, strict=True)
            ),
            clips=tuple(
                self._clip(exponent + self.delta_frac(index))
                for index, exponent in enumerate(exponents)
            ),
            row_gates=tuple(
                min(round(rule.row_gate * 2.0 ** self.delta_frac(index)), LARGEST_ROW_GATE)
                for index in range(layers)
            ),
            gate=min(round(rule.gate * 2.0**self.network.error_frac), 2**16 - 1),
            decay_steps=rule.decay_steps,
            decay_factor=round(rule.decay_factor * FULL_FACTOR),
        )

    def _clip(self, exponent: int) -> int:
        """Return the rule's clip in steps of a row error, which has `exponent` fractional bits."""
        if not self.rule.clip:
            return NO_CLIP
        return int(min(max(round(self.rule.clip * 2.0**exponent), 1), NO_CLIP))

    @property
    def signal_frac(self) -> int:
        """Fractional bits of what is projected: the output error, or its sign at full scale."""
        rule = self.rule
        if isinstance(rule, ProjectedRule) and rule.error_signal == "sign":
            return PROBABILITY_FRAC
        return self.network.error_frac

    def _projection_factors(self) -> list[float]:
        """Return what turns sums of error components into steps of what they change."""
        rule, network = self.rule, self.network
        if not isinstance(rule, ProjectedRule):
            return []
        if isinstance(rule, Dfa):
            unit = self._element(network.outputs)
            return [
                unit * 2.0 ** (network.result_frac(index) - self.signal_frac)
                for index in self.hidden_learning
            ]
        if not self.second_depth:
            return []
        if not isinstance(rule, Ftp):
            return self._modulation_factors()
        unit = self._element(network.outputs)
        if rule.target_function == "linear":
            fraction = network.result_frac(0) - self.signal_frac
            return [-unit * rule.target_scale * 2.0**fraction]
        return [
            unit * 2.0 ** (TANH_FRAC - network.error_frac),
            rule.target_scale * 2.0 ** (network.result_frac(0) - PROBABILITY_FRAC),
        ]

    def _element(self, size: int) -> float:
        rule = self.rule
        assert isinstance(rule, ProjectedRule)
        unit = math.sqrt(2.0 / size)
        return element_magnitude(rule.projection, unit, self.network.outputs, rule.projection_scale)

    def _modulation_factors(self) -> list[float]:
        """Return the factor of the modulated input; in front of it, that of a short pass."""
        rule, network = self.rule, self.network
        assert isinstance(rule, Mempepita | Hebbian)
        magnitude = self._element(network.input.size)
        if rule.modulation == "subtract":
            magnitude = -magnitude
        factors = [magnitude * 2.0 ** (network.input_frac - self.signal_frac)]
        if not self.short:
            return factors
        fraction = network.pre_frac(0) - network.layers[0].weight_frac + FOLD_SHIFT
        short = magnitude * 2.0 ** (fraction - self.signal_frac)
        return [short, *factors] if self.presynaptic == "second" else [short]


def step_settings(
    network: Network,
    rule: Rule,
    learning_rate: float | None = None,
    layer_rates: tuple[float, ...] | None = None,
) -> StepSettings:
    """Express a rule in the number formats of a network: `Learning.settings`."""
    return Learning(network, rule).settings(learning_rate, layer_rates)
