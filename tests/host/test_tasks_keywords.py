# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass import datasets
from secondpass.datasets import speech_commands
from secondpass.datasets.speech_commands import SILENCE, deal, load_recordings, speaker
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.reference import NumpyDevice
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError
from secondpass.features.mfcc import CLIP, RATE
from secondpass.quantise import quantise, random_layers
from secondpass.rules import Backprop
from secondpass.tasks.keywords import (
    CONDITIONS,
    LOW_PASS_HZ,
    NOISE_DB,
    REVERB_SECONDS,
    add_noise,
    features_under,
    hearing,
    low_pass,
    moved,
    reverberate,
    speech_input,
)

TIME = np.arange(CLIP) / RATE


def tones(*hertz):
    return np.stack([1000.0 * np.sin(2 * np.pi * f * TIME) for f in hertz])


def decibels(part, whole):
    return 10 * np.log10((part**2).mean(axis=1) / (whole**2).mean(axis=1))


def test_noise_is_white_and_as_strong_as_said():
    clean = tones(300.0, 900.0) * [[1.0], [0.01]]
    noise = add_noise(clean, 3) - clean
    np.testing.assert_allclose(decibels(clean, noise), NOISE_DB, atol=0.2)
    spectrum = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).reshape(-1)[1:16001]
    bands = spectrum.reshape(8, -1).mean(axis=1)[:4]
    assert bands.max() / bands.min() < 1.2
    assert not np.array_equal(add_noise(clean, 4), clean + noise)
    assert not add_noise(np.zeros((1, CLIP)), 3).any()


def test_the_low_pass_keeps_what_is_low():
    heard = decibels(low_pass(tones(300.0, LOW_PASS_HZ, 3000.0), 0), tones(300.0, 1200.0, 3000.0))
    assert heard[0] == pytest.approx(0, abs=0.1)
    assert heard[1] == pytest.approx(-3, abs=0.2)
    assert heard[2] < -40


def test_a_room_answers_later_and_dies_away():
    click = np.zeros((1, CLIP))
    click[0, 1000] = 1.0
    heard = reverberate(click, 5)[0]
    assert not heard[:999].round(9).any()
    assert heard[1000] == pytest.approx(1.0, abs=0.1)
    tail = heard[1001:]
    assert (tail**2).sum() == pytest.approx(1.0, abs=0.1)
    length = round(REVERB_SECONDS * RATE)
    quarter = length // 4
    first, last = (
        (tail[:quarter] ** 2).mean(),
        (tail[length - 2 * quarter : length - quarter] ** 2).mean(),
    )
    assert 10 * np.log10(first / last) == pytest.approx(30, abs=3)  # half of 60 dB
    assert not tail[length:].round(9).any()


def test_conditions_differ_and_are_the_same_every_time():
    rng = np.random.default_rng(1)
    sounds = (tones(400.0, 1600.0) * np.hanning(CLIP) + rng.normal(0, 20, (2, CLIP))).astype(
        np.int16
    )
    made = {name: features_under(name, sounds, 7) for name in CONDITIONS}
    for name, features in made.items():
        np.testing.assert_array_equal(features_under(name, sounds, 7), features)
        assert name == "clean" or np.mean(features != made["clean"]) > 0.1


def test_clips_move_in_time_and_silence_comes_in():
    clips = np.tile(np.arange(1, CLIP + 1, dtype=np.int16), (40, 1))
    out = moved(clips, 100, 2)
    shifts = set()
    for row in out:
        shift = int(row[8000]) - 8001
        shifts.add(shift)
        wanted = np.arange(1, CLIP + 1) + shift
        np.testing.assert_array_equal(row, np.where((wanted < 1) | (wanted > CLIP), 0, wanted))
    assert min(shifts) < -60
    assert max(shifts) > 60
    assert max(map(abs, shifts)) <= 100


def test_nothing_that_is_learned_is_tested():
    labels = np.repeat(np.arange(3), 12)
    features = np.zeros((36, 490), np.int8)
    few, more = (hearing(features, labels, count, 4) for count in (2, 6))
    for heard, count in ((few, 2), (more, 6)):
        assert np.bincount(labels[heard.learned]).tolist() == [count] * 3
        assert sorted([*heard.learned, *heard.tested]) == list(range(36))
    assert set(few.learned) < set(more.learned)
    assert set(hearing(features, labels, 2, 5).learned) != set(few.learned)
    with pytest.raises(DataError, match="12 clips a class cannot be learned"):
        hearing(features, labels, 12, 1)


def test_people_are_dealt_whole():
    rng = np.random.default_rng(1)
    speakers = np.concatenate([rng.integers(0, 40, 400), -1 - np.arange(60)])
    parts = deal(speakers)
    for person in np.unique(speakers):
        assert len(set(parts[speakers == person])) == 1
    assert np.bincount(parts[speakers < 0]).tolist() == [20, 20, 20]
    assert np.ptp(np.bincount(parts[speakers >= 0])) < 15


def test_speakers_are_read_from_names():
    assert speaker("0c540988_nohash_0.flac") == 0x0C540988
    assert speaker("backward_0c540988_nohash_0.wav.flac") == 0x0C540988


def test_a_missing_or_altered_folder_says_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("soundfile")
    monkeypatch.setenv("SECONDPASS_DATA", str(tmp_path))
    assert speech_commands.FOLDER in str(datasets.unavailable_reason("speech-commands"))
    with pytest.raises(DataError, match="has no download: set SECONDPASS_DATA"):
        datasets.load("speech-commands")
    folder = tmp_path / speech_commands.FOLDER
    (folder / "yes").mkdir(parents=True)
    (folder / "yes" / "1_nohash_0.flac").write_bytes(b"fLaC")
    with pytest.raises(DataError, match=r"of its 1 clips is [0-9a-f]{64}, not"):
        datasets.load("speech-commands")


@pytest.fixture(scope="module")
def recordings():
    pytest.importorskip("soundfile")
    reason = datasets.unavailable_reason("speech-commands")
    if reason:
        pytest.skip(reason)
    return load_recordings()


def test_the_set_has_clips_of_twelve_classes(recordings):
    assert recordings.sounds.shape == (2400, CLIP)
    assert np.bincount(recordings.labels).tolist() == [200] * 12
    assert len(np.unique(recordings.speakers[recordings.speakers >= 0])) == 186
    assert ((recordings.speakers < 0) == (recordings.labels == SILENCE)).all()
    parts = deal(recordings.speakers)
    counts = [np.bincount(recordings.labels[parts == part]) for part in range(3)]
    assert np.min(counts) > 50


def test_keywords_are_learned_to_the_same_bits(recordings):
    """Real clips in noise, on the reference and on the generated C; a little is learned."""
    part = np.flatnonzero((deal(recordings.speakers) == 0) & (recordings.labels < 4))
    features = features_under("noise", recordings.sounds[part], 1)
    heard = hearing(features, recordings.labels[part], 8, 1)
    spec = speech_input(features[heard.learned])
    network = quantise(random_layers((490, 16, 12), 1), spec, features[heard.learned])
    rule = Backprop(learning_rate=0.01)
    devices = [HostTwin(network, rule), NumpyDevice(network, rule)]
    x, y = heard.features[heard.learned], heard.labels[heard.learned]
    for device in devices:
        for _ in range(8):
            list(device.train_stream(x, y.tolist()))
    assert same_weights(*(read_weights(device) for device in devices))
    assert devices[0].evaluate(x, y) > len(y) / 2
