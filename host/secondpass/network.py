# SPDX-License-Identifier: Apache-2.0
"""The description of a network in integers: what conversion makes and every back end runs.

Pure data. Nothing here knows Keras, C or a device.
"""

import hashlib
import io
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError, require_choice
from secondpass.fixedpoint import Scale

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]

SAMPLE_DTYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype(np.uint8), "int16": np.dtype("<i2")}
ACTIVATIONS = ("relu", "identity")
HEADS = ("softmax",)
FORMATS = ("a16w16",)
MAX_LAYERS = 32
MAX_WIDTH = 4096
"""Largest number of inputs or outputs of a layer."""


@dataclass(frozen=True)
class Input:
    """The raw sample and how it becomes the first activation.

    A raw value `v` stands for the real number `(v - zero_point) * step`; it is stored as int16 with
    `frac_bits` fractional bits.
    """

    size: int
    dtype: str = "uint8"
    zero_point: int = 0
    step: float = 1.0
    frac_bits: int = 12

    def __post_init__(self) -> None:
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
        _ = self.scale

    @property
    def scale(self) -> Scale:
        """Factor from raw steps to activation steps."""
        return Scale.from_real(self.step * 2.0**self.frac_bits)

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
        raw = np.rint(np.asarray(real, dtype=np.float64) / self.step) + self.zero_point
        clamped = np.clip(raw, limits.min, limits.max)
        return np.asarray(clamped, dtype=SAMPLE_DTYPES[self.dtype])

    def decode(self, raw: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return the real numbers that raw values stand for."""
        values = (np.asarray(raw, dtype=np.float64) - self.zero_point) * self.step
        return values.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Dense:
    """A fully connected layer: `weights` int16 (outputs, inputs), `bias` int32 (outputs,).

    Weights have `weight_frac` fractional bits, outputs `out_frac`; the bias has the fractional
    bits of the accumulator (input plus weight).
    """

    name: str
    weights: Int16Array
    bias: Int32Array
    weight_frac: int
    out_frac: int
    activation: str = "relu"

    def __post_init__(self) -> None:
        require_choice(f"activation of layer {self.name}", self.activation, ACTIVATIONS)
        if self.weights.ndim != 2 or self.weights.dtype != np.int16:
            raise NetworkError(f"layer {self.name}: weights must be int16 (outputs, inputs)")
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

    Layer l reads the activation of layer l - 1; the last layer's output are the logits.
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
        size = self.input.size
        for index, layer in enumerate(self.layers):
            if layer.inputs != size:
                raise NetworkError(f"layer {layer.name} takes {layer.inputs} inputs, gets {size}")
            size = layer.outputs
            if not 0 <= self.requantise_shift(index) <= 30:
                raise NetworkError(
                    f"layer {layer.name}: input, weight and output fractional bits "
                    f"{self.in_frac(index)}, {layer.weight_frac}, {layer.out_frac} need a "
                    "requantisation shift outside [0, 30]"
                )

    @property
    def classes(self) -> int:
        """Number of classes (logits)."""
        return self.layers[-1].outputs

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.weights.size for layer in self.layers)

    def in_frac(self, index: int) -> int:
        """Fractional bits of the activation that layer `index` reads."""
        return self.layers[index - 1].out_frac if index else self.input.frac_bits

    def requantise_shift(self, index: int) -> int:
        """Right shift from the accumulator of layer `index` to its output."""
        layer = self.layers[index]
        return self.in_frac(index) + layer.weight_frac - layer.out_frac

    @property
    def shape(self) -> str:
        """The widths as text, such as `784-128-10`."""
        return "-".join(str(n) for n in (self.input.size, *(x.outputs for x in self.layers)))

    def with_weights(self, weights: list[tuple[Int16Array, Int32Array]]) -> "Network":
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
        layers = [
            {
                "name": layer.name,
                "inputs": layer.inputs,
                "outputs": layer.outputs,
                "weight_frac": layer.weight_frac,
                "out_frac": layer.out_frac,
                "activation": layer.activation,
            }
            for layer in self.layers
        ]
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
        for layer in self.layers:
            digest.update(layer.weights.astype("<i2").tobytes())
            digest.update(layer.bias.astype("<i4").tobytes())
        return int.from_bytes(digest.digest()[:8], "little")

    def to_bytes(self, extra: dict[str, Any] | None = None) -> bytes:
        """Serialise to the `.spn` form: a NumPy archive with a JSON description."""
        text = json.dumps({"network": self.describe(), **(extra or {})}, sort_keys=True)
        arrays: dict[str, npt.NDArray[Any]] = {
            "description": np.frombuffer(text.encode(), dtype=np.uint8)
        }
        for index, layer in enumerate(self.layers):
            arrays[f"weights{index}"] = layer.weights
            arrays[f"bias{index}"] = layer.bias
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_file(cls, path: Path) -> tuple["Network", dict[str, Any]]:
        """Read a `.spn` file; return the network and the extra description it carries."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                extra = json.loads(archive["description"].tobytes())
                description = extra.pop("network")
                layers = tuple(
                    Dense(
                        name=layer["name"],
                        weights=archive[f"weights{index}"],
                        bias=archive[f"bias{index}"],
                        weight_frac=layer["weight_frac"],
                        out_frac=layer["out_frac"],
                        activation=layer["activation"],
                    )
                    for index, layer in enumerate(description["layers"])
                )
                network = cls(
                    Input(**description["input"]),
                    layers,
                    description["head"],
                    description["format"],
                )
        except FileNotFoundError:
            raise NetworkError(f"{path} does not exist; make it with 'invoke generate'") from None
        except NetworkError:
            raise
        except Exception as error:
            raise NetworkError(f"{path} is not a network file ({error})") from error
        return network, extra
