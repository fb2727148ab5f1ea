# SPDX-License-Identifier: Apache-2.0
"""Networks in the int8 arithmetic of TFLite: imported, frozen, inference only (docs/affine.md).

An int8 value `q` stands for the real number `(q - zero_point) * step`. Such a network has none of
the Q formats that learning needs; what learns is made from it by `secondpass.tflite.convert`.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError, require_choice
from secondpass.fixedpoint import Scale
from secondpass.network import (
    HEADS,
    MAX_LAYERS,
    MAX_WIDTH,
    PROBABILITY_FRAC,
    Dense,
    Input,
    Int16Array,
    Int32Array,
    Network,
    WeightArray,
)
from secondpass.requantiser import Requantiser

AFFINE8 = "affine8"
CLAMPS: dict[str, tuple[float, float]] = {
    "identity": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}
"""Activations of affine layers: real limits of the result."""
LOWEST, HIGHEST = -128, 127
SPAN = HIGHEST - LOWEST
MAX_ACCUMULATOR = 2**31 - 1


@dataclass(frozen=True)
class Affine:
    """How an int8 value becomes a real number: `(q - zero_point) * step`."""

    step: float
    zero_point: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step) and self.step > 0):
            raise NetworkError(f"a quantisation step is {self.step}; it must be positive")
        if not LOWEST <= self.zero_point <= HIGHEST:
            raise NetworkError(f"the zero point {self.zero_point} is outside int8")

    def decode(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the real numbers that int8 values stand for."""
        return (np.asarray(values, dtype=np.float64) - self.zero_point) * self.step


@dataclass(frozen=True, eq=False, kw_only=True)
class AffineDense(Dense):
    """A fully connected int8 layer: `weights` (outputs, inputs) int8, `bias` (outputs,) int32.

    `weight_steps`: the real step of a weight, one of the layer or one for each output; weights have
    no zero point. The bias has the step of input times weight, and no zero point.
    """

    weight_frac: int = field(default=0, init=False, repr=False)
    out_frac: int = field(default=0, init=False, repr=False)
    source: Affine
    result: Affine
    weight_steps: tuple[float, ...]

    def __post_init__(self) -> None:
        where = f"layer {self.name}"
        require_choice(f"activation of {where}", self.activation, CLAMPS)
        if self.weights.ndim != 2 or self.weights.dtype != np.int8:
            raise NetworkError(f"{where}: weights must be int8, two-dimensional")
        if self.bias.shape != (self.outputs,) or self.bias.dtype != np.int32:
            raise NetworkError(f"{where}: bias must be int32 ({self.outputs},)")
        for what, size in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not 1 <= size <= MAX_WIDTH:
                raise NetworkError(f"{where}: {size} {what} is outside [1, {MAX_WIDTH}]")
        if len(self.weight_steps) not in (1, self.outputs):
            raise NetworkError(
                f"{where}: {len(self.weight_steps)} weight scales for {self.outputs} outputs"
            )
        if not all(math.isfinite(step) and step > 0 for step in self.weight_steps):
            raise NetworkError(f"{where}: a weight scale is not positive")
        wide = np.abs(self.weights.astype(np.int64)).sum(axis=1) * SPAN
        if (wide + np.abs(self.bias.astype(np.int64))).max() > MAX_ACCUMULATOR:
            raise NetworkError(f"{where}: its bias is so large that sums may leave int32")
        try:
            _ = self.requantisers
        except NetworkError as error:
            raise NetworkError(f"{where}: {error}") from None

    @property
    def factors(self) -> tuple[float, ...]:
        """Real factors from accumulator to output steps, as the reference kernel computes them."""
        return tuple(self.source.step * step / self.result.step for step in self.weight_steps)

    @property
    def requantisers(self) -> tuple[Requantiser, ...]:
        """The same as integers: one of the layer, or one for each output."""
        return tuple(Requantiser.from_real(factor) for factor in self.factors)

    @property
    def folded_bias(self) -> Int32Array:
        """The bias with the input's zero point in it: the kernel adds plain products to it."""
        sums = self.weights.astype(np.int64).sum(axis=1)
        return np.asarray(self.bias - self.source.zero_point * sums, dtype=np.int32)

    @property
    def limits(self) -> tuple[int, int]:
        """Least and largest result that the activation leaves."""
        low, high = CLAMPS[self.activation]
        return self._quantised(low, LOWEST), self._quantised(high, HIGHEST)

    def _quantised(self, limit: float, otherwise: int) -> int:
        """Return a real limit in steps, in float32 and halves away from zero, as TFLite does."""
        if math.isinf(limit):
            return otherwise
        steps = float(np.float32(limit) / np.float32(self.result.step))
        rounded = self.result.zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))
        return min(max(rounded, LOWEST), HIGHEST)

    @property
    def counted(self) -> tuple[bool, bool]:
        """Whether clamps at the lower and at the upper limit are saturations.

        Those at the limits of int8, where the activation function has none of its own.
        """
        low, high = CLAMPS[self.activation]
        return math.isinf(low), math.isinf(high)

    def describe(self) -> dict[str, Any]:
        """Return everything but the weights as plain data."""
        return {
            "name": self.name,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "activation": self.activation,
            "source": asdict(self.source),
            "result": asdict(self.result),
            "weight_steps": list(self.weight_steps),
        }


