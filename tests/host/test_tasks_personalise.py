# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass import datasets
from secondpass.datasets.hapt import WINDOW
from secondpass.device.interface import read_weights
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError
from secondpass.rules import Backprop, Ftp
from secondpass.session import presentation_orders
from secondpass.tasks.personalise import (
    Windows,
    classifier,
    fold,
    load_windows,
    overlapping,
    spread_over_time,
    user_folds,
)

HARD_USER = 14
"""A user whom a network trained on others knows badly."""


@pytest.fixture
def made():
    """Four users with 50 windows each, overlapping by half, no two alike."""
    count = 200
    features = np.random.default_rng(7).normal(size=(count, 8))
    users = np.repeat(np.arange(1, 5), 50)
    return Windows(features, np.arange(count) % 12, users, np.arange(count) * WINDOW // 2)


def test_one_window_is_drawn_from_every_stretch():
    drawn = np.array([spread_over_time(50, 5, seed) for seed in range(300)])
    assert np.array_equal(np.unique(drawn // 10, axis=0), [[0, 1, 2, 3, 4]])
    assert set(drawn.ravel().tolist()) == set(range(50))


@pytest.mark.parametrize("count", [0, 51])
def test_number_of_windows_is_checked(count):
    with pytest.raises(DataError, match="1 to 50"):
        spread_over_time(50, count, 1)


def test_overlap_needs_a_shared_reading():
    starts = np.array([0, WINDOW - 1, WINDOW, 5 * WINDOW])
    assert overlapping(starts, np.array([0])).tolist() == [True, True, False, False]


def test_a_person_is_tested_on_nothing_that_was_learned(made):
    data = fold(made, (2, 3))
    person = data.person(2, 5, seed=1)
    own = data.samples[made.users == 2]
    positions = [int(np.flatnonzero((own == s).all(1))[0]) for s in person.learned.samples]
    near = {p + d for p in positions for d in (-1, 0, 1)} & set(range(50))
    assert len(person.tested) == 50 - len(near)
    unseen = set(range(50)) - near
    assert {tuple(s) for s in own[sorted(unseen)]} == {tuple(s) for s in person.tested.samples}


def test_labels_stay_with_their_windows(made):
    data = fold(made, (2, 3))
    label = {tuple(s): y for s, y in zip(data.samples, made.labels, strict=True)}
    assert len(label) == 200
    person = data.person(3, 10, seed=2)
    for part in (person.learned, person.tested, data.pretrain):
        assert [label[tuple(s)] for s in part.samples] == part.labels.tolist()


def test_scaling_and_pretraining_leave_the_held_out_users_out(made):
    data = fold(made, (4,))
    assert len(data.pretrain) == 150
    changed = made.features.copy()
    changed[made.users == 4] += 1000
    other = fold(Windows(changed, made.labels, made.users, made.starts), (4,))
    assert np.array_equal(data.pretrain.samples, other.pretrain.samples)
    assert not np.array_equal(data.others([4]).samples, other.others([4]).samples)


def test_only_held_out_users_are_adapted_to(made):
    with pytest.raises(DataError, match="user 1 is not held out"):
        fold(made, (4,)).person(1, 5, 1)


@pytest.mark.parametrize("users", [(), (1, 2, 3, 4), (9,)])
def test_held_out_users_are_checked(made, users):
    with pytest.raises(DataError, match="not all"):
        fold(made, users)


def test_every_user_is_in_one_fold():
    folds = list(user_folds(range(1, 31), 5))
    assert sorted(user for part in folds for user in part) == list(range(1, 31))
    assert [len(part) for part in folds] == [6] * 5


@pytest.fixture(scope="module")
def real():
    reason = datasets.unavailable_reason("hapt")
    if reason:
        pytest.skip(reason)
    return load_windows()


def test_windows_are_those_of_the_data_set(real):
    data, known = fold(real, range(26, 31)), datasets.load("hapt")
    ours, theirs = data.pretrain.samples, known.train_samples
    assert np.array_equal(np.sort(ours, axis=0), np.sort(theirs, axis=0))


def test_ftp_learns_a_person(real):
    data = fold(real, [HARD_USER, *range(26, 31)])
    known = data.pretrain
    twin = HostTwin(classifier(known.samples[::50], (64,), seed=1), Backprop())
    for order in presentation_orders(len(known), 3, seed=1):
        twin.train_all(known.samples[order], known.labels[order])
    network = twin.network.with_weights(read_weights(twin))
    twin = HostTwin(network, Ftp(learning_rate=0.01))
    person, others = data.person(HARD_USER, 50, seed=1), data.others(range(26, 31))
    before, others_before = accuracy(twin, person.tested), accuracy(twin, others)
    for order in presentation_orders(len(person.learned), 20, seed=1):
        twin.train_all(person.learned.samples[order], person.learned.labels[order])
    assert others_before > 0.93
    assert before < 0.9
    assert accuracy(twin, person.tested) > before + 0.05
    assert accuracy(twin, others) > others_before - 0.15


def accuracy(twin, part):
    return twin.evaluate(part.samples, part.labels) / len(part)
