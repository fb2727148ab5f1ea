# SPDX-License-Identifier: Apache-2.0
"""Keywords: a classifier of spoken words meets people it never heard, and other sound.

The network was trained on other people, without noise. The device learns from a few labelled clips
a word; success is the accuracy on the other clips of the same people under the same conditions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.datasets.dataset import LabelArray
from secondpass.datasets.own import SPEECH_STEP
from secondpass.datasets.speech_commands import Recordings
from secondpass.errors import DataError
from secondpass.features import mfcc
from secondpass.features.mfcc import CLIP, RATE, Int8Array
from secondpass.network import Input
from secondpass.quantise import choose_input, feature_mean

Sounds = npt.NDArray[np.float64]

NOISE_DB = 5.0
"""How much stronger the word is than the noise, over the clip."""
LOW_PASS_HZ = 1200.0
REVERB_SECONDS = 0.5
"""Time in which the sound of the room falls by 60 dB."""


def add_noise(sounds: Sounds, seed: int) -> Sounds:
    """Return clips (count, samples) with white noise, 5 dB below each clip's mean power."""
    noise = np.random.default_rng(seed).normal(size=sounds.shape)
    power = (sounds**2).mean(axis=1, keepdims=True) * 10 ** (-NOISE_DB / 10)
    return np.asarray(sounds + noise * np.sqrt(power))


def low_pass(sounds: Sounds, seed: int) -> Sounds:
    """Return clips (count, samples) through a Butterworth low-pass of order 6 at 1.2 kHz."""
    from scipy.signal import butter, sosfilt

    del seed  # nothing is drawn
    return np.asarray(sosfilt(butter(6, LOW_PASS_HZ, fs=RATE, output="sos"), sounds, axis=1))


def reverberate(sounds: Sounds, seed: int) -> Sounds:
    """Return clips (count, samples) as they sound in a room drawn by the seed.

    The room answers with decaying noise that has as much energy as the direct sound.
    """
    from scipy.signal import fftconvolve

    time = np.arange(round(REVERB_SECONDS * RATE)) / RATE
    tail = np.random.default_rng(seed).normal(size=len(time))
    tail *= 10 ** (-3.0 * time / REVERB_SECONDS)
    tail /= np.sqrt((tail**2).sum())
    tail[0] += 1.0
    return np.asarray(fftconvolve(sounds, tail[None], axes=1)[:, : sounds.shape[1]])


CONDITIONS: dict[str, Callable[[Sounds, int], Sounds]] = {
    "clean": lambda sounds, seed: sounds,
    "noise": add_noise,
    "low-pass": low_pass,
    "reverb": reverberate,
}
"""What happens to the sound on its way to the device."""


def features_under(condition: str, sounds: npt.NDArray[np.int16], seed: int) -> Int8Array:
    """Return raw features int8 (count, 490) of clips under a condition."""
    return mfcc.mfcc(CONDITIONS[condition](sounds.astype(np.float64), seed))


def moved(sounds: npt.NDArray[np.int16], most: int, seed: int) -> npt.NDArray[np.int16]:
    """Return clips (count, 16000), each moved in time by up to `most` samples; silence comes in."""
    shifts = np.random.default_rng(seed).integers(-most, most + 1, len(sounds))
    padded = np.pad(sounds, ((0, 0), (most, most)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, CLIP, axis=1)
    return np.asarray(windows[np.arange(len(sounds)), most + shifts])


@dataclass(frozen=True, eq=False)
class Hearing:
    """Clips of some people under a condition: raw features (count, 490) and labels (count,).

    `learned` and `tested` are indices of clips to learn from and of all others.
    """

    features: Int8Array
    labels: LabelArray
    learned: LabelArray
    tested: LabelArray


def hearing(features: Int8Array, labels: LabelArray, count: int, seed: int) -> Hearing:
    """Return what a device hears; the seed draws `count` clips of every class to learn from.

    The same seed draws nested sets: 5 clips of a class are among its 20.
    """
    rng = np.random.default_rng(seed)
    learned = []
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        if not 1 <= count < len(own):
            raise DataError(
                f"{count} clips a class cannot be learned: class {label} has {len(own)}, and some "
                "must be left for testing"
            )
        learned.append(own[:count])
    chosen = rng.permutation(np.concatenate(learned))
    return Hearing(features, labels, chosen, np.setdiff1d(np.arange(len(labels)), chosen))


def speech_input(features: Int8Array) -> Input:
    """Return how raw features enter a network: less their mean over (count, 490)."""
    shape = (mfcc.SIZE, "int8", mfcc.ZERO_POINT, SPEECH_STEP)
    return choose_input(*shape, feature_mean(choose_input(*shape), features))


def subset(recordings: Recordings, chosen: npt.NDArray[np.bool_]) -> Recordings:
    """Return some of the clips."""
    return Recordings(
        recordings.sounds[chosen], recordings.labels[chosen], recordings.speakers[chosen]
    )
