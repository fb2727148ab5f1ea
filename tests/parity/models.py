# SPDX-License-Identifier: Apache-2.0
"""The networks and streams that every back end must run to the same bits."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from secondpass import datasets
from secondpass.device.interface import Device, Statistics, TrainStep, read_weights
from secondpass.device.reference import NumpyDevice
from secondpass.network import Input, Int16Array, Int32Array, Network
from secondpass.quantise import choose_input, quantise, random_layers
from secondpass.rules import Ftp, Pepita, Rule

STEPS = 500
PROBES = 20
"""Samples whose logits are compared after training."""


@dataclass(frozen=True)
class Case:
    """One model and the stream it learns from."""

    widths: tuple[int, ...]
    rule: Rule
    seed: int
    dtype: str = "uint8"
    head_room: float = 8.0

    @property
    def name(self) -> str:
        """Short name for test reports."""
        rule = self.rule
        widths = "-".join(map(str, self.widths))
        return (
            f"{rule.name}-{widths}-{rule.projection}-{rule.presynaptic}-{rule.output_error}"
            f"-{self.dtype}-seed{self.seed}"
        )


@dataclass(frozen=True)
class Outcome:
    """Everything that must be equal."""

    steps: list[TrainStep]
    logits: list[Int16Array]
    weights: list[tuple[Int16Array, Int32Array]]
    statistics: Statistics


def _rule(
    projection: str, presynaptic: str, output_error: str, seed: int, learning_rate: float = 0.02
) -> Pepita:
    return Pepita(
        projection=projection,
        projection_scale=0.05 if presynaptic == "second" else -0.35,
        projection_seed=seed,
        presynaptic=presynaptic,
        output_error=output_error,
        learning_rate=learning_rate,
        dither_seed=seed + 100,
    )


MATRIX = [
    Case((64, 64, 10), _rule(projection, presynaptic, output_error, seed), seed)
    for projection in ("dense", "sign")
    for presynaptic in ("first", "second")
    for seed, output_error in ((1, "first"), (2, "second"), (3, "first"))
]
"""Both projections, both presynaptic choices, three seeds."""

ODD = Case((63, 33, 17, 9), _rule("dense", "second", "second", 4, 1.0), 4, "int16", head_room=1.0)
"""Odd widths, a hidden layer without ReLU, int16 samples, formats so tight that all saturate."""

VARIANTS = [
    Case((64, 64, 10), _rule("sparse", "first", "first", 6), 6),
    Case((63, 33, 9), replace(_rule("sparse", "second", "second", 7), error_signal="sign"), 7),
    Case((64, 64, 10), replace(_rule("sign", "first", "second", 8), error_signal="sign"), 8),
]
"""The sparse projection, and the sign of the error as the signal."""

FTP = [
    Case((64, 64, 10), Ftp("sign", 0.3, 9, 0.02, 109), 9),
    Case((63, 33, 17, 9), Ftp("dense", 0.2, 10, 1.0, 110), 10, "int16", head_room=1.0),
    Case((64, 33, 17, 10), Ftp("sparse", 0.1, 11, 0.02, 111, "sign"), 11),
]
"""FTP with each projection; the second saturates."""

LARGE = Case((784, 100, 10), _rule("sign", "first", "first", 5), 5)


@lru_cache
def stream(case: Case) -> tuple[Network, np.ndarray, np.ndarray]:
    """Return the network, samples (STEPS, inputs) and labels (STEPS,) of a case."""
    digits = datasets.load("digits")
    order = np.random.default_rng(case.seed).permutation(len(digits.train_samples))[:STEPS]
    samples = digits.train_samples[order]
    labels = digits.train_labels[order] % case.widths[-1]
    size = case.widths[0]
    if size == 784:
        samples = np.kron(samples.reshape(-1, 8, 8), np.ones((1, 3, 3), np.uint8))
        samples = np.pad(samples, ((0, 0), (2, 2), (2, 2))).reshape(-1, size)
    samples = samples[:, :size]
    if case.dtype == "int16":
        samples = samples.astype(np.int16) * 2000 - 9000
        spec = Input(size, "int16", zero_point=-9000, step=1 / 32000, frac_bits=15)
    else:
        spec = choose_input(size, step=digits.step)
    layers = random_layers(case.widths, case.seed)
    if len(layers) > 2:
        layers[1] = replace(layers[1], activation="identity")
    network = quantise(layers, spec, samples[:100], case.head_room, case.head_room)
    return network, samples, labels


def exercise(device: Device, case: Case) -> Outcome:
    """Train a device on a case's stream and collect what must be equal."""
    _, samples, labels = stream(case)
    device.reset()
    steps = list(device.train_stream(samples, labels.tolist()))
    logits = [device.infer(sample).logits for sample in samples[:PROBES]]
    device.evaluate(samples[:PROBES], labels[:PROBES].tolist())
    return Outcome(steps, logits, read_weights(device), device.statistics())


@lru_cache
def reference(case: Case) -> Outcome:
    """Return what the NumPy reference makes of a case."""
    return exercise(NumpyDevice(stream(case)[0], case.rule), case)


def assert_equal(actual: Outcome, expected: Outcome) -> None:
    """Compare bit for bit; ticks and link counters are the device's own."""
    outcomes = [
        [(s.step, s.predicted, s.label_probability, s.saturations) for s in outcome.steps]
        for outcome in (actual, expected)
    ]
    assert outcomes[0] == outcomes[1]
    assert actual.statistics.counters == expected.statistics.counters
    for index, (one, other) in enumerate(zip(actual.logits, expected.logits, strict=True)):
        assert np.array_equal(one, other), f"logits of sample {index}"
    for index, (one, other) in enumerate(zip(actual.weights, expected.weights, strict=True)):
        assert np.array_equal(one[0], other[0]), f"weights of layer {index}"
        assert np.array_equal(one[1], other[1]), f"bias of layer {index}"
