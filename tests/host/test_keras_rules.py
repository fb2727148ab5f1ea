# SPDX-License-Identifier: Apache-2.0
"""One step of every Keras model against the published equations of its rule in float64."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from rule_equations import Net, learn

from secondpass.errors import NetworkError
from secondpass.mirroring import stored_projection
from secondpass.rules import (
    RULES,
    Backprop,
    BiasOnly,
    Dfa,
    Ftp,
    Hebbian,
    LastLayer,
    Mempepita,
    Pepita,
    TimeLocal,
)

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from keras_networks import parameters  # noqa: E402

from secondpass.floating import (  # noqa: E402
    PepitaModel,
    TimeLocalModel,
    online,
    online_rates,
    trainer_for,
    trainers,
)

pytestmark = pytest.mark.tensorflow

ONE, TWO = (6, 5, 3), (6, 5, 4, 3)
PROJECTED = {"projection": "dense", "projection_scale": 1.5, "projection_seed": 11}
SPARSE = {**PROJECTED, "projection": "sparse"}
CASES = {
    "pepita": Pepita(**PROJECTED),
    "pepita-paper": Pepita(
        **PROJECTED, modulation="add", presynaptic="second", output_error="second"
    ),
    "pepita-short": Pepita(**PROJECTED, second_pass="short", error_signal="sign"),
    "mempepita": Mempepita(**PROJECTED, presynaptic="second"),
    "hebbian": Hebbian(**PROJECTED),
    "hebbian-add-sign": Hebbian(**SPARSE, modulation="add", error_signal="sign"),
    "tl": TimeLocal(**PROJECTED),
    "tl-add": TimeLocal(**SPARSE, modulation="add"),
    "ftp": Ftp(**PROJECTED, target_scale=0.7),
    "ftp-sign-signal": Ftp(**SPARSE, error_signal="sign"),
    "ftp-tanh": Ftp(**PROJECTED, target_function="tanh", target_scale=0.6),
    "ftp-sign": Ftp(**PROJECTED, target_function="sign", target_scale=0.3),
    "dfa": Dfa(**PROJECTED),
    "dfa-sign": Dfa(**SPARSE, error_signal="sign"),
    "bp": Backprop(),
    "bias": BiasOnly(),
    "last": LastLayer(),
}
RATE = 0.3


def random_net(widths=TWO, activation="tanh", head="softmax", seed=3):
    rng = np.random.default_rng(seed)
    weights, biases = [], []
    for inputs, outputs in itertools.pairwise(widths):
        draw = rng.normal(0, 1.2 / np.sqrt(inputs), (outputs, inputs))
        weights.append(draw.astype(np.float32).astype(np.float64))
        biases.append(rng.uniform(-0.3, 0.4, outputs).astype(np.float32).astype(np.float64))
    return Net(weights, biases, activation, head)


def keras_of(net, end=None):
    """The same network for Keras, ending in outputs or in `end`."""
    layers = [keras.Input((net.weights[0].shape[1],))]
    for index, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        activation = end if index == net.last else net.activation
        layers.append(keras.layers.Dense(len(b), None if activation == "identity" else activation))
        layers[-1].build((None, w.shape[1]))
        layers[-1].set_weights([w.T, b])
    return keras.Sequential(layers)


def batch(net, count, seed=5):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (count, net.weights[0].shape[1])).astype(np.float32)
    outputs = len(net.biases[-1])
    if net.head == "mse":
        return x, rng.normal(0, 1, (count, outputs)).astype(np.float32)
    return x, rng.integers(0, 2 if net.head == "sigmoid" else outputs, count)


def stepped(net, rule, x, y, rate=RATE, end=None):
    """Return the parameters after one Keras step."""
    model = trainer_for(keras_of(net, end), rule, net.head)
    model.compile(keras.optimizers.SGD(rate), run_eagerly=True)
    model.train_on_batch(x, y)
    return model, parameters(model.network)


def assert_net(got, expected, atol=2e-6):
    for layer in range(len(expected.weights)):
        np.testing.assert_allclose(got[0][layer], expected.weights[layer], atol=atol)
        np.testing.assert_allclose(got[1][layer], expected.biases[layer], atol=atol)


def moved(before, after):
    """Which layers' weights, and which biases, differ."""
    return [
        [bool(np.abs(a - b).max() > 1e-7) for a, b in zip(old, new, strict=True)]
        for old, new in zip(before, after, strict=True)
    ]


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("activation", ["relu", "tanh", "hard_tanh", "identity"])
@pytest.mark.parametrize("widths", [ONE, TWO], ids=["one-hidden", "two-hidden"])
@pytest.mark.parametrize("case", CASES)
def test_a_step_is_the_rules_step(case, widths, activation, count):
    net = random_net(widths, activation)
    x, y = batch(net, count)
    expected = learn(net, CASES[case], x, y, RATE)
    if not case.startswith(("bias", "last")):
        for old, new in zip(net.weights, expected.weights, strict=True):
            assert np.abs(new - old).max() > 3e-3, "every layer must move"
    assert_net(stepped(net, CASES[case], x, y)[1], expected)


