# SPDX-License-Identifier: Apache-2.0
"""Networks with seeded samples: what the tables are measured on, and what tests compare with."""

import base64
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device.interface import target_bytes
from secondpass.errors import NetworkError
from secondpass.features.spectrum import STEP, ZERO, Spectrum
from secondpass.network import Network
from secondpass.quantise import choose_input, feature_mean, quantise, random_layers
from secondpass.rules import FAST_PEPITA, Rule, make_rule
from secondpass.spectral import with_front

ZEROS = (0.0, 0.3, 0.55, 0.8, 0.95)
"""Shares of zeros in the samples of a case, in turn."""


@dataclass(frozen=True)
class Case:
    """A network of random weights under a rule, with samples that have many zeros or few."""

    widths: tuple[int, ...]
    rule_name: str
    format: str = "a16w16"
    settings: dict[str, Any] = field(default_factory=dict)
    activation: str = "relu"
    head: str = "softmax"
    centred: bool = False
    dtype: str = "uint8"
    zeros: tuple[float, ...] = ZEROS
    seed: int = 1
    front: Spectrum | None = None

    @property
    def title(self) -> str:
        """Return what the case is, for messages."""
        shape = "-".join(map(str, self.widths))
        shown = ",".join(f"{k}={v}" for k, v in self.settings.items() if k != "matrix")
        return (
            f"{shape} {self.rule_name} {self.format} {self.head} {self.activation} {shown}".strip()
        )

    def samples(self, count: int) -> npt.NDArray[Any]:
        """Return raw samples (count, inputs)."""
        random = np.random.default_rng(self.seed)
        if self.front is not None:
            size = (count, self.front.sample.size)
            return (random.normal(0, 100, size) * random.random(size)).astype(np.int16)
        limits = np.iinfo(self.dtype)
        raw = random.integers(limits.min, limits.max + 1, (count, self.widths[0]))
        shares = np.resize(self.zeros, count)
        raw[random.random(raw.shape) < shares[:, None]] = 0
        return raw.astype(self.dtype)

    def network(self) -> Network:
        """Return the network, its formats chosen from its samples."""
        samples = self.samples(50)
        if self.front is not None:
            front = self.front.fitted(samples)
            spec = choose_input(front.size, "uint8", ZERO, STEP, format=self.format)
            layers = random_layers(self.widths, self.seed, self.activation)
            features = front.features(samples)
            made = quantise(layers, spec, features, format=self.format, head=self.head)
            return with_front(made, front)
        step = 1.0 / np.iinfo(self.dtype).max
        shape = (self.widths[0], self.dtype, 0, step)
        spec = choose_input(*shape, format=self.format)
        if self.centred:
            spec = choose_input(*shape, feature_mean(spec, samples), self.format)
        layers = random_layers(self.widths, self.seed, self.activation)
        return quantise(layers, spec, samples, format=self.format, head=self.head)

    def rule(self) -> Rule:
        """Return the rule; a stored projection has random elements."""
        settings = dict(self.settings)
        if settings.get("projection") == "stored":
            rows = self.widths[1] if self.rule_name == "ftp" else self.widths[0]
            elements = np.random.default_rng(1).integers(-64, 64, rows * self.widths[-1])
            settings["matrix"] = base64.b64encode(elements.astype(np.int8).tobytes()).decode()
        return make_rule(self.rule_name, settings)

    def targets(self, network: Network, count: int) -> npt.NDArray[Any]:
        """Return labels (count,), or target vectors for the head `mse`."""
        random = np.random.default_rng(self.seed + 1)
        if network.target_size:
            return network.encode_targets(random.normal(0, 0.5, (count, network.target_size)))
        return random.integers(0, network.classes, count)


def records(network: Network, raw: npt.NDArray[Any], targets: npt.NDArray[Any]) -> list[bytes]:
    """Return samples with their targets as the bench application reads them."""
    little = raw.astype(raw.dtype.newbyteorder("<"))
    return [
        target_bytes(network, target) + sample.tobytes()
        for sample, target in zip(little, targets, strict=True)
    ]


def _case(shape: str, rule: str, format: str = "a16w16", **options: Any) -> Case:
    known = {"activation", "head", "centred", "dtype", "zeros", "seed", "front"}
    settings = {name: value for name, value in options.items() if name not in known}
    own = {name: value for name, value in options.items() if name in known}
    if settings.pop("fast", False):
        settings = {**FAST_PEPITA, **settings}
    widths = tuple(int(part) for part in shape.split("-"))
    return Case(widths, rule, format, settings, **own)


FRONTS = {
    "99-12-4": Spectrum(200, 3, 3, 33),
    "16-8-4": Spectrum(100, 2, 2, 8),
    "60-10-4": Spectrum(128, 1, 1, 60),
    "20-9-4": Spectrum(256, 1, 6, 20),
    "30-11-4": Spectrum(160, 1, 1, 30),
    "24-10-4": Spectrum(40, 4, 3, 6),
    "9-8-4": Spectrum(500, 1, 3, 9),
    "5-8-4": Spectrum(1000, 1, 2, 5),
    "108-9-4": Spectrum(20, 12, 1, 9),
    "20-7-4": Spectrum(512, 2, 2, 10),
}
"""Features ahead of small networks: windows of twos, of fives, of both; few lines and many."""


