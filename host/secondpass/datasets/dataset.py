# SPDX-License-Identifier: Apache-2.0
"""A labelled data set in the raw integers that a device receives."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError

UInt8Array = npt.NDArray[np.uint8]
SampleArray = npt.NDArray[np.uint8 | np.int8 | np.int16]
LabelArray = npt.NDArray[np.int64]

SAMPLE_TYPES = ("uint8", "int8", "int16")
"""Types of raw samples, in the byte order of this computer."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Raw samples uint8, int8 or int16 (count, size) and labels int64 (count,) in [0, classes - 1].

    A raw value stands for the real number `(raw - zero_point) * step`. Groups int64 (count,), where
    a set has them, tell samples apart that must not be torn, such as those of one person.
    Raises `DataError` when shapes, types, labels or the zero point do not agree.
    """

    name: str
    train_samples: SampleArray
    train_labels: LabelArray
    test_samples: SampleArray
    test_labels: LabelArray
    classes: int
    step: float
    zero_point: int = 0
    train_groups: LabelArray | None = None
    test_groups: LabelArray | None = None

    def __post_init__(self) -> None:
        for part, samples, labels, groups in (
            ("train", self.train_samples, self.train_labels, self.train_groups),
            ("test", self.test_samples, self.test_labels, self.test_groups),
        ):
            where = f"data set {self.name}, {part} part"
            if samples.ndim != 2 or str(samples.dtype) not in SAMPLE_TYPES:
                raise DataError(
                    f"{where}: samples are {samples.dtype} {samples.shape}, not "
                    f"{' or '.join(SAMPLE_TYPES)} (count, size)"
                )
            _require_one_each(where, "labels", labels, len(samples))
            if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
                raise DataError(f"{where}: labels leave [0, {self.classes - 1}]")
            if groups is not None:
                _require_one_each(where, "groups", groups, len(samples))
        if self.train_samples.dtype != self.test_samples.dtype:
            raise DataError(f"data set {self.name}: train and test samples differ in type")
        if self.train_samples.shape[1] != self.test_samples.shape[1]:
            raise DataError(f"data set {self.name}: train and test samples differ in size")
        limits = np.iinfo(self.train_samples.dtype)
        if not limits.min <= self.zero_point <= limits.max:
            raise DataError(
                f"data set {self.name}: zero point {self.zero_point} is no {self.dtype} value"
            )

    @property
    def size(self) -> int:
        """Values of one sample."""
        return int(self.train_samples.shape[1])

    @property
    def dtype(self) -> str:
        """Type of the raw samples: "uint8", "int8" or "int16"."""
        return str(self.train_samples.dtype)


def _require_one_each(where: str, what: str, values: LabelArray, count: int) -> None:
    """Raise `DataError` unless `values` is int64 (count,)."""
    if values.shape != (count,) or values.dtype != np.int64:
        raise DataError(f"{where}: {what} are {values.dtype} {values.shape}, not int64 ({count},)")
