# SPDX-License-Identifier: Apache-2.0
"""Own data up to the device: sounds, splits, scaling, recipes, networks."""

import numpy as np
import pytest

from secondpass.datasets import audio, own
from secondpass.datasets.own import Examples, load_recipe, make_task, save_recipe
from secondpass.datasets.wav_folder import read_folder
from secondpass.errors import DataError
from secondpass.features.mfcc import CLIP, RATE
from secondpass.own_model import (
    OUTPUT_RANGE,
    epochs_for,
    network_for,
    require_fitting,
    rule_for,
    targets_for,
)

soundfile = pytest.importorskip("soundfile")


def tone(hertz, rate, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def folder(tmp_path):
    """Two classes, three files each, of three rates and one or two channels."""
    for name, hertz in (("low", 400.0), ("high", 1500.0)):
        (tmp_path / name).mkdir()
        for number, (rate, channels) in enumerate(((16000, 1), (44100, 2), (8000, 1))):
            sound = np.repeat(tone(hertz, rate)[:, None], channels, axis=1)
            soundfile.write(tmp_path / name / f"who{number}_1.wav", sound, rate)
    (tmp_path / "low" / "notes.txt").write_text("not a sound")
    return tmp_path


def rows(count=60, seed=1):
    """Examples of three classes with features of very different size; the last is constant."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 3
    features = np.stack(
        [
            1e4 * kinds + rng.normal(0, 2e3, count),
            1e-3 * rng.normal(size=count),
            np.full(count, 7.0),
        ],
        axis=1,
    )
    return Examples(features, tuple("abc"[k] for k in kinds), ("",) * count)


def test_sounds_of_any_rate_become_the_same_second(folder):
    clips = read_folder(folder)
    assert clips.labels == ("high",) * 3 + ("low",) * 3
    assert clips.sounds.shape == (6, CLIP)
    middle = slice(2000, 14000)  # a resampled sound has soft ends
    for index, hertz in enumerate([1500.0] * 3 + [400.0] * 3):
        wanted = tone(hertz, RATE)[middle]
        np.testing.assert_allclose(clips.sounds[index, middle], wanted, atol=0.02)


def test_the_loudest_second_of_a_long_sound_is_taken(tmp_path):
    sound = np.concatenate([np.zeros(20000), tone(500, RATE), np.zeros(9000)])
    soundfile.write(tmp_path / "long.flac", sound, RATE)
    clip = audio.read_clip(tmp_path / "long.flac")
    np.testing.assert_allclose(clip, tone(500, RATE), atol=1e-3)
    soundfile.write(tmp_path / "short.flac", tone(500, RATE, 0.5), RATE)
    assert np.abs(audio.read_clip(tmp_path / "short.flac")[8000:]).max() == 0


def test_bad_sounds_are_listed_by_file(folder):
    soundfile.write(folder / "low" / "who9_blip.wav", np.zeros(800), 16000)
    (folder / "high" / "who8_broken.wav").write_bytes(b"RIFF and nothing else")
    (folder / "high" / "nobody.wav").write_bytes((folder / "high" / "who0_1.wav").read_bytes())
    with pytest.raises(DataError) as caught:
        read_folder(folder, separator="_")
    lines = str(caught.value).splitlines()
    assert "3 of 9 files cannot be used" in lines[0]
    assert "high/nobody.wav: no '_' in the name" in lines[1]
    assert "high/who8_broken.wav: cannot be read as sound" in lines[2]
    assert "low/who9_blip.wav: has 0.050 s of sound" in lines[3]
    with pytest.raises(DataError, match=r"high/nobody.wav: the class is none of low, up"):
        read_folder(folder, labels=("low", "up"))


@pytest.mark.parametrize("place", ["nothing", "."])
def test_a_folder_without_sounds(tmp_path, place):
    with pytest.raises(DataError, match="sub-folder for each class"):
        read_folder(tmp_path / place)


def test_features_are_scaled_by_what_is_learned_only():
    """Whatever is held out, and however wild, moves nothing."""
    examples = rows()
    train, test = own.split(examples, "classify", None, 0.25, 1)
    wild = examples.features.copy()
    wild[test] *= 1e6
    one = make_task(examples, "classify", 0.25, 1, ("a", "b", "c"))
    other = make_task(
        Examples(wild, *([examples.labels, examples.groups])), "classify", 0.25, 1, ("a", "b", "c")
    )
    assert one.recipe == other.recipe
    np.testing.assert_array_equal(one.train_samples, other.train_samples)
    values = (one.train_samples.astype(float) - 128) / 32
    assert values[:, :2].std(axis=0) == pytest.approx([1, 1], abs=0.3)
    assert np.unique(values[:, 2]).tolist() == [0.0]
    assert len(set(train) | set(test)) == 60 == len(train) + len(test)


def test_a_share_of_every_class_is_held_out():
    task = make_task(rows(), "classify", 0.25, 4, ("a", "b", "c"))
    assert np.bincount(task.test_answers).tolist() == [5, 5, 5]
    assert np.bincount(task.train_answers).tolist() == [15, 15, 15]


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_not_torn(seed):
    examples = rows(90)
    groups = tuple(f"person {index // 9}" for index in range(90))
    train, test = own.split(
        Examples(examples.features, examples.labels, groups), "classify", None, 0.2, seed
    )
    sides = [{groups[index] for index in part} for part in (train, test)]
    assert not sides[0] & sides[1]
    assert len(test) == 18


def test_int16_samples_are_finer_and_reach_further():
    task = make_task(rows(), "classify", 0.25, 1, ("a", "b", "c"), sample_type="int16")
    assert task.train_samples.dtype == np.int16
    assert (task.recipe.step, task.recipe.zero_point) == (1 / 4096, 0)
    coarse = make_task(rows(), "classify", 0.25, 1, ("a", "b", "c"))
    np.testing.assert_allclose(
        task.train_samples / 4096, (coarse.train_samples.astype(float) - 128) / 32, atol=1 / 60
    )
    with pytest.raises(DataError, match="--sample-type is 'int8'"):
        make_task(rows(), "classify", 0.25, 1, ("a", "b", "c"), sample_type="int8")


@pytest.mark.parametrize(
    ("examples", "share", "message"),
    [
        (rows(), 0.0, "between 0 and 1"),
        (rows(), 1.0, "between 0 and 1"),
        (rows(3), 0.9, "cannot be split: 0 to learn"),
        (Examples(np.zeros((4, 2)), ("a",) * 4, ("",) * 4), 0.5, "one class, 'a'"),
        (
            Examples(np.zeros((4, 2)), ("a", "b", "b", "b"), ("x", "y", "y", "z")),
            0.25,
            "no example of 'a'|cannot be split",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(examples, share, message):
    with pytest.raises(DataError, match=message):
        make_task(examples, "classify", share, 1, ("p", "q"))


def test_a_recipe_makes_the_same_samples_again(tmp_path):
    task = make_task(rows(), "classify", 0.25, 1, ("a", "b", "c"), "kind")
    save_recipe(tmp_path / "task.json", task.recipe)
    recipe = load_recipe(tmp_path / "task.json")
    assert recipe == task.recipe
    np.testing.assert_array_equal(
        recipe.samples(rows().features), task.recipe.samples(rows().features)
    )
    assert recipe.answers(("c", "a")).tolist() == [2, 0]
    (tmp_path / "task.json").write_text('{"goal": "win"}')
    with pytest.raises(DataError, match="no recipe of own data"):
        load_recipe(tmp_path / "task.json")
    with pytest.raises(DataError, match="lies beside a network"):
        load_recipe(tmp_path / "none.json")


def test_a_recipe_of_another_network_is_refused():
    task = make_task(rows(), "classify", 0.25, 1, ("a", "b", "c"))
    network = network_for(task, (8,), 1, "a16w16", "relu")
    require_fitting(task.recipe, network)
    finer = make_task(rows(), "classify", 0.25, 1, ("a", "b", "c"), sample_type="int16")
    with pytest.raises(DataError, match="is not that of this network"):
        require_fitting(finer.recipe, network)


def test_targets_of_a_regression_fit_the_network():
    """Random weights give small outputs; the format must hold the targets all the same."""
    values = np.linspace(100, 300, 60)
    examples = Examples(rows().features, tuple(str(v) for v in values), ("",) * 60)
    for format in ("a16w16", "a16w8", "a8w8"):
        task = make_task(examples, "regression", 0.25, 1, ("a", "b", "c"), "t")
        network = network_for(task, (8,), 1, format, "relu")
        encoded = targets_for(network, task.train_answers)
        back = encoded / 2.0**network.error_frac * task.recipe.target_scale
        back += task.recipe.target_centre
        learned = own.split(examples, "regression", None, 0.25, 1)[0]
        np.testing.assert_allclose(back[:, 0], values[learned], atol=0.1)
        assert network.head == "mse"


@pytest.mark.parametrize("format", ["a16w16", "a16w8", "a8w8"])
def test_outputs_reach_every_target_whatever_the_random_weights(format):
    """Two units give small outputs, or none; targets lie within some deviations."""
    examples = Examples(rows().features, tuple(map(str, range(60))), ("",) * 60)
    for goal in ("regression", "anomaly"):
        task = make_task(examples, goal, 0.25, 1, ("a", "b", "c"))
        for seed in range(10):
            network = network_for(task, (2,), seed, format, "relu")
            assert 2.0**15 / 2.0**network.error_frac >= OUTPUT_RANGE


def test_an_anomaly_detector_learns_from_normal_rows_only():
    examples = rows()
    task = make_task(examples, "anomaly", 0.25, 1, ("a", "b", "c"), "kind", "a")
    assert len(task.train_samples) == 15
    assert not task.train_answers.any()
    assert task.test_answers.sum() == 40
    assert len(task.test_answers) == 45
    network = network_for(task, (2,), 1, "a16w16", "tanh")
    assert (network.head, network.shape) == ("reconstruction", "3-2-3")
    with pytest.raises(DataError, match="nothing normal"):
        make_task(examples, "anomaly", 0.25, 1, ("a", "b", "c"), "kind", "d")


def test_rules_take_settings_over_the_goal_s_rate():
    task = make_task(rows(), "classify", 0.25, 1, ("a", "b", "c"))
    assert rule_for(task.recipe, "bp", 5, []).learning_rate == 0.02
    rule = rule_for(task.recipe, "bp", 5, ["learning_rate=0.5"])
    assert (rule.learning_rate, rule.dither_seed) == (0.5, 5)


@pytest.mark.parametrize(("count", "epochs"), [(1, 30), (200, 25), (5000, 1), (100000, 1)])
def test_a_session_has_about_five_thousand_steps(count, epochs):
    assert epochs_for(count) == epochs
