# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass.errors import NetworkError
from secondpass.integer.reference import ReferenceModel
from secondpass.quantise import choose_input, float_logits, from_keras, layers_from_keras
from secondpass.rules import Pepita

pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from keras_networks import (  # noqa: E402
    dense_layers,
    one_batch,
    parameters,
    softmax,
    train_on_digits,
)

from secondpass.floating import PepitaModel  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def trained_digits(digits):
    return train_on_digits(digits)


def test_the_integer_network_agrees_with_keras(trained_digits, digits):
    network = from_keras(trained_digits, digits.train_samples, choose_input(64, step=digits.step))
    model = ReferenceModel(network, Pepita())
    expected = trained_digits.predict(digits.test_samples * np.float32(digits.step), verbose=0)
    logits = np.stack([model.infer(sample) for sample in digits.test_samples])
    got = logits / 2.0 ** network.layers[-1].out_frac
    step = 2.0 ** -network.layers[-1].out_frac
    assert np.abs(got - expected).max() < 4 * step
    assert np.abs(expected).max() > 1000 * step
    assert np.mean(got.argmax(1) == expected.argmax(1)) >= 0.97
    assert model.counters.saturations == 0


def test_an_integer_step_is_a_float_step_of_batch_one(trained_digits, digits):
    rule = Pepita(
        projection="dense",
        projection_scale=1.0,
        projection_seed=4,
        presynaptic="second",
        output_error="second",
        learning_rate=0.1,
    )
    network = keras.models.clone_model(trained_digits.network)
    network.set_weights(trained_digits.network.get_weights())
    network = keras.Sequential(dense_layers(network))  # dropout has no integer form
    network.build((None, 64))
    integer = ReferenceModel(
        from_keras(network, digits.train_samples, choose_input(64, step=digits.step)), rule
    )
    model = PepitaModel(network, rule)
    model.compile(keras.optimizers.SGD(0.1))
    before = parameters(network)[0]
    wrong = (int(digits.train_labels[0]) + 1) % 10  # a wrong label: an error worth learning from
    integer.train(digits.train_samples[0], wrong)
    model.train_on_batch(digits.train_samples[:1] * np.float32(digits.step), np.array([wrong]))
    for index, (old, new) in enumerate(zip(before, parameters(network)[0], strict=True)):
        layer = integer.network.layers[index]
        moved = (integer.weights[index].astype(float) - layer.weights) / 2.0**layer.weight_frac
        assert np.abs(new - old).max() > 1e-2
        np.testing.assert_allclose(moved, new - old, atol=0.03 * np.abs(new - old).max())


def test_keras_layers_become_named_float_layers():
    network = keras.Sequential(
        [
            keras.Input((2, 3)),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(5, name="Hidden-1", use_bias=False),
            keras.layers.Activation("relu"),
            keras.layers.Dense(4, activation="relu", name="hidden_1"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(4, name="3rd"),
            keras.layers.ReLU(),
            keras.layers.Dense(4, activation="linear", name="double"),
            keras.layers.Dense(3, name="out"),
            keras.layers.Activation("softmax"),
        ]
    )
    layers = layers_from_keras(network)
    assert [layer.name for layer in layers] == [
        "hidden_1", "hidden_1_2", "fc_3rd", "fc_double", "out",
    ]  # fmt: skip
    assert [layer.activation for layer in layers] == [
        "relu", "relu", "relu", "identity", "identity",
    ]  # fmt: skip
    x, _ = one_batch()
    expected = network.predict(x.reshape(-1, 2, 3), verbose=0)
    got = [softmax(z) for z in float_logits(layers, x)]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_functional_chain_is_read_and_a_branch_is_not():
    start = keras.Input((6,))
    hidden = keras.layers.Dense(5, activation="relu", name="a")(start)
    out = keras.layers.Dense(5, name="b")(hidden)
    assert [x.name for x in layers_from_keras(keras.Model(start, out))] == ["a", "b"]
    branch = keras.Model(start, keras.layers.Add(name="join")([hidden, out]))
    with pytest.raises(NetworkError, match="not a plain chain"):
        layers_from_keras(branch)
    parallel = keras.layers.Dense(5, name="c")(start)
    with pytest.raises(NetworkError, match="not a plain chain"):
        layers_from_keras(keras.Model(start, [out, parallel]))


@pytest.mark.parametrize("take", [layers_from_keras, lambda x: PepitaModel(x, Pepita())])
def test_every_unsupported_layer_is_named(take):
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(2, 3, name="filters"),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="gelu", name="curved"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.ReLU(6.0, name="ceiling"),
            keras.layers.Dense(5, activation="softmax", name="early"),
            keras.layers.Dense(4, activation="relu", name="last"),
        ]
    )
    with pytest.raises(NetworkError) as caught:
        take(network)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "filters (Conv2D)",
        "curved (Dense with activation gelu)",
        "norm (BatchNormalization)",
        "ceiling (ReLU with a ceiling, slope or threshold)",
        "early (softmax before the last layer)",
        "last (relu on the last layer)",
    ):
        assert part in message


def test_models_that_cannot_be_read_say_why():
    with pytest.raises(NetworkError, match="int is not a Keras model"):
        layers_from_keras(3)
    with pytest.raises(NetworkError, match="is not built"):
        layers_from_keras(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(NetworkError, match="add a Flatten"):
        layers_from_keras(keras.Sequential([keras.Input((2, 3)), keras.layers.Dense(3)]))
    with pytest.raises(NetworkError, match="has no Dense"):
        layers_from_keras(keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten()]))
