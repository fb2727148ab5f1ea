# SPDX-License-Identifier: Apache-2.0
"""What the back ends without a link share: streams are plain loops."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

import secondpass
from secondpass.device.interface import (
    DeviceInfo,
    Evaluation,
    Sample,
    Targets,
    TrainStep,
    check_every,
    require_labels,
    scored_targets,
    tensor_shape,
    tensor_values,
)
from secondpass.integer.state import Target
from secondpass.network import Network
from secondpass.rules import Rule


class LocalDevice(ABC):
    """A back end in this process."""

    def __init__(self, network: Network, rule: Rule, board: str) -> None:
        self.network = network
        self._every = 0
        self.info = DeviceInfo(
            model_hash=network.hash_with(rule.describe()),
            firmware_version=secondpass.__version__,
            layers=len(network.layers),
            classes=network.classes,
            inputs=network.sample.size,
            sample_bytes=network.sample.sample_bytes,
            board=board,
            core="host",
        )

    @abstractmethod
    def train(self, sample: Sample, target: Target) -> TrainStep:
        """Predict, then learn one sample."""

    @abstractmethod
    def evaluate_one(self, sample: Sample, target: Target) -> Evaluation:
        """Return the outcome of one sample."""

    def train_stream(self, samples: Sample, targets: Targets) -> Iterator[TrainStep]:
        """Train on samples (count, size) in order."""
        self.network.require_trainable()
        checked = self.network.sample.check_samples(samples)
        for sample, target in zip(checked, self.check_targets(targets), strict=True):
            yield self.train(sample, target)

    def evaluate(self, samples: Sample, labels: Targets) -> int:
        """Return how many samples (count, size) are predicted right."""
        require_labels(self.network)
        checked = self.network.sample.check_samples(samples)
        return sum(
            self.evaluate_one(sample, label).predicted == label
            for sample, label in zip(checked, self.check_targets(labels), strict=True)
        )

    def scores(self, samples: Sample, targets: Targets | None = None) -> npt.NDArray[np.float64]:
        """Return the mean squared error (count,) of every sample, for heads without labels."""
        checked = self.network.sample.check_samples(samples)
        wanted = scored_targets(self.network, len(checked), targets)
        return np.array(
            [
                self.evaluate_one(sample, target).score
                for sample, target in zip(checked, wanted, strict=True)
            ]
        )

    def autosave(self, every: int) -> None:
        """Save a checkpoint after every training step whose number `every` divides; 0: never."""
        self._every = check_every(every)

    def stepped(self, step: int) -> None:
        """Save when a save is due after this training step."""
        if self._every and step % self._every == 0:
            self.save_now()

    def steps_to_save(self, step: int) -> int:
        """Return how many steps may follow this one until a save is due; many without saves."""
        return self._every - step % self._every if self._every else 2**31

    @abstractmethod
    def save_now(self) -> None:
        """Save a checkpoint where this back end keeps its own."""

    def close(self) -> None:  # noqa: B027 - there is nothing to release in this process
        """Nothing to release."""

    def check_targets(self, targets: Targets) -> npt.NDArray[Any]:
        """Return targets (count, ...), or raise `NetworkError` when they do not fit."""
        chosen = targets if isinstance(targets, np.ndarray) else np.array(list(targets))
        return self.network.check_targets(chosen)

    def check_target(self, target: Target) -> Target:
        """Return the target, or raise `NetworkError` when it does not fit the network."""
        self.network.check_targets(np.asarray(target)[None])
        return target

    def check_layer(self, layer: int, kind: int) -> None:
        """Raise `NetworkError` unless the tensor exists."""
        tensor_shape(self.network, layer, kind)

    def check_tensor(self, layer: int, kind: int, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return `values` in the tensor's type; raise `NetworkError` when they do not fit."""
        return tensor_values(self.network, layer, kind, values)
