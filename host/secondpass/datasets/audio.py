# SPDX-License-Identifier: Apache-2.0
"""Sound files: any format that soundfile reads, any rate, made mono at 16 kHz."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError
from secondpass.features.mfcc import CLIP, RATE
from secondpass.toolchain import require_module

Float64Array = npt.NDArray[np.float64]

SUFFIXES = (".wav", ".flac", ".ogg")
"""Endings of files that count as sound."""

SHORTEST = 0.1
"""Seconds of sound that a clip has at least."""

_SEARCH_STEP = 160
"""Samples between the places where the loudest second may begin: 10 ms."""


def read_clip(path: Path) -> Float64Array:
    """Return one second (16000,) of a file: channels averaged, resampled to 16 kHz.

    Less than a second is followed by silence; of more, the loudest second is taken.
    Raises `DataError` saying what is wrong, without the file's name.
    """
    require_module("soundfile", "audio")
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"cannot be read as sound ({_reason(error)})") from error
    if len(samples) < SHORTEST * rate:
        raise DataError(f"has {len(samples) / rate:.3f} s of sound; it takes {SHORTEST} s or more")
    mono = resample(samples.mean(axis=1), rate)
    if not np.isfinite(mono).all():
        raise DataError("holds values that are not finite")
    return loudest_second(mono)


def resample(samples: Float64Array, rate: int) -> Float64Array:
    """Return samples (count,) of a rate at 16 kHz."""
    if rate == RATE:
        return samples
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate, RATE))
    return np.asarray(resample_poly(samples, RATE // divisor, rate // divisor))


def loudest_second(samples: Float64Array) -> Float64Array:
    """Return (16000,) samples: those of most energy, or all and silence behind them."""
    if len(samples) <= CLIP:
        return np.pad(samples, (0, CLIP - len(samples)))
    energy = np.concatenate([[0.0], np.cumsum(samples**2)])
    starts = np.arange(0, len(samples) - CLIP + 1, _SEARCH_STEP)
    first = int(starts[np.argmax(energy[starts + CLIP] - energy[starts])])
    return samples[first : first + CLIP]


def _reason(error: Any) -> str:
    return " ".join(str(error).split())[-80:]
