# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass.errors import NetworkError
from secondpass.projection import float_matrix
from secondpass.quantise import float_logits, layers_from_keras
from secondpass.rules import Pepita

pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from keras_networks import dense_layers, one_batch, parameters, softmax, stack  # noqa: E402

from secondpass.floating import PepitaModel  # noqa: E402

pytestmark = pytest.mark.tensorflow


def paper_step(weights, biases, x, labels, F, rule, rate, masks=None):
    """One step of plain SGD, sample by sample, W as (outputs, inputs): the paper's equations.

    `masks`: what multiplies each hidden activation, per layer (batch, units).
    """
    count = len(x)
    dW = [np.zeros_like(w) for w in weights]
    db = [np.zeros_like(b) for b in biases]
    for n in range(count):

        def run(value, n=n):
            activations = [value]
            for layer, (w, b) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
                value = np.maximum(w @ value + b, 0)
                if masks is not None:
                    value = value * masks[layer][n]
                activations.append(value)
            return activations, softmax(weights[-1] @ value + biases[-1])

        y = np.eye(len(biases[-1]))[labels[n]]
        h, p = run(x[n])
        e = p - y
        signal = np.sign(e) if rule.error_signal == "sign" else e
        h_tilde, p_tilde = run(x[n] + (F @ signal if rule.modulation == "add" else -F @ signal))
        pre = h_tilde if rule.presynaptic == "second" else h
        for layer in range(len(weights) - 1):
            difference = h[layer + 1] - h_tilde[layer + 1]
            dW[layer] += np.outer(difference, pre[layer])
            db[layer] += difference
        error = p_tilde - y if rule.output_error == "second" else e
        dW[-1] += np.outer(error, pre[-1])
        db[-1] += error
    new_weights = [w - rate * d / count for w, d in zip(weights, dW, strict=True)]
    new_biases = [b - rate * d / count for b, d in zip(biases, db, strict=True)]
    return new_weights, new_biases


def give_biases(network, seed=5):
    rng = np.random.default_rng(seed)
    for layer in dense_layers(network):
        layer.bias.assign(rng.uniform(-0.2, 0.2, layer.units))


def projection_of(rule, inputs, classes):
    return float_matrix(
        rule.projection, rule.projection_seed, inputs, classes, rule.projection_scale
    ).astype(np.float64)


def assert_parameters(network, weights, biases, atol=1e-6):
    for got, expected in zip(parameters(network)[0], weights, strict=True):
        np.testing.assert_allclose(got, expected, atol=atol)
    for got, expected in zip(parameters(network)[1], biases, strict=True):
        np.testing.assert_allclose(got, expected, atol=atol)


@pytest.mark.parametrize("error_signal", ["error", "sign"])
@pytest.mark.parametrize("output_error", ["first", "second"])
@pytest.mark.parametrize("presynaptic", ["first", "second"])
@pytest.mark.parametrize("modulation", ["add", "subtract"])
@pytest.mark.parametrize("projection", ["dense", "sign", "sparse"])
def test_a_step_is_the_papers_step(projection, modulation, presynaptic, output_error, error_signal):
    rule = Pepita(
        projection=projection,
        projection_scale=1.5,
        projection_seed=11,
        modulation=modulation,
        presynaptic=presynaptic,
        output_error=output_error,
        error_signal=error_signal,
    )
    network = stack((6, 5, 4, 3))
    give_biases(network)
    x, labels = one_batch()
    before = parameters(network)
    weights, biases = paper_step(*before, x, labels, projection_of(rule, 6, 3), rule, rate=0.5)
    for old, new in zip(before[0] + before[1], weights + biases, strict=True):
        assert np.abs(new - old).max() > 1e-3, "every layer must move, or the case shows nothing"

    model = PepitaModel(network, rule)
    model.compile(keras.optimizers.SGD(0.5))
    model.train_on_batch(x, labels)
    assert_parameters(network, weights, biases)


