# SPDX-License-Identifier: Apache-2.0
"""One integer PEPITA step against the paper's equations in float64.

The float step below shares only the matrix F with the product. Its bound on every element of the
weight change follows from the roundings of the number formats, so that an update of another sign,
with another presynaptic activation or another error cannot pass.
"""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from toy_networks import HIDDEN_FRAC, INPUT_FRAC, LOGIT_FRAC, WEIGHT_FRAC, toy_network, toy_samples

from secondpass.device.interface import BIAS, WEIGHTS, Device, read_weights
from secondpass.device.reference import NumpyDevice
from secondpass.device.twin import HostTwin
from secondpass.network import Network
from secondpass.projection import float_matrix
from secondpass.rules import MODULATIONS, Pepita

Array = npt.NDArray[np.float64]
SHAPES = [(20, 16, 5), (21, 15, 12, 5)]
RULES = [
    Pepita(
        projection=projection,
        projection_scale=2.0,
        projection_seed=5,
        modulation=modulation,
        presynaptic=presynaptic,
        output_error=output_error,
        learning_rate=0.2,
        dither_seed=9,
    )
    for projection, modulation, presynaptic, output_error in itertools.product(
        ("dense", "sign", "sparse"), MODULATIONS, ("first", "second"), ("first", "second")
    )
]
WEIGHT_LSB = 2.0**-WEIGHT_FRAC
TYPICAL = 2.0 * WEIGHT_LSB
"""Errors add up to their worst case in theory only; on these samples 1.04 LSB were measured."""
SOFTMAX_ERROR = 4.25 * 2.0**-15
"""Of five classes; tests/firmware/test_softmax_accuracy.py."""
SCALE_ERROR = 2.0**-15
"""Relative error of a 15-bit multiplier."""


@dataclass
class Near:
    """A vector and a bound on how far the integer one is from it."""

    value: Array
    error: Array


@dataclass
class Change:
    """The update of one layer and the bounds of its elements."""

    weights: Near
    bias: Near


def layer(network: Network, index: int, x: Near) -> Near:
    """h = f(W x + b); the integer result is rounded to the layer's format."""
    dense = network.layers[index]
    weights = dense.weights / 2.0**WEIGHT_FRAC
    in_frac = HIDDEN_FRAC if index else INPUT_FRAC
    value = weights @ x.value + dense.bias / 2.0 ** (in_frac + WEIGHT_FRAC)
    last = index == len(network.layers) - 1
    half = 0.5 * 2.0 ** -(LOGIT_FRAC if last else HIDDEN_FRAC)
    return Near(value if last else np.maximum(value, 0), np.abs(weights) @ x.error + half)


def forward(network: Network, x: Near) -> list[Near]:
    """Return the input and every layer's activation."""
    activations = [x]
    for index in range(len(network.layers)):
        activations.append(layer(network, index, activations[-1]))
    return activations


def output_error(logits: Near, label: int) -> Near:
    """e = p - onehot; a probability moves by at most half of what a logit moves."""
    exponentials = np.exp(logits.value - logits.value.max())
    error = exponentials / exponentials.sum()
    error[label] -= 1.0
    return Near(error, np.full(error.shape, 0.5 * logits.error.max() + SOFTMAX_ERROR))


def paper_step(
    network: Network, rule: Pepita, sample: npt.NDArray[Any], label: int
) -> list[Change]:
    """Return W_after - W_before of every layer."""
    sign = {"add": 1.0, "subtract": -1.0}[rule.modulation]
    real = sample / 2.0**INPUT_FRAC
    first = forward(network, Near(real, np.zeros_like(real)))
    error = output_error(first[-1], label)
    matrix = sign * float_matrix(
        rule.projection, rule.projection_seed, real.size, network.classes, rule.projection_scale
    ).astype(np.float64)
    modulation = matrix @ error.value
    modulated = Near(
        real + modulation,
        np.abs(matrix) @ error.error + np.abs(modulation) * SCALE_ERROR + 2.0**-INPUT_FRAC,
    )
    second = forward(network, modulated)
    if rule.output_error == "second":
        error = output_error(second[-1], label)
    presynaptic = second if rule.presynaptic == "second" else first
    changes = []
    for index in range(len(network.layers)):
        if index == len(network.layers) - 1:
            delta = error
        else:
            h, h_error = first[index + 1], second[index + 1]
            delta = Near(h.value - h_error.value, h.error + h_error.error)
        changes.append(update(delta, presynaptic[index], rule.learning_rate, index))
    return changes


def update(delta: Near, before: Near, rate: float, index: int) -> Change:
    """dW = -rate delta h^T and db = -rate delta, with what the formats may add."""
    in_lsb = 2.0 ** -(HIDDEN_FRAC if index else INPUT_FRAC)
    # A row error has 16 more fractional bits than weight / input; it is rounded to the nearest.
    row_lsb = WEIGHT_LSB / in_lsb * 2.0**-16
    value = -rate * np.outer(delta.value, before.value)
    row_error = rate * delta.error + rate * np.abs(delta.value) * SCALE_ERROR + 0.5 * row_lsb
    bound = (
        np.outer(row_error, np.abs(before.value) + before.error)
        + np.outer(rate * np.abs(delta.value), before.error)
        + WEIGHT_LSB  # the dithered rounding
    )
    return Change(Near(value, bound), Near(-rate * delta.value, row_error))


