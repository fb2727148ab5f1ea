# SPDX-License-Identifier: Apache-2.0
"""The one interface of everything that can infer and learn: reference, twin, emulator, board."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError
from secondpass.integer.state import Counters, Target
from secondpass.integer.threshold import NO_THRESHOLD, QUANTILE_MAX, QUANTILE_MIN
from secondpass.learning import StepSettings
from secondpass.network import Int16Array, Int32Array, Network, WeightArray

Sample = npt.NDArray[Any]
Targets = Iterable[Target] | npt.NDArray[Any]
"""Labels (count,), or int16 targets (count, outputs) for the head `mse`."""
WEIGHTS, BIAS = 0, 1
"""Kinds of tensor."""


@dataclass(frozen=True)
class DeviceInfo:
    """Who answers: identity of firmware and model, and its memory in bytes (0: not known).

    Ticks are cycles of the core if it `counts_cycles`, otherwise ticks of a timer; `ticks_hz` a
    second, 0: the device counts none.
    """

    model_hash: int
    firmware_version: str
    layers: int
    classes: int
    inputs: int
    sample_bytes: int
    board: str
    core: str
    ticks_hz: int = 0
    counts_cycles: bool = False
    model_bytes: int = 0
    link_bytes: int = 0
    stack_bytes: int = 0
    tensor_chunk: int = 0
    crash_pending: bool = False
    """Whether a report of a crash waits to be read (docs/safety.md)."""


@dataclass(frozen=True)
class Inference:
    """Logits of one sample; `ticks` of the device's clock (0: it has none)."""

    logits: Int16Array
    predicted: int
    ticks: int = 0


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one evaluated sample.

    `score`: mean squared error in real numbers, for heads without labels. Of the head
    `reconstruction` `predicted` is 1 for an alarm: a score above the threshold of that moment.
    """

    predicted: int
    ticks: int = 0
    score: float = 0.0


@dataclass(frozen=True)
class TrainStep:
    """One training step; the prediction was made before the update.

    `label_probability` is in [0, 1], `saturations` counts all since the counters were cleared;
    `score` is the mean squared error in real numbers, for heads without labels; `predicted` as in
    `Evaluation`.
    """

    label: int
    predicted: int
    label_probability: float
    step: int
    saturations: int
    ticks: int = 0
    score: float = 0.0

    @property
    def correct(self) -> bool:
        """Whether the sample was predicted right before it was learned."""
        return self.predicted == self.label


@dataclass(frozen=True)
class Threshold:
    """A device's anomaly threshold (docs/anomaly.md): a mean squared error in real numbers.

    `score` is infinite until enough of the `count` scores were seen that one alarm is expected.
    `quantile`: share of normal samples that are no alarm. `calibrating`: whether evaluated samples
    count as normal ones, as learned samples always do.
    """

    score: float
    count: int
    quantile: float
    calibrating: bool = False


@dataclass(frozen=True)
class Autosave:
    """Checkpoints that a device saves by itself, `every` so many steps (0: none).

    `longest`: ticks of the longest save; `status`: the last save's, 0 when it went well.
    """

    every: int = 0
    saved: int = 0
    failed: int = 0
    longest: int = 0
    status: int = 0


@dataclass
class Statistics:
    """Counters of the model and of the link, and how the device fares.

    `stack_whole`: whether the guard at the stack's end is untouched, None: not known.
    `reset_cause`: a `ResetCause`, why the device started.
    """

    counters: Counters = field(default_factory=Counters)
    crc_errors: int = 0
    frame_errors: int = 0
    overruns: int = 0
    stack_used: int = 0
    autosave: Autosave = field(default_factory=Autosave)
    stack_whole: bool | None = None
    reset_cause: int = 0


@dataclass(frozen=True)
class SaveReport:
    """What saving a checkpoint did to the flash, and how long it took.

    `skipped`: the newest checkpoint has the same content, so nothing was written.
    """

    bytes_written: int
    pages_erased: int
    skipped: bool
    ticks: int = 0


class Device(Protocol):
    """Something that runs one model. Errors are `DeviceError` or `NetworkError`."""

    @property
    def info(self) -> DeviceInfo:
        """Who answers."""

    def configure(self, settings: StepSettings) -> None:
        """Change scales and seeds of the learning step."""

    def infer(self, sample: Sample) -> Inference:
        """Return the logits of a raw sample (size,)."""

    def train(self, sample: Sample, target: Target) -> TrainStep:
        """Predict, then learn one sample."""

    def train_stream(self, samples: Sample, targets: Targets) -> Iterator[TrainStep]:
        """Train on samples (count, size) in order, keeping the link busy."""

    def evaluate(self, samples: Sample, labels: Targets) -> int:
        """Return how many samples (count, size) are predicted right."""

    def scores(self, samples: Sample, targets: Targets | None = None) -> npt.NDArray[np.float64]:
        """Return the mean squared error (count,) of every sample, for heads without labels."""

    def statistics(self, clear: bool = False) -> Statistics:
        """Return the counters, and clear them afterwards when asked."""

    def read_tensor(self, layer: int, kind: int) -> npt.NDArray[Any]:
        """Return a layer's weights (outputs, inputs) or its bias (outputs,) int32."""

    def write_tensor(self, layer: int, kind: int, values: npt.NDArray[Any]) -> None:
        """Replace a layer's weights or bias."""

    def threshold(self) -> Threshold:
        """Return the anomaly threshold; `NetworkError` unless the head is `reconstruction`."""

    def set_threshold(
        self, quantile: float, calibrate: bool = False, restart: bool = False
    ) -> Threshold:
        """Choose the share of normal samples that are no alarm, 0.5 to 32767 / 32768.

        `calibrate`: evaluated samples count as normal from now on. `restart`: forget all scores.
        """

    def reset(self) -> None:
        """Return to the first weights and settings; clear every counter."""

    def autosave(self, every: int) -> None:
        """Save a checkpoint after every training step whose number `every` divides; 0: never."""

    def close(self) -> None:
        """Release the device."""


