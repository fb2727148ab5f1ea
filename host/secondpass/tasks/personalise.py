# SPDX-License-Identifier: Apache-2.0
"""Personalisation: a classifier of activities learns from a few windows of one person.

The network was trained on other people. Success is the accuracy on the person's remaining windows;
its price is the accuracy on everybody else. `secondpass.datasets.load_hapt` serves training alone;
here the windows keep their time, so that none to be tested shares a reading with one learned.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.datasets import hapt
from secondpass.datasets.dataset import LabelArray, UInt8Array
from secondpass.datasets.scaling import STEP, ZERO_POINT, FeatureArray, fit_scaling
from secondpass.errors import DataError
from secondpass.network import Network
from secondpass.quantise import choose_input, quantise, random_layers

CALIBRATION_SAMPLES = 500


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of many people in the order of time: features (count, 93) and int64 (count,) each.

    `starts` number the readings at which windows begin, over all recordings; two windows share
    readings if their starts are less than `hapt.WINDOW` apart.
    """

    features: FeatureArray
    labels: LabelArray
    users: LabelArray
    starts: LabelArray


@dataclass(frozen=True, eq=False)
class Labelled:
    """Raw samples uint8 (count, size) and their labels int64 (count,)."""

    samples: UInt8Array
    labels: LabelArray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Person:
    """A person's few windows to learn from, and all others, none of which overlaps with them."""

    learned: Labelled
    tested: Labelled


@dataclass(frozen=True, eq=False)
class Fold:
    """People to pre-train on and held-out people, scaled by the former.

    `samples` (count, size) are the windows of all people as raw values.
    """

    windows: Windows
    samples: UInt8Array
    held_out: tuple[int, ...]

    def others(self, users: Collection[int]) -> Labelled:
        """Return all windows of some people."""
        chosen = np.isin(self.windows.users, list(users))
        return Labelled(self.samples[chosen], self.windows.labels[chosen])

    @property
    def pretrain(self) -> Labelled:
        """All windows of people who are not held out."""
        return self.others(set(self.windows.users.tolist()) - set(self.held_out))

    def person(self, user: int, count: int, seed: int) -> Person:
        """Return a held-out person, with `count` windows chosen by the seed to learn from."""
        if user not in self.held_out:
            raise DataError(f"user {user} is not held out; held out: {self.held_out}")
        own = np.flatnonzero(self.windows.users == user)
        starts = self.windows.starts[own]
        chosen = spread_over_time(len(own), count, seed)
        learned, tested = own[chosen], own[~overlapping(starts, starts[chosen])]
        return Person(
            Labelled(self.samples[learned], self.windows.labels[learned]),
            Labelled(self.samples[tested], self.windows.labels[tested]),
        )


def load_windows() -> Windows:
    """Return the windows of every person; raise `DataError` when the file is missing or altered."""
    arrays = hapt.FILE.read()
    starts, labels = hapt.find_windows(arrays["label"], arrays["exp"])
    index = starts[:, None] + np.arange(hapt.WINDOW)
    features = hapt.window_features(
        arrays["acc"][index] * float(arrays["acc_scale"]),
        arrays["gyro"][index] * float(arrays["gyro_scale"]),
    )
    return Windows(features, labels, arrays["user"][starts].astype(np.int64), starts)


def fold(windows: Windows, held_out: Collection[int]) -> Fold:
    """Hold some people out; centre and scale of features come from all others only."""
    unknown = set(held_out) - set(windows.users.tolist())
    training = ~np.isin(windows.users, list(held_out))
    if unknown or not held_out or not training.any():
        raise DataError(f"held-out users are {sorted(held_out)}; give some, not all, of the users")
    scaling = fit_scaling(windows.features[training])
    return Fold(windows, scaling.quantise(windows.features), tuple(sorted(held_out)))


def user_folds(users: Collection[int], folds: int) -> Iterator[tuple[int, ...]]:
    """Yield groups of users such that each is in one: the n-th takes every `folds`-th user."""
    ordered = sorted(users)
    for first in range(folds):
        yield tuple(ordered[first::folds])


def spread_over_time(total: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return `count` of `total` positions, one drawn from each of `count` equal stretches."""
    if not 1 <= count <= total:
        raise DataError(f"the number of windows is {count}; it takes 1 to {total}")
    rng = np.random.default_rng(seed)
    edges = np.linspace(0, total, count + 1).astype(np.int64)
    return rng.integers(edges[:-1], edges[1:])


def overlapping(starts: LabelArray, chosen: LabelArray) -> npt.NDArray[np.bool_]:
    """Tell which windows (count,) share readings with any window at the starts `chosen`."""
    apart = np.abs(starts[:, None] - chosen[None, :])
    return np.asarray((apart < hapt.WINDOW).any(axis=1))


def classifier(samples: UInt8Array, hidden: tuple[int, ...], seed: int) -> Network:
    """Return a classifier of activities with random weights; samples choose its formats."""
    size, classes = samples.shape[1], len(hapt.ACTIVITIES)
    spec = choose_input(size, "uint8", ZERO_POINT, STEP)
    layers = random_layers((size, *hidden, classes), seed)
    return quantise(layers, spec, samples[:CALIBRATION_SAMPLES])
