# SPDX-License-Identifier: Apache-2.0
"""The one interface of everything that can infer and learn: reference, twin, emulator, board."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError
from secondpass.integer.reference import Counters
from secondpass.network import Int16Array, Int32Array, Network
from secondpass.rules import StepSettings

Sample = npt.NDArray[Any]
WEIGHTS, BIAS = 0, 1
"""Kinds of tensor."""


@dataclass(frozen=True)
class DeviceInfo:
    """Who answers: identity of firmware and model, and its memory in bytes (0: not known)."""

    model_hash: int
    firmware_version: str
    layers: int
    classes: int
    inputs: int
    sample_bytes: int
    board: str
    core: str
    ticks_hz: int = 0
    model_bytes: int = 0
    link_bytes: int = 0
    stack_bytes: int = 0
    tensor_chunk: int = 0


@dataclass(frozen=True)
class Inference:
    """Logits of one sample; `ticks` of the device's timer (0: it has none)."""

    logits: Int16Array
    predicted: int
    ticks: int = 0


@dataclass(frozen=True)
class TrainStep:
    """One training step; the prediction was made before the update.

    `label_probability` is in [0, 1], `saturations` counts all since the counters were cleared.
    """

    label: int
    predicted: int
    label_probability: float
    step: int
    saturations: int
    ticks: int = 0

    @property
    def correct(self) -> bool:
        """Whether the sample was predicted right before it was learned."""
        return self.predicted == self.label


@dataclass
class Statistics:
    """Counters of the model and of the link."""

    counters: Counters = field(default_factory=Counters)
    crc_errors: int = 0
    frame_errors: int = 0
    overruns: int = 0
    stack_used: int = 0


class Device(Protocol):
    """Something that runs one model. Errors are `DeviceError` or `NetworkError`."""

    @property
    def info(self) -> DeviceInfo:
        """Who answers."""

    def configure(self, settings: StepSettings) -> None:
        """Change scales and seeds of the learning step."""

    def infer(self, sample: Sample) -> Inference:
        """Return the logits of a raw sample (size,)."""

    def train(self, sample: Sample, label: int) -> TrainStep:
        """Predict, then learn one sample."""

    def train_stream(self, samples: Sample, labels: Iterable[int]) -> Iterator[TrainStep]:
        """Train on samples (count, size) in order, keeping the link busy."""

    def evaluate(self, samples: Sample, labels: Iterable[int]) -> int:
        """Return how many samples (count, size) are predicted right."""

    def statistics(self, clear: bool = False) -> Statistics:
        """Return the counters, and clear them afterwards when asked."""

    def read_tensor(self, layer: int, kind: int) -> npt.NDArray[Any]:
        """Return a layer's weights (outputs, inputs) int16 or its bias (outputs,) int32."""

    def write_tensor(self, layer: int, kind: int, values: npt.NDArray[Any]) -> None:
        """Replace a layer's weights or bias."""

    def reset(self) -> None:
        """Return to the first weights and settings; clear every counter."""

    def close(self) -> None:
        """Release the device."""


def tensor_shape(network: Network, layer: int, kind: int) -> tuple[int, ...]:
    """Return the shape of a layer's weights or bias; raise `NetworkError` when there is none."""
    if not 0 <= layer < len(network.layers) or kind not in (WEIGHTS, BIAS):
        raise NetworkError(f"there is no tensor of kind {kind} in layer {layer}")
    weights = network.layers[layer].weights
    return weights.shape if kind == WEIGHTS else weights.shape[:1]


def tensor_values(
    network: Network, layer: int, kind: int, values: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return `values` as the tensor's int16 or int32; raise `NetworkError` when they do not fit."""
    shape = tensor_shape(network, layer, kind)
    dtype = np.dtype(np.int16 if kind == WEIGHTS else np.int32)
    array = np.asarray(values)
    if array.shape != shape:
        raise NetworkError(f"the tensor has shape {shape}, not {array.shape}")
    if not np.issubdtype(array.dtype, np.integer) or not np.array_equal(array.astype(dtype), array):
        raise NetworkError(f"the values do not fit {dtype}")
    return array.astype(dtype)


def read_weights(device: Device) -> list[tuple[Int16Array, Int32Array]]:
    """Return weights and bias of every layer."""
    return [
        (device.read_tensor(layer, WEIGHTS), device.read_tensor(layer, BIAS))
        for layer in range(device.info.layers)
    ]


def same_weights(
    first: list[tuple[Int16Array, Int32Array]], second: list[tuple[Int16Array, Int32Array]]
) -> bool:
    """Whether two sets of weights are equal bit for bit."""
    return len(first) == len(second) and all(
        np.array_equal(weights, other_weights) and np.array_equal(bias, other_bias)
        for (weights, bias), (other_weights, other_bias) in zip(first, second, strict=True)
    )
