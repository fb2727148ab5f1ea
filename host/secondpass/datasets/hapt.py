# SPDX-License-Identifier: Apache-2.0
"""Human activities and postural transitions from a smartphone at the waist (UCI 341, "HAPT").

30 users, acceleration and angular velocity at 50 Hz. Windows of 2.56 s become vectors of features
that say how the body is held and how it moves; features are computed here, on the host.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from secondpass.datasets.dataset import Dataset, LabelArray
from secondpass.datasets.local import LocalFile
from secondpass.datasets.scaling import STEP, ZERO_POINT, FeatureArray, fit_scaling
from secondpass.errors import DataError

FILE = LocalFile(
    "hapt",
    "hapt_int16.npz",
    "10e70c324701f255f0e3b270e6a5cbe4ff79456d711bcddd537a65a46f23ec41",
    "the UCI Machine Learning Repository, id 341 (CC BY 4.0), packed as int16",
)

ACTIVITIES = (
    "walking",
    "walking upstairs",
    "walking downstairs",
    "sitting",
    "standing",
    "laying",
    "stand to sit",
    "sit to stand",
    "sit to lie",
    "lie to sit",
    "stand to lie",
    "lie to stand",
)
"""Name of each label. The transitions, from "stand to sit" on, are rare: 5 % of the windows."""

TEST_USERS = range(26, 31)
USERS = range(1, 31)
SHUFFLE_SEED = 0

WINDOW = 128
HOP = 64
RATE = 50.0
"""Samples a second."""

BANDS = ((1, 3), (4, 6), (7, 10), (11, 18), (19, 31), (32, 64))
"""First and last line of each band of the spectrum; lines are 50/128 Hz apart."""

_POWER_FLOOR = 1e-6
"""Added to powers ahead of the logarithm, in g^2 or (rad/s)^2: about the sensor's own noise."""

_CHANNELS = (
    "body x", "body y", "body z", "body size", "body vertical",
    "gyro x", "gyro y", "gyro z", "gyro size",
)  # fmt: skip


def _names() -> tuple[str, ...]:
    places = [f"gravity {axis} {when}" for when in ("all", "start", "end") for axis in "xyz"]
    turns = [f"mean gyro {axis}" for axis in "xyz"]
    bands = [f"band {low * RATE / WINDOW:.1f}-{high * RATE / WINDOW:.1f} Hz" for low, high in BANDS]
    kinds = ["log power", "min", "max", *bands]
    return (*places, *turns, *(f"{channel} {kind}" for channel in _CHANNELS for kind in kinds))


FEATURES = _names()
"""Name of each feature."""


def load_hapt(test_users: Collection[int] = TEST_USERS) -> Dataset:
    """Return windows of 12 activities as uint8 features; groups are the users, 1 to 30.

    Users in `test_users` make the test part, all others the training part; both are shuffled in a
    fixed order. Centre and scale of every feature come from the training users only.
    Raises `DataError` when the file is missing or altered, or a part would be empty.
    """
    unknown = sorted(set(test_users) - set(USERS))
    if unknown or not 0 < len(set(test_users)) < len(USERS):
        raise DataError(
            f"hapt: test users are {sorted(test_users)}; give some, not all, of 1 to {USERS[-1]}"
        )
    arrays = FILE.read()
    starts, labels = find_windows(arrays["label"], arrays["exp"])
    index = starts[:, None] + np.arange(WINDOW)
    features = window_features(
        arrays["acc"][index] * float(arrays["acc_scale"]),
        arrays["gyro"][index] * float(arrays["gyro_scale"]),
    )
    return split_by_user(features, labels, arrays["user"][starts].astype(np.int64), test_users)


