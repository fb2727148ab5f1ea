# SPDX-License-Identifier: Apache-2.0
"""A network that infers and learns in NumPy integers: the truth other back ends must equal."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError
from secondpass.integer import kernels
from secondpass.integer.arithmetic import dither_key
from secondpass.integer.softmax import softmax_error
from secondpass.network import Int16Array, Int32Array, Network
from secondpass.rules import Rule, StepSettings, step_settings


@dataclass
class LayerCounters:
    """What one layer did since the counters were cleared (each modulo 2**32 on a device)."""

    activation_saturations: int = 0
    error_saturations: int = 0
    weight_saturations: int = 0
    active_rows: int = 0


@dataclass
class Counters:
    """What a model did since the counters were cleared.

    `step` is the number of training steps since reset; clearing leaves it alone.
    """

    step: int = 0
    trained: int = 0
    trained_correct: int = 0
    evaluated: int = 0
    evaluated_correct: int = 0
    input_saturations: int = 0
    layers: list[LayerCounters] = field(default_factory=list)

    @property
    def saturations(self) -> int:
        """All saturations together."""
        return self.input_saturations + sum(
            x.activation_saturations + x.error_saturations + x.weight_saturations
            for x in self.layers
        )


@dataclass(frozen=True)
class StepResult:
    """The outcome of one sample: the prediction is made before the update (prequential)."""

    predicted: int
    label_probability: int = 0


class ReferenceModel:
    """Inference and the learning step of docs/numerics.md on one network."""

    def __init__(self, network: Network, rule: Rule) -> None:
        self.network = network
        self.rule = rule
        self.settings: StepSettings = step_settings(network, rule)
        self.weights: list[Int16Array] = []
        self.biases: list[Int32Array] = []
        self.counters = Counters()
        self.reset()

    def reset(self) -> None:
        """Return to the network's initial weights and clear every counter."""
        self.weights = [layer.weights.copy() for layer in self.network.layers]
        self.biases = [layer.bias.copy() for layer in self.network.layers]
        self.settings = step_settings(self.network, self.rule)
        self.counters = Counters(layers=[LayerCounters() for _ in self.network.layers])

    def clear_counters(self) -> None:
        """Clear every counter but the step number."""
        step = self.counters.step
        self.counters = Counters(step=step, layers=[LayerCounters() for _ in self.network.layers])

    def infer(self, sample: npt.NDArray[Any]) -> Int16Array:
        """Return the logits of a raw sample (size,)."""
        return self._forward(self._quantise(sample))[-1]

    def evaluate(self, sample: npt.NDArray[Any], label: int) -> StepResult:
        """Infer and count whether the prediction was right."""
        self._check_label(label)
        predicted = kernels.argmax(self.infer(sample))
        self.counters.evaluated += 1
        self.counters.evaluated_correct += predicted == label
        return StepResult(predicted)

    def train(self, sample: npt.NDArray[Any], label: int) -> StepResult:
        """Infer, then take one learning step (docs/numerics.md, section 6)."""
        self._check_label(label)
        network, rule = self.network, self.rule
        logit_frac = network.layers[-1].out_frac
        x = self._quantise(sample)
        first = [x, *self._forward(x)]
        error, label_probability = softmax_error(first[-1], logit_frac, label)
        predicted = kernels.argmax(first[-1])
        self.counters.trained += 1
        self.counters.trained_correct += predicted == label

        LEARN[rule.name](self, first, error, label)
        self.counters.step = (self.counters.step + 1) % 2**32
        return StepResult(predicted, label_probability)

    def configure(self, settings: StepSettings) -> None:
        """Replace the run-time settings."""
        if len(settings.rates) != len(self.network.layers):
            raise NetworkError(f"{len(settings.rates)} rates for {len(self.network.layers)} layers")
        self.settings = replace(settings)

    def _check_label(self, label: int) -> None:
        if not 0 <= label < self.network.classes:
            raise NetworkError(f"label {label} is outside [0, {self.network.classes - 1}]")

    def _quantise(self, sample: npt.NDArray[Any]) -> Int16Array:
        spec = self.network.input
        x, clamped = kernels.quantise(sample, spec.zero_point, spec.scale)
        self.counters.input_saturations += clamped
        return x

    def _forward(self, x: Int16Array) -> list[Int16Array]:
        activations = []
        for index in range(len(self.network.layers)):
            x = self.layer(index, x)
            activations.append(x)
        return activations

    def layer(self, index: int, x: Int16Array) -> Int16Array:
        """Return a layer's activation with the weights of now; count its saturations."""
        layer = self.network.layers[index]
        result, clamped = kernels.fully_connected(
            x,
            self.weights[index],
            self.biases[index],
            self.network.requantise_shift(index),
            layer.activation,
        )
        self.counters.layers[index].activation_saturations += clamped
        return result

    def update(self, index: int, delta: npt.NDArray[np.int64], presynaptic: Int16Array) -> None:
        """Update a layer from its delta; count saturations and active rows."""
        counters = self.counters.layers[index]
        errors, clamped = kernels.row_errors(delta, self.settings.rates[index])
        counters.error_saturations += clamped
        weight_clamped, active = kernels.update(
            self.weights[index],
            self.biases[index],
            errors,
            presynaptic,
            self.network.in_frac(index),
            dither_key(self.settings.dither_seed, self.counters.step, index),
        )
        counters.weight_saturations += weight_clamped
        counters.active_rows += active


def _error_signal(model: ReferenceModel, error: Int16Array) -> Int16Array:
    return kernels.error_signs(error) if model.rule.error_signal == "sign" else error


def _learn_pepita(
    model: ReferenceModel, first: list[Int16Array], error: Int16Array, label: int
) -> None:
    """Second pass and updates of PEPITA; `first` holds the input and every activation."""
    rule, settings = model.rule, model.settings
    last = len(model.network.layers) - 1
    second, clamped = kernels.project(
        rule.projection,
        _error_signal(model, error),
        first[0],
        settings.projection_seed,
        settings.projection,
    )
    model.counters.input_saturations += clamped
    for index in range(last):
        before = second
        second = model.layer(index, before)
        delta = kernels.as_int64(first[index + 1]) - second
        model.update(index, delta, before if rule.presynaptic == "second" else first[index])
    if rule.output_error == "second":
        logits = model.layer(last, second)
        error, _ = softmax_error(logits, model.network.layers[-1].out_frac, label)
    model.update(
        last, kernels.as_int64(error), second if rule.presynaptic == "second" else first[last]
    )


def _learn_ftp(
    model: ReferenceModel, first: list[Int16Array], error: Int16Array, label: int
) -> None:
    """Targets and updates of FTP; `first` holds the input and every activation."""
    del label  # the output error of the first pass is all that is needed
    settings = model.settings
    last = len(model.network.layers) - 1
    target, clamped = kernels.project(
        model.rule.projection,
        _error_signal(model, error),
        first[1],
        settings.projection_seed,
        settings.projection,
    )
    model.counters.layers[0].activation_saturations += clamped
    for index in range(last):
        if index:
            target = model.layer(index, target)
        delta = kernels.as_int64(first[index + 1]) - target
        if model.network.layers[index].activation == "relu":
            delta = delta * (first[index + 1] > 0)
        model.update(index, delta, first[index])
    model.update(last, kernels.as_int64(error), first[last])


LEARN = {"pepita": _learn_pepita, "ftp": _learn_ftp}
"""What follows the first pass, by the name of the rule."""
