# SPDX-License-Identifier: Apache-2.0
"""The 8x8 digits that scikit-learn carries (UCI "Optical Recognition of Handwritten Digits").

1,797 samples, raw values 0 to 16; needs no network.
"""

import numpy as np

from secondpass.datasets.dataset import Dataset, LabelArray

CLASSES = 10
TEST_SHARE = 0.2
SPLIT_SEED = 0


def load_digits() -> Dataset:
    """Return the digits in a fixed shuffled split: of every class a fifth is for testing.

    The split mixes writers, so it is easier than one by writer.
    """
    from sklearn import datasets

    bunch = datasets.load_digits()
    samples = np.asarray(bunch.data).astype(np.uint8)
    labels = np.asarray(bunch.target).astype(np.int64)
    train, test = stratified_split(labels, TEST_SHARE, SPLIT_SEED)
    return Dataset(
        "digits", samples[train], labels[train], samples[test], labels[test], CLASSES, 1 / 16
    )


def stratified_split(
    labels: LabelArray, test_share: float, seed: int
) -> tuple[LabelArray, LabelArray]:
    """Return shuffled indices (train, test); `test_share` of every class is for testing."""
    rng = np.random.default_rng(seed)
    train, test = [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = round(test_share * members.size)
        test.append(members[:count])
        train.append(members[count:])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))
