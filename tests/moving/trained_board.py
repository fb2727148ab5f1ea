# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder know about a board that has learned."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from secondpass import modelfile
from secondpass.datasets import Dataset
from secondpass.device.link import LinkDevice
from secondpass.network import Int32Array, Network, WeightArray
from secondpass.rules import Rule

STEPS = 1400
PATIENCE = 30.0
PROBES = 60
"""Samples whose outputs are compared."""
Boot = Callable[[Path, str], AbstractContextManager[str]]


@dataclass(frozen=True)
class Trained:
    """A network that learned on an emulated board, the files, and what the board said."""

    model: Path
    path: Path
    network: Network
    rule: Rule
    port: str
    origin: modelfile.Origin
    weights: list[tuple[WeightArray, Int32Array]]
    accuracy: float
    outputs: list[list[int]]


def outputs(device: LinkDevice, data: Dataset) -> list[list[int]]:
    """Return the logits of the first held-out samples."""
    return [device.infer(sample).logits.tolist() for sample in data.test_samples[:PROBES]]


def accuracy(device: LinkDevice, data: Dataset) -> float:
    """Return the share of held-out samples that are predicted right."""
    return device.evaluate(data.test_samples, data.test_labels.tolist()) / len(data.test_labels)
