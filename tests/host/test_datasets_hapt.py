# SPDX-License-Identifier: Apache-2.0
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from secondpass import datasets
from secondpass.datasets import hapt
from secondpass.datasets.scaling import STEP, ZERO_POINT, fit_scaling
from secondpass.errors import DataError

TIME = np.arange(hapt.WINDOW) / hapt.RATE
"""Seconds, (128,)."""


@pytest.fixture(scope="module")
def real():
    reason = datasets.unavailable_reason("hapt")
    if reason:
        pytest.skip(reason)
    return datasets.load("hapt")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A small file of the published layout: every user stands, then walks, told by frequency."""
    rng = np.random.default_rng(5)
    length = 600
    users = np.repeat(np.arange(1, 31, dtype=np.uint8), 2 * length)
    labels = np.tile(np.repeat(np.array([5, 1], np.int8), length), 30)
    sway = np.where(labels == 1, np.sin(2 * np.pi * 2.0 * np.arange(len(labels)) / 50), 0.0)
    acc = rng.normal(0, 10, (len(labels), 3))
    acc[:, 0] += 720 * (1 + 0.3 * sway)
    arrays = {
        "acc": acc.astype(np.int16),
        "gyro": rng.normal(0, 10, (len(labels), 3)).astype(np.int16),
        "acc_scale": np.float64(1 / 720),
        "gyro_scale": np.float64(3e-4),
        "label": labels,
        "user": users,
        "exp": users,
        "fs": np.int64(50),
    }
    path = tmp_path / "hapt" / hapt.FILE.name
    path.parent.mkdir()
    np.savez(path, **arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setenv("SECONDPASS_DATA", str(tmp_path))
    monkeypatch.setattr(hapt, "FILE", replace(hapt.FILE, sha256=digest))
    return path


def features_of(acceleration=None, rotation=None):
    """Features by name of one window (128, 3); what is not given is at rest."""
    resting = np.zeros((hapt.WINDOW, 3))
    upright = np.tile([1.0, 0.0, 0.0], (hapt.WINDOW, 1))
    values = hapt.window_features(
        (upright if acceleration is None else acceleration)[None],
        (resting if rotation is None else rotation)[None],
    )
    assert values.shape == (1, len(hapt.FEATURES))
    return dict(zip(hapt.FEATURES, values[0], strict=True))


def sine(hertz, amplitude, direction, offset=(1.0, 0.0, 0.0)):
    wave = amplitude * np.sin(2 * np.pi * hertz * TIME)
    return wave[:, None] * np.asarray(direction) + np.asarray(offset)


def band_holding(hertz):
    line = hertz * hapt.WINDOW / hapt.RATE
    (band,) = (i for i, (low, high) in enumerate(hapt.BANDS) if low <= line <= high)
    return band


def bands_of(features, channel):
    return [v for name, v in features.items() if name.startswith(f"{channel} band")]


def test_shapes_users_and_classes(real):
    assert (len(real.train_samples), len(real.test_samples)) == (8958, 1971)
    assert real.size == len(hapt.FEATURES) == 93
    assert (real.dtype, real.zero_point, real.step) == ("uint8", 128, 1 / 32)
    assert np.unique(real.train_groups).tolist() == list(range(1, 26))
    assert np.unique(real.test_groups).tolist() == list(range(26, 31))
    assert np.bincount(real.train_labels).tolist() == [
        1434, 1273, 1157, 1452, 1609, 1585, 58, 27, 86, 75, 128, 74,
    ]  # fmt: skip
    assert set(real.test_labels) == set(range(12))


def test_training_features_are_centred_spread_and_seldom_clipped(real):
    values = (real.train_samples.astype(float) - real.zero_point) * real.step
    assert np.abs(np.median(values, axis=0)).max() <= STEP
    assert values.std(axis=0).min() > 0.7
    assert values.std(axis=0).max() < 1.4
    assert np.mean((real.train_samples == 0) | (real.train_samples == 255)) < 0.005


def test_parts_are_shuffled_the_same_way_every_time(real):
    again = datasets.load("hapt")
    np.testing.assert_array_equal(again.train_samples, real.train_samples)
    np.testing.assert_array_equal(again.test_labels, real.test_labels)
    assert len(set(real.train_groups[:200])) > 20
    assert len(set(real.test_labels[:100])) > 6


def test_a_linear_classifier_recognises_what_new_users_do(real):
    from sklearn.linear_model import LogisticRegression

    train, test = (
        (samples.astype(float) - real.zero_point) * real.step
        for samples in (real.train_samples, real.test_samples)
    )
    model = LogisticRegression(C=0.01, max_iter=500).fit(train, real.train_labels)
    assert model.score(test, real.test_labels) > 0.94


def test_a_made_file_is_cut_into_windows_that_differ_by_activity(made):
    data = datasets.load("hapt")
    assert len(data.train_samples) == 25 * 2 * 8
    assert len(data.test_samples) == 5 * 2 * 8
    assert set(data.train_labels) == {0, 4}
    column = hapt.FEATURES.index("body x log power")
    walking, standing = (data.test_samples[data.test_labels == label, column] for label in (0, 4))
    assert walking.min() > standing.max()


def test_other_users_may_be_held_out(made):
    data = hapt.load_hapt(test_users=(3, 7))
    assert np.unique(data.test_groups).tolist() == [3, 7]
    assert not {3, 7} & set(data.train_groups)
    assert len(np.unique(data.train_groups)) == 28


@pytest.mark.parametrize("users", [(), (0,), (31, 3), range(1, 31)])
def test_users_that_leave_a_part_empty_or_do_not_exist_are_refused(made, users):
    with pytest.raises(DataError, match="test users are"):
        hapt.load_hapt(test_users=users)


def test_centre_and_scale_come_from_the_training_users_only():
    rng = np.random.default_rng(0)
    features = rng.normal(3.0, 2.0, (400, 5))
    users = np.repeat(np.arange(1, 5), 100)
    labels = np.zeros(400, np.int64)
    plain = hapt.split_by_user(features, labels, users, [4])
    features[users == 4] += 50.0
    moved = hapt.split_by_user(features, labels, users, [4])
    np.testing.assert_array_equal(moved.train_samples, plain.train_samples)
    assert plain.test_samples.max() < 255
    assert (moved.test_samples == 255).all()


def test_windows_stay_within_one_label_and_one_recording():
    labels = np.repeat(np.array([-1, 2, 3, 3, -1, 7], np.int8), [200, 300, 127, 128, 128, 191])
    recordings = np.repeat(np.array([1, 2], np.uint8), [627, 447])
    starts, found = hapt.find_windows(labels, recordings)
    # label 2: (300 - 128) // 64 + 1 = 3; label 3 is torn by a new recording into 127 and 128
    assert starts.tolist() == [200, 264, 328, 627, 883]
    assert found.tolist() == [1, 1, 1, 2, 6]
    for start, label in zip(starts, found, strict=True):
        assert (labels[start : start + 128] == label + 1).all()
        assert len(set(recordings[start : start + 128])) == 1


@pytest.mark.parametrize("hertz", [0.8, 1.6, 3.1, 5.5, 9.8, 18.0])
@pytest.mark.parametrize("channel", ["body y", "gyro z"])
def test_a_sine_shows_in_the_band_of_its_frequency_with_its_power(hertz, channel):
    direction = {"body y": (0, 1, 0), "gyro z": (0, 0, 1)}[channel]
    if channel == "body y":
        features = features_of(acceleration=sine(hertz, 0.5, direction))
    else:
        features = features_of(rotation=sine(hertz, 0.5, direction, offset=(0, 0, 0)))
    bands = bands_of(features, channel)
    assert int(np.argmax(bands)) == band_holding(hertz)
    assert features[f"{channel} log power"] == pytest.approx(np.log(0.125), abs=0.1)
    assert max(bands) == pytest.approx(np.log(0.125), abs=0.35)
    assert features[f"{channel} max"] == pytest.approx(0.5, abs=0.03)
    assert features[f"{channel} min"] == pytest.approx(-0.5, abs=0.03)
    other = "gyro y" if channel == "gyro z" else "body x"
    assert max(bands_of(features, other)) < np.log(1e-5)


def test_bands_share_out_the_whole_power_of_noise():
    noise = np.random.default_rng(4).normal(0.0, 0.2, (1000, hapt.WINDOW, 3))
    values = hapt.window_features(noise, noise)
    columns = [hapt.FEATURES.index(name) for name in hapt.FEATURES if name.startswith("gyro x ban")]
    powers = np.exp(values[:, columns]).mean(axis=0)
    assert powers.sum() == pytest.approx(0.04, rel=0.03)
    lines = [high - low + 1 for low, high in hapt.BANDS]
    np.testing.assert_allclose(powers / lines, 0.04 / 64, rtol=0.1)


def test_gravity_tells_posture_and_its_change():
    still = features_of()
    assert [still[f"gravity {axis} all"] for axis in "xyz"] == [1.0, 0.0, 0.0]
    lying_down = np.linspace((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), hapt.WINDOW)
    falling = features_of(acceleration=lying_down)
    assert falling["gravity x start"] == pytest.approx(0.88, abs=0.01)
    assert falling["gravity x end"] == pytest.approx(0.12, abs=0.01)
    assert falling["gravity z end"] == pytest.approx(0.88, abs=0.01)


def test_vertical_movement_is_found_however_the_phone_is_held():
    for down, gravity in ((np.array([1.0, 0.0, 0.0]), 1.0), (np.array([0.0, 0.6, -0.8]), 1.3)):
        along = features_of(acceleration=sine(2.0, 0.3, down, offset=gravity * down))
        assert along["body vertical max"] == pytest.approx(0.3, abs=0.02)
    across = features_of(acceleration=sine(2.0, 0.3, (0, 1, 0)))
    assert across["body vertical log power"] < np.log(1e-5)


def test_turning_keeps_its_direction():
    turning = features_of(rotation=np.tile([0.0, -2.0, 0.0], (hapt.WINDOW, 1)))
    assert turning["mean gyro y"] == -2.0
    assert turning["gyro size max"] == 2.0


def test_features_are_finite_without_gravity_or_movement():
    resting = np.zeros((1, hapt.WINDOW, 3))
    assert np.isfinite(hapt.window_features(resting, resting)).all()


def test_scaling_rounds_clips_and_survives_outliers_and_constants():
    rng = np.random.default_rng(2)
    features = np.column_stack([rng.normal(10.0, 3.0, 5000), np.full(5000, 7.0)])
    features[:5, 0] = 1e6
    scaling = fit_scaling(features)
    assert scaling.centre == pytest.approx([10.0, 7.0], abs=0.15)
    assert scaling.scale == pytest.approx([3.0, 1.0], rel=0.05)
    exact = replace(scaling, centre=np.zeros(2), scale=np.array([2.0, 1.0]))
    values = np.array(
        [[0.0, 1.0], [2.0, -1.0], [-8.0, -4.1], [8.0, 99.0], [1.2 * STEP, 0.6 * STEP]]
    )
    assert exact.quantise(values).tolist() == [
        [ZERO_POINT, 160], [160, 96], [0, 0], [255, 255], [129, 129],
    ]  # fmt: skip


def test_an_absent_file_is_named_with_its_origin(monkeypatch, tmp_path):
    monkeypatch.setenv("SECONDPASS_DATA", str(tmp_path))
    assert not datasets.available("hapt")
    reason = datasets.unavailable_reason("hapt")
    for part in ("hapt/hapt_int16.npz", "SECONDPASS_DATA", str(tmp_path), "id 341", "CC BY 4.0"):
        assert part in reason
    with pytest.raises(DataError) as caught:
        datasets.load("hapt")
    assert str(caught.value) == reason
    monkeypatch.delenv("SECONDPASS_DATA")
    assert "hapt/hapt_int16.npz" in datasets.unavailable_reason("hapt")


def test_one_altered_bit_is_noticed(made):
    assert datasets.available("hapt")
    content = bytearray(made.read_bytes())
    content[len(content) // 2] ^= 1
    made.write_bytes(content)
    with pytest.raises(DataError, match=r"hapt_int16.npz is not the file .* SHA-256 .*UCI"):
        datasets.load("hapt")


def test_a_file_that_is_no_archive_is_refused_even_with_its_checksum(made, monkeypatch):
    made.write_bytes(b"no archive")
    digest = hashlib.sha256(b"no archive").hexdigest()
    monkeypatch.setattr(hapt, "FILE", replace(hapt.FILE, sha256=digest))
    with pytest.raises(DataError, match=r"is no \.npz file"):
        datasets.load("hapt")
