# SPDX-License-Identifier: Apache-2.0
"""From real numbers to integers: choose number formats, round weights, read Keras models.

Number formats are those of docs/numerics.md, section 2. They are fixed before training starts, so
they need head-room for weights that move. Keras is imported only to read a Keras model.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError, require_choice
from secondpass.fixedpoint import fractional_bits
from secondpass.network import (
    ACTIVATIONS,
    FINE_BITS,
    FORMATS,
    SAMPLE_DTYPES,
    TANH_FRAC,
    Dense,
    Input,
    Int32Array,
    Network,
    WeightArray,
)

_C_KEYWORD = re.compile(
    "asm|auto|bool|break|case|char|const|continue|default|do|double|else|enum|extern|false|float|"
    "for|goto|if|inline|int|long|main|register|restrict|return|short|signed|sizeof|static|struct|"
    "switch|true|typedef|typeof|union|unsigned|void|volatile|while"
)

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

WEIGHT_HEAD_ROOM = {16: 8.0, 8: 2.0}
"""How many times its initial largest magnitude a weight or bias may reach, by bits of a weight.

With 8 bits finer steps are worth more than room (docs/results.md).
"""

OUTPUT_HEAD_ROOM = 2.0
"""Further factor for the weights of the output layer, which grow most (docs/results.md)."""

ACTIVATION_HEAD_ROOM = 4.0
"""How many times its largest magnitude on the calibration samples an activation may reach."""

LOGIT_RANGE = 63.0
"""Magnitude that logits may always reach: those of a trained network pass 40, and saturated
logits make training collapse (docs/results.md). The softmax needs no finer steps."""

FLAT_FRAC = {"tanh": 13, "hard_tanh": 13}
"""Most fractional bits of a result within +-1: the row errors behind it lose a bit for each."""

MAX_INPUT_FRAC = 12
"""Most fractional bits of the input: enough to resolve what the second pass adds.

The update of the first layer divides its row errors by two for every bit more.
"""


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """A fully connected layer in real numbers: `weights` (inputs, outputs), `bias` (outputs,)."""

    name: str
    weights: Float32Array
    bias: Float32Array
    activation: str = "relu"

    def __post_init__(self) -> None:
        require_choice(f"activation of layer {self.name}", self.activation, ACTIVATIONS)
        if self.weights.ndim != 2:
            raise NetworkError(f"layer {self.name}: weights must be (inputs, outputs)")
        if self.bias.shape != self.weights.shape[1:]:
            raise NetworkError(
                f"layer {self.name}: bias {self.bias.shape} does not fit {self.weights.shape}"
            )
        if not (np.isfinite(self.weights).all() and np.isfinite(self.bias).all()):
            raise NetworkError(f"layer {self.name}: weights or bias are not finite numbers")


def random_layers(widths: Sequence[int], seed: int, activation: str = "relu") -> list[FloatLayer]:
    """Return untrained layers for `widths` (inputs, hidden..., outputs).

    Weights are uniform within +-sqrt(6 / inputs of the layer) (He et al., ICCV 2015), as in the
    PEPITA paper's code; biases are zero; hidden layers have `activation`, the last one is linear.
    """
    require_choice("activation", activation, ACTIVATIONS)
    if len(widths) < 3 or min(widths) < 1:
        raise NetworkError(
            f"widths {tuple(widths)}: give at least inputs, one hidden layer and outputs, all >= 1"
        )
    rng = np.random.default_rng(seed)
    layers = []
    last = len(widths) - 2
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        limit = math.sqrt(6.0 / inputs)
        layers.append(
            FloatLayer(
                f"fc{index + 1}",
                rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32),
                np.zeros(outputs, dtype=np.float32),
                "identity" if index == last else activation,
            )
        )
    return layers


_REAL: dict[str, Callable[[Float64Array], Float64Array]] = {
    "relu": lambda value: np.maximum(value, 0.0),
    "identity": lambda value: value,
    "hard_tanh": lambda value: np.clip(value, -1.0, 1.0),
    "tanh": np.tanh,
}


def activation_function(name: str) -> Callable[[Float64Array], Float64Array]:
    """Return an activation function in real numbers."""
    return _REAL[name]


def float_activations(layers: Sequence[FloatLayer], x: npt.ArrayLike) -> list[Float64Array]:
    """Return every layer's activation (count, outputs) for inputs `x` (count, inputs)."""
    value = np.asarray(x, dtype=np.float64)
    activations = []
    for layer in layers:
        if value.ndim != 2 or value.shape[1] != layer.weights.shape[0]:
            raise NetworkError(
                f"layer {layer.name} takes (count, {layer.weights.shape[0]}), gets {value.shape}"
            )
        value = value @ layer.weights.astype(np.float64) + layer.bias
        value = _REAL[layer.activation](value)
        activations.append(value)
    return activations


def float_logits(layers: Sequence[FloatLayer], x: npt.ArrayLike) -> Float64Array:
    """Return the logits (count, classes) for real inputs `x` (count, inputs)."""
    return float_activations(layers, x)[-1]


