# SPDX-License-Identifier: Apache-2.0
"""Forward passes through stages, with Dropout masks that several passes share."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
from keras import ops

from secondpass.floating.chain import KerasLayer, Stage, Tensor


@dataclass(frozen=True)
class Pass:
    """A forward pass through some stages: what each Dense read and what each stage put out.

    `activated` is what a stage put out before its Dropout.
    """

    presynaptic: list[Tensor]
    activated: list[Tensor]
    postsynaptic: list[Tensor]


@dataclass(frozen=True)
class Step:
    """What a step knows after its first pass, before any weight has moved.

    `inputs` are flat (count, size); `wanted`, `prediction` and `error`, their difference, are
    (count, outputs); `masks` holds the Dropout masks by layer name.
    """

    inputs: Tensor
    wanted: Tensor
    first: Pass
    prediction: Tensor
    error: Tensor
    masks: dict[str, Tensor]


@dataclass(frozen=True)
class Term:
    """A share of a layer's update: the batch mean of delta pre^T, to be subtracted."""

    layer: int
    delta: Tensor
    before: Tensor


def run_stages(stages: Sequence[Stage], value: Tensor, masks: dict[str, Tensor]) -> Pass:
    """Run stages one after the other on what the first one reads."""
    presynaptic, activated, postsynaptic = [], [], []
    for stage in stages:
        presynaptic.append(value)
        value = stage.dense(value)
        unmasked = value
        for layer in stage.after:
            if isinstance(layer, keras.layers.Dropout):
                value = _masked(layer, value, masks)
            else:
                unmasked = value = layer(value)
        activated.append(unmasked)
        postsynaptic.append(value)
    return Pass(presynaptic, activated, postsynaptic)


def apply_masks(layers: Sequence[KerasLayer], value: Tensor, masks: dict[str, Tensor]) -> Tensor:
    """Apply those layers that are Dropout."""
    for layer in layers:
        if isinstance(layer, keras.layers.Dropout):
            value = _masked(layer, value, masks)
    return value


def times_derivative(activation: str, value: Tensor, activated: Tensor) -> Tensor:
    """Multiply by the derivative of the activation function that gave `activated`."""
    if activation == "tanh":
        return value * (1.0 - ops.square(activated))
    if activation == "relu":
        return value * ops.cast(activated > 0, value.dtype)
    if activation == "hard_tanh":
        return value * ops.cast(ops.abs(activated) < 1, value.dtype)
    return value


def _masked(layer: KerasLayer, value: Tensor, masks: dict[str, Tensor]) -> Tensor:
    """Multiply by the layer's mask of this step, scaled by 1 / keep as Keras does."""
    if layer.name not in masks:
        masks[layer.name] = layer(ops.ones_like(value), training=True)
    return value * masks[layer.name]
