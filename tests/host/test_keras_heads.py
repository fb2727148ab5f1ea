# SPDX-License-Identifier: Apache-2.0
"""Heads and activations of the Keras models: targets, errors, losses, conversion."""

import numpy as np
import pytest
from rule_equations import learn

from secondpass.errors import NetworkError
from secondpass.quantise import choose_input, float_logits, from_keras, layers_from_keras
from secondpass.rules import Backprop, Dfa, Ftp, Hebbian, LastLayer, Pepita, TimeLocal

pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from keras_networks import parameters  # noqa: E402
from test_keras_rules import (  # noqa: E402
    PROJECTED,
    RATE,
    assert_net,
    batch,
    keras_of,
    random_net,
    stepped,
)

from secondpass.floating import online, trainer_for  # noqa: E402

pytestmark = pytest.mark.tensorflow

HEADS = {
    "sigmoid": (6, 5, 4, 1),
    "mse": (6, 5, 4, 2),
    "reconstruction": (6, 5, 4, 6),
}
RULES = [
    Pepita(**PROJECTED, presynaptic="second", output_error="second"),
    Hebbian(**PROJECTED),
    TimeLocal(**PROJECTED),
    Ftp(**PROJECTED),
    Ftp(**PROJECTED, target_function="tanh"),
    Ftp(**PROJECTED, target_function="sign", target_scale=0.3),
    Dfa(**PROJECTED),
    Backprop(),
    LastLayer(),
]


def targets(head, x, y):
    return x if head == "reconstruction" else y


@pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.name}-{vars(r).get('target_function')}")
@pytest.mark.parametrize("head", HEADS)
def test_a_step_is_the_rules_step(head, rule):
    net = random_net(HEADS[head], "tanh", head)
    x, y = batch(net, 4)
    expected = learn(net, rule, x, y, 0.1)
    assert_net(stepped(net, rule, x, targets(head, x, y), 0.1)[1], expected)
    network = keras_of(net)
    online(trainer_for(network, rule, head), x, targets(head, x, y), [2], learning_rate=0.1)
    assert_net(parameters(network), learn(net, rule, x[2:3], y[2:3], 0.1))


@pytest.mark.parametrize("end", [None, "sigmoid"])
@pytest.mark.parametrize("label_shape", [(-1,), (-1, 1)])
def test_the_sigmoid_head_reports_binary_cross_entropy(end, label_shape):
    net = random_net(HEADS["sigmoid"], "relu", "sigmoid")
    x, y = batch(net, 12)
    p = 1 / (1 + np.exp(-keras_of(net)(x).numpy()[:, 0].astype(np.float64)))
    loss = -np.mean(np.log(np.where(y == 1, p, 1 - p)))
    model = trainer_for(keras_of(net, end), Dfa(**PROJECTED), None if end else "sigmoid")
    assert model.head == "sigmoid"
    model.compile(keras.optimizers.SGD(RATE), metrics=["accuracy"])
    labels = y.reshape(label_shape)
    right = np.mean((p > 0.5) == y)
    assert 0 < right < 1
    assert np.mean((keras_of(net)(x).numpy()[:, 0] > 0.5) == y) != right, "logits differ"
    assert model.evaluate(x, labels, verbose=0) == pytest.approx([loss, right], rel=1e-5)
    assert model.train_on_batch(x, labels) == pytest.approx([loss, right], rel=1e-5)
    assert_net(parameters(model.network), learn(net, Dfa(**PROJECTED), x, y, RATE))


def test_the_mse_head_reports_the_mean_squared_error():
    for widths in (HEADS["mse"], (6, 5, 1)):
        net = random_net(widths, "tanh", "mse")
        x, y = batch(net, 4)
        expected = np.mean((keras_of(net)(x).numpy() - y) ** 2)
        model = trainer_for(keras_of(net), Backprop(), "mse")
        model.compile(keras.optimizers.SGD(RATE), metrics=["mae"])
        assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
        assert model.train_on_batch(x, y)[0] == pytest.approx(expected, rel=1e-5)


def test_reconstruction_needs_no_targets():
    net = random_net(HEADS["reconstruction"], "tanh", "reconstruction")
    x, y = batch(net, 8)
    expected = np.mean((keras_of(net)(x).numpy() - x) ** 2)
    results = []
    for data in ((x,), (x, x)):
        model = trainer_for(keras_of(net), Pepita(**PROJECTED), "reconstruction")
        model.compile(keras.optimizers.SGD(0.1), metrics=["mse"])
        assert model.evaluate(*data, verbose=0) == pytest.approx([expected] * 2, rel=1e-5)
        history = model.fit(*data, batch_size=8, verbose=0)
        assert history.history["loss"][0] == pytest.approx(expected, rel=1e-5)
        assert history.history["mse"][0] == pytest.approx(expected, rel=1e-5)
        results.append(parameters(model.network))
    assert_net(results[0], learn(net, Pepita(**PROJECTED), x, y, 0.1))
    assert_net(results[1], learn(net, Pepita(**PROJECTED), x, y, 0.1))
    network = keras_of(net)
    online(trainer_for(network, Pepita(**PROJECTED), "reconstruction"), x[:1], learning_rate=0.1)
    assert_net(parameters(network), learn(net, Pepita(**PROJECTED), x[:1], y[:1], 0.1))


