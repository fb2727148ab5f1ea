# SPDX-License-Identifier: Apache-2.0
"""Reads a Keras model as a chain of fully connected stages. Importing this imports Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import keras

from secondpass.errors import NetworkError

# Keras and TensorFlow carry no type information.
KerasModel: TypeAlias = Any
KerasLayer: TypeAlias = Any
Tensor: TypeAlias = Any

SUPPORTED = (
    "InputLayer, Dense (relu, tanh, hard_tanh, linear; softmax or sigmoid on the last), ReLU, "
    "Activation, Softmax (last), Dropout, and Flatten in front"
)

HIDDEN = {getattr(keras.activations, name, None): name for name in ("relu", "tanh", "hard_tanh")}
"""Activation functions of hidden layers. Older versions of Keras have no hard_tanh."""
HIDDEN.pop(None, None)
ENDS = {keras.activations.softmax: "softmax", keras.activations.sigmoid: "sigmoid"}
"""Functions that may end a chain."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A Dense layer and the layers that act on its output before the next Dense.

    `activation` is one of `secondpass.network.ACTIVATIONS`; a softmax or sigmoid at the end of a
    chain is not part of it.
    """

    dense: KerasLayer
    after: tuple[KerasLayer, ...]
    activation: str


@dataclass(frozen=True, eq=False)
class Chain:
    """A whole model: the layers in front of the first Dense, the stages, and the input's size.

    `end`: "softmax" or "sigmoid" where the model puts out probabilities; empty for logits.
    """

    before: tuple[KerasLayer, ...]
    stages: tuple[Stage, ...]
    inputs: int
    end: str


@dataclass
class _Open:
    """A stage that is still being read. `end`: the softmax or sigmoid that was seen."""

    dense: KerasLayer
    after: list[KerasLayer]
    activation: str = "identity"
    end: str = ""


def read_chain(network: KerasModel) -> Chain:
    """Return the chain of a `keras.Sequential` or of a functional model.

    Raises `NetworkError` naming every layer that is not supported, or that is out of place.
    """
    if not isinstance(network, keras.Model):
        raise NetworkError(f"{type(network).__name__} is not a Keras model")
    before: list[KerasLayer] = []
    stages: list[_Open] = []
    problems: list[str] = []
    for layer in _layers_in_order(network):
        if isinstance(layer, keras.layers.InputLayer):
            continue
        problem = _add(layer, before, stages)
        if problem:
            problems.append(f"{layer.name} ({problem})")
    problems += _misplaced(stages)
    if problems:
        raise NetworkError(f"unsupported layers: {', '.join(problems)}; supported: {SUPPORTED}")
    if not stages:
        raise NetworkError(f"model {network.name} has no Dense layer")
    return Chain(
        tuple(before),
        tuple(Stage(stage.dense, tuple(stage.after), stage.activation) for stage in stages),
        _input_size(network, before, stages[0].dense),
        stages[-1].end,
    )


def _layers_in_order(network: KerasModel) -> Sequence[KerasLayer]:
    """Return the layers from input to output; a model that branches raises `NetworkError`."""
    layers: Sequence[KerasLayer] = network.layers
    if not network.built:
        raise NetworkError(
            f"model {network.name} is not built; start it with keras.Input or call build()"
        )
    if isinstance(network, keras.Sequential):
        return layers
    message = f"model {network.name} is not a plain chain of layers"
    try:
        joined = [first.output is second.input for first, second in pairwise(layers)]
        ends = layers[0].output is network.input and layers[-1].output is network.output
    except (AttributeError, IndexError, ValueError):
        raise NetworkError(message) from None
    if not (ends and all(joined)):
        raise NetworkError(message)
    return layers


def _add(layer: KerasLayer, before: list[KerasLayer], stages: list[_Open]) -> str | None:
    """Put a layer in its place, or return why it has none."""
    kind = type(layer).__name__
    if isinstance(layer, keras.layers.Dense):
        stage = _Open(layer, [])
        stages.append(stage)
        return _add_activation(stage, layer.activation, "Dense")
    if isinstance(layer, keras.layers.Dropout):
        (stages[-1].after if stages else before).append(layer)
        return None
    if isinstance(layer, keras.layers.Flatten):
        if stages:
            return "Flatten behind a Dense"
        before.append(layer)
        return None
    if not isinstance(layer, keras.layers.ReLU | keras.layers.Softmax | keras.layers.Activation):
        return kind
    if not stages:
        return f"{kind} in front of the first Dense"
    stages[-1].after.append(layer)
    if isinstance(layer, keras.layers.Activation):
        return _add_activation(stages[-1], layer.activation, kind)
    if isinstance(layer, keras.layers.Softmax):
        if layer.axis not in (-1, 1):
            return f"Softmax over axis {layer.axis}"
        return _add_activation(stages[-1], keras.activations.softmax, kind)
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        return "ReLU with a ceiling, slope or threshold"
    return _add_activation(stages[-1], keras.activations.relu, kind)


def _add_activation(stage: _Open, function: object, kind: str) -> str | None:
    """Record an activation function of a stage, or return why it cannot be."""
    if function is None or function is keras.activations.linear:
        return None
    name = HIDDEN.get(function)
    if name:
        if stage.end:
            return f"{kind} with {name} behind a {stage.end}"
        if stage.activation not in ("identity", name) or stage.activation == name == "tanh":
            return f"{kind} with {name} behind {stage.activation}"
        if name != "relu" and any(isinstance(x, keras.layers.Dropout) for x in stage.after):
            return f"{kind} with {name} behind a Dropout"
        stage.activation = name
        return None
    if function in ENDS:
        if stage.end:
            return f"{kind}, a second {ENDS[function]}"
        stage.end = ENDS[function]
        return None
    return f"{kind} with activation {getattr(function, '__name__', type(function).__name__)}"


def _misplaced(stages: Sequence[_Open]) -> list[str]:
    """Return what only the whole chain tells: softmax before the end, or no logits there."""
    problems = [
        f"{stage.dense.name} ({stage.end} before the last layer)"
        for stage in stages[:-1]
        if stage.end
    ]
    if stages:
        last = stages[-1]
        if last.activation != "identity":
            problems.append(f"{last.dense.name} ({last.activation} on the last layer)")
        problems += [
            f"{layer.name} (Dropout behind the last Dense)"
            for layer in last.after
            if isinstance(layer, keras.layers.Dropout)
        ]
    return problems


def _input_size(network: KerasModel, before: Sequence[KerasLayer], first: KerasLayer) -> int:
    """Return the number of values of a sample; an input that is not flat raises."""
    flattened = any(isinstance(layer, keras.layers.Flatten) for layer in before)
    shape = network.input_shape
    if len(shape) != 2 and not flattened:
        raise NetworkError(f"layer {first.name} gets samples of shape {shape[1:]}; add a Flatten")
    return int(first.kernel.shape[0])
