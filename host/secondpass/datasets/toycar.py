# SPDX-License-Identifier: Apache-2.0
"""Sound of four toy cars, for anomaly detection on a machine that was not learned (DCASE 2020).

Each clip of ten seconds is one spectrum: the mean FFT magnitude in 110 bins from 0 to 8 kHz. The
logarithm is taken here. Every car has 1,000 normal clips to learn from, and its own normal and
anomalous clips for testing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.datasets.dataset import UInt8Array
from secondpass.datasets.local import LocalFile
from secondpass.datasets.scaling import STEP, ZERO_POINT, FeatureArray, Scaling
from secondpass.errors import DataError

FILE = LocalFile(
    "toycar-fft",
    "toycar_fft110.npz",
    "f72c827db13aee932d2f6c4ce67ec375163defe1f7a2492995df7676909154b4",
    "the ToyCar clips of DCASE 2020 task 2 (non-commercial), as mean FFT magnitudes",
)

SIZE = 110
"""Bins of a spectrum."""

CARS = (1, 2, 3, 4)

HELD_BACK = 100
"""Last normal clips of each car to learn from that are held back, to choose rates by."""


@dataclass(frozen=True, eq=False)
class CarClips:
    """Log magnitudes (count, 110) of one car: normal clips to learn from, two parts for testing."""

    learn: FeatureArray
    normal: FeatureArray
    anomalous: FeatureArray


@dataclass(frozen=True, eq=False)
class JudgedClips:
    """Raw samples uint8 (count, 110) of one car for testing."""

    normal: UInt8Array
    anomalous: UInt8Array


@dataclass(frozen=True, eq=False)
class NewCarTask:
    """A detector learns the normal clips of all cars but one, then adapts to `adaptation`.

    All parts are uint8 (count, 110); a raw value stands for `(raw - zero_point) * step` deviations
    of a feature from its mean over `pretrain`. `held` and `held_known` are normal clips of the new
    and of the known cars that are neither learned nor tested, unless `adaptation` is so long that
    it takes the new car's too. `tests` holds the clips for testing of every car.
    """

    car: int
    pretrain: UInt8Array
    held_known: UInt8Array
    adaptation: UInt8Array
    held: UInt8Array
    tests: Mapping[int, JudgedClips]
    size: int = SIZE
    dtype: str = "uint8"
    step: float = STEP
    zero_point: int = ZERO_POINT


def load_toycar() -> dict[int, CarClips]:
    """Return the log spectra of every car; raise `DataError` when the file is missing or altered.

    A feature is the natural logarithm of a bin's mean magnitude.
    """
    arrays = FILE.read()
    return {
        car: CarClips(
            log_magnitudes(arrays[f"train_car_{car:02}"]),
            log_magnitudes(arrays[f"test_car_{car:02}"]),
            log_magnitudes(arrays[f"test_car_{car:02}_anomaly"]),
        )
        for car in CARS
    }


def log_magnitudes(spectra: npt.ArrayLike) -> FeatureArray:
    """Return the natural logarithm of magnitudes (count, 110); raise `DataError` unless all > 0."""
    values = np.asarray(spectra, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != SIZE:
        raise DataError(f"spectra are {values.shape}, not (count, {SIZE})")
    if not (np.isfinite(values) & (values > 0)).all():
        raise DataError("spectra have values that are not positive and finite")
    logs: FeatureArray = np.log(values)
    return logs


def new_car_task(
    cars: Mapping[int, CarClips], car: int, count: int | None = None, seed: int = 0
) -> NewCarTask:
    """Return the parts of the task in which `car` is new; `seed` shuffles the parts to learn from.

    `adaptation` is the first `count` normal clips of the new car, all that are not held back when
    None. Mean and deviation of each feature come from the known cars' clips to learn from. Raises
    `DataError` for an unknown car, or a count that is not there.
    """
    if car not in cars:
        raise DataError(f"car is {car!r}; accepted: {', '.join(map(str, sorted(cars)))}")
    most = len(cars[car].learn)
    if count is not None and not 1 <= count <= most:
        raise DataError(f"{count} clips to adapt to; accepted: 1 to {most}")
    count = count or most - HELD_BACK
    known = [clips.learn for name, clips in sorted(cars.items()) if name != car]
    learned = np.concatenate([clips[:-HELD_BACK] for clips in known])
    scaling = Scaling(learned.mean(axis=0), learned.std(axis=0))
    rng = np.random.default_rng(seed)
    return NewCarTask(
        car=car,
        pretrain=rng.permutation(scaling.quantise(learned)),
        held_known=scaling.quantise(np.concatenate([clips[-HELD_BACK:] for clips in known])),
        adaptation=rng.permutation(scaling.quantise(cars[car].learn[:count])),
        held=scaling.quantise(cars[car].learn[-HELD_BACK:]),
        tests={
            name: JudgedClips(scaling.quantise(clips.normal), scaling.quantise(clips.anomalous))
            for name, clips in cars.items()
        },
    )
