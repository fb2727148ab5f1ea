# SPDX-License-Identifier: Apache-2.0
"""The description of a network in integers: what conversion makes and every back end runs.

Pure data. Nothing here knows Keras, C or a device.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError, require_choice
from secondpass.fixedpoint import Scale

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
WeightArray = npt.NDArray[np.int16] | npt.NDArray[np.int8]

SAMPLE_DTYPES: dict[str, np.dtype[Any]] = {
    "uint8": np.dtype(np.uint8),
    "int8": np.dtype(np.int8),
    "int16": np.dtype("<i2"),
}
ACTIVATIONS = ("relu", "identity", "hard_tanh", "tanh")
HEADS = ("softmax", "sigmoid", "mse", "reconstruction")
MAX_LAYERS = 32
MAX_WIDTH = 4096
"""Largest number of inputs or outputs of a layer."""
TANH_FRAC = 12
"""Fractional bits of a tanh layer's pre-activation: the function is flat beyond +-8."""
FINE_BITS = 8
"""In `a8w8` a layer's result has so many more fractional bits than what the next layer reads."""
PROBABILITY_FRAC = 15
"""Fractional bits of probabilities and of their errors."""


@dataclass(frozen=True)
class Format:
    """Widths of activations and weights in bits, and the shift that ends every weight update.

    The shift makes the largest product of a row error and an activation about half of the range of
    a weight.
    """

    name: str
    activation_bits: int
    weight_bits: int
    update_shift: int

    @property
    def weight_dtype(self) -> np.dtype[Any]:
        """Type of a weight: int16 or int8."""
        return np.dtype(np.int16 if self.weight_bits == 16 else np.int8)


FORMATS = {
    "a16w16": Format("a16w16", 16, 16, 16),
    "a16w8": Format("a16w8", 16, 8, 24),
    "a8w8": Format("a8w8", 8, 8, 16),
}
"""Number formats by name (docs/numerics.md, section 2)."""


