# SPDX-License-Identifier: Apache-2.0
"""Weights of one network in the number formats of another, by their real values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device.interface import BIAS, WEIGHTS
from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.spectral import front_of

KINDS = {WEIGHTS: "weights", BIAS: "bias"}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor in the target's format, and what that cost.

    `frac` are its fractional bits. `rounded` values are not exactly what they were, `vanished` ones
    became zero, `saturated` ones were beyond the range of the format; `largest` is the largest
    magnitude of the source and `limit` that of the format, both real numbers.
    """

    values: npt.NDArray[Any]
    frac: int
    rounded: int
    vanished: int
    saturated: int
    largest: float
    limit: float

    @property
    def exact(self) -> bool:
        """Whether every value is what it was."""
        return not (self.rounded or self.saturated)


@dataclass(frozen=True, eq=False)
class MovedLayer:
    """A layer's weights and bias in the target's formats.

    `narrower`: the source's and the target's largest result, real, where the target's is smaller.
    """

    name: str
    weights: Tensor
    bias: Tensor
    narrower: tuple[float, float] | None

    def tensors(self) -> tuple[tuple[int, Tensor], ...]:
        """Return the tensors with their kinds."""
        return (WEIGHTS, self.weights), (BIAS, self.bias)


def convert(source: Network, target: Network, clip: bool = False) -> tuple[MovedLayer, ...]:
    """Return the weights of `source` in the formats of `target`; equal formats keep every bit.

    Values are rounded to nearest, ties to even, as conversion from Keras does. Raises
    `NetworkError` naming the layer when the networks do not compute the same function of the
    weights, or when values leave the target's range; with `clip` those saturate.
    """
    _check_same_function(source, target)
    moved = []
    for index, (old, new) in enumerate(zip(source.layers, target.layers, strict=True)):
        weights = _in_format(old.weights, old.weight_frac, new.weights.dtype, new.weight_frac)
        old_frac = source.in_frac(index) + old.weight_frac
        new_frac = target.in_frac(index) + new.weight_frac
        bias = _in_format(old.bias, old_frac, new.bias.dtype, new_frac)
        reach = tuple(2.0 ** (15 - n.result_frac(index)) for n in (source, target))
        narrower = (reach[0], reach[1]) if reach[1] < reach[0] else None
        moved.append(MovedLayer(new.name, weights, bias, narrower))
    if not clip:
        _check_range(moved, target.format)
    return tuple(moved)


def _in_format(values: npt.NDArray[Any], frac: int, dtype: np.dtype[Any], new_frac: int) -> Tensor:
    """Return integers of `frac` fractional bits as `dtype` with `new_frac`."""
    limits = np.iinfo(dtype)
    scaled = values.astype(np.float64) * 2.0 ** (new_frac - frac)  # exact: 32 bits, a power of two
    nearest = np.rint(scaled)
    inside = (nearest >= limits.min) & (nearest <= limits.max)
    return Tensor(
        values=np.clip(nearest, limits.min, limits.max).astype(dtype),
        frac=new_frac,
        rounded=int(((nearest != scaled) & inside).sum()),
        vanished=int(((nearest == 0) & (scaled != 0)).sum()),
        saturated=int((~inside).sum()),
        largest=float(np.abs(scaled).max()) / 2.0**new_frac,
        limit=limits.max / 2.0**new_frac,
    )


def frozen_parts(network: Network) -> list[bytes]:
    """Return what the frozen layers of a network hold."""
    return [layer.weights.tobytes() + layer.bias.tobytes() for layer in network.frozen]


def _check_same_function(source: Network, target: Network) -> None:
    """Raise `NetworkError` unless both differ in weights and number formats only."""
    for index, (old, new) in enumerate(zip(source.layers, target.layers, strict=False)):
        if old.weights.shape != new.weights.shape:
            raise NetworkError(
                f"layer {index} ({new.name!r}): the weights to move have shape "
                f"{old.weights.shape}, the target's {new.weights.shape} ({source.shape} does not "
                f"fit {target.shape}); nothing was written"
            )
    if len(source.layers) != len(target.layers):
        raise NetworkError(
            f"the weights to move have {len(source.layers)} layers ({source.shape}), the target "
            f"{len(target.layers)} ({target.shape}); nothing was written"
        )
    for index, (old, new) in enumerate(zip(source.layers, target.layers, strict=True)):
        if old.activation != new.activation:
            raise NetworkError(
                f"layer {index} ({new.name!r}): the weights were trained with the activation "
                f"{old.activation}, the target's is {new.activation}; nothing was written"
            )
    if source.head != target.head:
        raise NetworkError(
            f"the weights were trained for the head {source.head}, the target's is {target.head}; "
            "nothing was written"
        )
    if front_of(source) != front_of(target):
        raise NetworkError(
            "the features that the networks make of readings differ, so that the layers read "
            "something else; nothing was written"
        )
    if frozen_parts(source) != frozen_parts(target):
        raise NetworkError(
            "the frozen int8 layers below differ, so that the others read something else; make "
            "both networks from the same .tflite file; nothing was written"
        )
    for what in ("dtype", "zero_point", "step", "mean"):
        old_value, new_value = getattr(source.input, what), getattr(target.input, what)
        if old_value != new_value:
            shown = "" if what == "mean" else f" ({old_value} and {new_value})"
            raise NetworkError(
                f"the inputs differ in their {what}{shown}, so a sample means something else to "
                "these weights; make both networks from the same data set; nothing was written"
            )


def _check_range(layers: list[MovedLayer], format: str) -> None:
    problems = [
        f"layer {index} ({layer.name!r}): {tensor.saturated} of {tensor.values.size} values of the "
        f"{KINDS[kind]} are beyond +-{tensor.limit:.4g} (the largest is {tensor.largest:.4g})"
        for index, layer in enumerate(layers)
        for kind, tensor in layer.tensors()
        if tensor.saturated
    ]
    if problems:
        raise NetworkError(
            f"the target's {format} is too small for these weights: {'; '.join(problems)}; nothing "
            "was written. Clip them (--clip), or make the target's network from the trained one: "
            "export --keras, then generate --keras"
        )
