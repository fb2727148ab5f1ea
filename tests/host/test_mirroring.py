# SPDX-License-Identifier: Apache-2.0
import base64
import math

import numpy as np
import pytest
from toy_networks import toy_network

from secondpass.errors import NetworkError
from secondpass.floating.matrices import first_target_matrix, modulation_matrix
from secondpass.integer.reference import ReferenceModel
from secondpass.learning import Learning
from secondpass.mirroring import (
    STORED_DEVIATION,
    Mirror,
    Mirroring,
    cosine,
    mirrored_projection,
    stored_projection,
    with_mirrored_projection,
)
from secondpass.network import Input
from secondpass.quantise import FloatLayer, quantise, random_layers, to_keras_weights
from secondpass.rules import Backprop, Dfa, Ftp, Pepita

QUICK = Mirroring(steps=150, amplitude=1.0, rate=0.05)


@pytest.mark.parametrize("activation", ["relu", "tanh", "hard_tanh", "identity"])
@pytest.mark.parametrize("widths", [(64, 64, 10), (64, 48, 48, 10)])
def test_the_projection_turns_towards_the_weights(widths, activation):
    # 10 seeds: 0.92 and more
    layers = random_layers(widths, 3, activation)
    mirror = Mirror(layers, 0.04, seed=2)
    assert abs(mirror.alignment(layers)) < 0.15
    mirror.run(layers, QUICK)
    assert mirror.alignment(layers) > 0.7
    assert mirror.projection.shape == (64, 10)
    assert mirror.projection.std() == pytest.approx(0.04)


def test_the_settings_of_the_papers_code_align_too():
    # 10 seeds: 0.88 and more
    layers = random_layers((64, 64, 10), 3)
    mirror = Mirror(layers, 0.04)
    mirror.run(layers, Mirroring(steps=1000))
    assert mirror.alignment(layers) > 0.5


def test_every_matrix_mirrors_its_own_layer():
    layers = random_layers((32, 24, 16, 5), 4)
    mirror = Mirror(layers, 0.1)
    mirror.run(layers, QUICK)
    for factor, layer in zip(mirror.factors, layers, strict=True):
        assert factor.shape == layer.weights.shape
        assert cosine(factor, layer.weights) > 0.8


def test_biases_do_not_hide_the_weights():
    layers = random_layers((32, 24, 5), 4)
    shut = [FloatLayer(x.name, x.weights, x.bias - 9, x.activation) for x in layers]
    np.testing.assert_array_equal(
        mirrored_projection(layers, 0.35, QUICK), mirrored_projection(shut, 0.35, QUICK)
    )


def test_mirroring_goes_on_when_weights_have_moved():
    layers, moved = random_layers((32, 24, 5), 4), random_layers((32, 24, 5), 5)
    mirror = Mirror(layers, 0.1)
    mirror.run(layers, QUICK)
    assert abs(mirror.alignment(moved)) < 0.3
    mirror.run(moved, QUICK)
    assert mirror.alignment(moved) > 0.7
    with pytest.raises(NetworkError, match="made for other layers"):
        mirror.run(layers[1:])


def test_a_stored_matrix_is_the_real_one_in_steps_of_int8():
    layers = random_layers((40, 24, 5), 4)
    real = mirrored_projection(layers, 0.35, QUICK)
    assert real.std() == pytest.approx(0.35 * math.sqrt(2 / 40))
    text, scale = stored_projection(real)
    elements = np.frombuffer(base64.b64decode(text), np.int8).reshape(40, 5)
    assert (elements / 128).std() == pytest.approx(STORED_DEVIATION, rel=0.02)
    rule = Pepita(projection="stored", matrix=text, projection_scale=scale)
    stored = modulation_matrix(rule, 40, 5)
    assert np.abs(stored - real).max() <= 0.51 * real.std() / (STORED_DEVIATION * 128)
    assert scale == pytest.approx(0.35 / STORED_DEVIATION, rel=0.01)


def test_outliers_are_clipped():
    real = np.ones((100, 1))
    real[::2] = -1
    real[7] = -50
    elements = np.frombuffer(base64.b64decode(stored_projection(real).matrix), np.int8)
    assert elements[7] == -127
    assert elements.min() == -127


def test_a_stored_target_matrix_has_its_size_by_outputs():
    layers = random_layers((40, 24, 16, 5), 4)
    mirror = Mirror(layers[1:], 0.8 * math.sqrt(2 / 5))
    mirror.run(layers[1:], QUICK)
    text, scale = stored_projection(mirror.projection, size=5)
    rule = Ftp(projection="stored", matrix=text, projection_scale=scale)
    stored = first_target_matrix(rule, 24, 5)
    assert cosine(stored, mirror.projection) > 0.999
    assert stored.std() == pytest.approx(mirror.projection.std(), rel=0.01)