@dataclass(frozen=True)
class Input:
    """The raw sample and how it becomes the first activation.

    A raw value `v` stands for the real number `(v - zero_point) * step`. The first activation has
    `frac_bits` fractional bits (at most 7 where a network's activations are int8). `mean`, when it
    is not empty, holds one real number a feature that is subtracted: centred inputs train better.
    """

    size: int
    dtype: str = "uint8"
    zero_point: int = 0
    step: float = 1.0
    frac_bits: int = 12
    mean: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(float(v) for v in self.mean))
        if self.mean and len(self.mean) != self.size:
            raise NetworkError(f"the input has {self.size} features and {len(self.mean)} means")
        require_choice("sample type", self.dtype, SAMPLE_DTYPES)
        if not 1 <= self.size <= MAX_WIDTH:
            raise NetworkError(f"input size {self.size} is outside [1, {MAX_WIDTH}]")
        if not 0 <= self.frac_bits <= 15:
            raise NetworkError(f"input frac_bits {self.frac_bits} is outside [0, 15]")
        if not -(2**15) <= self.zero_point < 2**15:
            raise NetworkError(f"input zero point {self.zero_point} is outside int16")
        if not self.step > 0:
            raise NetworkError(f"input step {self.step} must be positive")
        object.__setattr__(self, "step", float(self.step))  # 1 and 1.0 are one input, one hash

    @property
    def sample_bytes(self) -> int:
        """Bytes of one raw sample on the wire."""
        return self.size * SAMPLE_DTYPES[self.dtype].itemsize

    def check_samples(self, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return `samples` (count, size) in the wire type, or raise `NetworkError`."""
        array = np.asarray(samples)
        if array.ndim != 2 or array.shape[1] != self.size:
            raise NetworkError(
                f"samples have shape {array.shape}; this network takes (count, {self.size})"
            )
        dtype = SAMPLE_DTYPES[self.dtype]
        limits = np.iinfo(self.dtype)
        if array.size and not (np.issubdtype(array.dtype, np.integer)):
            raise NetworkError(
                f"samples are {array.dtype}; this network takes {self.dtype} "
                "(use Input.encode to convert real numbers)"
            )
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise NetworkError(f"samples leave the range of {self.dtype}")
        return np.ascontiguousarray(array, dtype=dtype)

    def encode(self, real: npt.ArrayLike) -> npt.NDArray[Any]:
        """Round real numbers to raw values, saturating at the limits of the sample type."""
        limits = np.iinfo(self.dtype)
        values = np.asarray(real, dtype=np.float64) + (self.mean or 0.0)
        raw = np.rint(values / self.step) + self.zero_point
        clamped = np.clip(raw, limits.min, limits.max)
        return np.asarray(clamped, dtype=SAMPLE_DTYPES[self.dtype])

    def decode(self, raw: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return the real numbers that raw values stand for, centred when there is a mean."""
        values = (np.asarray(raw, dtype=np.float64) - self.zero_point) * self.step
        values = values - (self.mean or 0.0)
        return values.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Dense:
    """A fully connected layer: `weights` (outputs, inputs) int16 or int8, `bias` int32 (outputs,).

    Weights have `weight_frac` fractional bits, outputs `out_frac`; the bias has the fractional
    bits of the accumulator (input plus weight).
    """

    name: str
    weights: WeightArray
    bias: Int32Array
    weight_frac: int
    out_frac: int
    activation: str = "relu"

    def __post_init__(self) -> None:
        require_choice(f"activation of layer {self.name}", self.activation, ACTIVATIONS)
        if self.weights.ndim != 2 or self.weights.dtype not in (np.int16, np.int8):
            raise NetworkError(f"layer {self.name}: weights must be int16 or int8, two-dimensional")
        if self.bias.shape != (self.outputs,) or self.bias.dtype != np.int32:
            raise NetworkError(f"layer {self.name}: bias must be int32 ({self.outputs},)")
        for what, size in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not 1 <= size <= MAX_WIDTH:
                raise NetworkError(f"layer {self.name}: {size} {what} is outside [1, {MAX_WIDTH}]")
        for what, bits in (("weight_frac", self.weight_frac), ("out_frac", self.out_frac)):
            if not 0 <= bits <= 15:
                raise NetworkError(f"layer {self.name}: {what} {bits} is outside [0, 15]")

    @property
    def outputs(self) -> int:
        """Number of units."""
        return int(self.weights.shape[0])

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return int(self.weights.shape[1])


@dataclass(frozen=True, eq=False)
class Network:
    """A stack of layers, its raw input and its head.

    Layer l reads the activation of layer l - 1; the last layer's output are the logits, or the
    prediction itself for the heads `mse` (a vector of numbers) and `reconstruction` (the input).
    """

    input: Input
    layers: tuple[Dense, ...]
    head: str = "softmax"
    format: str = "a16w16"

    def __post_init__(self) -> None:
        require_choice("head", self.head, HEADS)
        require_choice("format", self.format, FORMATS)
        if not 2 <= len(self.layers) <= MAX_LAYERS:
            raise NetworkError(
                f"a network has 2 to {MAX_LAYERS} layers (at least one hidden layer and the "
                f"output layer), not {len(self.layers)}"
            )
        if self.layers[-1].activation != "identity":
            raise NetworkError("the last layer must have the activation 'identity' (logits)")
        if self.head == "sigmoid" and self.outputs != 1:
            raise NetworkError(f"the head 'sigmoid' has one output, not {self.outputs}")
        if self.head == "reconstruction" and self.outputs != self.rebuilt:
            counts = f"as many outputs ({self.outputs}) as inputs ({self.rebuilt})"
            raise NetworkError(f"the head 'reconstruction' needs {counts}")
        if not 0 <= self.input_frac <= 15:
            raise NetworkError(
                f"input frac_bits {self.input.frac_bits} is outside [0, {15 - self.fine_bits}], "
                f"the range of {self.format}"
            )
        _ = self.input_scale, self.input_mean
        size = self.input.size
        for index, layer in enumerate(self.layers):
            if layer.inputs != size:
                raise NetworkError(f"layer {layer.name} takes {layer.inputs} inputs, gets {size}")
            size = layer.outputs
            self._check_formats(index, layer)

    def _check_formats(self, index: int, layer: Dense) -> None:
        dtype = FORMATS[self.format].weight_dtype
        if layer.weights.dtype != dtype:
            raise NetworkError(f"layer {layer.name}: the weights of {self.format} are {dtype}")
        if self.result_frac(index) > 15:
            raise NetworkError(
                f"layer {layer.name}: out_frac {layer.out_frac} is outside "
                f"[0, {15 - self.fine_bits}], the range of {self.format}"
            )
        if not -self.fine_bits <= self.requantise_shift(index) <= 30:
            raise NetworkError(
                f"layer {layer.name}: input, weight and output fractional bits "
                f"{self.in_frac(index)}, {layer.weight_frac}, {layer.out_frac} need a "
                f"requantisation shift outside [{-self.fine_bits}, 30]"
            )
        flat = {"tanh": (8, 15), "hard_tanh": (8, 14)}.get(layer.activation)
        if flat and not flat[0] <= self.result_frac(index) <= flat[1]:
            raise NetworkError(
                f"layer {layer.name}: the result of {layer.activation} has {flat[0]} to {flat[1]} "
                f"fractional bits, not {self.result_frac(index)}"
            )

    def require_trainable(self) -> None:
        """Raise `NetworkError` unless the network can learn: one of Q formats can."""

    @property
    def sample(self) -> Input:
        """The raw sample: what a device is sent. Not `input` where frozen layers are below."""
        return self.input

    @property
    def rebuilt(self) -> int:
        """Numbers that the head `reconstruction` rebuilds."""
        return self.sample.size

    @property
    def frozen(self) -> tuple[Dense, ...]:
        """Layers in another arithmetic below `layers`, which never learn."""
        return ()

    @property
    def outputs(self) -> int:
        """Width of the last layer."""
        return self.layers[-1].outputs

    @property
    def classes(self) -> int:
        """Number of labels: 2 for `sigmoid`, 1 (the label is always 0) where there are none."""
        return {"softmax": self.outputs, "sigmoid": 2}.get(self.head, 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.weights.size for layer in self.layers)

    @property
    def fine_bits(self) -> int:
        """Fractional bits that a layer's int16 result has beyond what the next layer reads."""
        return FINE_BITS if self.format == "a8w8" else 0

    @property
    def input_frac(self) -> int:
        """Fractional bits of the quantised input as int16."""
        return self.input.frac_bits + self.fine_bits

    @property
    def input_scale(self) -> Scale:
        """Factor from raw steps to steps of the quantised input."""
        return Scale.from_real(self.input.step * 2.0**self.input_frac)

    @property
    def input_mean(self) -> Int16Array | None:
        """What is subtracted from the quantised input, (size,); None when it is not centred."""
        if not self.input.mean:
            return None
        scaled = np.rint(np.asarray(self.input.mean) * 2.0**self.input_frac)
        if not (scaled.min() >= -(2**15) and scaled.max() < 2**15):
            raise NetworkError("a mean of the input does not fit int16; lower its frac_bits")
        return scaled.astype(np.int16)

    @property
    def error_frac(self) -> int:
        """Fractional bits of the output error."""
        if self.head in ("softmax", "sigmoid"):
            return PROBABILITY_FRAC
        return self.result_frac(len(self.layers) - 1)

    @property
    def target_size(self) -> int:
        """Numbers in a target of the head `mse`; 0 where a target is a label."""
        return self.outputs if self.head == "mse" else 0

    @property
    def target_bytes(self) -> int:
        """Bytes of a target on the wire: int16 numbers, or one label."""
        return 2 * (self.target_size or 1)

    def in_frac(self, index: int) -> int:
        """Fractional bits of the activation that layer `index` reads."""
        return self.layers[index - 1].out_frac if index else self.input.frac_bits

    def result_frac(self, index: int) -> int:
        """Fractional bits of the int16 result of layer `index`."""
        return self.layers[index].out_frac + self.fine_bits

    def pre_frac(self, index: int) -> int:
        """Fractional bits of the int16 pre-activation of layer `index`."""
        return TANH_FRAC if self.layers[index].activation == "tanh" else self.result_frac(index)

    def requantise_shift(self, index: int) -> int:
        """Right shift from the accumulator of layer `index` to its pre-activation.

        Down to -8 in `a8w8`, whose results are finer than what they are made of.
        """
        return self.in_frac(index) + self.layers[index].weight_frac - self.pre_frac(index)

    def check_targets(self, targets: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return labels (count,) or, for `mse`, int16 targets (count, outputs); or raise.

        Targets of `mse` have `error_frac` fractional bits; `encode_targets` makes them.
        """
        array = np.asarray(targets)
        if self.target_size:
            if array.ndim != 2 or array.shape[1] != self.target_size:
                raise NetworkError(
                    f"targets have shape {array.shape}; this network takes "
                    f"(count, {self.target_size})"
                )
            if array.dtype != np.int16:
                raise NetworkError(f"targets are {array.dtype}, not int16; use encode_targets")
            return array
        if array.ndim != 1:
            raise NetworkError(f"labels have shape {array.shape}; this network takes (count,)")
        if array.size and not np.issubdtype(array.dtype, np.integer):
            raise NetworkError(f"labels are {array.dtype}, not integers")
        if array.size and (array.min() < 0 or array.max() >= self.classes):
            wrong = next(int(v) for v in array if not 0 <= v < self.classes)
            raise NetworkError(f"label {wrong} is outside [0, {self.classes - 1}]")
        return array.astype(np.int64)

    def encode_targets(self, real: npt.ArrayLike) -> Int16Array:
        """Round real targets (count, outputs) of the head `mse` to int16, saturating."""
        scaled = np.rint(np.asarray(real, dtype=np.float64) * 2.0**self.error_frac)
        return np.clip(scaled, -(2**15), 2**15 - 1).astype(np.int16)

    @property
    def shape(self) -> str:
        """The widths as text, such as `784-128-10`."""
        return "-".join(str(n) for n in (self.input.size, *(x.outputs for x in self.layers)))

    def with_weights(self, weights: list[tuple[WeightArray, Int32Array]]) -> "Network":
        """Return the same network holding other weights and biases."""
        if len(weights) != len(self.layers):
            raise NetworkError(f"{len(weights)} layers of weights for {len(self.layers)} layers")
        layers = []
        for layer, (w, b) in zip(self.layers, weights, strict=True):
            if w.shape != layer.weights.shape:
                raise NetworkError(
                    f"layer {layer.name}: weights {w.shape} do not fit {layer.weights.shape}"
                )
            layers.append(replace(layer, weights=w.copy(), bias=b.copy()))
        return replace(self, layers=tuple(layers))

    def describe(self) -> dict[str, Any]:
        """Return everything but the weights as plain data."""
        fields = ("name", "inputs", "outputs", "weight_frac", "out_frac", "activation")
        layers = [{field: getattr(layer, field) for field in fields} for layer in self.layers]
        return {
            "input": asdict(self.input),
            "layers": layers,
            "head": self.head,
            "format": self.format,
        }

    def hash_with(self, rule: dict[str, Any]) -> int:
        """Return the 64-bit identity of this network, its weights and a rule's plain data."""
        digest = hashlib.sha256()
        text = json.dumps({"network": self.describe(), "rule": rule}, sort_keys=True)
        digest.update(text.encode())
        for layer in (*self.frozen, *self.layers):
            little = layer.weights.dtype.newbyteorder("<")
            digest.update(layer.weights.astype(little).tobytes())
            digest.update(layer.bias.astype("<i4").tobytes())
        return int.from_bytes(digest.digest()[:8], "little")
