# SPDX-License-Identifier: Apache-2.0
"""What the back ends without a link share: streams are plain loops."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import numpy.typing as npt

import secondpass
from secondpass.device.interface import (
    DeviceInfo,
    Sample,
    TrainStep,
    tensor_shape,
    tensor_values,
)
from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.rules import Rule


class LocalDevice(ABC):
    """A back end in this process."""

    def __init__(self, network: Network, rule: Rule, board: str) -> None:
        self.network = network
        self.info = DeviceInfo(
            model_hash=network.hash_with(rule.describe()),
            firmware_version=secondpass.__version__,
            layers=len(network.layers),
            classes=network.classes,
            inputs=network.input.size,
            sample_bytes=network.input.sample_bytes,
            board=board,
            core="host",
        )

    @abstractmethod
    def train(self, sample: Sample, label: int) -> TrainStep:
        """Predict, then learn one sample."""

    @abstractmethod
    def evaluate_one(self, sample: Sample, label: int) -> bool:
        """Whether one sample is predicted right."""

    def train_stream(self, samples: Sample, labels: Iterable[int]) -> Iterator[TrainStep]:
        """Train on samples (count, size) in order."""
        for sample, label in zip(self.network.input.check_samples(samples), labels, strict=True):
            yield self.train(sample, int(label))

    def evaluate(self, samples: Sample, labels: Iterable[int]) -> int:
        """Return how many samples (count, size) are predicted right."""
        checked = self.network.input.check_samples(samples)
        return sum(
            self.evaluate_one(sample, int(label))
            for sample, label in zip(checked, labels, strict=True)
        )

    def close(self) -> None:  # noqa: B027 - there is nothing to release in this process
        """Nothing to release."""

    def check_label(self, label: int) -> int:
        """Return the label, or raise `NetworkError` when it is no class of the network."""
        if not 0 <= label < self.network.classes:
            raise NetworkError(f"label {label} is outside [0, {self.network.classes - 1}]")
        return label

    def check_layer(self, layer: int, kind: int) -> None:
        """Raise `NetworkError` unless the tensor exists."""
        tensor_shape(self.network, layer, kind)

    def check_tensor(self, layer: int, kind: int, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return `values` in the tensor's type; raise `NetworkError` when they do not fit."""
        return tensor_values(self.network, layer, kind, values)
