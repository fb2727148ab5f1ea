# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np
import pytest
from toy_networks import toy_network

from secondpass import modelfile
from secondpass.errors import NetworkError
from secondpass.integer.reference import ReferenceModel
from secondpass.network import SAMPLE_DTYPES, Input
from secondpass.quantise import (
    LOGIT_RANGE,
    OUTPUT_HEAD_ROOM,
    FloatLayer,
    choose_input,
    float_logits,
    quantise,
    random_layers,
    to_keras_weights,
)
from secondpass.rules import Pepita


def two_layers(scale=1.0, bias=0.0):
    """Layers 3-2-2 whose numbers can be followed by hand."""
    hidden = np.array([[1.0, -0.5], [0.25, 0.5], [-1.0, 0.0]], np.float32) * scale
    out = np.array([[0.5, -0.5], [0.75, 0.25]], np.float32)
    return [
        FloatLayer("fc1", hidden, np.full(2, bias, np.float32), "relu"),
        FloatLayer("fc2", out, np.array([0.125, -0.25], np.float32), "identity"),
    ]


@pytest.fixture
def samples():
    return np.random.default_rng(0).integers(0, 256, (50, 3), dtype=np.uint8)


def test_random_layers_are_he_uniform_and_reproducible():
    layers = random_layers((100, 50, 40, 10), seed=4)
    assert [layer.name for layer in layers] == ["fc1", "fc2", "fc3"]
    assert [layer.activation for layer in layers] == ["relu", "relu", "identity"]
    for layer, inputs in zip(layers, (100, 50, 40), strict=True):
        limit = np.sqrt(6 / inputs)
        assert layer.weights.shape[0] == inputs
        assert 0.98 * limit < np.abs(layer.weights).max() <= limit
        assert layer.weights.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        assert not layer.bias.any()
    again, other = random_layers((100, 50, 40, 10), 4), random_layers((100, 50, 40, 10), 5)
    np.testing.assert_array_equal(layers[1].weights, again[1].weights)
    assert not np.array_equal(layers[1].weights, other[1].weights)


@pytest.mark.parametrize("widths", [(4, 2), (4, 0, 2), ()])
def test_random_layers_refuse_widths_that_are_no_network(widths):
    with pytest.raises(NetworkError, match="widths"):
        random_layers(widths, 0)


@pytest.mark.parametrize(
    ("dtype", "zero_point", "step", "frac_bits"),
    [
        ("uint8", 0, 1 / 255, 12),
        ("uint8", 0, 1 / 16, 11),
        ("uint8", 128, 1 / 16, 12),
        ("uint8", 0, 1.0, 7),
        ("int8", -128, 1 / 255, 12),
        ("int8", 0, 1 / 16, 12),
        ("int8", 0, 1 / 15, 11),
        ("int8", 127, 1.0, 7),
        ("int16", 0, 1 / 32768, 12),
        ("int16", 0, 1.0, 0),
        ("int16", 0, 1 / 256, 8),
    ],
)
def test_input_format_is_the_finest_that_holds_every_raw_value(dtype, zero_point, step, frac_bits):
    chosen = choose_input(5, dtype, zero_point, step)
    assert chosen == Input(5, dtype, zero_point, step, frac_bits)


@pytest.mark.parametrize("dtype", SAMPLE_DTYPES)
def test_a_network_file_keeps_the_sample_type(dtype, tmp_path):
    network = toy_network(4, 3, 2, dtype=dtype)
    modelfile.save(tmp_path / "network.spn", network, Pepita())
    assert modelfile.load(tmp_path / "network.spn")[0].input == network.input


def test_input_that_cannot_fit_is_refused():
    with pytest.raises(NetworkError, match="does not fit int16"):
        choose_input(5, "int16", 0, 2.0)


def test_float_logits_by_hand():
    # hidden: [1*2 + 0.25*4 - 1*1, -0.5*2 + 0.5*4] = [2, 1]
    logits = float_logits(two_layers(), [[2.0, 4.0, 1.0]])
    np.testing.assert_allclose(logits, [[0.5 * 2 + 0.75 + 0.125, -0.5 * 2 + 0.25 - 0.25]])
    # hidden: [-1, 0] -> ReLU
    np.testing.assert_allclose(float_logits(two_layers(), [[0, 0, 1.0]]), [[0.125, -0.25]])


def test_formats_leave_exactly_the_head_room_asked_for(samples):
    spec = choose_input(3, step=1 / 255)
    layers = two_layers()
    for room in (1.0, 4.0, 8.0, 100.0):
        network = quantise(layers, spec, samples, weight_head_room=room, activation_head_room=room)
        for index, (layer, dense) in enumerate(zip(layers, network.layers, strict=True)):
            needed = room * np.abs(layer.weights).max() * (OUTPUT_HEAD_ROOM if index else 1)
            limit = 32767 / 2.0**dense.weight_frac
            assert limit >= needed
            assert dense.weight_frac == 15 or limit / 2 < needed * 1.01
            values = np.maximum(spec.decode(samples) @ layers[0].weights + layers[0].bias, 0)
            if index == 1:
                values = values @ layers[1].weights + layers[1].bias
            needed = room * np.abs(values).max()
            if index == 1:
                needed = max(needed, LOGIT_RANGE)
            assert needed <= 32767 / 2.0**dense.out_frac < 2 * 1.01 * needed


def test_weights_are_rounded_to_nearest_and_biases_to_the_accumulator(samples):
    layers = two_layers(scale=0.3, bias=0.017)
    network = quantise(layers, choose_input(3, step=1 / 255), samples)
    hidden = network.layers[0]
    exact = layers[0].weights.T.astype(float) * 2**hidden.weight_frac
    assert np.abs(hidden.weights - exact).max() <= 0.5
    assert np.abs(exact - np.rint(exact)).max() > 0.1, "the case needs rounding"
    bias_exact = float(layers[0].bias[0]) * 2.0 ** (12 + hidden.weight_frac)
    assert hidden.bias[0] == round(bias_exact)