@pytest.mark.parametrize("case", CASES)
def test_the_compiled_loop_is_one_step_a_sample(case):
    rule = replace(CASES[case], learning_rate=0.05, clip=0.02, gate=0 if "tl" in case else 0.3)
    rule = replace(rule, row_gate=0.5)  # which acts on devices only
    net = random_net(TWO, "tanh")
    x, y = batch(net, 9)
    order = [3, 8, 8, 0, 1]
    network = keras_of(net)
    before = network(x).numpy()
    model = trainer_for(network, rule)
    outputs = online(model, x, y, order)
    for index in order:
        net = learn(net, rule, x[index : index + 1], y[index : index + 1])
    assert_net(parameters(network), net, atol=1e-5)
    assert outputs.shape == (5, 3)
    np.testing.assert_allclose(outputs[0], before[3], atol=1e-5)
    assert np.abs(outputs[2] - outputs[1]).max() > 1e-6


def test_the_loop_takes_rates_by_step_and_notices_frozen_layers():
    net = random_net()
    x, y = batch(net, 600)
    rates = np.linspace(0.05, 0.0, 600)
    network = keras_of(net)
    model = trainer_for(network, CASES["dfa"])
    online(model, x, y, learning_rate=rates)
    for index, rate in enumerate(rates):
        part = slice(index, index + 1)
        net = learn(net, CASES["dfa"], x[part], y[part], rate)
    assert_net(parameters(network), net, atol=1e-4)
    network.layers[0].trainable = False
    before = parameters(network)
    online(model, x[:20], y[:20], learning_rate=0.1)
    assert moved(before, parameters(network)) == [[False, True, True]] * 2


def test_the_rates_of_a_rule_decay_like_a_devices():
    rule = Backprop(learning_rate=0.4, decay_steps=3, decay_factor=0.5)
    np.testing.assert_allclose(online_rates(rule, 5, 1), [0.4, 0.4, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(online_rates(Backprop(learning_rate=0.4), 2), [0.4, 0.4])


def test_back_propagation_is_automatic_differentiation():
    for head, widths in (("softmax", TWO), ("sigmoid", (6, 5, 4, 1)), ("mse", TWO)):
        net = random_net(widths, "tanh", head)
        x, y = batch(net, 4)
        network = keras_of(net)
        with tf.GradientTape() as tape:
            output = network(x)
            if head == "softmax":
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, output)
            elif head == "sigmoid":
                labels = y[:, None].astype(np.float32)
                loss = tf.nn.sigmoid_cross_entropy_with_logits(labels, output)
            else:
                loss = tf.reduce_sum(tf.square(output - y), axis=1) / 2
            loss = tf.reduce_sum(loss) / 4
        gradients = tape.gradient(loss, network.trainable_variables)
        expected = [
            v.numpy() - RATE * g.numpy()
            for v, g in zip(network.trainable_variables, gradients, strict=True)
        ]
        model, _ = stepped(net, Backprop(), x, y)
        for got, wanted in zip(model.network.trainable_variables, expected, strict=True):
            np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)


