# SPDX-License-Identifier: Apache-2.0
"""Learning steps of generated models equal NumPy's; the sanitizers run this file again.

Few models and few steps: the kernels meet each other here in every format, with arenas whose
vectors share memory. The parity tests say more about each rule.
"""

import base64
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from secondpass.device.interface import read_weights, same_weights
from secondpass.device.reference import NumpyDevice
from secondpass.device.twin import HostTwin
from secondpass.learning import step_settings
from secondpass.network import Network
from secondpass.quantise import choose_input, feature_mean, quantise, random_layers
from secondpass.rules import Backprop, Dfa, Ftp, Mempepita, Pepita, Rule, TimeLocal

STEPS = 40


def stored_matrix(rows: int, outputs: int) -> str:
    values = np.random.default_rng(3).integers(-128, 127, (rows, outputs), endpoint=True)
    return base64.b64encode(values.astype(np.int8).tobytes()).decode()


@dataclass(frozen=True)
class Model:
    """What is generated. `extreme`: samples and targets at the ends of their types."""

    rule: Rule
    format: str
    widths: tuple[int, ...]
    activation: str = "relu"
    head: str = "softmax"
    dtype: str = "int16"
    extreme: bool = False

    @property
    def name(self) -> str:
        return f"{self.rule.name}-{self.format}-{self.activation}-{self.head}"

    def samples(self) -> npt.NDArray[Any]:
        """Return raw samples (STEPS, size)."""
        random = np.random.default_rng(1)
        limits = np.iinfo(self.dtype)
        shape = STEPS, self.widths[0]
        if self.extreme:
            return random.choice([limits.min, limits.max], shape).astype(self.dtype)
        return random.integers(limits.min // 3, limits.max // 3, shape).astype(self.dtype)

    def network(self) -> Network:
        size = self.widths[0]
        samples = self.samples()
        step = {"int16": 1 / 32768, "uint8": 1 / 256}[self.dtype]
        spec = choose_input(size, self.dtype, 0, step, format=self.format)
        if self.dtype == "uint8":
            mean = feature_mean(spec, samples)
            spec = choose_input(size, self.dtype, 0, step, mean, self.format)
        layers = random_layers(self.widths, 1, self.activation)
        return quantise(layers, spec, samples, 2.0, 1.0, self.format, self.head)

    def targets(self, network: Network) -> npt.NDArray[Any]:
        random = np.random.default_rng(2)
        if network.target_size:
            ends = [-(2**15), 2**15 - 1] if self.extreme else [-300, 0, 200]
            return random.choice(ends, (STEPS, network.target_size)).astype(np.int16)
        return random.integers(0, network.classes, STEPS)


MODELS = [
    Model(
        Pepita(
            projection="dense",
            presynaptic="second",
            output_error="second",
            second_pass="short",
            learning_rate=0.5,
            decay_steps=7,
            decay_factor=0.8,
        ),
        "a16w16",
        (21, 9, 7, 5),
        dtype="uint8",
    ),
    Model(
        Mempepita(projection="sparse", error_signal="sign", learning_rate=0.2),
        "a8w8",
        (17, 9, 7, 5),
        "hard_tanh",
    ),
    Model(
        Ftp(projection="sign", target_function="tanh", learning_rate=0.5),
        "a16w8",
        (19, 11, 6, 1),
        "tanh",
        "sigmoid",
    ),
    Model(
        Dfa(projection="dense", learning_rate=0.01, gate=0.01),
        "a8w8",
        (15, 9, 6, 3),
        "tanh",
        "mse",
        extreme=True,
    ),
    Model(
        Backprop(learning_rate=0.3),
        "a16w8",
        (13, 7, 5, 13),
        "hard_tanh",
        "reconstruction",
        extreme=True,
    ),
    Model(
        TimeLocal(
            projection="stored", matrix=stored_matrix(11, 3), learning_rate=0.3, layer_rates=(1, 9)
        ),
        "a16w16",
        (11, 8, 3),
        "tanh",
        extreme=True,
    ),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_learning_steps(model: Model) -> None:
    network = model.network()
    flags = ("-DSP_EMULATE_DSP",) if model.format == "a16w16" else ()
    twin, reference = HostTwin(network, model.rule, flags), NumpyDevice(network, model.rule)
    samples, targets = model.samples(), model.targets(network)
    again = step_settings(network, model.rule, learning_rate=2 * model.rule.learning_rate)
    clips = (20000,) * len(network.layers)
    row_gates = (0, *(700,) * (len(network.layers) - 1))
    again = replace(again, projection_seed=77, dither_seed=78, clips=clips, row_gates=row_gates)
    outcomes: list[Any] = []
    for device in (twin, reference):
        steps = list(device.train_stream(samples, targets))
        device.configure(again)  # another seed: a short second pass computes Q anew
        steps += list(device.train_stream(samples[::-1], targets[::-1]))
        if network.head in ("mse", "reconstruction"):
            steps += list(device.scores(samples[:5], targets[:5]))
        else:
            steps.append(device.evaluate(samples[:5], targets[:5]))
        logits = [device.infer(sample).logits.tolist() for sample in samples[:5]]
        outcomes.append((steps, logits, device.statistics().counters))
    assert outcomes[0] == outcomes[1]
    learned = read_weights(twin)
    assert same_weights(learned, read_weights(reference))
    for layer, (weights, bias) in zip(network.layers, learned, strict=True):
        assert (weights != layer.weights).any()
        assert (bias != layer.bias).any()
    counters = outcomes[0][2]
    if model.extreme:
        assert sum(layer.error_saturations for layer in counters.layers) > 0


def test_a_new_rate_means_the_same_to_both() -> None:
    """Q is made anew whenever settings are written, here and there."""
    model = MODELS[0]
    network = model.network()
    samples, targets = model.samples(), model.targets(network)
    again = step_settings(network, model.rule, learning_rate=0.1)
    learned = []
    for device in (
        HostTwin(network, model.rule, ("-DSP_EMULATE_DSP",)),
        NumpyDevice(network, model.rule),
    ):
        list(device.train_stream(samples, targets))
        device.configure(again)
        list(device.train_stream(samples, targets))
        learned.append(read_weights(device))
    assert same_weights(*learned)
