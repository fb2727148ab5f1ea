# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass.datasets import Dataset
from secondpass.errors import NetworkError
from secondpass.integer.reference import ReferenceModel
from secondpass.presets import PRESETS, RATE_FACTORS, input_of, keras_network, random_network
from secondpass.rules import FAST_PEPITA, RULES


@pytest.fixture
def data():
    random = np.random.default_rng(3)
    samples = random.integers(100, 250, (60, 5), dtype=np.uint8)
    labels = random.integers(0, 3, 60)
    return Dataset("made", samples[:40], labels[:40], samples[40:], labels[40:], 3, 0.01, 128)


def test_inputs_are_centred_on_the_training_mean(data):
    spec = input_of(data)
    real = (data.train_samples.astype(np.float64) - 128) * 0.01
    np.testing.assert_allclose(spec.mean, real.mean(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(spec.decode(data.train_samples).mean(axis=0), 0, atol=1e-6)
    assert input_of(data, centred=False).mean == ()
    assert random_network(data, (4,), seed=1).input == spec


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_knows_every_rule(name, rule):
    preset = PRESETS[name]
    made = preset.rule(rule, 7)
    assert made.name == rule
    assert made.dither_seed == 7
    assert getattr(made, "projection_seed", 7) == 7
    assert made.learning_rate == pytest.approx(preset.learning_rate * RATE_FACTORS.get(rule, 1))


def test_pepita_takes_its_fast_path():
    made = PRESETS["mnist"].rule("pepita", 7).describe()
    assert {name: made[name] for name in FAST_PEPITA} == FAST_PEPITA
    assert PRESETS["mnist"].rule("pepita", 7, {"second_pass": "full"}).second_pass == "full"
    assert PRESETS["mnist"].rule("mempepita", 7).gate == 0


def test_settings_go_before_those_of_a_preset():
    made = PRESETS["digits"].rule("ftp", 7, {"learning_rate": 0.5, "dither_seed": 3})
    assert (made.learning_rate, made.dither_seed, made.projection_seed) == (0.5, 3, 7)
    with pytest.raises(NetworkError, match="no setting colour"):
        PRESETS["digits"].rule("ftp", 7, {"colour": 1})


@pytest.mark.tensorflow
@pytest.mark.parametrize("format", ["a16w16", "a16w8"])
def test_a_keras_model_computes_the_same_from_centred_inputs(data, tmp_path, format):
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,))])
    model.add(keras.layers.Dense(6, activation="relu", bias_initializer="he_uniform"))
    model.add(keras.layers.Dense(3))
    model.save(tmp_path / "model.keras")
    network = keras_network(tmp_path / "model.keras", data, format)
    assert network.input == input_of(data, format=format)
    plain = input_of(data, centred=False).decode(data.test_samples)
    wanted = model.predict(plain, verbose=0)
    reference = ReferenceModel(network, PRESETS["digits"].rule("ftp", 1))
    logits = np.array([reference.infer(sample) for sample in data.test_samples])
    found = logits / 2.0 ** network.layers[-1].out_frac
    assert np.abs(found - wanted).max() < {"a16w16": 0.01, "a16w8": 0.15}[format]
