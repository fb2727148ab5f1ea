# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import numpy as np
import pytest

from secondpass import datasets
from secondpass.datasets import ceiling_fan
from secondpass.datasets.ceiling_fan import Recordings
from secondpass.errors import DataError

TIME = np.arange(ceiling_fan.WINDOW) / 200.0
COMPONENTS = 8


@pytest.fixture(scope="module")
def real():
    reason = datasets.unavailable_reason("ceiling-fan")
    if reason:
        pytest.skip(reason)
    return datasets.load_ceiling_fan()


@pytest.fixture
def made():
    """Recordings in which every sample is unlike every other one."""
    names = [ceiling_fan.normal_name(speed) for speed in ceiling_fan.SPEEDS]
    names += [ceiling_fan.SHIFTED, ceiling_fan.ANOMALOUS]
    samples = {}
    for kind, name in enumerate(names):
        samples[name] = np.zeros((10, ceiling_fan.SIZE), np.uint8)
        samples[name][:, 0] = kind
        samples[name][:, 1] = np.arange(10)
    return Recordings(samples)


def feature(axis, hertz):
    return axis * ceiling_fan.BANDS + (hertz - 1) // ceiling_fan.LINES


def ids(samples):
    return [tuple(sample[:2]) for sample in samples.tolist()]


def reconstruction_errors(learned, *parts):
    """Mean squared errors of parts under the principal components of what was learned."""
    learned, *parts = ((raw.astype(float) - 128) / 32 for raw in (learned, *parts))
    mean = learned.mean(axis=0)
    axes = np.linalg.svd(learned - mean, full_matrices=False)[2][:COMPONENTS]
    return [np.square((x - mean) - (x - mean) @ axes.T @ axes).mean(axis=1) for x in parts]


def auc(normal, anomalous):
    """Chance that an anomalous score is above a normal one."""
    return float(np.mean(anomalous[:, None] > normal[None, :]))


def test_recordings_have_their_shapes_and_formats(real):
    assert (real.size, real.dtype, real.zero_point, real.step) == (99, "uint8", 128, 1 / 32)
    assert {name: len(samples) for name, samples in real.samples.items()} == {
        "fan_0_low-deploy": 286,
        "fan_0_high_0_weight": 589,
        "fan_0_high_1_weight": 585,
        "fan_0_low_0_weight": 585,
        "fan_0_low_0_weight-moving": 299,
        "fan_0_low_1_weight": 580,
        "fan_0_med_0_weight": 588,
        "fan_0_med_1_weight": 584,
        "fan_0_off_0_weight": 578,
    }
    everything = np.concatenate(list(real.samples.values()))
    assert np.mean((everything == 0) | (everything == 255)) < 0.002


def test_pretraining_samples_have_mean_zero_and_deviation_one(real):
    task = datasets.drift_task(real)
    values = (task.pretrain.astype(float) - real.zero_point) * real.step
    assert np.abs(values.mean(axis=0)).max() < real.step
    assert values.std() == pytest.approx(1.0, abs=0.02)


def test_a_faster_fan_is_louder(real):
    means = [real[ceiling_fan.normal_name(speed)].mean() for speed in ceiling_fan.SPEEDS]
    assert all(slower + 5 < faster for slower, faster in pairwise(means))


@pytest.mark.parametrize(
    ("speeds", "home", "before", "after"),
    [(ceiling_fan.SPEEDS, 0.85, 0.3, 0.78), (("low",), 0.95, 0.5, 0.92)],
    ids=["all speeds", "low only"],
)
def test_a_new_place_hides_the_weight_until_the_detector_has_seen_it(
    real, speeds, home, before, after
):
    task = datasets.drift_task(real, speeds)
    parts = (task.home_normal, task.normal, task.anomalous)
    at_home, elsewhere, weighted = reconstruction_errors(task.pretrain, *parts)
    assert auc(at_home, weighted) > home
    assert auc(elsewhere, weighted) < before
    learned = np.concatenate([task.pretrain, task.adaptation])
    at_home, elsewhere, weighted = reconstruction_errors(learned, *parts)
    assert auc(elsewhere, weighted) > after
    assert auc(at_home, weighted) > home - 0.02, "it has not learned the place instead"


def test_parts_of_the_task_are_cut_by_time_and_share_nothing(made):
    task = datasets.drift_task(made)
    assert sorted(ids(task.pretrain)) == [(kind, time) for kind in range(4) for time in range(8)]
    assert ids(task.home_normal) == [(1, 8), (1, 9)]
    assert sorted(ids(task.adaptation)) == [(4, time) for time in range(5)]
    assert ids(task.normal) == [(4, time) for time in range(5, 10)]
    assert ids(task.anomalous) == [(5, time) for time in range(10)]


def test_the_seed_decides_the_order_of_learning_only(made):
    first, again, other = (datasets.drift_task(made, seed=seed) for seed in (3, 3, 4))
    assert ids(first.pretrain) == ids(again.pretrain) != ids(other.pretrain)
    assert ids(first.adaptation) == ids(again.adaptation) != ids(other.adaptation)
    assert sorted(ids(first.pretrain)) == sorted(ids(other.pretrain))
    assert ids(first.normal) == ids(other.normal)


def test_speeds_choose_what_is_pretrained_on(made):
    task = datasets.drift_task(made, ("high", "off"))
    assert {kind for kind, _ in ids(task.pretrain)} == {0, 3}
    for speeds, message in (((), "no speed"), (("slow",), "'slow'; accepted: off, low, med, high")):
        with pytest.raises(DataError, match=message):
            datasets.drift_task(made, speeds)


