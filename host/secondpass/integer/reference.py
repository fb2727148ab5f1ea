# SPDX-License-Identifier: Apache-2.0
"""A network that infers and learns in NumPy integers: the truth other back ends must equal."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError
from secondpass.fixedpoint import Scale
from secondpass.integer import kernels, learn
from secondpass.integer.activations import activate, narrow
from secondpass.integer.arithmetic import dither_key, saturate16
from secondpass.integer.heads import mean_square, sigmoid_error, softmax_error
from secondpass.integer.kernels import Activation
from secondpass.integer.projections import ONE, Projection
from secondpass.integer.state import (
    Counters,
    LayerCounters,
    Outcome,
    Response,
    StepResult,
    Target,
)
from secondpass.integer.threshold import Threshold
from secondpass.learning import Learning, StepSettings
from secondpass.network import Int16Array, Int32Array, Network, WeightArray
from secondpass.rules import ProjectedRule, Rule


class ReferenceModel:
    """Inference and the learning step of docs/numerics.md on one network.

    `work` counts multiply-accumulates by part of the step, as they are done: an update only for
    rows whose error is not zero, a product with a sparse matrix its non-zeros.
    """

    def __init__(self, network: Network, rule: Rule) -> None:
        self.network = network
        self.rule = rule
        self.learning = Learning(network, rule)
        self.settings: StepSettings = self.learning.settings()
        self.rates: list[Scale] = []
        self.weights: list[WeightArray] = []
        self.biases: list[Int32Array] = []
        self.counters = Counters()
        self.threshold = Threshold()
        """Of scores; used by the head `reconstruction` only."""
        self.work: Counter[str] = Counter()
        self.folded = np.zeros((0, 0), dtype=np.int64)
        """Q = W1 F of a short second pass, (units, outputs)."""
        self.repaired = 0
        """Row of Q that the next learned step computes anew."""
        self.reset()

    def reset(self) -> None:
        """Return to the network's initial weights and clear every counter."""
        self.weights = [layer.weights.copy() for layer in self.network.layers]
        self.biases = [layer.bias.copy() for layer in self.network.layers]
        self.repaired = 0
        self.threshold = Threshold()
        self.counters = Counters(layers=[LayerCounters() for _ in self.network.layers])
        self.configure(self.learning.settings())

    def clear_counters(self) -> None:
        """Clear every counter but the step number."""
        step = self.counters.step
        self.counters = Counters(step=step, layers=[LayerCounters() for _ in self.network.layers])

    def infer(self, sample: npt.NDArray[Any]) -> Int16Array:
        """Return the logits (or the output) of a raw sample (size,)."""
        return self.first_pass(sample)[-1].result

    def evaluate(self, sample: npt.NDArray[Any], target: Target) -> StepResult:
        """Infer; count whether the prediction was right, or measure how far it is off."""
        self._check_target(target)
        responses = self.first_pass(sample)
        predicted = self.predict(responses[-1].result)
        self.counters.evaluated += 1
        if self.has_labels:
            self.counters.evaluated_correct += predicted == target
            return StepResult(predicted)
        score = mean_square(self.outcome(responses, target).error)
        if self.network.head == "reconstruction":
            predicted = self.threshold.judge(score, self.threshold.calibrating)
            self.counters.evaluated_correct += predicted == target
        return StepResult(predicted, score=score)

    def train(self, sample: npt.NDArray[Any], target: Target) -> StepResult:
        """Infer, then take one learning step (docs/numerics.md, section 6)."""
        self._check_target(target)
        return learn.train(self, sample, target)

    def configure(self, settings: StepSettings) -> None:
        """Replace the run-time settings; Q follows the projection's seed."""
        layers = len(self.network.layers)
        per_layer = (settings.rates, settings.clips, settings.row_gates)
        if any(len(values) != layers for values in per_layer):
            raise NetworkError(f"{len(settings.rates)} rates for {layers} layers")
        self.settings = replace(settings)
        self.rates = list(settings.rates)
        if self.learning.short:
            self.refold()

    def refold(self, rows: slice = slice(None)) -> None:
        """Compute Q, or some rows of it, from the weights of the first layer."""
        fresh = self.projection().fold(self.weights[0][rows], self.settings.projection_seed)
        if self.folded.shape[0] != self.weights[0].shape[0]:
            self.folded = np.zeros((self.weights[0].shape[0], fresh.shape[1]), dtype=np.int64)
        self.folded[rows] = fresh

    def projection(self, rows: int | None = None) -> Projection:
        """Return the rule's matrix, or one with another number of rows."""
        rule = self.rule
        assert isinstance(rule, ProjectedRule)
        stored = self.learning.matrix if rule.projection == "stored" else None
        rows = self.learning.projected_rows if rows is None else rows
        return Projection(rule.projection, rows, self.network.outputs, stored)

    def first_pass(self, sample: npt.NDArray[Any]) -> list[Response]:
        """Return the input and every layer's response."""
        responses = [self.quantise(sample)]
        for index in range(len(self.network.layers)):
            responses.append(self.respond(index, responses[-1].out))
        return responses

    def quantise(self, sample: npt.NDArray[Any]) -> Response:
        """Return the quantised and centred input."""
        network = self.network
        x, clamped = kernels.quantise(sample, network.input.zero_point, network.input_scale)
        self.counters.input_saturations += clamped
        mean = network.input_mean
        if mean is not None:
            x, clamped = kernels.subtract(x, mean)
            self.counters.input_saturations += clamped
        response, clamped = self._narrowed(x, x)
        self.counters.input_saturations += clamped
        return response

    def respond(self, index: int, inputs: Activation, part: str = "forward") -> Response:
        """Return a layer's response with the weights of now; count its saturations and work."""
        layer = self.network.layers[index]
        z, clamped = kernels.pre_activation(
            inputs,
            self.weights[index],
            self.biases[index],
            self.network.requantise_shift(index),
            layer.activation,
        )
        self.work[part] += layer.weights.size
        counters = self.counters.layers[index]
        counters.activation_saturations += clamped
        response, clamped = self._narrowed(z, self.activate(index, z))
        if index < self.learning.last:
            counters.activation_saturations += clamped
        return response

    def activate(self, index: int, z: Int16Array) -> Int16Array:
        """Return a layer's result for a pre-activation."""
        return activate(self.network.layers[index].activation, z, self.network.result_frac(index))

    def _narrowed(self, z: Int16Array, result: Int16Array) -> tuple[Response, int]:
        if self.network.format != "a8w8":
            return Response(z, result, result), 0
        out, clamped = narrow(result)
        return Response(z, result, out), clamped

    def outcome(self, responses: list[Response], target: Target) -> Outcome:
        """Return the output error of a first pass, and what it was made of."""
        outputs = responses[-1].result
        frac = self.network.result_frac(self.learning.last)
        if not self.has_labels:
            vector = self.target_vector(responses, target)
            error, clamped = kernels.subtract(outputs, vector)
            self.counters.layers[-1].error_saturations += clamped
            return Outcome(error, kernels.as_int64(vector), outputs)
        label = int(target)
        wanted = np.zeros(outputs.size, dtype=np.int64)
        if self.network.head == "softmax":
            wanted[label] = ONE
            error, probability = softmax_error(outputs, frac, label)
        else:
            wanted[0] = ONE * label
            error, probability = sigmoid_error(outputs, frac, label)
        prediction, _ = saturate16(error + wanted)
        return Outcome(error, wanted, prediction.astype(np.int16), probability)

    def target_vector(self, responses: list[Response], target: Target) -> Int16Array:
        """Return what the heads `mse` and `reconstruction` should put out."""
        if self.network.head == "mse":
            return np.asarray(target, dtype=np.int16)
        shift = self.network.input_frac - self.network.error_frac
        wanted, clamped = kernels.rescale(responses[0].result, shift)
        self.counters.layers[-1].error_saturations += clamped
        return wanted

    def predict(self, outputs: Int16Array) -> int:
        """Return the predicted label; 0 for heads without labels."""
        if self.network.head == "softmax":
            return kernels.argmax(outputs)
        return int(self.network.head == "sigmoid" and outputs[0] > 0)

    def update(
        self, index: int, delta: Int16Array, presynaptic: Activation, second: bool = False
    ) -> Int16Array:
        """Update a layer from its delta; count saturations and active rows; return row errors.

        `second`: a second update of the layer in this step, which rounds independently.
        """
        what = self.learning.trainable[index]
        layers = len(self.network.layers)
        if what == "none":
            return np.zeros(0, dtype=np.int16)
        counters = self.counters.layers[index]
        settings = self.settings
        key = dither_key(settings.dither_seed, self.counters.step, index + layers * second)
        delta = kernels.thin_rows(delta, settings.row_gates[index], key)
        errors, clamped = kernels.row_errors(delta, self.rates[index], settings.clips[index])
        counters.error_saturations += clamped
        counters.active_rows += int(np.count_nonzero(errors))
        shift = self.learning.format.update_shift
        if what == "all":
            counters.weight_saturations += kernels.update(
                self.weights[index], errors, presynaptic, shift, key
            )
            self.work["update"] += int(np.count_nonzero(errors)) * presynaptic.size
        counters.weight_saturations += kernels.update_bias(
            self.biases[index], errors, 2 * self.network.in_frac(index) - shift
        )
        return errors

    @property
    def has_labels(self) -> bool:
        """Whether the network tells classes apart."""
        return self.network.head in ("softmax", "sigmoid")

    def _check_target(self, target: Target) -> None:
        self.network.check_targets(np.asarray(target)[None])
