# SPDX-License-Identifier: Apache-2.0
"""Values in another number format: rounded to nearest, counted, refused where they do not fit."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from toy_networks import toy_network

from secondpass.errors import NetworkError
from secondpass.moving.convert import MovedLayer, Tensor, convert
from secondpass.network import FORMATS, Dense, Network
from secondpass.quantise import choose_input, quantise, random_layers

WIDTHS = (23, 17, 11, 5)


def network(
    format: str = "a16w16", widths: tuple[int, ...] = WIDTHS, scale: float = 1.0, room: float = 2.0
) -> Network:
    """Return a network whose weights depend on widths and scale alone."""
    layers = [
        replace(layer, weights=layer.weights * np.float32(scale), bias=layer.bias + 0.3)
        for layer in random_layers(widths, 4)
    ]
    samples = np.random.default_rng(1).integers(0, 256, (20, widths[0])).astype(np.uint8)
    spec = choose_input(widths[0], step=1 / 256, format=format)
    return quantise(layers, spec, samples, room, 2.0, format)


def expected(values: np.ndarray, old_frac: int, tensor: Tensor) -> tuple[list[int], int, int, int]:
    """Return what exact rational arithmetic makes of values, and the three counts."""
    limits = np.iinfo(tensor.values.dtype)
    result, rounded, vanished, saturated = [], 0, 0, 0
    for value in values.ravel().tolist():
        exact = Fraction(value) * Fraction(2) ** (tensor.frac - old_frac)
        nearest = round(exact)
        result.append(min(max(nearest, limits.min), limits.max))
        inside = result[-1] == nearest
        saturated += not inside
        rounded += inside and nearest != exact
        vanished += nearest == 0 and exact != 0
    return result, rounded, vanished, saturated


def assert_exact_arithmetic(source: Network, target: Network, moved: tuple[MovedLayer, ...]) -> int:
    """Compare every value and count; return how many values saturated."""
    saturated = 0
    for index, layer in enumerate(moved):
        old, new = source.layers[index], target.layers[index]
        fracs = old.weight_frac, source.in_frac(index) + old.weight_frac
        assert layer.weights.frac == new.weight_frac
        assert layer.bias.frac == target.in_frac(index) + new.weight_frac
        for values, frac, tensor in zip(
            (old.weights, old.bias), fracs, (layer.weights, layer.bias), strict=True
        ):
            wanted, *counts = expected(values, frac, tensor)
            assert tensor.values.ravel().tolist() == wanted
            assert [tensor.rounded, tensor.vanished, tensor.saturated] == counts
            assert tensor.largest == np.abs(values.astype(float)).max() / 2.0**frac
            assert tensor.exact == (counts[0] == counts[2] == 0)
            saturated += tensor.saturated
        assert layer.weights.values.dtype == new.weights.dtype
        assert layer.bias.values.dtype == np.int32
    return saturated


@pytest.mark.parametrize("old", FORMATS)
@pytest.mark.parametrize("new", FORMATS)
@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_every_format_into_every_other(old: str, new: str, scale: float) -> None:
    source, target = network(old, scale=scale), network(new)
    moved = convert(source, target)
    assert assert_exact_arithmetic(source, target, moved) == 0
    exact = all(tensor.exact for layer in moved for _, tensor in layer.tensors())
    if old == new and scale == 1.0:
        assert exact
    elif old == "a16w16" and new != old:
        assert not exact
    target.with_weights([(layer.weights.values, layer.bias.values) for layer in moved])


def test_what_does_not_fit_is_refused_or_clipped() -> None:
    source, target = network(scale=6.0), network("a16w8")
    moved = convert(source, target, clip=True)
    assert assert_exact_arithmetic(source, target, moved) > 20
    with pytest.raises(NetworkError) as refused:
        convert(source, target)
    layer = moved[0]
    for text in (
        "a16w8 is too small",
        f"layer 0 ({layer.name!r}): {layer.weights.saturated} of {17 * 23} values of the weights",
        f"+-{127 / 2 ** target.layers[0].weight_frac:.4g}",
        f"the largest is {layer.weights.largest:.4g}",
        "nothing was written",
        "--clip",
    ):
        assert text in str(refused.value)


def test_ties_and_limits() -> None:
    """One bit less: halves go to the even neighbour, 255.5 and -256.5 are beyond int8 or not."""
    source = toy_network(4, 4, 2)
    values = np.array([1, 3, -1, -3, 254, 255, -257, -258], dtype=np.int16)
    first = replace(source.layers[0], weights=np.resize(values, (4, 4)), weight_frac=8)
    source = replace(source, layers=(first, source.layers[1]))
    narrow = tuple(
        replace(layer, weights=np.zeros(layer.weights.shape, np.int8), weight_frac=7)
        for layer in source.layers
    )
    target = replace(source, layers=narrow, format="a16w8")
    moved = convert(source, target, clip=True)[0].weights
    assert moved.values.ravel()[:8].tolist() == [0, 2, 0, -2, 127, 127, -128, -128]
    assert (moved.rounded, moved.vanished, moved.saturated) == (2 * 5, 2 * 2, 2 * 2)


def other_layer(source: Network, index: int, **changes: object) -> Network:
    layers = list(source.layers)
    layers[index] = replace(layers[index], **changes)
    return replace(source, layers=tuple(layers))


SOURCE = network()
MISMATCHES = {
    "first": (network(widths=(23, 16, 11, 5)), ["layer 0 ('fc1')", "(17, 23)", "(16, 23)"]),
    "middle": (network(widths=(23, 17, 12, 5)), ["layer 1 ('fc2')", "(11, 17)", "(12, 17)"]),
    "last": (network(widths=(23, 17, 11, 6)), ["layer 2 ('fc3')", "(5, 11)", "(6, 11)"]),
    "input": (network(widths=(24, 17, 11, 5)), ["layer 0 ('fc1')", "(17, 23)", "(17, 24)"]),
    "depth": (network(widths=(23, 17, 11, 5, 3)), ["3 layers", "4", "23-17-11-5-3"]),
    "activation": (
        other_layer(SOURCE, 1, activation="identity"),
        ["layer 1 ('fc2')", "activation relu", "identity"],
    ),
    "head": (replace(SOURCE, head="mse"), ["head softmax", "mse"]),
    "step": (
        replace(SOURCE, input=replace(SOURCE.input, step=1 / 128)),
        ["step", "0.00390625", "0.0078125"],
    ),
    "zero point": (replace(SOURCE, input=replace(SOURCE.input, zero_point=3)), ["zero_point"]),
    "type": (replace(SOURCE, input=replace(SOURCE.input, dtype="int8")), ["dtype", "int8"]),
    "mean": (replace(SOURCE, input=replace(SOURCE.input, mean=(0.5,) * 23)), ["mean"]),
}


@pytest.mark.parametrize("kind", MISMATCHES)
def test_networks_that_are_not_the_same_function(kind: str) -> None:
    target, named = MISMATCHES[kind]
    with pytest.raises(NetworkError) as refused:
        convert(SOURCE, target, clip=True)
    for text in [*named, "nothing was written"]:
        assert text in str(refused.value)


def test_a_narrower_range_of_results_is_told() -> None:
    finer: tuple[Dense, ...] = tuple(
        replace(layer, out_frac=layer.out_frac + (index == 1))
        for index, layer in enumerate(SOURCE.layers)
    )
    moved = convert(SOURCE, replace(SOURCE, layers=finer))
    reach = 2.0 ** (15 - SOURCE.layers[1].out_frac)
    assert [layer.narrower for layer in moved] == [None, (reach, reach / 2), None]
    back = convert(replace(SOURCE, layers=finer), SOURCE)
    assert [layer.narrower for layer in back] == [None, None, None]