def test_images_are_reconstructed_flat():
    net = random_net(HEADS["reconstruction"], "relu", "reconstruction")
    x, y = batch(net, 4)
    images = x.reshape(4, 2, 3)
    flat = keras_of(net)
    network = keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten(), *flat.layers])
    model = trainer_for(network, Backprop(), "reconstruction")
    model.compile(keras.optimizers.SGD(RATE))
    model.train_on_batch(images, images)
    assert_net(parameters(network), learn(net, Backprop(), x, y, RATE))


def test_an_auto_encoder_learns(digits):
    x = digits.train_samples * np.float32(digits.step)
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(24, "tanh"), keras.layers.Dense(64)]
    )
    model = trainer_for(network, Dfa(projection_scale=0.5), "reconstruction")
    model.compile()
    # 5 seeds: 0.0158 to 0.0174, and with a frozen hidden layer 0.0191 to 0.0213; the pixels'
    # variance is 0.073
    for rate in (0.02, 0.01):
        online(model, x, learning_rate=rate)
    assert model.evaluate(x, verbose=0) < 0.02


@pytest.mark.parametrize("activation", ["relu", "tanh", "hard_tanh", "identity"])
@pytest.mark.parametrize("separate", [False, True])
def test_activations_and_heads_are_converted(activation, separate):
    net = random_net(HEADS["sigmoid"], activation, "sigmoid")
    x, _ = batch(net, 5)
    network = keras_of(net, "sigmoid")
    if separate and activation != "identity":
        layers = [keras.Input((6,))]
        for layer in network.layers:
            plain = keras.layers.Dense(layer.units)
            plain.build((None, layer.kernel.shape[0]))
            plain.set_weights(layer.get_weights())
            layers += [plain, keras.layers.Activation(layer.activation)]
        network = keras.Sequential(layers)
    read = layers_from_keras(network)
    assert [layer.activation for layer in read] == [activation, activation, "identity"]
    logits = float_logits(read, x)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), network(x).numpy(), atol=1e-6)
    samples = np.rint(x * 255).astype(np.uint8)
    spec = choose_input(6, step=1 / 255)
    assert from_keras(network, samples, spec).head == "sigmoid"
    assert from_keras(trainer_for(network, Dfa()), samples, spec).head == "sigmoid"


def test_the_head_of_a_trainer_is_converted_and_saved(tmp_path):
    net = random_net(HEADS["mse"], "tanh", "mse")
    x, _ = batch(net, 5)
    model = trainer_for(keras_of(net), Dfa(), "mse")
    spec = choose_input(6, step=1 / 255)
    samples = np.rint(x * 255).astype(np.uint8)
    assert from_keras(model, samples, spec).head == "mse"
    assert from_keras(keras_of(net), samples, spec).head == "softmax"
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").head == "mse"


def test_heads_that_do_not_fit_are_refused():
    plain = keras_of(random_net((6, 5, 3)))
    for head, what in (("sigmoid", "one output, not 3"), ("reconstruction", r"outputs \(3\) as")):
        with pytest.raises(NetworkError, match=what):
            trainer_for(plain, Dfa(), head)
    with pytest.raises(NetworkError, match="head is 'crf'; accepted"):
        trainer_for(plain, Dfa(), "crf")
    one = keras_of(random_net((6, 5, 1)))
    with pytest.raises(NetworkError, match="head='sigmoid' or head='mse'"):
        trainer_for(one, Dfa())
    with pytest.raises(NetworkError, match="mse does not go with a softmax"):
        trainer_for(keras_of(random_net((6, 5, 3)), "softmax"), Dfa(), "mse")
    model = trainer_for(one, Dfa(), "mse")
    model.compile()
    with pytest.raises(NetworkError, match=r"targets have shape \(4, 2\)"):
        model.train_on_batch(np.zeros((4, 6)), np.zeros((4, 2)))
    with pytest.raises(NetworkError, match="needs targets"):
        online(model, np.zeros((4, 6)))


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ([("relu", 4), "dropout", "tanh"], "tanh behind relu"),
        ([(None, 4), "dropout", "tanh"], "tanh behind a Dropout"),
        ([("tanh", 4), "tanh"], "tanh behind tanh"),
        ([("sigmoid", 4)], "sigmoid before the last layer"),
    ],
)
def test_activations_out_of_place_are_refused(layers, problem):
    built = []
    for what in layers:
        if what == "dropout":
            built.append(keras.layers.Dropout(0.5))
        elif isinstance(what, str):
            built.append(keras.layers.Activation(what))
        else:
            built.append(keras.layers.Dense(what[1], what[0]))
    network = keras.Sequential([keras.Input((6,)), *built, keras.layers.Dense(3)])
    with pytest.raises(NetworkError, match=problem):
        layers_from_keras(network)
