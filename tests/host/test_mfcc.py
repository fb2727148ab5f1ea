# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass.errors import DataError
from secondpass.features import mfcc


def sounds(count=12, seed=3):
    """Tones that rise and fall over noise, int16 (count, 16000), some of them faint."""
    rng = np.random.default_rng(seed)
    time = np.arange(mfcc.CLIP) / mfcc.RATE
    pitch = rng.uniform(80, 3500, (count, 1)) * (1 + rng.uniform(-0.5, 0.5, (count, 1)) * time)
    loud = np.exp(-((time - rng.uniform(0.2, 0.8, (count, 1))) ** 2) / 0.02)
    tones = np.sin(2 * np.pi * pitch * time) * loud + rng.normal(0, 0.02, (count, len(time)))
    return (tones * np.geomspace(300, 20000, count)[:, None]).astype(np.int16)


def test_a_loud_band_is_where_the_tone_is():
    """The spectrum of a tone of 1 kHz: one peak in the mel band that holds it, in every frame."""
    tone = np.sin(2 * np.pi * 1000.0 * np.arange(mfcc.CLIP) / mfcc.RATE)[None]
    bands = mfcc.magnitudes(tone) @ mfcc.mel_weights()
    assert bands.shape == (1, 49, 40)
    edges = np.linspace(mfcc._mel(20.0), mfcc._mel(4000.0), 42)
    holding = int(np.argmin(np.abs(edges[1:-1] - mfcc._mel(1000.0))))
    assert set(bands[0].argmax(axis=1).tolist()) == {holding}


def test_features_do_not_depend_on_loudness():
    whole = sounds().astype(np.float64)
    np.testing.assert_array_equal(mfcc.mfcc(whole), mfcc.mfcc(whole * 0.25))


def test_many_clips_are_the_same_as_each_alone():
    """Blocks are only a matter of memory."""
    clips = np.tile(sounds(), (30, 1))[: mfcc._BLOCK + 5]
    found = mfcc.mfcc(clips)
    assert found.shape == (mfcc._BLOCK + 5, mfcc.SIZE)
    assert found.dtype == np.int8
    for index in (0, mfcc._BLOCK - 1, mfcc._BLOCK + 4):
        np.testing.assert_array_equal(found[index], mfcc.mfcc(clips[index][None])[0])


def test_silence_and_short_clips_have_features():
    silent = mfcc.mfcc(np.zeros((1, mfcc.CLIP)))
    assert np.unique(silent.reshape(49, 10)[:, 1:]).tolist() == [mfcc.ZERO_POINT]
    assert silent[0, 0] == -128  # ln(1e-6) * 40 * 2 / sqrt(80) is far below
    short = sounds()[:, :8000]
    padded = np.pad(short, ((0, 0), (0, 8000)))
    np.testing.assert_array_equal(mfcc.mfcc(short), mfcc.mfcc(padded))


def test_values_are_cut_towards_zero_and_saturate():
    real = np.array([[0.0, 0.9 * mfcc.STEP, -83.5 * mfcc.STEP, -84.5 * mfcc.STEP, 1e3, -1e3]])
    assert mfcc.quantise(real).tolist() == [[83, 83, 0, -1, 127, -128]]


@pytest.mark.parametrize("shape", [(16000,), (2, 16001), (2, 0)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(DataError, match="count, 1 to 16000"):
        mfcc.mfcc(np.zeros(shape))


def test_values_that_are_not_finite_are_refused():
    clips = sounds().astype(np.float64)
    clips[1, 5] = np.nan
    with pytest.raises(DataError, match="not finite"):
        mfcc.mfcc(clips)


@pytest.mark.tensorflow
def test_agreement_with_tensorflow():
    """Float32 there, float64 here: almost every value is the same, none is off by more than 1."""
    tf = pytest.importorskip("tensorflow")
    clips = sounds(60)
    wave = clips / clips.max(axis=1, keepdims=True)
    spectra = tf.abs(tf.signal.stft(wave.astype(np.float32), 480, 320, 512))
    np.testing.assert_allclose(mfcc.magnitudes(clips.astype(float)), spectra, atol=2e-4)
    weights = tf.signal.linear_to_mel_weight_matrix(40, 257, 16000, 20.0, 4000.0)
    np.testing.assert_allclose(mfcc.mel_weights(), weights, atol=2e-5)
    logs = tf.math.log(tf.tensordot(spectra, weights, 1) + 1e-6)
    real = tf.signal.mfccs_from_log_mel_spectrograms(logs)[..., :10].numpy().reshape(60, -1)
    wanted = np.clip(np.trunc(real / 0.5847029 + 83), -128, 127)
    distance = np.abs(wanted - mfcc.mfcc(clips))
    assert distance.max() <= 1
    assert np.mean(distance == 0) > 0.995
