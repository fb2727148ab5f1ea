# SPDX-License-Identifier: Apache-2.0
"""A frozen int8 network in NumPy integers: the truth of docs/affine.md."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.affine import AffineDense, AffineNetwork
from secondpass.integer import kernels
from secondpass.integer.heads import mean_square
from secondpass.integer.state import Counters, LayerCounters, StepResult, Target
from secondpass.learning import StepSettings
from secondpass.network import Int16Array, Int32Array, WeightArray

Int8Array = npt.NDArray[np.int8]


def respond(layer: AffineDense, x: npt.NDArray[Any]) -> tuple[Int8Array, int]:
    """Return a layer's result (outputs,) int8 for int8 inputs, and its saturations."""
    sums = layer.weights.astype(np.int64) @ x.astype(np.int64) + layer.folded_bias
    scales = layer.requantisers
    if len(scales) == 1:
        steps = scales[0].apply(sums)
    else:
        steps = np.concatenate([s.apply(sums[i : i + 1]) for i, s in enumerate(scales)])
    value = steps + layer.result.zero_point
    low, high = layer.limits
    below, above = layer.counted
    clamped = np.count_nonzero(value < low) * below + np.count_nonzero(value > high) * above
    return np.clip(value, low, high).astype(np.int8), int(clamped)


class AffineModel:
    """Inference and evaluation; everything that learns is refused with `NetworkError`."""

    def __init__(self, network: AffineNetwork) -> None:
        self.network = network
        self.counters = Counters()
        self.weights: list[WeightArray] = [layer.weights for layer in network.layers]
        self.biases: list[Int32Array] = [layer.folded_bias for layer in network.layers]
        self.reset()

    def reset(self) -> None:
        """Clear every counter."""
        self.counters = Counters(layers=[LayerCounters() for _ in self.network.layers])

    def clear_counters(self) -> None:
        """Clear every counter."""
        self.reset()

    def activations(self, sample: npt.NDArray[Any]) -> list[Int8Array]:
        """Return every layer's result for a raw sample (size,)."""
        results: list[Int8Array] = []
        x = np.asarray(sample, dtype=np.int8)
        for layer, counters in zip(self.network.layers, self.counters.layers, strict=True):
            x, clamped = respond(layer, x)
            counters.activation_saturations += clamped
            results.append(x)
        return results

    def infer(self, sample: npt.NDArray[Any]) -> Int16Array:
        """Return the outputs of a raw sample (size,): int8 values as int16."""
        return self.activations(sample)[-1].astype(np.int16)

    def predict(self, outputs: Int16Array) -> int:
        """Return the predicted label; 0 for heads without labels."""
        if self.network.head == "softmax":
            return kernels.argmax(outputs)
        return int(self.network.head == "sigmoid" and outputs[0] > self.network.output.zero_point)

    def evaluate(self, sample: npt.NDArray[Any], target: Target) -> StepResult:
        """Infer; count whether the prediction was right, or measure how far it is off."""
        self.network.check_targets(np.asarray(target)[None])
        outputs = self.infer(sample)
        predicted = self.predict(outputs)
        self.counters.evaluated += 1
        if self.network.head in ("softmax", "sigmoid"):
            self.counters.evaluated_correct += predicted == target
            return StepResult(predicted)
        said, _ = kernels.quantise(
            outputs, self.network.output.zero_point, self.network.output_scale
        )
        error, clamped = kernels.subtract(said, self._wanted(sample, target))
        self.counters.layers[-1].error_saturations += clamped
        return StepResult(predicted, score=mean_square(error))

    def _wanted(self, sample: npt.NDArray[Any], target: Target) -> Int16Array:
        """Return what should have been put out, in the error's format."""
        if self.network.head == "mse":
            return np.asarray(target, dtype=np.int16)
        spec = self.network.input
        return kernels.quantise(sample, spec.zero_point, self.network.input_scale)[0]

    def train(self, sample: npt.NDArray[Any], target: Target) -> StepResult:
        """Refuse."""
        self.network.require_trainable()
        raise AssertionError("unreachable")

    def configure(self, settings: StepSettings) -> None:
        """Refuse."""
        self.network.require_trainable()