def test_a_large_bias_takes_bits_from_the_weights(samples):
    layers = two_layers(bias=3000.0)
    network = quantise(layers, choose_input(3, step=1 / 255), samples)
    hidden = network.layers[0]
    room = 2.0**31 / (8 * 3000 * 2.0 ** (12 + hidden.weight_frac))
    assert 1 <= room < 2
    weights, bias = to_keras_weights(network)[0]
    assert bias.tolist() == [3000.0, 3000.0]
    assert np.abs(weights - layers[0].weights).max() <= 0.5 / 2**hidden.weight_frac


def test_a_bias_beyond_every_format_names_its_layer(samples):
    with pytest.raises(NetworkError, match=r"layer fc1: .* a bias of 8e\+07 do not fit"):
        quantise(two_layers(bias=1e7), choose_input(3, step=1 / 255), samples)


def test_weights_beyond_every_format_name_their_layer(samples):
    with pytest.raises(NetworkError, match="layer fc1: a magnitude of 80000 does not fit"):
        quantise(two_layers(scale=1e4), choose_input(3, step=1 / 255), samples)


def test_tiny_activations_respect_the_shift_of_the_accumulator():
    layers = two_layers(scale=1e-3)
    samples = np.array([[1, 0, 0], [0, 3, 1]], dtype=np.int16)
    # 8 * 3 * 0.00025 fits 15 fractional bits; weights of 4,000 leave 3, the input 0
    layers[0] = FloatLayer("fc1", layers[0].weights * 4e6, layers[0].bias)
    spec = Input(3, "int16", 0, 1e-6, frac_bits=0)
    network = quantise(layers, spec, samples, weight_head_room=1, activation_head_room=1)
    assert network.layers[0].weight_frac == 3
    assert network.requantise_shift(0) == 0


def test_untrained_zero_layers_get_room_to_grow(samples):
    layers = two_layers()
    layers[1] = FloatLayer("fc2", np.zeros((2, 2)), np.zeros(2), "identity")
    last = quantise(layers, choose_input(3, step=1 / 255), samples).layers[1]
    assert 32767 / 2.0**last.weight_frac >= 16 * np.sqrt(6 / 2)
    assert 32767 / 2.0**last.out_frac >= LOGIT_RANGE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_head_room": 0.5}, "weight head-room 0.5 must be 1 or more"),
        ({"activation_head_room": float("nan")}, "activation head-room nan"),
        ({"calibration_samples": np.zeros((0, 3), np.uint8)}, "no calibration samples"),
        ({"calibration_samples": np.zeros((2, 4), np.uint8)}, "this network takes"),
        ({"calibration_samples": np.zeros((2, 3))}, "use Input.encode"),
        ({"input": choose_input(3, "int8")}, "leave the range of int8"),
    ],
)
def test_unusable_arguments_are_refused(samples, change, message):
    arguments = {"input": choose_input(3), "calibration_samples": samples, **change}
    with pytest.raises(NetworkError, match=message):
        quantise(two_layers(), **arguments)


@pytest.mark.parametrize(
    ("weights", "bias", "activation", "message"),
    [
        (np.zeros(3), np.zeros(3), "relu", "weights must be"),
        (np.zeros((3, 2)), np.zeros(3), "relu", "bias"),
        (np.full((3, 2), np.nan), np.zeros(2), "relu", "not finite"),
        (np.zeros((3, 2)), np.zeros(2), "gelu", "accepted: relu, identity"),
    ],
)
def test_layers_check_themselves(weights, bias, activation, message):
    with pytest.raises(NetworkError, match=message):
        FloatLayer("fc1", weights, bias, activation)


def test_layers_that_do_not_join_are_named(samples):
    layers = [two_layers()[0], random_layers((5, 4, 2), 0)[1]]
    with pytest.raises(NetworkError, match="layer fc2 takes"):
        quantise(layers, choose_input(3), samples)


def test_integer_logits_equal_float_logits_of_the_rounded_network(digits):
    layers = random_layers((64, 32, 16, 10), seed=2)
    spec = choose_input(64, step=digits.step)
    network = quantise(layers, spec, digits.train_samples)
    model = ReferenceModel(network, Pepita())
    samples = digits.test_samples[:100]
    got = np.stack([model.infer(s) for s in samples]) / 2.0 ** network.layers[-1].out_frac
    expected = float_logits(layers, spec.decode(samples))
    assert np.abs(expected).max() > 0.5
    assert np.abs(got - expected).max() < 0.004
    assert model.counters.saturations == 0


def test_weights_go_to_keras_and_back_unchanged(samples):
    spec = choose_input(3, step=1 / 255)
    network = quantise(two_layers(scale=0.3, bias=0.017), spec, samples)
    layers = [
        FloatLayer(dense.name, weights, bias, dense.activation)
        for dense, (weights, bias) in zip(network.layers, to_keras_weights(network), strict=True)
    ]
    again = quantise(layers, spec, samples)
    for before, after in zip(network.layers, again.layers, strict=True):
        assert before.weight_frac == after.weight_frac
        np.testing.assert_array_equal(before.weights, after.weights)
        np.testing.assert_array_equal(before.bias, after.bias)


def test_importing_the_package_leaves_heavy_libraries_alone():
    code = (
        "import sys, secondpass.quantise, secondpass.datasets, secondpass.network, "
        "secondpass.floating; "
        "heavy = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'pooch'} & set(sys.modules); "
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