def mirrored_rule(layers, size, **settings):
    text, scale = stored_projection(mirrored_projection(layers, 0.35, QUICK))
    return Pepita(projection="stored", matrix=text, projection_scale=scale, **settings)


def test_a_device_modulates_with_the_stored_matrix_as_real_numbers_do():
    layers = random_layers((40, 24, 5), 4)
    rule = mirrored_rule(layers, 40, modulation="subtract")
    samples = np.random.default_rng(1).integers(0, 4096, (20, 40)).astype(np.int16)
    spec = Input(40, "int16", 0, 1 / 4096, 12)
    network = quantise(layers, spec, samples)
    model = ReferenceModel(network, rule)
    error = np.array([9000, -20000, 5000, 4000, 2000], np.int16)
    change, _ = model.projection().project(error, 1, model.settings.projections[-1])
    expected = -modulation_matrix(rule, 40, 5) @ (error / 2**15)
    np.testing.assert_allclose(change / 4096, expected, atol=1.5 / 4096)
    assert Learning(network, rule).matrix.shape == (40, 5)


@pytest.mark.parametrize("widths", [(40, 24, 5), (40, 24, 24, 5)])
def test_a_subtracted_modulation_is_a_descent_when_mirrored(widths):
    """h - h~ points along the gradient by h; `add` flips it.

    30 networks: cosines of 0.1 to 0.94 when mirrored, of -0.6 to 0.74 for a random F.
    """
    cosines = {"subtract": [], "add": []}
    for seed in range(8):
        layers = random_layers(widths, seed)
        matrix = modulation_matrix(mirrored_rule(layers, 40), 40, 5).astype(np.float64)
        weights = [x.weights.astype(np.float64) for x in layers]
        x = np.random.default_rng(seed).uniform(0, 1, 40)
        error = np.array([0.3, -0.8, 0.2, 0.2, 0.1])
        hidden, gradient = [np.maximum(x @ weights[0], 0)], error
        for w in weights[1:-1]:
            hidden.append(np.maximum(hidden[-1] @ w, 0))
        for w, h in zip(weights[:0:-1], reversed(hidden), strict=True):
            gradient = (gradient @ w.T) * (h > 0)
        for sign, what in ((-1, "subtract"), (1, "add")):
            second = np.maximum((x + 0.1 * sign * matrix @ error) @ weights[0], 0)
            cosines[what].append(cosine(hidden[0] - second, gradient))
    assert min(cosines["subtract"]) > 0
    assert np.mean(cosines["subtract"]) > 0.4
    assert max(cosines["add"]) < 0


def test_what_cannot_be_mirrored_or_stored_is_refused():
    layers = random_layers((6, 5, 3), 1)
    for wrong in ({"steps": -1}, {"batch": 0}, {"rate": -1.0}, {"amplitude": math.inf}):
        with pytest.raises(NetworkError):
            Mirroring(**wrong)
    with pytest.raises(NetworkError, match="must be positive"):
        Mirror(layers, 0.0)
    with pytest.raises(NetworkError, match="at least one layer"):
        Mirror([], 1.0)
    with (
        np.errstate(all="ignore"),
        pytest.raises(NetworkError, match="mirroring diverged"),
    ):
        Mirror(layers, 1.0).run(layers, Mirroring(rate=1e300))
    for matrix in (np.zeros((3, 2)), np.full((3, 2), np.nan), np.ones(3)):
        with pytest.raises(NetworkError):
            stored_projection(matrix)


@pytest.mark.parametrize("rule", [Pepita(), Pepita(second_pass="short"), Ftp()])
def test_a_rule_takes_a_mirror_of_its_network(rule):
    """The stored matrix is as large as the generated one was, and looks like the weights."""
    network = toy_network(24, 16, 5)
    mirrored = with_mirrored_projection(network, rule)
    assert mirrored.projection == "stored"
    learning = Learning(network, mirrored)
    (weights, _), (last, _) = to_keras_weights(network)
    rows, forward = (16, last) if rule.name == "ftp" else (24, weights @ last)
    assert learning.matrix.shape == (rows, 5)
    assert cosine(learning.matrix, forward) > 0.9
    n = 5 if rule.name == "ftp" else 24
    real = learning.matrix / 128 * mirrored.projection_scale * np.sqrt(2 / n)
    wanted = rule.projection_scale * np.sqrt(2 / n)
    assert np.sqrt(np.mean(real**2)) == pytest.approx(wanted, rel=0.1)
    model = ReferenceModel(network, mirrored)
    model.train(np.full(24, 1000, np.int16), 2)
    assert model.counters.step == 1


def test_a_rule_without_a_matrix_mirrors_nothing():
    for rule in (Backprop(), Dfa()):
        with pytest.raises(NetworkError, match="no matrix"):
            with_mirrored_projection(toy_network(24, 16, 5), rule)