def check_chain(layers: tuple[AffineDense, ...], inputs: int, below: Affine) -> tuple[int, Affine]:
    """Check that each layer reads what the one below puts out; return what the last puts out."""
    for layer in layers:
        if layer.inputs != inputs:
            raise NetworkError(f"layer {layer.name} takes {layer.inputs} inputs, gets {inputs}")
        if layer.source != below:
            raise NetworkError(f"layer {layer.name} reads {layer.source}, gets {below}")
        inputs, below = layer.outputs, layer.result
    return inputs, below


@dataclass(frozen=True, eq=False)
class AffineNetwork(Network):
    """A stack of affine layers. It infers and is evaluated; it does not learn.

    The input is int8; its step and zero point are those that the first layer reads.
    """

    layers: tuple[AffineDense, ...]
    format: str = AFFINE8

    def __post_init__(self) -> None:
        require_choice("head", self.head, HEADS)
        require_choice("format", self.format, (AFFINE8,))
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise NetworkError(f"a network has 1 to {MAX_LAYERS} layers, not {len(self.layers)}")
        if self.input.dtype != "int8" or self.input.mean:
            raise NetworkError("the input of an affine8 network is int8 and has no mean")
        if self.head == "sigmoid" and self.outputs != 1:
            raise NetworkError(f"the head 'sigmoid' has one output, not {self.outputs}")
        if self.head == "reconstruction" and self.outputs != self.input.size:
            raise NetworkError(
                f"the head 'reconstruction' needs as many outputs ({self.outputs}) as inputs "
                f"({self.input.size})"
            )
        below = Affine(self.input.step, self.input.zero_point)
        check_chain(self.layers, self.input.size, below)

    def require_trainable(self) -> None:
        """Raise `NetworkError`: it does not learn."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NetworkError(
            "this network is frozen int8 (affine8): it infers and does not learn; import the file "
            "again with --trainable FORMAT to get one that does"
        )

    @property
    def output(self) -> Affine:
        """What the outputs stand for."""
        return self.layers[-1].result

    @property
    def error_frac(self) -> int:
        """Fractional bits of the errors that a score is made of: as many as int16 always holds."""
        if self.head in ("softmax", "sigmoid"):
            return PROBABILITY_FRAC
        other = self.input.step if self.head == "reconstruction" else self.output.step
        return math.floor(math.log2(16383 / (SPAN * max(self.output.step, other))))

    @property
    def output_frac(self) -> int:
        """Fractional bits of a scaled output: those of the error, or for logits as many as fit."""
        if self.head in ("softmax", "sigmoid"):
            fit = math.floor(math.log2(32767 / (SPAN * self.output.step)))
            return min(max(fit, 0), PROBABILITY_FRAC)
        return self.error_frac

    @property
    def output_scale(self) -> Scale:
        """Factor from output steps to those of a scaled output; logits' steps count up to 128."""
        logits = self.head in ("softmax", "sigmoid")
        step = min(self.output.step, 128.0) if logits else self.output.step
        return Scale.from_real(step * 2.0**self.output_frac)

    @property
    def input_scale(self) -> Scale:
        """Factor from input steps to steps of the error: the head `reconstruction`."""
        return Scale.from_real(self.input.step * 2.0**self.error_frac)

    @property
    def fine_bits(self) -> int:
        """There are none: an error."""
        self._refuse()

    @property
    def input_frac(self) -> int:
        """There are none: an error."""
        self._refuse()

    @property
    def input_mean(self) -> Int16Array | None:
        """Return None: the input is not centred."""
        return None

    def in_frac(self, index: int) -> int:
        """Refuse: there are no fractional bits."""
        self._refuse()

    def result_frac(self, index: int) -> int:
        """Refuse: there are no fractional bits."""
        self._refuse()

    def pre_frac(self, index: int) -> int:
        """Refuse: there are no fractional bits."""
        self._refuse()

    def requantise_shift(self, index: int) -> int:
        """Refuse: there is no plain shift."""
        self._refuse()

    def with_weights(self, weights: list[tuple[WeightArray, Int32Array]]) -> Network:
        """Refuse: its weights are those of the file."""
        self._refuse()

    def describe(self) -> dict[str, Any]:
        """Return everything but the weights as plain data."""
        return {
            "input": asdict(self.input),
            "layers": [layer.describe() for layer in self.layers],
            "head": self.head,
            "format": self.format,
        }


def affine_layers(
    descriptions: list[dict[str, Any]], arrays: Any, prefix: str = ""
) -> tuple[AffineDense, ...]:
    """Rebuild layers from their `describe` and the arrays of a model file."""
    return tuple(
        AffineDense(
            name=layer["name"],
            weights=arrays[f"{prefix}weights{index}"],
            bias=arrays[f"{prefix}bias{index}"],
            activation=layer["activation"],
            source=Affine(**layer["source"]),
            result=Affine(**layer["result"]),
            weight_steps=tuple(layer["weight_steps"]),
        )
        for index, layer in enumerate(descriptions)
    )


def affine_network(description: dict[str, Any], arrays: Any) -> AffineNetwork:
    """Rebuild a network from its `describe` and the arrays of a model file."""
    layers = affine_layers(description["layers"], arrays)
    return AffineNetwork(Input(**description["input"]), layers, description["head"])
