# SPDX-License-Identifier: Apache-2.0
"""The integer FTP step against float64 NumPy written from the equations: signs and derivatives."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from secondpass.integer.reference import ReferenceModel
from secondpass.network import Input, Network
from secondpass.projection import target_matrix
from secondpass.quantise import FloatLayer, quantise, random_layers
from secondpass.rules import ERROR_SIGNALS, PROJECTIONS, Ftp

SHAPES = [(20, 16, 5), (21, 15, 12, 9, 5)]
CASES = list(itertools.product(SHAPES, PROJECTIONS, ERROR_SIGNALS))
Array = npt.NDArray[np.float64]


def ftp_step(
    layers: list[FloatLayer],
    rule: Ftp,
    x: Array,
    label: int,
    sign: float = 1.0,
    derivative: bool = True,
) -> list[Array]:
    """W_after - W_before (outputs, inputs) of every layer; the last arguments make wrong rules."""
    weights = [layer.weights.T.astype(np.float64) for layer in layers]
    h = [x]
    for w in weights[:-1]:
        h.append(np.maximum(w @ h[-1], 0))
    z = weights[-1] @ h[-1]
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    error = p - np.eye(len(z))[label]
    signal = np.sign(error) if rule.error_signal == "sign" else error
    matrix = target_matrix(
        rule.projection, rule.projection_seed, len(h[1]), len(z), rule.projection_scale
    )
    target = h[1] - sign * matrix.astype(np.float64) @ signal
    changes = []
    for index in range(len(weights) - 1):
        if index:
            target = np.maximum(weights[index] @ target, 0)
        delta = h[index + 1] - target
        if derivative:
            delta = delta * (h[index + 1] > 0)
        changes.append(-rule.learning_rate * np.outer(delta, h[index]))
    changes.append(-rule.learning_rate * np.outer(error, h[-1]))
    return changes


def integer_step(network: Network, rule: Ftp, sample: npt.NDArray[Any], label: int) -> list[Array]:
    model = ReferenceModel(network, rule)
    model.train(sample, label)
    return [
        (after.astype(np.float64) - layer.weights) / 2.0**layer.weight_frac
        for after, layer in zip(model.weights, network.layers, strict=True)
    ]


def relative_error(actual: Array, expected: Array) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize(("shape", "projection", "signal"), CASES)
def test_a_step_follows_the_equations(shape: tuple[int, ...], projection: str, signal: str) -> None:
    rule = Ftp(projection, 0.5, 5, 0.2, 9, signal)
    layers = random_layers(shape, 3)
    spec = Input(shape[0], "int16", 0, 1 / 4096, 12)
    samples = np.random.default_rng(4).integers(0, 4096, (40, shape[0])).astype(np.int16)
    network = quantise(layers, spec, samples, activation_head_room=1.5)
    wrong = {"sign": [], "derivative": []}
    for sample, label in zip(samples[:6], range(6), strict=True):
        x = sample / 4096
        actual = integer_step(network, rule, sample, label % shape[-1])
        expected = ftp_step(layers, rule, x, label % shape[-1])
        assert np.abs(expected[0]).max() > 100 / 2.0 ** network.layers[0].weight_frac
        for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
            if np.linalg.norm(other) > 0:
                assert relative_error(one, other) < 0.05, f"layer {index}"
        for what, change in (("sign", {"sign": -1.0}), ("derivative", {"derivative": False})):
            broken = ftp_step(layers, rule, x, label % shape[-1], **change)
            wrong[what].append(relative_error(actual[0], broken[0]))
    assert min(wrong["sign"]) > 0.5
    assert min(wrong["derivative"]) > 0.2