def choose_input(
    size: int,
    dtype: str = "uint8",
    zero_point: int = 0,
    step: float = 1.0,
    mean: npt.ArrayLike = (),
    format: str = "a16w16",
) -> Input:
    """Describe a raw input in the finest format that holds every raw value.

    `step` is the real value of one raw step; `mean` (size,) is subtracted from every sample. At
    most `MAX_INPUT_FRAC` fractional bits are used, and what int8 holds where activations are int8.
    Raises `NetworkError` when real values do not fit.
    """
    require_choice("sample type", dtype, SAMPLE_DTYPES)
    require_choice("format", format, FORMATS)
    limits = np.iinfo(dtype)
    lowest, highest = ((int(raw) - zero_point) * step for raw in (limits.min, limits.max))
    # int16 reaches one step further down than up
    largest = max(highest, -lowest * 32767 / 32768)
    if FORMATS[format].activation_bits == 8:
        frac_bits = fractional_bits(largest * 2**15 / 127 / 2**8, limit=15) - FINE_BITS
        if frac_bits < 0:
            raise NetworkError(f"inputs of {largest:g} do not fit int8; scale the data down")
    else:
        frac_bits = fractional_bits(largest, limit=MAX_INPUT_FRAC)
    return Input(size, dtype, zero_point, step, frac_bits, tuple(np.asarray(mean).tolist()))


def feature_mean(input: Input, samples: npt.NDArray[Any]) -> Float64Array:
    """Return the mean (size,) of raw samples (count, size) in real numbers."""
    raw = input.check_samples(samples).mean(axis=0, dtype=np.float64)
    return np.asarray((raw - input.zero_point) * input.step)


def centre_layers(layers: Sequence[FloatLayer], mean: npt.ArrayLike) -> list[FloatLayer]:
    """Return layers that compute from centred inputs what `layers` compute from plain ones."""
    first = layers[0]
    shift = np.asarray(mean, dtype=np.float64) @ first.weights.astype(np.float64)
    bias = (first.bias + shift).astype(np.float32)
    return [replace(first, bias=bias), *layers[1:]]


def quantise(
    layers: Sequence[FloatLayer],
    input: Input,
    calibration_samples: npt.NDArray[Any],
    weight_head_room: float | None = None,
    activation_head_room: float = ACTIVATION_HEAD_ROOM,
    format: str = "a16w16",
    head: str = "softmax",
) -> Network:
    """Round float layers to a network of integers, ready to infer and to go on learning.

    `calibration_samples` (count, size) are raw; the largest activations they cause, times
    `activation_head_room`, set the output formats of the hidden layers; logits hold at least
    +-`LOGIT_RANGE`. The largest weight of a layer, times `weight_head_room`, sets its weight
    format; the output layer gets `OUTPUT_HEAD_ROOM` more. Raises `NetworkError` when a format does
    not exist.
    """
    require_choice("format", format, FORMATS)
    if weight_head_room is None:
        weight_head_room = WEIGHT_HEAD_ROOM[FORMATS[format].weight_bits]
    for what, factor in (("weight", weight_head_room), ("activation", activation_head_room)):
        if not (math.isfinite(factor) and factor >= 1):
            raise NetworkError(f"{what} head-room {factor} must be 1 or more")
    raw = input.check_samples(calibration_samples)
    if not len(raw):
        raise NetworkError("no calibration samples; give at least one raw sample")
    activations = float_activations(layers, input.decode(raw))
    in_frac = input.frac_bits
    dense = []
    for index, (layer, activation) in enumerate(zip(layers, activations, strict=True)):
        largest = float(np.abs(activation).max()) or 1.0
        is_output = index == len(layers) - 1
        weight_room = weight_head_room * (OUTPUT_HEAD_ROOM if is_output else 1.0)
        if is_output and head in ("softmax", "sigmoid"):
            largest = max(largest, LOGIT_RANGE / activation_head_room)
        try:
            weight_frac = _weight_frac(layer, in_frac, weight_room, FORMATS[format].weight_bits)
            out_frac = _out_frac(
                layer, largest * activation_head_room, in_frac + weight_frac, format
            )
        except NetworkError as error:
            raise NetworkError(f"layer {layer.name}: {error}") from None
        dense.append(
            Dense(
                name=layer.name,
                weights=_round_weights(layer.weights.T, weight_frac, format),
                bias=_round32(layer.bias, in_frac + weight_frac),
                weight_frac=weight_frac,
                out_frac=out_frac,
                activation=layer.activation,
            )
        )
        in_frac = out_frac
    return Network(input, tuple(dense), head, format)


