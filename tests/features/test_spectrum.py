# SPDX-License-Identifier: Apache-2.0
"""Features of readings: NumPy and C bit for bit, what they mean, what is refused."""

import os
from typing import Any

import numpy as np
import pytest
from document_features import Document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spectrum_host import FORMS, features_in_c

from secondpass import datasets
from secondpass.datasets import ceiling_fan
from secondpass.errors import DataError, NetworkError
from secondpass.features import spectrum as module
from secondpass.features.spectrum import OCTAVE, ZERO, Spectrum, logarithm

EXAMPLES = int(os.environ.get("SECONDPASS_TEST_EXAMPLES", "60"))
WINDOWS = (20, 40, 64, 100, 128, 160, 200, 256, 320, 500, 640, 800, 1000)
FAN = (200, 3, 3, 33)
KINDS = ("noise", "quiet", "rails", "alternating", "impulse", "highest", "lowest", "step", "square")

forms = pytest.mark.parametrize("form", FORMS)
exactly = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)


def made(kind: str, front: Spectrum, count: int, seed: int) -> np.ndarray:
    """Return windows int16 (count, window * axes) of one character."""
    random = np.random.default_rng(seed)
    low, high = -(2**15), 2**15 - 1
    shape = (count, front.window, front.axes)
    time = np.arange(front.window)[:, None]
    line = random.integers(1, front.window // 2, (count, 1, front.axes))
    square = np.where(np.cos(2 * np.pi * line * time / front.window) > 0, high, low)
    impulse = np.full(shape, low)
    impulse[np.arange(count), random.integers(0, front.window, count)] = high
    values = {
        "noise": random.integers(low, high, shape, endpoint=True),
        "quiet": random.integers(-2, 2, shape, endpoint=True),
        "rails": random.choice([low, high], shape),
        "alternating": np.broadcast_to(np.where(time % 2, low, high), shape),
        "impulse": impulse,
        "highest": np.full(shape, high),
        "lowest": np.full(shape, low),
        "step": np.broadcast_to(np.where(time < front.window // 3, low, high), shape),
        "square": square,
    }[kind]
    return values.astype(np.int16).reshape(count, -1)


def centred(front: Spectrum, seed: int = 0) -> Spectrum:
    """Return the same with centres and gains that give few clamped features and many."""
    random = np.random.default_rng(seed)
    return Spectrum(
        *(front.window, front.axes, front.lines, front.bands),
        centres=tuple(random.integers(9000, 40000, front.size)),
        gain=float(random.choice([0.007, 0.03, 0.4])),
    )


def assert_same(front: Spectrum, windows: np.ndarray, form: str = "plain") -> None:
    features, clamped = front.clamped_features(windows)
    actual, counted = features_in_c(front, windows, form)
    assert np.array_equal(actual, features)
    assert counted == clamped


@forms
@exactly
@given(
    window=st.sampled_from(WINDOWS),
    axes=st.integers(1, 4),
    lines=st.integers(1, 40),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**32 - 1),
)
def test_c_and_numpy_agree(form: str, window: int, axes: int, lines: int, kind: str, seed: int):
    lines = min(lines, window // 2 - 1)
    front = centred(Spectrum(window, axes, lines, (window // 2 - 1) // lines), seed)
    assert_same(front, made(kind, front, 2, seed), form)


@forms
@pytest.mark.parametrize("kind", KINDS)
def test_extremes_agree_in_the_fans_shape(form: str, kind: str) -> None:
    front = centred(Spectrum(*FAN))
    assert_same(front, made(kind, front, 8, 1), form)


@pytest.mark.parametrize("shape", [(20, 2, 1, 9), (100, 1, 7, 7), (128, 1, 5, 12), (200, 3, 3, 33)])
@pytest.mark.parametrize("kind", KINDS)
def test_numpy_computes_what_the_document_says(kind: str, shape: tuple[int, ...]) -> None:
    front = Spectrum(*shape)
    windows = made(kind, front, 2, 9)
    expected = [Document(*shape).levels(window.tolist()) for window in windows]
    assert front.logarithms(windows).tolist() == expected


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_leaves_its_type(window: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every complex number that the transform makes is recorded, and every power."""
    largest = [0.0]

    def seen(*values: Any) -> None:
        largest[0] = max([largest[0], *(float(np.abs(v).max(initial=0)) for v in values)])

    def recorded(re: Any, im: Any) -> Any:
        seen(re, im)
        return np.asarray(re) + 1j * np.asarray(im)

    def two(z: Any) -> Any:
        result = np.stack([z[0] + z[1], z[0] - z[1]])
        seen(result.real, result.imag)
        return result

    front = Spectrum(window, 1, 1, window // 2 - 1)
    whole = front._five

    def five(self: Spectrum, z: Any) -> Any:
        result = whole(z)
        for part in (result, z[1] + z[4], z[2] + z[3], z[1] - z[4], z[2] - z[3]):
            seen(part.real, part.imag)
        return result

    transform, transforms = front._transform, []

    def kept(self: Spectrum, tapered: Any) -> Any:
        transforms.append(transform(tapered))
        return transforms[-1]

    monkeypatch.setattr(Spectrum, "_transform", kept)
    monkeypatch.setattr(module, "_complex", recorded)
    monkeypatch.setattr(module, "_two", two)
    monkeypatch.setattr(Spectrum, "_five", five)
    powers, _ = front._powers(made(kind, front, 30, 5).astype(np.int64))
    assert largest[0] < 2**31
    assert powers.max(initial=0) < 2**62, "twice a line fits too"
    assert transforms
    assert np.abs(transforms[0]).max() < 2**30, "and sums of two lines"
    assert powers.min() >= 0
    assert powers.sum(axis=-1).max() < 2**63  # bands of any number of lines
    if kind not in ("highest", "lowest"):
        assert largest[0] > 2**20, "the block scaling uses the type"
    else:
        assert largest[0] == 0


def test_the_transform_is_that_of_numpy() -> None:
    for window in WINDOWS:
        front = Spectrum(window, 1, 1, window // 2 - 1)
        windows = made("noise", front, 4, window)
        scaled, _ = front._scaled(windows.astype(np.int64))
        z = front._transform(scaled)
        expected = np.fft.fft(scaled[:, ::2] + 1j * scaled[:, 1::2], axis=1)
        assert np.abs(z - expected).max() < 2**-13 * np.abs(expected).max()


def test_features_are_log_powers_of_the_tapered_spectrum() -> None:
    """The same formula in doubles: within 1/200 of an octave for noise of a few steps and more."""
    front = Spectrum(*FAN)
    windows = np.random.default_rng(3).normal(0, 20, (50, 600)).astype(np.int16)
    values = windows.reshape(-1, 200, 3).astype(float)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    moved = 200 * (values - values.mean(axis=1, keepdims=True)) * taper[:, None]
    lines = np.abs(2 * np.fft.rfft(moved, axis=1))[:, 1:100] ** 2
    powers = lines.reshape(-1, 33, 3, 3).sum(axis=2).transpose(0, 2, 1).reshape(-1, 99)
    difference = front.logarithms(windows) - OCTAVE * np.log2(powers)
    assert np.abs(difference).max() < OCTAVE / 200


def test_a_logarithm_is_rounded_down() -> None:
    random = np.random.default_rng(1)
    powers = random.integers(2**62, 2**63 - 1, 20_000) >> random.integers(0, 63, 20_000)
    exact = OCTAVE * np.log2(powers.astype(np.longdouble))
    below = exact - logarithm(powers)
    assert below.min() >= 0
    assert below.max() < 1.05
    for exponent in range(63):
        assert logarithm(np.array([2**exponent])) == OCTAVE * exponent
    assert logarithm(np.array([0, 2**63 - 1])).tolist() == [0, 32255]


@pytest.mark.parametrize("line", [1, 2, 50, 98, 99])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_sine_shows_in_its_axis_and_band(line: int, axis: int) -> None:
    front = Spectrum(*FAN)
    window = np.tile([300, -2000, 2048], (1, 200, 1))
    window[0, :, axis] += np.rint(900 * np.sin(2 * np.pi * line * np.arange(200) / 200 + 1)).astype(
        int
    )
    levels = front.logarithms(window.reshape(1, -1).astype(np.int16)).reshape(3, 33)
    assert np.argmax(levels[axis]) == (line - 1) // 3
    assert not np.delete(levels, axis, axis=0).any(), "what does not move has no power"


@exactly
@given(offset=st.integers(-3000, 3000), seed=st.integers(0, 1000))
def test_an_offset_changes_nothing_and_twice_the_amplitude_adds_two_octaves(
    offset: int, seed: int
) -> None:
    """Exactly: the mean is taken out without rounding, and scaling is by powers of two."""
    front = Spectrum(*FAN)
    windows = np.random.default_rng(seed).integers(-2000, 2000, (1, 600)).astype(np.int16)
    levels = front.logarithms(windows)
    assert np.array_equal(front.logarithms(windows + np.int16(offset)), levels)
    assert np.array_equal(front.logarithms(2 * windows), levels + 2 * OCTAVE)


@forms
def test_less_power_than_one_counts_as_one(form: str) -> None:
    """An alternation of one step: far from it there is nothing but roundings of scaled numbers."""
    front = Spectrum(*FAN, centres=(0,) * 99, gain=0.03)
    window = np.tile([5, 5, 5, 6, 6, 6], 100).astype(np.int16)[None]
    assert_same(front, window, form)
    assert (front.features(window) == ZERO).sum() > 60


def test_silence_is_the_lowest_feature() -> None:
    front = Spectrum(*FAN, centres=(15000,) * 99, gain=0.03)
    features, clamped = front.clamped_features(np.full((1, 600), 1234, np.int16))
    assert not features.any()
    assert clamped == 99


def test_fitting_puts_the_mean_at_128_and_a_deviation_at_32_steps() -> None:
    windows = np.random.default_rng(5).normal(0, 300, (200, 600)).astype(np.int16)
    windows[::2] //= 3
    front = Spectrum(*FAN).fitted(windows)
    features = front.features(windows).astype(float)
    assert np.abs(features.mean(axis=0) - ZERO).max() < 0.6
    assert features.std() == pytest.approx(32, rel=0.02)


@forms
def test_real_windows_agree_and_are_near_the_features_of_the_host(form: str) -> None:
    reason = datasets.unavailable_reason("ceiling-fan")
    if reason:
        pytest.skip(reason)
    host, readings = datasets.load_ceiling_fan(), datasets.load_ceiling_fan_readings()
    front = readings.front
    assert front is not None
    for name, windows in readings.samples.items():
        assert_same(front, windows[::9], form)
        apart = np.abs(front.features(windows).astype(int) - host[name])
        assert apart.max() <= 5
        assert apart.mean() < 0.17
    raw = ceiling_fan.FILE.read()[ceiling_fan.SHIFTED].astype(np.float64)
    exact = readings[ceiling_fan.SHIFTED].reshape(raw.shape) * ceiling_fan.UNIT
    assert np.abs(exact - raw).max() < 1e-6, "the readings are what the sensor delivered"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((201, 3, 3, 33), "a window has 201 readings"),
        ((202, 3, 3, 33), "a window has 202 readings"),
        ((240, 3, 3, 33), "a window has 240 readings; .* twos and fives"),
        ((16, 1, 1, 7), "16 readings; a spectrum takes 20 to 1000"),
        ((1024, 1, 1, 7), "1024 readings; a spectrum takes 20 to 1000"),
        ((200, 0, 3, 33), "200 x 0 readings; it takes 1 axis"),
        ((1000, 5, 3, 33), "1000 x 5 readings; .* at most 4096"),
        ((200, 3, 3, 34), "34 bands of 3 lines; a window of 200 readings has 99 lines"),
        ((200, 3, 0, 33), "33 bands of 0 lines"),
    ],
)
def test_shapes_without_a_transform_are_refused(shape: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Spectrum(*shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"centres": (1,) * 98}, "98 centres for 99 features"),
        ({"centres": (-1,) * 99}, r"centre of a feature is outside \[0, 65535\]"),
        ({"centres": (65536,) * 99}, "centre of a feature is outside"),
        ({"unit": 0}, "unit 0.0 and gain 1.0 of a spectrum must be positive"),
        ({"gain": -1}, "gain -1.0 of a spectrum must be positive"),
        ({"gain": 1e6}, "scale factor"),
    ],
)
def test_settings_out_of_range_are_refused(options: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Spectrum(*FAN, **options)


def test_samples_of_another_width_or_type_are_refused() -> None:
    front = Spectrum(*FAN)
    with pytest.raises(NetworkError, match=r"shape \(2, 599\); this network takes \(count, 600\)"):
        front.features(np.zeros((2, 599), np.int16))
    with pytest.raises(NetworkError, match="float64"):
        front.features(np.zeros((2, 600)))
    with pytest.raises(NetworkError, match="leave the range of int16"):
        front.features(np.full((1, 600), 40000))


@pytest.mark.parametrize("count", [0, 1])
def test_windows_that_are_all_alike_give_no_scale(count: int) -> None:
    with pytest.raises(DataError, match=f"features of {count} windows are all alike"):
        Spectrum(*FAN).fitted(np.ones((count, 600), np.int16))
