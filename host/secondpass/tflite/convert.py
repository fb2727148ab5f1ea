# SPDX-License-Identifier: Apache-2.0
"""From imported networks to trainable ones, and what the conversion changes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from secondpass.affine import AffineNetwork
from secondpass.encoded import EncodedNetwork, with_encoder
from secondpass.errors import NetworkError, require_choice
from secondpass.integer.affine import AffineModel
from secondpass.integer.encoded import reference_model
from secondpass.network import ACTIVATIONS, FORMATS, Input, Network
from secondpass.quantise import (
    ACTIVATION_HEAD_ROOM,
    FloatLayer,
    choose_input,
    float_logits,
    quantise,
)
from secondpass.rules import LastLayer
from secondpass.tflite.graph import FloatModel

Real = npt.NDArray[np.float64]
INPUT_TYPE = "int16"
"""Samples of a network that was float."""
NARROW_HEAD_ROOM = 2.0
"""Head-room of activations in `a8w8`, half of the usual one: results beyond 128 do not fit."""


def dequantise(network: AffineNetwork, first: int = 0) -> tuple[FloatLayer, ...]:
    """Return the layers of a frozen network from the `first` on in real numbers.

    Raises `NetworkError` naming every layer whose activation has no trainable form.
    """
    wrong = [x for x in network.layers[first:] if x.activation not in ACTIVATIONS]
    if wrong:
        listed = ", ".join(f"{x.activation} (layer {x.name!r})" for x in wrong)
        raise NetworkError(f"no trainable form of {listed}; import it frozen")
    layers = []
    for layer in network.layers[first:]:
        steps = np.broadcast_to(np.array(layer.weight_steps), (layer.outputs,))
        weights = layer.weights.T * steps
        bias = layer.bias * (steps * layer.source.step)
        layers.append(
            FloatLayer(
                layer.name, weights.astype(np.float32), bias.astype(np.float32), layer.activation
            )
        )
    return tuple(layers)


def trainable(model: AffineNetwork | FloatModel, samples: Real, format: str) -> Network:
    """Convert to a format that learns; real samples (count, size) choose the number formats.

    A frozen network keeps its int8 samples; one that was float gets int16 samples with the range of
    these. The last layer of a trainable network is linear: another one is an error.
    """
    if isinstance(model, AffineNetwork):
        layers, spec = dequantise(model), model.input
        chosen = choose_input(spec.size, spec.dtype, spec.zero_point, spec.step, format=format)
    else:
        layers = model.layers
        largest = float(np.abs(samples).max()) or 1.0
        size = layers[0].weights.shape[0]
        chosen = choose_input(size, INPUT_TYPE, 0, largest / (2**15 - 1), format=format)
    return _quantised(layers, chosen, chosen.encode(samples), format, model.head)


def _quantised(
    layers: Sequence[FloatLayer],
    spec: Input,
    raw: npt.NDArray[np.generic],
    format: str,
    head: str,
) -> Network:
    narrow = FORMATS[format].activation_bits == 8
    room = NARROW_HEAD_ROOM if narrow else ACTIVATION_HEAD_ROOM
    return quantise(layers, spec, raw, activation_head_room=room, format=format, head=head)


def partly_trainable(
    model: AffineNetwork, first: str, samples: Real, format: str
) -> EncodedNetwork:
    """Keep the layers below the one named `first` frozen; convert it and those above.

    Real samples (count, size) choose the number formats. Two layers at least must be converted.
    """
    names = [layer.name for layer in model.layers]
    require_choice("the first layer that learns", first, names)
    index = names.index(first)
    if index == 0:
        raise NetworkError(f"{first} is the first layer: nothing below it would be frozen")
    if index == len(names) - 1:
        raise NetworkError(
            f"{first} is the last layer; two layers at least are converted: begin at "
            f"{names[index - 1]} and freeze it (--setting trainable=none,all)"
        )
    encoder = model.layers[:index]
    frozen = AffineModel(model)
    codes = [frozen.activations(x)[index - 1] for x in _raw(model.input, samples)]
    result = encoder[-1].result
    shape = (encoder[-1].outputs, "int8", result.zero_point, result.step)
    spec = choose_input(*shape, format=format)
    head = "mse" if model.head == "reconstruction" else model.head
    upper = _quantised(dequantise(model, index), spec, np.array(codes), format, head)
    return with_encoder(upper, encoder, model.head)


def output_values(model: AffineNetwork | FloatModel | Network, samples: Real) -> Real:
    """Return the outputs (count, outputs) in real numbers for real samples (count, size).

    Integer networks quantise the samples and compute as a device does.
    """
    if isinstance(model, FloatModel):
        return float_logits(model.layers, samples)
    raw = _raw(model.sample, samples)
    if isinstance(model, AffineNetwork):
        frozen = AffineModel(model)
        return model.output.decode(np.array([frozen.infer(sample) for sample in raw]))
    count = len(model.layers)
    reference = reference_model(model, LastLayer(trainable=("none",) * count))
    outputs = np.array([reference.infer(sample) for sample in raw], dtype=np.float64)
    return np.asarray(outputs / 2.0 ** model.result_frac(count - 1))


def reconstruction_error(outputs: Real, samples: Real) -> float:
    """Return the mean squared error of outputs (count, size), over the samples (count, size)."""
    return float(np.mean((outputs - samples) ** 2))


def same_labels(first: Real, second: Real) -> int:
    """Return how many of the outputs (count, outputs) give the same label."""
    if first.shape[1] == 1:
        return int(np.count_nonzero((first > 0) == (second > 0)))
    return int(np.count_nonzero(first.argmax(axis=1) == second.argmax(axis=1)))


def _raw(spec: Input, samples: Real) -> npt.NDArray[np.generic]:
    return spec.check_samples(spec.encode(samples))
