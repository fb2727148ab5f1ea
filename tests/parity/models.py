# SPDX-License-Identifier: Apache-2.0
"""The networks and streams that every back end must run to the same bits."""

import base64
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from secondpass import datasets
from secondpass.device.interface import Device, Statistics, TrainStep, read_weights
from secondpass.device.reference import NumpyDevice
from secondpass.features.spectrum import STEP, ZERO, Spectrum
from secondpass.network import Input, Int16Array, Int32Array, Network, WeightArray
from secondpass.quantise import choose_input, feature_mean, quantise, random_layers
from secondpass.rules import Ftp, Pepita, Rule
from secondpass.spectral import with_front

PROBES = 20
"""Samples whose outputs are compared after training."""


@dataclass(frozen=True)
class Case:
    """One model and the stream it learns from."""

    name: str
    widths: tuple[int, ...]
    rule: Rule
    seed: int
    dtype: str = "uint8"
    head_room: float = 8.0
    format: str = "a16w16"
    head: str = "softmax"
    activation: str = "relu"
    second_activation: str = "identity"
    centred: bool = False
    blank: bool = False
    """Whether most of each sample is zero, in runs: kernels then visit the rest only."""
    steps: int = 500
    front: Spectrum | None = None
    """What makes features of readings ahead of the first layer."""


@dataclass(frozen=True)
class Outcome:
    """Everything that must be equal."""

    steps: list[TrainStep]
    outputs: list[Int16Array]
    scores: Any
    weights: list[tuple[WeightArray, Int32Array]]
    statistics: Statistics


def _rule(
    projection: str, presynaptic: str, output_error: str, seed: int, learning_rate: float = 0.02
) -> Pepita:
    second = presynaptic == "second"
    return Pepita(
        projection=projection,
        projection_scale=0.05 if second else 0.35,
        modulation="add" if second else "subtract",
        projection_seed=seed,
        presynaptic=presynaptic,
        output_error=output_error,
        learning_rate=learning_rate,
        dither_seed=seed + 100,
    )


def _pepita(widths: tuple[int, ...], rule: Pepita, seed: int, **options: Any) -> Case:
    parts = (rule.projection, rule.presynaptic, rule.output_error, rule.error_signal)
    return Case(
        f"pepita-{'-'.join(map(str, widths))}-{'-'.join(parts)}", widths, rule, seed, **options
    )


def _ftp(widths: tuple[int, ...], seed: int, case: dict[str, Any], **settings: Any) -> Case:
    rule = Ftp(projection_seed=seed, dither_seed=seed + 100, **settings)
    return Case(f"ftp-{'-'.join(map(str, widths))}-{rule.projection}", widths, rule, seed, **case)


MATRIX = [
    _pepita((64, 64, 10), _rule(projection, presynaptic, output_error, seed), seed)
    for projection in ("dense", "sign")
    for presynaptic in ("first", "second")
    for seed, output_error in ((1, "first"), (2, "second"))
]
"""Projections, presynaptic choices, output errors, two seeds."""

TIGHT = {"dtype": "int16", "head_room": 1.0}
ODD = _pepita((63, 33, 17, 9), _rule("dense", "second", "second", 4, 1.0), 4, **TIGHT)
"""Odd widths, a hidden layer without ReLU, int16 samples, formats so tight that all saturate."""

VARIANTS = [
    _pepita((64, 64, 10), _rule("sparse", "first", "first", 6), 6),
    _pepita((63, 33, 9), replace(_rule("sparse", "second", "second", 7), error_signal="sign"), 7),
    _pepita((64, 64, 10), replace(_rule("sign", "first", "second", 8), error_signal="sign"), 8),
]
"""The sparse projection, and the sign of the error as the signal."""

FTP = [
    _ftp((64, 64, 10), 9, {}, projection_scale=0.3, learning_rate=0.02),
    _ftp(
        *((63, 33, 17, 9), 10, TIGHT),
        projection="dense",
        projection_scale=0.2,
        learning_rate=1.0,
    ),
    _ftp(
        *((64, 33, 17, 10), 11, {}),
        projection="sparse",
        projection_scale=0.1,
        learning_rate=0.02,
        error_signal="sign",
    ),
]
"""FTP with each projection; the second saturates."""

FRONT = [
    _pepita(
        *((18, 12, 18), _rule("sparse", "first", "first", 12, 0.005), 12),
        head="reconstruction",
        activation="tanh",
        steps=120,
        front=Spectrum(200, 3, 16, 6),
    ),
    _pepita(
        *((31, 9, 4), _rule("sign", "first", "first", 13), 13),
        format="a8w8",
        steps=120,
        front=Spectrum(64, 1, 1, 31),
    ),
]
"""Features made on the device: radices two and five, two alone."""

LARGE = _pepita((784, 100, 10), _rule("sign", "first", "first", 5), 5)


def stored_matrix(rows: int, outputs: int) -> str:
    """Return a projection matrix as a rule carries it."""
    elements = np.random.default_rng(3).integers(-128, 128, (rows, outputs)).astype(np.int8)
    return base64.b64encode(elements.tobytes()).decode()


