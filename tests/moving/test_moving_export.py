# SPDX-License-Identifier: Apache-2.0
"""Exported real numbers compute what the integers stand for, for every format and head."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from secondpass.errors import NetworkError
from secondpass.moving.export import keras_model, plain_inputs, write_keras, write_npz
from secondpass.network import ACTIVATIONS, FORMATS, HEADS, Network
from secondpass.quantise import choose_input, feature_mean, from_keras, quantise, random_layers

COUNT = 40
REAL = {
    "relu": lambda z: np.maximum(z, 0),
    "identity": lambda z: z,
    "tanh": np.tanh,
    "hard_tanh": lambda z: np.clip(z, -1, 1),
}


def made(format: str, head: str, activation: str) -> tuple[Network, npt.NDArray[Any]]:
    """Return a network with a mean and a zero point, and samples."""
    samples = np.random.default_rng(3).integers(-128, 128, (COUNT, 21)).astype(np.int8)
    spec = choose_input(21, "int8", -7, 1 / 256, format=format)
    spec = replace(spec, mean=tuple(feature_mean(spec, samples) + 0.11))
    outputs = {"sigmoid": 1, "reconstruction": 21}.get(head, 4)
    biases = (0.2, -0.3, 0.1)
    layers = [
        replace(layer, bias=layer.bias + bias)
        for layer, bias in zip(
            random_layers((21, 17, 13, outputs), 5, activation), biases, strict=True
        )
    ]
    return quantise(layers, spec, samples, 2.0, 2.0, format, head), samples


def by_hand(network: Network, samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the logits (count, outputs) from the integers as they are documented."""
    spec = network.input
    mean = np.zeros(spec.size) if network.input_mean is None else network.input_mean
    value = (samples.astype(float) - spec.zero_point) * spec.step - mean / 2.0**network.input_frac
    frac = spec.frac_bits
    for layer in network.layers:
        value = value @ (layer.weights.T / 2.0**layer.weight_frac)
        value = REAL[layer.activation](value + layer.bias / 2.0 ** (frac + layer.weight_frac))
        frac = layer.out_frac
    return value


def expected(network: Network, samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    logits = by_hand(network, samples)
    if network.head == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-logits)) if network.head == "sigmoid" else logits


CASES = [
    (format, head, ACTIVATIONS[(row + column) % len(ACTIVATIONS)])
    for row, format in enumerate(FORMATS)
    for column, head in enumerate(HEADS)
]


@pytest.mark.tensorflow
@pytest.mark.parametrize(("format", "head", "activation"), CASES)
def test_a_keras_model_computes_the_same_function(format: str, head: str, activation: str) -> None:
    pytest.importorskip("tensorflow")
    network, samples = made(format, head, activation)
    model = keras_model(network)
    outputs = np.asarray(model(plain_inputs(network, samples)))
    assert outputs == pytest.approx(expected(network, samples), abs=2e-5)
    assert [layer.name for layer in model.layers] == [layer.name for layer in network.layers]


@pytest.mark.tensorflow
def test_a_keras_file_goes_back_into_a_device(tmp_path: Path) -> None:
    """Export and conversion undo each other, to the rounding of the bias that takes the mean."""
    pytest.importorskip("tensorflow")
    import keras

    network, samples = made("a16w16", "softmax", "relu")
    write_keras(network, tmp_path / "out.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["out.keras"]
    model = keras.saving.load_model(tmp_path / "out.keras", compile=False)
    back = from_keras(model, samples, network.input, 2.0, 2.0)
    assert back.describe() == network.describe()
    for old, new in zip(network.layers, back.layers, strict=True):
        assert np.array_equal(old.weights, new.weights)
    distance = np.abs(network.layers[0].bias - back.layers[0].bias)
    unit = 2.0 ** (network.in_frac(0) + network.layers[0].weight_frac)
    assert distance.max() / unit < 21 * 2.0**-network.input_frac  # the mean in steps of the input
    assert np.array_equal(network.layers[1].bias, back.layers[1].bias)


def test_an_archive_of_real_numbers(tmp_path: Path) -> None:
    network, samples = made("a16w8", "mse", "tanh")
    write_npz(network, tmp_path / "weights.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]
    value = plain_inputs(network, samples).astype(float)
    with np.load(tmp_path / "weights.npz") as archive:
        assert len(archive.files) == 6
        for layer in network.layers:
            value = value @ archive[f"{layer.name}.weights"] + archive[f"{layer.name}.bias"]
            value = REAL[layer.activation](value)
    assert value == pytest.approx(by_hand(network, samples), abs=1e-4)


def test_another_suffix_is_refused_before_keras_loads(tmp_path: Path) -> None:
    network, _ = made("a16w16", "softmax", "relu")
    with pytest.raises(NetworkError, match=r"ends with \.keras"):
        write_keras(network, tmp_path / "out.h5")
    assert not list(tmp_path.iterdir())