def test_the_cases_above_can_be_told_apart():
    network = stack((6, 5, 4, 3))
    x, labels = one_batch()
    results = []
    for modulation in ("add", "subtract"):
        for presynaptic in ("first", "second"):
            for output_error in ("first", "second"):
                for error_signal in ("error", "sign"):
                    rule = Pepita(
                        projection="dense",
                        projection_scale=1.5,
                        projection_seed=11,
                        modulation=modulation,
                        presynaptic=presynaptic,
                        output_error=output_error,
                        error_signal=error_signal,
                    )
                    F = projection_of(rule, 6, 3)
                    weights, _ = paper_step(*parameters(network), x, labels, F, rule, 0.5)
                    results.append(np.concatenate([w.ravel() for w in weights]))
    for index, first in enumerate(results):
        for second in results[:index]:
            assert np.abs(first - second).max() > 1e-3


def test_several_steps_follow_the_paper_in_graph_mode():
    rule = Pepita(
        projection="sign",
        projection_scale=0.7,
        projection_seed=3,
        presynaptic="first",
        output_error="second",
    )
    network = stack((6, 5, 3), softmax_head=True)
    x, labels = one_batch(count=20)
    weights, biases = parameters(network)
    for start in range(0, 20, 4):
        batch = slice(start, start + 4)
        weights, biases = paper_step(
            weights, biases, x[batch], labels[batch], projection_of(rule, 6, 3), rule, 0.3
        )
    model = PepitaModel(network, rule)
    model.compile(keras.optimizers.SGD(0.3))
    calls = []
    inner = model._train
    model._train = lambda *data: calls.append(1) or inner(*data)
    model.fit(x, labels, batch_size=4, epochs=1, shuffle=False, verbose=0)
    assert_parameters(network, weights, biases, atol=1e-5)
    assert 1 <= len(calls) < 5, "Python ran for every batch: the step is not a graph"


def test_momentum_acts_on_the_updates():
    rule = Pepita(projection="dense", projection_scale=1.0)
    network = stack((6, 5, 3))
    x, labels = one_batch()
    start = parameters(network)
    step1 = paper_step(*start, x, labels, projection_of(rule, 6, 3), rule, 1.0)
    first_update = [new - old for new, old in zip(step1[0], start[0], strict=True)]
    after1 = [w + 0.1 * u for w, u in zip(start[0], first_update, strict=True)]
    biases1 = [b + 0.1 * (n - b) for b, n in zip(start[1], step1[1], strict=True)]
    step2 = paper_step(after1, biases1, x, labels, projection_of(rule, 6, 3), rule, 1.0)
    second_update = [new - old for new, old in zip(step2[0], after1, strict=True)]
    expected = [
        w + 0.1 * (u2 + 0.9 * u1)
        for w, u1, u2 in zip(after1, first_update, second_update, strict=True)
    ]
    model = PepitaModel(network, rule)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    model.train_on_batch(x, labels)
    model.train_on_batch(x, labels)
    for got, wanted in zip(parameters(network)[0], expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def trained_once(network, x, y, rule=None, **settings):
    model = PepitaModel(network, rule or Pepita(projection="dense", projection_scale=1.0))
    model.compile(keras.optimizers.SGD(0.5))
    model.train_on_batch(x, y, **settings)
    return parameters(network)


def test_logits_softmax_and_one_hot_labels_train_alike():
    x, labels = one_batch()
    expected = trained_once(stack((6, 5, 3)), x, labels)
    one_hot = np.eye(3, dtype=np.float32)[labels]
    plain = stack((6, 5, 3)).layers
    separate = keras.Sequential([keras.Input((6,)), *plain, keras.layers.Softmax()])
    for network, y in (
        (stack((6, 5, 3), softmax_head=True), labels),
        (separate, labels),
        (stack((6, 5, 3)), one_hot),
        (stack((6, 5, 3)), labels[:, None]),
    ):
        got = trained_once(network, x, y)
        for a, b in zip(got[0], expected[0], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_sample_weights_scale_a_samples_share():
    x, labels = one_batch()
    start = parameters(stack((6, 5, 3)))
    half = trained_once(stack((6, 5, 3)), x[:2], labels[:2])
    weighted = trained_once(
        stack((6, 5, 3)), x, labels, sample_weight=np.array([1, 1, 0, 0], np.float32)
    )
    for old, alone, among in zip(start[0], half[0], weighted[0], strict=True):
        np.testing.assert_allclose(among - old, (alone - old) / 2, atol=1e-6)
        assert np.abs(among - old).max() > 1e-3


@pytest.mark.parametrize("softmax_head", [False, True])
def test_the_reported_loss_is_the_cross_entropy_before_the_step(softmax_head):
    network = stack((6, 5, 3), softmax_head)
    x, labels = one_batch()
    weights, biases = parameters(network)
    hidden = np.maximum(x @ weights[0].T + biases[0], 0)
    logits = hidden @ weights[1].T + biases[1]
    losses = [-np.log(softmax(z)[label]) for z, label in zip(logits, labels, strict=True)]
    model = PepitaModel(network, Pepita())
    model.compile(keras.optimizers.SGD(0.5), metrics=["accuracy"])
    assert model.test_on_batch(x, labels)[0] == pytest.approx(np.mean(losses), rel=1e-5)
    loss, accuracy = model.train_on_batch(x, labels)
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert accuracy == pytest.approx(np.mean(logits.argmax(1) == labels))


def test_both_passes_share_the_dropout_mask():
    # without modulation the passes can differ by their masks only
    network = stack((6, 40, 30, 3), dropout=0.5)
    before = parameters(network)[0]
    trained_once(network, *one_batch(), rule=Pepita(projection="dense", projection_scale=0.0))
    after = parameters(network)[0]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], before[1])
    assert np.abs(after[2] - before[2]).max() > 1e-3