def _out_frac(layer: FloatLayer, largest: float, accumulator_frac: int, format: str) -> int:
    """Return the output's fractional bits: room for `largest`, no finer than the accumulator."""
    fine = FINE_BITS if FORMATS[format].activation_bits == 8 else 0
    if layer.activation in FLAT_FRAC:
        bits = 14 if fine else FLAT_FRAC[layer.activation]
        limit = accumulator_frac + fine if layer.activation == "hard_tanh" else 15
        if layer.activation == "tanh" and accumulator_frac + fine < TANH_FRAC:
            raise NetworkError("weights and inputs are too coarse for tanh; scale the data down")
    else:
        bits, limit = fractional_bits(largest), accumulator_frac + fine
    result = min(bits, limit) - fine
    if result < 0:
        raise NetworkError(f"activations of {largest:g} do not fit {format}; scale the data down")
    return result


def layers_from_keras(model: object) -> list[FloatLayer]:
    """Read the fully connected layers of a Keras model or of a `RuleModel`.

    Dropout, a leading Flatten and a final softmax or sigmoid leave no trace. Raises `NetworkError`
    naming every layer that has no integer form.
    """
    from secondpass.floating.chain import read_chain
    from secondpass.floating.rule_model import RuleModel

    stages = read_chain(model.network if isinstance(model, RuleModel) else model).stages
    names = c_names([stage.dense.name for stage in stages])
    layers = []
    for name, stage in zip(names, stages, strict=True):
        weights = np.asarray(stage.dense.kernel, dtype=np.float32)
        bias = np.zeros(weights.shape[1], dtype=np.float32)
        if stage.dense.bias is not None:
            bias = np.asarray(stage.dense.bias, dtype=np.float32)
        layers.append(FloatLayer(name, weights, bias, stage.activation))
    return layers


def from_keras(
    model: object,
    calibration_samples: npt.NDArray[Any],
    input: Input,
    weight_head_room: float | None = None,
    activation_head_room: float = ACTIVATION_HEAD_ROOM,
    format: str = "a16w16",
    head: str | None = None,
) -> Network:
    """Convert a Keras model: `layers_from_keras`, then `quantise`.

    The model reads plain inputs; where `input` has a mean, the first bias takes it up. Without
    `head`, a `RuleModel` tells it, or a sigmoid at the end of the model; else it is `softmax`.
    """
    layers = layers_from_keras(model)
    if head is None:
        head = _head_of(model)
    if input.mean:
        layers = centre_layers(layers, input.mean)
    return quantise(
        layers, input, calibration_samples, weight_head_room, activation_head_room, format, head
    )


def _head_of(model: object) -> str:
    from secondpass.floating.chain import read_chain
    from secondpass.floating.rule_model import RuleModel

    if isinstance(model, RuleModel):
        return model.head
    return read_chain(model).end or "softmax"


def to_keras_weights(network: Network) -> list[tuple[Float32Array, Float32Array]]:
    """Return each layer's real weights (inputs, outputs) and bias (outputs,)."""
    result = []
    for index, layer in enumerate(network.layers):
        weights = layer.weights.T.astype(np.float64) / 2.0**layer.weight_frac
        bias = layer.bias / 2.0 ** (network.in_frac(index) + layer.weight_frac)
        result.append((weights.astype(np.float32), bias.astype(np.float32)))
    return result


def _weight_frac(layer: FloatLayer, in_frac: int, head_room: float, bits: int) -> int:
    """Return the weight's fractional bits: weights fit their type, biases int32, with head-room.

    All-zero weights get the format of He-uniform ones, which training would make of them.
    """
    largest = float(np.abs(layer.weights).max()) or math.sqrt(6.0 / layer.weights.shape[0])
    largest_bias = float(np.abs(layer.bias).max()) * head_room
    lost = 16 - bits
    frac = fractional_bits(largest * 32767 / (2**15 - 2**lost), head_room, 15 + lost) - lost
    while frac >= 0 and largest_bias * 2.0 ** (in_frac + frac) > 2**31 - 1:
        frac -= 1
    if frac < 0:
        raise NetworkError(
            f"weights of {largest:g} or a bias of {largest_bias:g} do not fit; scale the data down"
        )
    return frac


def _round_weights(values: Float32Array, frac_bits: int, format: str) -> WeightArray:
    dtype = FORMATS[format].weight_dtype
    limits = np.iinfo(dtype)
    scaled = np.rint(values.astype(np.float64) * 2.0**frac_bits)
    return np.ascontiguousarray(np.clip(scaled, limits.min, limits.max).astype(dtype))


def _round32(values: Float32Array, frac_bits: int) -> Int32Array:
    scaled = np.rint(values.astype(np.float64) * 2.0**frac_bits)
    return np.clip(scaled, -(2**31), 2**31 - 1).astype(np.int32)


def c_names(names: Sequence[str]) -> list[str]:
    """Turn layer names into different C names: lower-case letters, digits and `_`."""
    result: list[str] = []
    for name in names:
        base = re.sub(r"[^a-z0-9_]+", "_", name.lower())
        if not re.match(r"[a-z]", base) or _C_KEYWORD.fullmatch(base):
            base = f"fc_{base.strip('_')}".rstrip("_")
        candidate, number = base, 2
        while candidate in result:
            candidate, number = f"{base}_{number}", number + 1
        result.append(candidate)
    return result
