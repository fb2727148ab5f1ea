# SPDX-License-Identifier: Apache-2.0
"""Vibration of a ceiling fan, for anomaly detection under drift (Shawn Hymel, Beerware).

Windows of about a second, 200 readings of three axes, become log spectra: here, on the host, or on
the device, which then takes readings (docs/features.md).
Recordings differ in speed (off, low, med, high), in a weight on one blade (`_1_weight`, the
anomaly), and in place: `fan_0_low-deploy` was taken with nothing on the blades, but elsewhere.
The weight was never recorded at that other place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.datasets.local import LocalFile
from secondpass.datasets.scaling import STEP, ZERO_POINT, FeatureArray, Scaling
from secondpass.errors import DataError
from secondpass.features.spectrum import Spectrum

SampleArray = npt.NDArray[Any]

FILE = LocalFile(
    "ceiling-fan",
    "ceiling_fan.npz",
    "2f52dda8d4b7fa51a09a3a0295de0bd1559e934ee2ecd10c9684699e7c44fdd1",
    "Shawn Hymel's ceiling-fan data set (Beerware), packed as float32",
)

WINDOW = 200
"""Readings of a window, taken at about 200 Hz: line n of the spectrum lies at about n Hz."""

AXES = 3
UNIT = 1 / 2048
"""What a raw reading of 1 stands for, g: the sensor's resolution. All readings are multiples."""

LINES = 3
"""Neighbouring lines of the spectrum that make one feature."""