def tensor_shape(network: Network, layer: int, kind: int) -> tuple[int, ...]:
    """Return the shape of a layer's weights or bias; raise `NetworkError` when there is none."""
    if not 0 <= layer < len(network.layers) or kind not in (WEIGHTS, BIAS):
        raise NetworkError(f"there is no tensor of kind {kind} in layer {layer}")
    weights = network.layers[layer].weights
    return weights.shape if kind == WEIGHTS else weights.shape[:1]


def tensor_dtype(network: Network, layer: int, kind: int) -> np.dtype[Any]:
    """Return the type of a layer's weights or bias."""
    return network.layers[layer].weights.dtype if kind == WEIGHTS else np.dtype(np.int32)


def target_bytes(network: Network, target: Target | npt.NDArray[Any]) -> bytes:
    """Return checked targets, one or many, as they go over the wire: labels or int16 numbers."""
    return np.asarray(target).astype("<i2" if network.target_size else "<u2").tobytes()


def label_of(network: Network, target: Target) -> int:
    """Return a target's label; 0 where targets are vectors."""
    return 0 if network.target_size else int(target)


def check_every(every: int) -> int:
    """Return the steps between two saves, or raise `NetworkError`."""
    if not 0 <= every < 2**32:
        raise NetworkError(f"a save every {every} steps; it takes 0 (never) to {2**32 - 1}")
    return every


def real_score(score: int, error_frac: int) -> float:
    """Return a device's mean squared error in real numbers."""
    return float(score) / 2.0 ** (2 * error_frac)


def require_threshold(network: Network) -> None:
    """Raise `NetworkError` unless a device of this network keeps an anomaly threshold."""
    if network.head != "reconstruction":
        raise NetworkError(
            f"the head {network.head} has no anomaly threshold; reconstruction has one"
        )
    network.require_trainable()


def quantile_q15(quantile: float) -> int:
    """Return a quantile as a device takes it; raise `NetworkError` when it is out of range."""
    rounded = round(quantile * 2**15) if math.isfinite(quantile) else -1
    if not QUANTILE_MIN <= rounded <= QUANTILE_MAX:
        raise NetworkError(f"a quantile of {quantile}; it takes 0.5 to {QUANTILE_MAX / 2**15:.5f}")
    return rounded


def real_threshold(
    score: int, count: int, quantile: int, calibrating: bool, error_frac: int
) -> Threshold:
    """Return a device's threshold in real numbers."""
    real = math.inf if score == NO_THRESHOLD else real_score(score, error_frac)
    return Threshold(real, count, quantile / 2**15, calibrating)


def require_labels(network: Network) -> None:
    """Raise `NetworkError` unless the network tells classes apart."""
    if network.head not in ("softmax", "sigmoid"):
        raise NetworkError(f"the head {network.head} has no labels; use scores")


def scored_targets(network: Network, count: int, targets: Targets | None) -> npt.NDArray[Any]:
    """Return the targets of `Device.scores`; raise `NetworkError` where there is no score."""
    if network.head not in ("mse", "reconstruction"):
        raise NetworkError(f"the head {network.head} has labels; use evaluate")
    if targets is None and network.target_size:
        raise NetworkError("the head mse needs targets")
    chosen = np.zeros(count, dtype=np.int64) if targets is None else np.asarray(targets)
    return network.check_targets(chosen)


def tensor_values(
    network: Network, layer: int, kind: int, values: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return `values` in the tensor's type; raise `NetworkError` when they do not fit."""
    shape = tensor_shape(network, layer, kind)
    dtype = tensor_dtype(network, layer, kind)
    array = np.asarray(values)
    if array.shape != shape:
        raise NetworkError(f"the tensor has shape {shape}, not {array.shape}")
    if not np.issubdtype(array.dtype, np.integer) or not np.array_equal(array.astype(dtype), array):
        raise NetworkError(f"the values do not fit {dtype}")
    return array.astype(dtype)


def read_weights(device: Device) -> list[tuple[WeightArray, Int32Array]]:
    """Return weights and bias of every layer."""
    return [
        (device.read_tensor(layer, WEIGHTS), device.read_tensor(layer, BIAS))
        for layer in range(device.info.layers)
    ]


def same_weights(
    first: list[tuple[WeightArray, Int32Array]], second: list[tuple[WeightArray, Int32Array]]
) -> bool:
    """Whether two sets of weights are equal bit for bit."""
    return len(first) == len(second) and all(
        np.array_equal(weights, other_weights) and np.array_equal(bias, other_bias)
        for (weights, bias), (other_weights, other_bias) in zip(first, second, strict=True)
    )