def test_back_propagation_goes_through_dropout():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 1, (1, 6)).astype(np.float32), np.array([1])
    layers = []
    for units in (40, 30):
        layers += [keras.layers.Dense(units, "tanh"), keras.layers.Dropout(0.5, seed=units)]
    network = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(3)])
    model = trainer_for(network, Backprop())
    model.compile(keras.optimizers.SGD(RATE), run_eagerly=True)
    before = parameters(network)
    model.train_on_batch(x, y)
    after = parameters(network)
    # the masks can be read off the units that learned
    kept = [np.abs(a - b) > 0 for a, b in zip(after[1][:2], before[1][:2], strict=True)]
    assert 8 < kept[0].sum() < 32
    h = [x[0].astype(np.float64)]
    for index, mask in enumerate(kept):
        z = before[0][index] @ h[-1] + before[1][index]
        h.append(np.tanh(z) * mask * 2)
    logits = before[0][2] @ h[-1] + before[1][2]
    delta = np.exp(logits) / np.exp(logits).sum() - np.eye(3)[1]
    for index in (2, 1, 0):
        update = after[0][index] - before[0][index]
        np.testing.assert_allclose(update, -RATE * np.outer(delta, h[index]), atol=1e-6)
        if index:
            slope = 1 - np.tanh(before[0][index - 1] @ h[index - 1] + before[1][index - 1]) ** 2
            delta = (before[0][index].T @ delta) * kept[index - 1] * 2 * slope


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("signal", ["error", "sign"])
def test_dfa_with_one_hidden_layer_is_linear_ftp(signal, activation):
    net = random_net(ONE, activation)
    x, y = batch(net, 4)
    settings = {**PROJECTED, "error_signal": signal}
    dfa, ftp = (stepped(net, rule(**settings), x, y)[1] for rule in (Dfa, Ftp))
    for a, b in zip(dfa[0] + dfa[1], ftp[0] + ftp[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    deep = random_net(TWO, activation)
    dfa, ftp = (stepped(deep, rule(**settings), x, y)[1] for rule in (Dfa, Ftp))
    np.testing.assert_allclose(dfa[0][0], ftp[0][0], atol=1e-6)
    assert np.abs(dfa[0][1] - ftp[0][1]).max() > 1e-3


def test_a_mempepita_step_is_a_pepita_step_and_short_makes_no_difference():
    net = random_net()
    x, y = batch(net, 4)
    rules = (Pepita(**PROJECTED), Mempepita(**PROJECTED), Pepita(**PROJECTED, second_pass="short"))
    first, *others = (stepped(net, rule, x, y)[1] for rule in rules)
    for other in others:
        for a, b in zip(first[0] + first[1], other[0] + other[1], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["pepita", "ftp", "ftp-tanh"])
def test_stored_matrices_are_used(name):
    net = random_net()
    x, y = batch(net, 4)
    rows, size = (6, 6) if name == "pepita" else (5, 3)
    real = np.random.default_rng(8).normal(0, 1.0, (rows, 3))
    text, scale = stored_projection(real, size)
    rule = replace(CASES[name], projection="stored", matrix=text, projection_scale=scale)
    assert_net(stepped(net, rule, x, y)[1], learn(net, rule, x, y, RATE))


@pytest.mark.parametrize("case", ["pepita-paper", "hebbian", "tl", "ftp", "dfa", "bp", "last"])
def test_layers_learn_what_trainable_says(case):
    net = random_net()
    x, y = batch(net, 4)
    rule = replace(CASES[case], trainable=("none", "bias", "all"))
    _, after = stepped(net, rule, x, y)
    middle = case != "last"
    expected = [[False, False, True], [False, middle, True]]
    assert moved((net.weights, net.biases), after) == expected
    if middle:
        assert_net(after, learn(net, rule, x, y, RATE))


def test_biases_only_can_be_fewer():
    net = random_net()
    rule = BiasOnly(trainable=("all", "none", "bias"))
    _, after = stepped(net, rule, *batch(net, 4))
    assert moved((net.weights, net.biases), after) == [[False] * 3, [True, False, True]]


def test_layers_that_keras_froze_stay():
    net = random_net()
    for name in ("hebbian", "bp"):
        network = keras_of(net)
        network.layers[1].trainable = False
        model = trainer_for(network, CASES[name])
        model.compile(keras.optimizers.SGD(RATE), run_eagerly=True)
        model.train_on_batch(*batch(net, 4))
        assert moved((net.weights, net.biases), parameters(network)) == [[True, False, True]] * 2


@pytest.mark.parametrize("case", ["pepita", "hebbian", "tl", "ftp", "dfa", "bp", "bias", "last"])
def test_layer_rates_and_clips_act_on_each_layer(case):
    net = random_net()
    x, y = batch(net, 4)
    factors = replace(CASES[case], layer_rates=(0.5, 0.0, 2.0))
    assert_net(stepped(net, factors, x, y)[1], learn(net, factors, x, y, RATE))
    clipped = replace(CASES[case], layer_rates=(0.5, 1.0, 2.0), learning_rate=0.3, clip=0.02)
    expected = learn(net, clipped, x, y, RATE)
    free = learn(net, replace(clipped, clip=0.0), x, y, RATE)
    assert (
        np.abs(expected.weights[2] - free.weights[2]).max()
        + np.abs(expected.biases[2] - free.biases[2]).max()
        > 1e-3
    )
    assert_net(stepped(net, clipped, x, y)[1], expected)
    largest = np.abs(expected.biases[2] - net.biases[2]).max()
    phases = 2 if case in ("hebbian", "tl") else 1
    assert largest <= phases * 0.02 * 1.0001


@pytest.mark.parametrize("case", ["pepita", "hebbian", "ftp", "dfa", "bp", "last"])
def test_samples_below_the_gate_add_nothing(case):
    net = random_net()
    x, y = batch(net, 6)
    largest = np.sort([np.abs(v).max() for v in errors_of(net, x, y)])
    rule = replace(CASES[case], gate=float(largest[2:4].mean()))
    expected = learn(net, rule, x, y, RATE)
    assert_net(stepped(net, rule, x, y)[1], expected)
    shut = replace(rule, gate=1.0)
    assert moved((net.weights, net.biases), stepped(net, shut, x, y)[1]) == [[False] * 3] * 2


def errors_of(net, x, y):
    powers = np.exp(keras_of(net)(x).numpy())
    return powers / powers.sum(axis=1, keepdims=True) - np.eye(3)[y]


def test_time_local_takes_two_optimizer_steps_a_batch():
    net = random_net()
    model, _ = stepped(net, CASES["tl"], *batch(net, 4))
    assert int(model.optimizer.iterations) == 2
    # with the weights of the first pass it would be another rule
    x, y = batch(net, 4)
    right, old = (learn(net, CASES["tl"], x, y, RATE, what) for what in ("", "old weights"))
    assert np.abs(right.weights[0] - old.weights[0]).max() > 1e-2


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_model_that_saves_and_loads(name, tmp_path):
    settings = {"layer_rates": (1.0, 0.5), "trainable": ("all", "bias")}
    rule = RULES[name](**settings)
    net = random_net(ONE)
    model = trainer_for(keras_of(net), rule)
    assert type(model) is trainers()[type(model).__name__]
    model.compile(keras.optimizers.SGD(0.1))
    x, y = batch(net, 4)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.rule == rule
    assert loaded.head == "softmax"
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)


def test_a_model_trains_with_its_own_rule_only():
    network = keras_of(random_net())
    with pytest.raises(NetworkError, match="TimeLocalModel trains with the rule TimeLocal, not He"):
        TimeLocalModel(network, Hebbian())
    with pytest.raises(NetworkError, match="PepitaModel trains with the rule Pepita, not Mem"):
        PepitaModel(network, Mempepita())
    with pytest.raises(NetworkError, match="layer_rates has 2 values for 3 layers"):
        trainer_for(network, Backprop(layer_rates=(1, 1)))
    with pytest.raises(NetworkError, match="has 4 elements; this network needs 6 x 3"):
        trainer_for(network, Pepita(projection="stored", matrix="AAAAAA=="))