def integer_step(device: Device, sample: npt.NDArray[Any], label: int) -> list[tuple[Array, Array]]:
    """Return the real weight and bias changes of one step, and assert that nothing saturated."""
    before = read_weights(device)
    device.train(sample, label)
    assert device.statistics().counters.saturations == 0
    changes = []
    for index in range(device.info.layers):
        weights = device.read_tensor(index, WEIGHTS).astype(np.int64) - before[index][0]
        bias = device.read_tensor(index, BIAS).astype(np.int64) - before[index][1]
        in_frac = HIDDEN_FRAC if index else INPUT_FRAC
        changes.append((weights * WEIGHT_LSB, bias / 2.0 ** (in_frac + WEIGHT_FRAC)))
    return changes


def cosine(a: Array, b: Array) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def outside(got: Array, wanted: Near) -> float:
    """Return how many elements are outside the bound, as a share of those that should change."""
    misses = np.count_nonzero(np.abs(got - wanted.value) > np.minimum(wanted.error, TYPICAL))
    return misses / np.count_nonzero(wanted.value)


def make_device(back_end: str, network: Network, rule: Pepita) -> Device:
    return NumpyDevice(network, rule) if back_end == "numpy" else HostTwin(network, rule)


# The twin is compiled for each, and equals the reference bit for bit by tests of its own.
BACK_ENDS = [("numpy", rule) for rule in RULES] + [("twin", rule) for rule in RULES[::5]]


def name(rule: Pepita | str) -> str:
    if isinstance(rule, str):
        return rule
    return f"{rule.projection}-{rule.modulation}-pre_{rule.presynaptic}-error_{rule.output_error}"


@pytest.mark.parametrize("widths", SHAPES, ids=["one_hidden", "two_hidden"])
@pytest.mark.parametrize(("back_end", "rule"), BACK_ENDS, ids=name)
def test_step_is_the_papers(back_end: str, widths: tuple[int, ...], rule: Pepita) -> None:
    network = toy_network(*widths)
    sample, label = toy_samples(network, 1)[0][0], 3
    wanted = paper_step(network, rule, sample, label)
    got = integer_step(make_device(back_end, network, rule), sample, label)
    for (weights, bias), change in zip(got, wanted, strict=True):
        assert outside(weights, change.weights) == 0
        assert outside(bias, change.bias) == 0
        assert cosine(weights, change.weights.value) > 0.999
        assert cosine(bias, change.bias.value) > 0.999
        # The bound says something: it is a small part of what is learned.
        assert np.abs(change.weights.value).max() > 50 * TYPICAL


def wrong_steps(
    network: Network, rule: Pepita, sample: npt.NDArray[Any], label: int
) -> dict[str, list[Change]]:
    """Return steps that differ from the rule's in one choice."""
    other = {"first": "second", "second": "first"}
    swapped = replace(rule, presynaptic=other[rule.presynaptic])
    late = replace(rule, output_error=other[rule.output_error])
    opposite = {"add": "subtract", "subtract": "add"}
    turned = replace(rule, modulation=opposite[rule.modulation])
    reseeded = replace(rule, projection_seed=rule.projection_seed + 1)
    steps = {
        "presynaptic": paper_step(network, swapped, sample, label),
        "output error": paper_step(network, late, sample, label)[-1:],
        "the other modulation": paper_step(network, turned, sample, label),
        "another F": paper_step(network, reseeded, sample, label),
    }
    if rule.presynaptic == rule.output_error == "first":
        # Nothing of the second pass enters the output layer.
        for what in ("the other modulation", "another F"):
            steps[what] = steps[what][:-1]
    return steps


@pytest.mark.parametrize("widths", SHAPES, ids=["one_hidden", "two_hidden"])
@pytest.mark.parametrize(("back_end", "rule"), BACK_ENDS, ids=name)
def test_wrong_steps_are_rejected(back_end: str, widths: tuple[int, ...], rule: Pepita) -> None:
    """The comparison above would fail for every layer of every plausible mistake."""
    network = toy_network(*widths)
    sample, label = toy_samples(network, 1)[0][0], 3
    got = integer_step(make_device(back_end, network, rule), sample, label)
    for change, (weights, _) in zip(paper_step(network, rule, sample, label), got, strict=True):
        flipped = Near(-change.weights.value, change.weights.error)
        assert cosine(weights, flipped.value) < -0.999
        assert outside(weights, flipped) > 0.2
    for what, changes in wrong_steps(network, rule, sample, label).items():
        layers = got[-1:] if what == "output error" else got[: len(changes)]
        for (weights, _), change in zip(layers, changes, strict=True):
            assert outside(weights, change.weights) > 0.2, what