@lru_cache
def stream(case: Case) -> tuple[Network, np.ndarray, np.ndarray]:
    """Return the network, samples (steps, inputs) and targets (steps, ...) of a case."""
    if case.front is not None:
        return _readings(case, case.front)
    digits = datasets.load("digits")
    order = np.random.default_rng(case.seed).permutation(len(digits.train_samples))[: case.steps]
    samples = digits.train_samples[order]
    size = case.widths[0]
    if size == 784:
        samples = np.kron(samples.reshape(-1, 8, 8), np.ones((1, 3, 3), np.uint8))
        samples = np.pad(samples, ((0, 0), (2, 2), (2, 2))).reshape(-1, size)
    samples = samples[:, :size]
    if case.blank:
        samples = np.where(np.arange(size) // 9 % 4 == 1, samples, 0).astype(np.uint8)
    if case.dtype == "int16":
        samples = samples.astype(np.int16) * 2000 - 9000
        spec = Input(size, "int16", -9000, 1 / 32000, 15 if case.format != "a8w8" else 7)
    elif case.dtype == "int8":
        samples = (samples.astype(np.int16) * 15 - 120).astype(np.int8)
        spec = choose_input(size, "int8", -120, 1 / 240, format=case.format)
    else:
        spec = choose_input(size, step=digits.step, format=case.format)
    if case.centred:
        spec = replace(spec, mean=tuple(feature_mean(spec, samples)))
    outputs = {"sigmoid": 1, "reconstruction": size}.get(case.head, case.widths[-1])
    layers = random_layers((*case.widths[:-1], outputs), case.seed, case.activation)
    if len(layers) > 2:
        layers[1] = replace(layers[1], activation=case.second_activation)
    network = quantise(
        layers, spec, samples[:100], case.head_room, case.head_room, case.format, case.head
    )
    return network, samples, _targets(network, digits.train_labels[order])


def _readings(case: Case, shape: Spectrum) -> tuple[Network, np.ndarray, np.ndarray]:
    """Return the same for windows of readings: noise of any loudness, rails, silence."""
    random = np.random.default_rng(case.seed)
    loud = np.exp(random.normal(5, 2, (case.steps, 1, shape.axes)))
    raw = random.normal(0, 1, (case.steps, shape.window, shape.axes)) * loud
    samples = np.clip(np.rint(raw), -(2**15), 2**15 - 1).astype(np.int16)
    samples[7::20] = random.choice([-(2**15), 2**15 - 1], samples[7::20].shape)
    samples[8::20] = 2**15 - 1
    samples = samples.reshape(case.steps, -1)
    front = shape.fitted(samples)
    features = front.features(samples)
    spec = choose_input(front.size, "uint8", ZERO, STEP, format=case.format)
    layers = random_layers(case.widths, case.seed, case.activation)
    network = quantise(layers, spec, features, format=case.format, head=case.head)
    labels = random.integers(0, network.classes, case.steps)
    return with_front(network, front), samples, _targets(network, labels)


def _targets(network: Network, labels: np.ndarray) -> np.ndarray:
    if network.target_size:
        angles = labels[:, None] * np.arange(1, network.outputs + 1)
        return network.encode_targets(np.sin(angles))
    return labels % network.classes


def exercise(device: Device, case: Case) -> Outcome:
    """Train a device on a case's stream and collect what must be equal."""
    network, samples, targets = stream(case)
    device.reset()
    steps = list(device.train_stream(samples, targets))
    outputs = [device.infer(sample).logits for sample in samples[:PROBES]]
    scores = np.zeros(0)
    if network.head in ("mse", "reconstruction"):
        scores = device.scores(samples[:PROBES], targets[:PROBES])
    else:
        device.evaluate(samples[:PROBES], targets[:PROBES])
    return Outcome(steps, outputs, scores, read_weights(device), device.statistics())


@lru_cache
def reference(case: Case) -> Outcome:
    """Return what the NumPy reference makes of a case."""
    return exercise(NumpyDevice(stream(case)[0], case.rule), case)


def assert_equal(actual: Outcome, expected: Outcome) -> None:
    """Compare bit for bit; ticks and link counters are the device's own."""
    outcomes = [
        [(s.step, s.predicted, s.label_probability, s.saturations, s.score) for s in outcome.steps]
        for outcome in (actual, expected)
    ]
    assert outcomes[0] == outcomes[1]
    assert actual.statistics.counters == expected.statistics.counters
    for index, (one, other) in enumerate(zip(actual.outputs, expected.outputs, strict=True)):
        assert np.array_equal(one, other), f"output of sample {index}"
    assert np.array_equal(actual.scores, expected.scores)
    for index, (one, other) in enumerate(zip(actual.weights, expected.weights, strict=True)):
        assert np.array_equal(one[0], other[0]), f"weights of layer {index}"
        assert np.array_equal(one[1], other[1]), f"bias of layer {index}"
