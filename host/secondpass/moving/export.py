# SPDX-License-Identifier: Apache-2.0
"""Trained integers become a Keras model, real numbers in an archive, or C that only infers."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device.reference import NumpyDevice
from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.quantise import Float32Array, to_keras_weights
from secondpass.rules import Rule
from secondpass.spectral import SpectralNetwork
from secondpass.toolchain import require_module

END = {"softmax": "softmax", "sigmoid": "sigmoid"}
"""Activation of a Keras model's last layer by head; linear where there are no labels."""


@dataclass(frozen=True)
class Agreement:
    """A Keras model beside the integers on the same samples.

    `same`: predictions that are equal; `integers`, `keras`: right ones; `distance`: the largest
    difference of two outputs, real numbers.
    """

    samples: int
    same: int
    integers: int
    keras: int
    distance: float


def plain_weights(network: Network) -> list[tuple[Float32Array, Float32Array]]:
    """Return each layer's real weights (inputs, outputs) and bias (outputs,) for plain inputs.

    Where the network centres its input, the first bias takes the mean up.
    """
    layers = to_keras_weights(network)
    mean = network.input_mean
    if mean is not None:
        weights, bias = layers[0]
        shift = mean / 2.0**network.input_frac @ weights.astype(np.float64)
        layers[0] = weights, (bias - shift).astype(np.float32)
    return layers


def plain_inputs(network: Network, samples: npt.NDArray[Any]) -> Float32Array:
    """Return the real inputs (count, size) that a Keras model takes for raw samples."""
    spec = network.input
    raw = spec.check_samples(samples).astype(np.float64)
    return ((raw - spec.zero_point) * spec.step).astype(np.float32)


def keras_model(network: Network) -> Any:
    """Return a `keras.Sequential` of Dense layers that computes what the network does.

    It takes `plain_inputs`, and puts out probabilities where the head has labels.
    """
    if network.frozen:
        raise NetworkError(
            "frozen int8 layers (affine8) have no Keras form here; export the C, or import the "
            ".tflite file again with --trainable FORMAT"
        )
    if isinstance(network, SpectralNetwork):
        raise NetworkError(
            "the network makes features of readings itself (docs/features.md), which have no Keras "
            "form here; export the C with --header, or the weights with --npz"
        )
    require_module("tensorflow", "train")
    import keras

    last = len(network.layers) - 1
    model = keras.Sequential([keras.Input((network.input.size,))])
    for index, layer in enumerate(network.layers):
        name = END.get(network.head, "linear") if index == last else layer.activation
        name = "linear" if name == "identity" else name
        if getattr(keras.activations, name, None) is None:
            raise NetworkError(f"layer {layer.name}: Keras {keras.__version__} has no {name}")
        model.add(keras.layers.Dense(layer.outputs, activation=name, name=layer.name))
    for layer, weights in zip(model.layers, plain_weights(network), strict=True):
        layer.set_weights(weights)
    return model


def write_keras(network: Network, path: Path) -> None:
    """Write a `.keras` file, whole or not at all, that reads back as the same weights."""
    if path.suffix != ".keras":
        raise NetworkError(f"{path}: the name of a Keras file ends with .keras")
    model = keras_model(network)
    import keras

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        scratch = Path(folder) / path.name
        model.save(scratch)
        stored = keras.saving.load_model(scratch, compile=False)
        pairs = zip(stored.get_weights(), model.get_weights(), strict=True)
        if not all(np.array_equal(first, second) for first, second in pairs):
            raise NetworkError(f"{path} does not read back as it was written")
        scratch.replace(path)


def write_npz(network: Network, path: Path) -> None:
    """Write real weights as a NumPy archive: `NAME.weights` (inputs, outputs) and `NAME.bias`.

    They are for plain inputs, as those of `keras_model`.
    """
    arrays = {}
    for layer, (weights, bias) in zip(network.layers, plain_weights(network), strict=True):
        arrays[f"{layer.name}.weights"], arrays[f"{layer.name}.bias"] = weights, bias
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    with scratch.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    scratch.replace(path)


def agreement(
    network: Network,
    rule: Rule,
    path: Path,
    samples: npt.NDArray[Any],
    labels: npt.NDArray[np.integer],
) -> Agreement:
    """Compare the model in a `.keras` file with the integer reference on raw samples.

    The reference gives the device's bits. Heads with labels only.
    """
    if network.head not in END:
        raise NetworkError(f"the head {network.head} has no labels to compare")
    import keras

    model = keras.saving.load_model(path, compile=False)
    outputs = np.asarray(model(plain_inputs(network, samples)), dtype=np.float64)
    device = NumpyDevice(network, rule)
    inferences = [device.infer(sample) for sample in samples]
    predicted = np.array([inference.predicted for inference in inferences])
    logits = np.array([inference.logits for inference in inferences], dtype=np.float64)
    logits /= 2.0 ** network.result_frac(len(network.layers) - 1)
    if network.head == "softmax":
        by_keras = outputs.argmax(axis=1)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
    else:
        by_keras = (outputs[:, 0] > 0.5).astype(np.int64)
        probabilities = 1.0 / (1.0 + np.exp(-logits))
    return Agreement(
        samples=len(samples),
        same=int((predicted == by_keras).sum()),
        integers=int((predicted == labels).sum()),
        keras=int((by_keras == labels).sum()),
        distance=float(np.abs(outputs - probabilities).max()),
    )
