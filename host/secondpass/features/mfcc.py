# SPDX-License-Identifier: Apache-2.0
"""Speech features of one second at 16 kHz: 49 x 10 MFCC in int8, the input of MLCommons Tiny's KWS.

Windows of 30 ms every 20 ms, magnitudes, 40 triangles on the HTK mel scale, logarithm, the first
10 coefficients of a cosine transform. NumPy only. A test compares it with TensorFlow's `tf.signal`.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError

Int8Array = npt.NDArray[np.int8]
Float64Array = npt.NDArray[np.float64]

RATE = 16_000
"""Samples a second."""
CLIP = 16_000
"""Samples of a clip: one second."""
WINDOW = 480
HOP = 320
FFT = 512
FRAMES = 49
MELS = 40
LOWEST_HZ, HIGHEST_HZ = 20.0, 4000.0
COEFFICIENTS = 10
SIZE = FRAMES * COEFFICIENTS
"""Features of a clip, frame after frame."""

STEP = 0.5847029
"""Real value of one raw step, that of the benchmark's reference model."""
ZERO_POINT = 83
"""Raw value of zero."""

_LOG_FLOOR = 1e-6
_BLOCK = 256
"""Clips that are computed at a time: about 100 MB of spectra."""


def mfcc(clips: npt.ArrayLike) -> Int8Array:
    """Return raw features int8 (count, 490) of clips (count, samples) of one second or less.

    Clips are at 16 kHz, of any unit: each is divided by its largest sample. Shorter ones are
    followed by silence. A raw value `v` stands for `(v - 83) * 0.5847029`.
    Raises `DataError` for longer clips and for values that are not finite.
    """
    array = np.asarray(clips)
    if array.ndim != 2 or not 1 <= array.shape[1] <= CLIP:
        raise DataError(f"clips have shape {array.shape}, not (count, 1 to {CLIP})")
    blocks = [
        quantise(coefficients(array[first : first + _BLOCK].astype(np.float64)))
        for first in range(0, len(array), _BLOCK)
    ]
    return np.concatenate([np.empty((0, SIZE), np.int8), *blocks])


def coefficients(clips: Float64Array) -> Float64Array:
    """Return real coefficients (count, 490) of clips (count, samples)."""
    if not np.isfinite(clips).all():
        raise DataError("clips hold values that are not finite")
    logs = np.log(magnitudes(clips) @ mel_weights() + _LOG_FLOOR)
    return np.asarray((logs @ _cosines()).reshape(len(clips), SIZE))


def quantise(real: Float64Array) -> Int8Array:
    """Return raw values int8 of real coefficients, cut towards zero as the benchmark does.

    They are rounded to a millionth first: how a computer adds up does not tell 83 from 82.999...
    """
    raw = np.trunc(np.round(real / STEP + ZERO_POINT, 6))
    return np.clip(raw, -128, 127).astype(np.int8)


def magnitudes(clips: Float64Array) -> Float64Array:
    """Return the magnitude spectra (count, 49, 257) of clips, each at most 1 at its highest."""
    # the highest sample, not the largest magnitude, as the benchmark; never zero or negative
    highest = clips.max(axis=1, keepdims=True)
    scaled = clips / np.where(highest > 0, highest, 1.0)
    padded = np.pad(scaled, ((0, 0), (0, CLIP - clips.shape[1])))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)[:, ::HOP]
    return np.abs(np.fft.rfft(frames * _window(), FFT, axis=2))


@cache
def mel_weights() -> Float64Array:
    """Return the weight (257, 40) of every line of a spectrum in every mel band.

    Triangles are equally spaced and straight in mel, 1127 ln(1 + f / 700); the line at 0 Hz counts
    in none.
    """
    lines = _mel(np.arange(FFT // 2 + 1) * (RATE / FFT))[:, None]
    edges = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), MELS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (lines - lower) / (centre - lower), (upper - lines) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return np.asarray(weights)


def _mel(hertz: npt.ArrayLike) -> Float64Array:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


@cache
def _window() -> Float64Array:
    """Return a periodic Hann window (480,)."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW))


@cache
def _cosines() -> Float64Array:
    """Return the cosine transform (40, 10) of type II, times 2 / sqrt(2 * 40)."""
    angles = np.pi / MELS * (np.arange(MELS)[:, None] + 0.5) * np.arange(COEFFICIENTS)
    return np.asarray(np.cos(angles) * 2.0 / np.sqrt(2.0 * MELS))
