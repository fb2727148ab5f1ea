# SPDX-License-Identifier: Apache-2.0
"""From real features to uint8: standardise each, clip at four deviations, round.

32 raw steps are one deviation. Rounding moves a feature by at most 1/64 of a deviation: a linear
classifier of activities (hapt) is equally accurate with and without it. A sample then takes half
the memory, and half the time on the link, that int16 would take.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.datasets.dataset import UInt8Array

FeatureArray = npt.NDArray[np.float64]

ZERO_POINT = 128
"""Raw value of a feature at its centre."""

STEP = 1 / 32
"""Deviations that one raw step stands for; raw 0 to 255 reach from -4 to almost +4."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """Centre (size,) and positive scale (size,) of features, in the features' own units."""

    centre: FeatureArray
    scale: FeatureArray

    def quantise(self, features: FeatureArray) -> UInt8Array:
        """Return raw values uint8 (count, size) for real features (count, size)."""
        raw = np.rint((features - self.centre) / self.scale / STEP) + ZERO_POINT
        clipped: UInt8Array = np.clip(raw, 0, 255).astype(np.uint8)
        return clipped


def fit_scaling(features: FeatureArray) -> Scaling:
    """Return median and standard deviation of each column of features (count, size).

    The deviation is taken after values are clipped to the 1st and 99th percentile: a few wild
    samples do not stretch it, and features that mostly rest at one value keep a usable scale,
    which the interquartile range would not give them. A constant feature gets scale 1.
    """
    low, centre, high = np.percentile(features, (1, 50, 99), axis=0)
    scale = np.clip(features, low, high).std(axis=0)
    return Scaling(centre, np.where(scale > 0, scale, 1.0))
