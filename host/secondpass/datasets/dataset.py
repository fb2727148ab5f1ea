# SPDX-License-Identifier: Apache-2.0
"""A labelled data set in the raw integers that a device receives."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError

UInt8Array = npt.NDArray[np.uint8]
LabelArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Raw samples uint8 (count, size) and labels int64 (count,) in [0, classes - 1].

    `step` is the real number that one raw step stands for; the zero point is 0.
    Raises `DataError` when shapes, types or labels do not agree.
    """

    name: str
    train_samples: UInt8Array
    train_labels: LabelArray
    test_samples: UInt8Array
    test_labels: LabelArray
    classes: int
    step: float

    def __post_init__(self) -> None:
        for part, samples, labels in (
            ("train", self.train_samples, self.train_labels),
            ("test", self.test_samples, self.test_labels),
        ):
            where = f"data set {self.name}, {part} part"
            if samples.ndim != 2 or samples.dtype != np.uint8:
                raise DataError(
                    f"{where}: samples are {samples.dtype} {samples.shape}, not uint8 (count, size)"
                )
            if labels.shape != samples.shape[:1] or labels.dtype != np.int64:
                raise DataError(
                    f"{where}: labels are {labels.dtype} {labels.shape}, not int64 "
                    f"({samples.shape[0]},)"
                )
            if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
                raise DataError(f"{where}: labels leave [0, {self.classes - 1}]")
        if self.train_samples.shape[1] != self.test_samples.shape[1]:
            raise DataError(f"data set {self.name}: train and test samples differ in size")

    @property
    def size(self) -> int:
        """Values of one sample."""
        return int(self.train_samples.shape[1])