def find_windows(
    labels: npt.NDArray[np.int8], recordings: npt.NDArray[np.uint8]
) -> tuple[LabelArray, LabelArray]:
    """Return first sample and label, int64 (windows,), of every window within one activity.

    `labels` (samples,) are 1 to 12, or -1 where nothing is known; `recordings` (samples,) number
    the recordings. Each stretch of one label in one recording is cut from its beginning into
    windows of 128 samples that overlap by half. Labels returned are 0 to 11.
    """
    changed = (np.diff(labels) != 0) | (np.diff(recordings) != 0)
    begins = np.concatenate([[0], np.flatnonzero(changed) + 1])
    lengths = np.diff(begins, append=len(labels))
    counts = np.where(labels[begins] > 0, np.maximum(0, (lengths - WINDOW) // HOP + 1), 0)
    stretch = np.repeat(np.arange(len(begins)), counts)
    number = np.arange(len(stretch)) - (np.cumsum(counts) - counts)[stretch]
    starts = (begins[stretch] + number * HOP).astype(np.int64)
    return starts, labels[starts].astype(np.int64) - 1


def window_features(acceleration: FeatureArray, rotation: FeatureArray) -> FeatureArray:
    """Return features (count, 93), named by `FEATURES`, of windows (count, 128, 3).

    `acceleration` is in g and holds gravity, `rotation` is in rad/s. Gravity is the mean over the
    window, and over its first and last quarter, which tells how the posture changes. What moves
    around that mean is the body's acceleration: along the axes, in size, and along gravity. Each
    channel gives its log power, its extremes and its log power in six bands.
    """
    quarter = WINDOW // 4
    gravity = acceleration.mean(axis=1)
    places = [gravity, acceleration[:, :quarter].mean(axis=1), acceleration[:, -quarter:].mean(1)]
    body = acceleration - gravity[:, None]
    # a phone in free fall has no direction of gravity; any finite one will do
    length = np.maximum(np.linalg.norm(gravity, axis=1, keepdims=True), 1e-3)
    vertical = np.einsum("nta,na->nt", body, gravity / length)
    channels = [
        *np.moveaxis(body, 2, 0),
        np.linalg.norm(acceleration, axis=2),
        vertical,
        *np.moveaxis(rotation, 2, 0),
        np.linalg.norm(rotation, axis=2),
    ]
    movement = [_channel_features(channel) for channel in channels]
    return np.concatenate([*places, rotation.mean(axis=1), *movement], axis=1)


def split_by_user(
    features: FeatureArray, labels: LabelArray, users: LabelArray, test_users: Collection[int]
) -> Dataset:
    """Return a data set of features (count, size), labels (count,) and users (count,)."""
    rng = np.random.default_rng(SHUFFLE_SEED)
    held_out = np.isin(users, list(test_users))
    train = rng.permutation(np.flatnonzero(~held_out))
    test = rng.permutation(np.flatnonzero(held_out))
    scaling = fit_scaling(features[train])
    return Dataset(
        "hapt",
        scaling.quantise(features[train]),
        labels[train],
        scaling.quantise(features[test]),
        labels[test],
        len(ACTIVITIES),
        STEP,
        ZERO_POINT,
        users[train],
        users[test],
    )


def _channel_features(signal: FeatureArray) -> FeatureArray:
    """Return log power, minimum, maximum and log power by band, (count, 9), of (count, 128)."""
    moving = signal - signal.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(moving * np.hanning(WINDOW), axis=1)
    # the window function keeps 3/8 of the power; a line stands for two, at +f and -f
    power = 2.0 * (spectrum.real**2 + spectrum.imag**2) / (0.375 * WINDOW**2)
    bands = [power[:, low : high + 1].sum(axis=1) for low, high in BANDS]
    powers = np.stack([(moving**2).mean(axis=1), *bands], axis=1)
    logs = np.log(powers + _POWER_FLOOR)
    extremes = np.stack([signal.min(axis=1), signal.max(axis=1)], axis=1)
    return np.concatenate([logs[:, :1], extremes, logs[:, 1:]], axis=1)