@pytest.mark.parametrize("hertz", [2, 11, 47, 98])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_sine_shows_in_its_axis_and_band_with_its_amplitude(axis, hertz):
    window = np.tile([0.1, 0.2, 0.97], (1, ceiling_fan.WINDOW, 1))
    # the middle line of a band: Hann spreads half the amplitude into both neighbours
    window[0, :, axis] += 0.04 * np.sin(2 * np.pi * hertz * TIME + 0.3)
    (features,) = ceiling_fan.log_spectra(window)
    assert int(np.argmax(features)) == feature(axis, hertz)
    amplitudes = np.array([0.5, 1.0, 0.5]) * 0.04
    assert features.max() == pytest.approx(np.log(np.sqrt(np.mean(amplitudes**2))), abs=0.02)
    others = np.delete(features.reshape(3, -1), axis, axis=0)
    assert others.max() < np.log(2e-5), "gravity does not leak"


def test_twice_the_vibration_adds_log_two_to_every_feature():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.02, (4, ceiling_fan.WINDOW, 3))
    difference = ceiling_fan.log_spectra(2 * noise + 1.0) - ceiling_fan.log_spectra(noise)
    np.testing.assert_allclose(difference, np.log(2), atol=1e-3)


def test_readings_are_the_same_windows_in_steps_of_the_sensor(real):
    readings = datasets.load_ceiling_fan_readings()
    assert (readings.size, readings.dtype, readings.zero_point, readings.step) == (
        600,
        "int16",
        0,
        1 / 2048,
    )
    assert {n: len(x) for n, x in readings.samples.items()} == {
        n: len(x) for n, x in real.samples.items()
    }
    at_rest = readings[ceiling_fan.normal_name("off")].reshape(-1, 200, 3).mean(axis=(0, 1))
    assert np.linalg.norm(at_rest) == pytest.approx(2048, rel=0.03), "gravity"
    task = datasets.drift_task(readings, ("low",), seed=4)
    features = datasets.drift_task(real, ("low",), seed=4)
    made = readings.front.features(task.adaptation)
    assert made.shape == features.adaptation.shape
    assert np.abs(made.astype(int) - features.adaptation).max() <= 5, "the same order"


def test_readings_outside_int16_are_clamped():
    window = np.zeros((1, 200, 3))
    window[0, 3] = (20.0, -20.0, 1.0)
    raw = ceiling_fan.readings(window).reshape(200, 3)
    assert raw[3].tolist() == [32767, -32768, 2048]
    with pytest.raises(DataError, match=r"windows are \(200, 3\)"):
        ceiling_fan.readings(window[0])


def test_windows_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"windows are \(2, 128, 3\)"):
        ceiling_fan.log_spectra(np.zeros((2, 128, 3)))


def test_centre_and_scale_come_from_the_training_part_of_normal_recordings_only():
    rng = np.random.default_rng(0)
    normal = [ceiling_fan.normal_name(speed) for speed in ceiling_fan.SPEEDS]
    features = {
        name: rng.normal(-5.0, 0.5, (20, ceiling_fan.SIZE))
        for name in (*normal, ceiling_fan.SHIFTED, ceiling_fan.ANOMALOUS)
    }
    plain = ceiling_fan.quantise_recordings(features)
    for name in (ceiling_fan.SHIFTED, ceiling_fan.ANOMALOUS):
        features[name] = features[name] + 30.0
    for name in normal:
        features[name] = features[name].copy()
        features[name][16:] -= 30.0
    moved = ceiling_fan.quantise_recordings(features)
    for name in normal:
        np.testing.assert_array_equal(moved[name][:16], plain[name][:16])
        assert (moved[name][16:] == 0).all()
    assert (moved[ceiling_fan.SHIFTED] == 255).all()
    features[normal[2]][3] += 30.0
    assert (ceiling_fan.quantise_recordings(features)[normal[0]] != plain[normal[0]]).any()


def test_recordings_that_do_not_fit_and_unknown_names_are_refused(made):
    for samples in (np.zeros((3, 98), np.uint8), np.zeros((3, 99), np.int16)):
        with pytest.raises(DataError, match="recording x: samples are"):
            Recordings({"x": samples})
    with pytest.raises(DataError, match="'fan_1'; accepted: fan_0_high_0_weight, "):
        made["fan_1"]


def test_an_absent_file_is_named_with_its_origin(monkeypatch, tmp_path):
    monkeypatch.setenv("SECONDPASS_DATA", str(tmp_path))
    reason = datasets.unavailable_reason("ceiling-fan")
    for part in ("ceiling-fan/ceiling_fan.npz", "SECONDPASS_DATA", "Shawn Hymel", "Beerware"):
        assert part in reason
    with pytest.raises(DataError) as caught:
        datasets.load_ceiling_fan()
    assert str(caught.value) == reason


def test_an_altered_file_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "ceiling-fan" / ceiling_fan.FILE.name
    path.parent.mkdir()
    np.savez(path, **{"fan_0_low_0_weight": np.zeros((3, 200, 3), np.float32)})
    monkeypatch.setenv("SECONDPASS_DATA", str(tmp_path))
    assert datasets.available("ceiling-fan")
    with pytest.raises(DataError, match=r"ceiling_fan.npz is not the file this loader was made"):
        datasets.load_ceiling_fan()


def test_load_says_that_the_set_has_no_classes():
    with pytest.raises(DataError, match=r"load_ceiling_fan\(\)"):
        datasets.load("ceiling-fan")