def test_a_step_with_dropout_is_the_papers_step_behind_the_mask():
    network = stack((6, 40, 3), dropout=0.25)
    hidden = dense_layers(network)[0]
    hidden.kernel.assign(np.abs(hidden.kernel) / 4)  # every unit is active unless it is dropped
    rule = Pepita(
        projection="dense",
        projection_scale=0.3,
        projection_seed=2,
        presynaptic="first",
        output_error="first",
    )
    x, labels = one_batch(count=1)
    model = PepitaModel(network, rule)
    model.compile(keras.optimizers.SGD(0.1))
    masks = []
    for _ in range(2):
        before = parameters(network)
        model.train_on_batch(x, labels)
        after = parameters(network)
        kept = np.any(after[0][1] != before[0][1], axis=0)
        assert 20 <= np.count_nonzero(kept) <= 38
        mask = kept[None, :] / 0.75
        expected = paper_step(*before, x, labels, projection_of(rule, 6, 3), rule, 0.1, [mask])
        assert_parameters(network, *expected)
        masks.append(kept)
    assert not np.array_equal(*masks), "every step draws a new mask"


def test_inference_does_not_drop():
    network = stack((6, 40, 3), dropout=0.5)
    x, _ = one_batch()
    model = PepitaModel(network, Pepita())
    model.compile()
    expected = float_logits(layers_from_keras(network), x)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


def test_a_frozen_layer_stays():
    network = stack((6, 5, 3))
    frozen, free = dense_layers(network)
    frozen.trainable = False
    before = parameters(network)
    trained_once(network, *one_batch())
    np.testing.assert_array_equal(parameters(network)[0][0], before[0][0])
    assert np.abs(parameters(network)[0][1] - before[0][1]).max() > 1e-3
    assert free.trainable


def test_images_behind_a_flatten_train_like_flat_samples():
    x, labels = one_batch()
    expected = trained_once(stack((6, 5, 3)), x, labels)
    flat = stack((6, 5, 3))
    network = keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten(), *flat.layers])
    got = trained_once(network, x.reshape(-1, 2, 3), labels)
    for a, b in zip(got[0], expected[0], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_models_that_the_rule_cannot_train_are_refused():
    with pytest.raises(NetworkError, match="at least one hidden layer"):
        PepitaModel(stack((6, 3)), Pepita())
    with pytest.raises(NetworkError, match="at least two classes"):
        PepitaModel(stack((6, 4, 1)), Pepita(), head="softmax")
    network = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, kernel_regularizer="l2", name="held"),
            keras.layers.Dense(3),
        ]
    )
    with pytest.raises(NetworkError, match=r"held \(kernel_regularizer\)"):
        PepitaModel(network, Pepita())
    with pytest.raises(NetworkError, match="leave out 'loss'"):
        PepitaModel(stack((6, 4, 3)), Pepita()).compile("sgd", loss="mse")


def test_labels_of_the_wrong_shape_are_refused():
    model = PepitaModel(stack((6, 4, 3)), Pepita())
    model.compile("sgd")
    x, _ = one_batch()
    with pytest.raises(NetworkError, match=r"labels have shape .*one-hot \(count, 3\)"):
        model.train_on_batch(x, np.zeros((4, 2), np.float32))