def reference_cases() -> list[Case]:
    """Return the cases that the tables are made from: every kernel, in several sizes."""
    cases = []
    for number, format in enumerate(("a16w16", "a16w8", "a8w8")):
        cases += _of_every_format(format, number)
        if format != "a8w8":
            cases += _of_wide_activations(format, number)
    cases += [_case(shape, "last", front=front) for shape, front in FRONTS.items()]
    return [case for case in cases if _exists(case)]


def _exists(case: Case) -> bool:
    try:
        case.network()
    except NetworkError:
        return False
    return True


def _of_every_format(format: str, number: int) -> list[Case]:
    n = number
    return [
        _case(f"{64 + n}-{48 + n}-10", "pepita", format, fast=True),
        _case(f"{300 - 30 * n}-{40 + 2 * n}-{13 + n}", "pepita", format, fast=True, centred=True),
        _case(f"{130 + 7 * n}-20-{33 + n}-6", "pepita", format, projection="dense"),
        _case(f"{98 + n}-70-{17 - n}", "pepita", format, second_pass="short", projection="dense"),
        _case(f"{40 + 4 * n}-{22 + n}-40-20", "pepita", format, second_pass="short"),
        _case(f"{52 + n}-{35 - n}-12", "mempepita", format, projection="sparse"),
        _case(f"{33 + n}-{28 + n}-19-5", "mempepita", format, activation="tanh"),
        _case(f"{150 + n}-{64 - n}-{9 + n}", "ftp", format, projection="sparse", gate=0.05),
        _case(f"{49 + n}-{66 + n}-{35 + n}-7", "ftp", format, target_function="tanh"),
        _case(
            f"{60 + 5 * n}-{31 + n}-18",
            "ftp",
            format,
            target_function="sign",
            projection="dense",
            activation="hard_tanh",
        ),
        _case(f"{80 + n}-{45 - n}-{24 + n}-{11 + n}", "dfa", format, activation="tanh"),
        _case(f"{120 + 3 * n}-{50 + n}-{30 - n}-10", "bp", format),
        _case(f"{560 - 40 * n}-{24 + n}-4", "bp", format, row_gate=0.0125),
        _case(f"{36 + n}-{18 + n}-8", "bias", format),
        _case(f"{200 + n}-{90 - n}-{27 + n}", "last", format, activation="identity"),
        _case(f"{48 + n}-{26 + n}-1", "bp", format, head="sigmoid", dtype="int8"),
        _case(f"{44 + n}-{32 + n}-14", "ftp", format, head="mse", activation="hard_tanh"),
        _case(
            f"{64 + 8 * n}-{30 + n}-8-{30 + n}-{64 + 8 * n}",
            "pepita",
            format,
            head="reconstruction",
            projection="sparse",
            learning_rate=0.0005,
        ),
        _case(f"{72 + n}-{54 - n}-{16 + n}", "pepita", format, fast=True, projection="stored"),
        _case(
            f"{90 + n}-{60 + n}-{20 + n}-10",
            "pepita",
            format,
            fast=True,
            trainable=("none", "all", "all"),
        ),
        _case(
            f"{110 - n}-{41 + n}-{15 + n}",
            "pepita",
            format,
            projection="sparse",
            trainable=("bias", "all"),
            dtype="int16",
        ),
        *_large(format, n),
    ]


def _large(format: str, n: int) -> list[Case]:
    """Return sizes that are rare in small networks: long rows, many rows, almost none."""
    return [
        _case(f"784-{100 - 10 * n}-10", "pepita", format, fast=True),
        _case(f"{640 - 20 * n}-{33 + n}-10", "bp", format, centred=True),
        _case(f"{420 + 9 * n}-{50 + n}-{20 + n}-3", "ftp", format, centred=True, gate=0.05),
        _case(f"{256 + n}-{128 - n}-{64 + n}-10", "bp", format, activation="hard_tanh"),
        _case(f"{180 + n}-{37 + n}-60-8", "dfa", format, zeros=(0.0, 0.1, 0.2)),
        _case(f"{16 + n}-{9 + n}-3", "pepita", format, projection="sparse"),
        _case(f"{28 + n}-{100 + n}-40", "mempepita", format, zeros=(0.6, 0.9)),
    ]


def _of_wide_activations(format: str, number: int) -> list[Case]:
    n = number
    second = {"presynaptic": "second", "output_error": "second"}
    return [
        _case(f"{58 + n}-{37 + n}-{21 + n}-9", "hebbian", format),
        _case(f"{77 + n}-{29 + n}-12", "tl", format, projection="sparse"),
        _case(f"{66 + n}-{43 + n}-10", "pepita", format, **second),
    ]