BANDS = (WINDOW // 2 - 1) // LINES
SIZE = AXES * BANDS

SPEEDS = ("off", "low", "med", "high")
PRETRAIN_SHARE = 0.8
"""Leading part of a normal recording that may be trained on; the rest is for testing."""

ADAPTATION_SHARE = 0.5
"""Leading part of the recording at the other place that the device may learn from."""

SHIFTED = "fan_0_low-deploy"
ANOMALOUS = "fan_0_low_1_weight"

_POWER_FLOOR = 1e-10
"""Added to powers, in g^2, ahead of the logarithm: well below the sensor's noise."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """Raw samples (count, size) of every recording, by name, in the order of time.

    A raw value stands for `(raw - zero_point) * step`: deviations of a feature from the normal
    fan's mean, or with `front`, which makes such features of them, readings in g.
    Raises `DataError` when a recording has another shape or type.
    """

    samples: Mapping[str, SampleArray]
    size: int = SIZE
    step: float = STEP
    zero_point: int = ZERO_POINT
    dtype: str = "uint8"
    front: Spectrum | None = None

    def __post_init__(self) -> None:
        for name, samples in self.samples.items():
            if samples.dtype != np.dtype(self.dtype) or samples.shape != (len(samples), self.size):
                raise DataError(
                    f"recording {name}: samples are {samples.dtype} {samples.shape}, not "
                    f"{self.dtype} (count, {self.size})"
                )

    def __getitem__(self, name: str) -> SampleArray:
        if name not in self.samples:
            raise DataError(f"recording is {name!r}; accepted: {', '.join(sorted(self.samples))}")
        return self.samples[name]


@dataclass(frozen=True, eq=False)
class DriftTask:
    """Parts of the drift task, raw samples (count, size) each; no window is in two of them.

    A detector learns `pretrain`, then adapts to `adaptation`, normal windows from another place.
    It should then tell `anomalous` from `normal`, which is from that place too. As the anomaly
    was recorded at the first place, a detector that merely learns to tell places apart does well
    on these two; `home_normal`, normal windows at low speed from the first place that were not
    learned, shows whether it has.
    """

    pretrain: SampleArray
    home_normal: SampleArray
    adaptation: SampleArray
    normal: SampleArray
    anomalous: SampleArray


def load_ceiling_fan() -> Recordings:
    """Return every recording as features; raise `DataError` when the file is missing or altered.

    Each feature's centre and the common scale come from the training part of the four normal
    recordings (`normal_name`) only.
    """
    return quantise_recordings({name: log_spectra(w) for name, w in FILE.read().items()})


def load_ceiling_fan_readings() -> Recordings:
    """Return every recording as raw readings, with what makes features of them on a device.

    Raises as `load_ceiling_fan`; the centres and the scale come from the same windows.
    """
    samples = {name: readings(windows) for name, windows in FILE.read().items()}
    front = Spectrum(WINDOW, AXES, LINES, BANDS, UNIT).fitted(np.concatenate(_learned(samples)))
    return Recordings(samples, WINDOW * AXES, UNIT, 0, "int16", front)


def readings(windows: npt.ArrayLike) -> npt.NDArray[np.int16]:
    """Return raw readings (count, 600) of windows (count, 200, 3) in g, axes side by side."""
    values = _windows(windows)
    raw = np.rint(values / UNIT).clip(-(2**15), 2**15 - 1).astype(np.int16)
    return raw.reshape(len(values), WINDOW * AXES)


def normal_name(speed: str) -> str:
    """Return the name of the normal recording at the first place at one of `SPEEDS`."""
    if speed not in SPEEDS:
        raise DataError(f"speed is {speed!r}; accepted: {', '.join(SPEEDS)}")
    return f"fan_0_{speed}_0_weight"


def log_spectra(windows: npt.ArrayLike) -> FeatureArray:
    """Return features (count, 99) of windows (count, 200, 3) in g.

    Feature `33 * axis + band` is the natural logarithm of the root mean square amplitude, in g,
    of spectral lines `3 * band + 1` to `3 * band + 3`. The window's mean, which is gravity and
    depends on how the sensor is mounted, is taken out.
    """
    values = _windows(windows)
    taper = np.hanning(WINDOW)
    moving = (values - values.mean(axis=1, keepdims=True)) * taper[:, None]
    # a sine on a line reads its amplitude
    amplitude = np.abs(np.fft.rfft(moving, axis=1)) * (2.0 / taper.sum())
    lines = amplitude[:, 1 : 1 + BANDS * LINES].reshape(-1, BANDS, LINES, AXES)
    power = (lines**2).mean(axis=2) + _POWER_FLOOR
    features: FeatureArray = 0.5 * np.log(power).transpose(0, 2, 1).reshape(-1, SIZE)
    return features


def quantise_recordings(features: Mapping[str, FeatureArray]) -> Recordings:
    """Return the recordings in raw integers for features (count, 99) by name.

    All features share one scale: a log spectrum is about equally noisy in every band, and scaling
    each by its own deviation would hide the bands that hardly change with the speed.
    """
    normal = np.concatenate(_learned(features))
    centre = normal.mean(axis=0)
    scaling = Scaling(centre, np.full(centre.shape, (normal - centre).std()))
    return Recordings({name: scaling.quantise(values) for name, values in features.items()})


def drift_task(recordings: Recordings, speeds: Sequence[str] = SPEEDS, seed: int = 0) -> DriftTask:
    """Return the parts of the drift task.

    `speeds` are those of the normal recordings to pre-train on; everything else is at low speed.
    Recordings are cut by time, so that windows for testing come later than those to learn from;
    `seed` shuffles the order of the two parts to learn from. Raises `DataError` for an unknown
    speed, or none.
    """
    if not speeds:
        raise DataError(f"no speed to pre-train on; accepted: {', '.join(SPEEDS)}")
    learned = [_split(recordings[normal_name(speed)], PRETRAIN_SHARE)[0] for speed in speeds]
    adaptation, normal = _split(recordings[SHIFTED], ADAPTATION_SHARE)
    rng = np.random.default_rng(seed)
    return DriftTask(
        pretrain=rng.permutation(np.concatenate(learned)),
        home_normal=_split(recordings[normal_name("low")], PRETRAIN_SHARE)[1],
        adaptation=rng.permutation(adaptation),
        normal=normal,
        anomalous=recordings[ANOMALOUS],
    )


def _windows(windows: npt.ArrayLike) -> FeatureArray:
    values = np.asarray(windows, dtype=np.float64)
    if values.ndim != 3 or values.shape[1:] != (WINDOW, AXES):
        raise DataError(f"windows are {values.shape}, not (count, {WINDOW}, {AXES})")
    return values


def _learned(recordings: Mapping[str, SampleArray]) -> list[SampleArray]:
    """Return the training part of each normal recording at the first place."""
    return [_split(recordings[normal_name(speed)], PRETRAIN_SHARE)[0] for speed in SPEEDS]


def _split(samples: SampleArray, share: float) -> tuple[SampleArray, SampleArray]:
    """Return the part of samples (count, size) up to a share of the time, and the rest."""
    cut = _cut(len(samples), share)
    return samples[:cut], samples[cut:]


def _cut(count: int, share: float) -> int:
    """Return how many of `count` windows in the order of time belong to the leading part."""
    return int(share * count)
