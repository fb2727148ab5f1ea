# SPDX-License-Identifier: Apache-2.0
"""What is measured: networks with their data, rules, and how long each is watched."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass import datasets
from secondpass.datasets.local import DATA_VARIABLE
from secondpass.datasets.scaling import STEP, ZERO_POINT, fit_scaling
from secondpass.network import Network
from secondpass.quantise import choose_input, feature_mean, quantise, random_layers
from secondpass.rules import (
    FAST_PEPITA,
    Backprop,
    BiasOnly,
    Dfa,
    Ftp,
    Hebbian,
    LastLayer,
    Mempepita,
    Pepita,
    ProjectedRule,
    Rule,
    TimeLocal,
)

CALIBRATION = 500
MAIN_RULES = ("pepita-fast", "ftp-fast", "pepita", "ftp", "bp")
"""Rules that are watched early and steady; of the others only a few steps are counted."""

RULES: dict[str, Rule] = {
    "pepita-fast": Pepita(**FAST_PEPITA),
    "ftp-fast": Ftp(projection="sparse", gate=0.05),
    "pepita": Pepita(),
    "ftp": Ftp(),
    "bp": Backprop(),
    "mempepita": Mempepita(),
    "dfa": Dfa(),
    "hebbian": Hebbian(),
    "tl": TimeLocal(),
    "bias": BiasOnly(),
    "last": LastLayer(),
}
"""Rules of the bench by name; the fast ones have everything that saves work."""

_RATE_FACTORS = {"hebbian": 0.25, "tl": 0.1, "bias": 2.0}
_NOT_IN_A8W8 = ("hebbian", "tl")
Raw = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Samples:
    """Raw samples uint8 (count, size) in the order of training, labels (count,), and their scale.

    `source` says where they come from; `real` whether they were measured by somebody.
    """

    source: str
    real: bool
    raw: Raw
    labels: npt.NDArray[np.int64]
    step: float
    zero_point: int = 0


@dataclass(frozen=True)
class Workload:
    """A network with its data.

    `default`: part of the matrix when nothing is selected. `most_steps` of a window.
    """

    widths: tuple[int, ...]
    samples: Callable[[], Samples]
    learning_rate: float
    head: str = "softmax"
    centred: bool = False
    projection_scale: float | None = None
    default: bool = True
    most_steps: int = 1000

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules that are measured on it."""
        return MAIN_RULES if self.centred or self.head != "softmax" else tuple(RULES)

    def rule(self, name: str) -> Rule:
        """Return a rule with this workload's learning rate."""
        factor = _RATE_FACTORS.get(name, 1.0)
        rule = replace(RULES[name], learning_rate=self.learning_rate * factor)
        if isinstance(rule, Pepita) and self.widths[-1] == self.widths[0]:
            rule = replace(rule, second_pass="full")  # Q would be as large as the weights
        if self.projection_scale is not None and isinstance(rule, ProjectedRule):
            return replace(rule, projection_scale=self.projection_scale)
        return rule

    def network(self, format: str) -> Network:
        """Return the network with random weights, its formats chosen from the data."""
        data = self.samples()
        shape = (self.widths[0], "uint8", data.zero_point, data.step)
        spec = choose_input(*shape, format=format)
        if self.centred:
            mean = feature_mean(spec, data.raw[:CALIBRATION])
            spec = choose_input(*shape, mean, format)
        layers = random_layers(self.widths, 1)
        return quantise(layers, spec, data.raw[:CALIBRATION], format=format, head=self.head)


def takes(rule: str, format: str) -> bool:
    """Tell whether a rule exists in a format."""
    return not (format == "a8w8" and rule in _NOT_IN_A8W8)


def synthetic(size: int, classes: int, count: int, zeros: float = 0.8) -> Samples:
    """Return seeded samples of which a share of the values is zero, with random labels."""
    generator = np.random.default_rng(1)
    raw = generator.integers(0, 256, (count, size))
    raw[generator.random(raw.shape) < zeros] = 0
    labels = generator.integers(0, classes, count)
    return Samples("synthetic", False, raw.astype(np.uint8), labels, 1 / 255)


@cache
def _mnist() -> Samples:
    if not datasets.available("mnist"):
        return synthetic(784, 10, 2000)
    data = datasets.load("mnist")
    raw = data.train_samples.astype(np.uint8)
    return Samples("MNIST, in the order of the file", True, raw, data.train_labels, data.step)


@cache
def _digits() -> Samples:
    data = datasets.load("digits")
    raw = data.train_samples.astype(np.uint8)
    return Samples("digits of scikit-learn", True, raw, data.train_labels, data.step)


@cache
def _log_mel() -> Samples:
    """Return windows of five frames of a log-mel clip, as the MLCommons Tiny auto-encoder reads."""
    folder = os.environ.get(DATA_VARIABLE)
    path = Path(folder or ".") / "mlcommons-tiny-models" / "normal_id_01_00000000_hist_librosa.bin"
    if not path.is_file():
        made = synthetic(640, 1, 200, zeros=0.0)
        return replace(made, step=STEP, zero_point=ZERO_POINT)
    frames = np.fromfile(path, dtype="<f4").reshape(-1, 128)
    windows = np.stack([frames[at : at + 5].ravel() for at in range(len(frames) - 4)])
    raw = fit_scaling(windows.astype(np.float64)).quantise(windows)
    shuffled = np.random.default_rng(1).permutation(raw)
    labels = np.zeros(len(raw), dtype=np.int64)
    return Samples(
        "ToyCar log-mel windows of MLCommons Tiny", True, shuffled, labels, STEP, ZERO_POINT
    )


WORKLOADS: dict[str, Workload] = {
    "784-100-10": Workload((784, 100, 10), _mnist, 0.02),
    "784-100-10-centred": Workload((784, 100, 10), _mnist, 0.02, centred=True),
    "784-128-10": Workload((784, 128, 10), _mnist, 0.02, default=False),
    "64-32-10": Workload((64, 32, 10), _digits, 0.04),
    "640-128-8-128-640": Workload(
        (640, 128, 8, 128, 640),
        _log_mel,
        0.00003,
        head="reconstruction",
        projection_scale=0.1,  # with more, two-pass rules diverge behind four ReLU layers
        most_steps=200,  # about as many as there are windows
    ),
}
"""Networks of the bench by name."""

LAYERS = ((784, 100), (128, 128))
"""Inputs and outputs of the layers that are measured alone."""


def window(data: Samples, first: int, count: int) -> tuple[Raw, npt.NDArray[np.int64]]:
    """Return samples and labels of steps `first` onwards; the data begin anew at their end."""
    index = np.arange(first, first + count) % len(data.raw)
    return data.raw[index], data.labels[index]
