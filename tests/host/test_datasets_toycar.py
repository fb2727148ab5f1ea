# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass import datasets
from secondpass.datasets import toycar
from secondpass.datasets.toycar import HELD_BACK, SIZE, CarClips
from secondpass.errors import DataError
from secondpass.tasks.anomaly import auc

MAHALANOBIS = {1: 0.890, 2: 0.940, 3: 0.841, 4: 0.984}
"""Areas of a detector fitted to 1,000 normal clips of each car, made independently of this code."""


@pytest.fixture(scope="module")
def real():
    reason = datasets.unavailable_reason("toycar-fft")
    if reason:
        pytest.skip(reason)
    return datasets.load_toycar()


@pytest.fixture
def made():
    """Clips in which the first feature tells the car and the second the clip, in log units."""

    def clips(car, first, count):
        values = np.random.default_rng(car + first).normal(size=(count, SIZE))
        values[:, 0] = car / 10
        values[:, 1] = (first + np.arange(count)) / 100
        return values

    return {
        car: CarClips(clips(car, 0, HELD_BACK + 8), clips(car, 200, 5), clips(car, 300, 4))
        for car in toycar.CARS
    }


def rows(samples):
    return {sample.tobytes() for sample in samples}


def distance(learned, clips):
    """Squared Mahalanobis distances (count,) from what was learned."""
    moved = clips - learned.mean(axis=0)
    return np.einsum("ij,jk,ik->i", moved, np.linalg.pinv(np.cov(learned.T)), moved)


def test_every_car_has_its_clips(real):
    assert {car: clips.learn.shape for car, clips in real.items()} == dict.fromkeys(
        (1, 2, 3, 4), (1000, 110)
    )
    assert [len(clips.normal) for clips in real.values()] == [350] * 4
    assert [len(clips.anomalous) for clips in real.values()] == [264, 265, 265, 265]


@pytest.mark.parametrize("car", MAHALANOBIS)
def test_the_features_give_the_areas_that_are_known(real, car):
    clips = real[car]
    scores = [distance(clips.learn, part) for part in (clips.normal, clips.anomalous)]
    assert auc(*scores) == pytest.approx(MAHALANOBIS[car], abs=0.0015)


def test_a_detector_of_the_other_cars_misses_more(real):
    for car, own in MAHALANOBIS.items():
        others = np.concatenate([real[other].learn for other in real if other != car])
        scores = [distance(others, part) for part in (real[car].normal, real[car].anomalous)]
        assert auc(*scores) < own - 0.04


def test_known_cars_have_mean_zero_and_deviation_one(real):
    task = datasets.new_car_task(real, 2)
    values = (task.pretrain.astype(float) - task.zero_point) * task.step
    assert np.abs(values.mean(axis=0)).max() < task.step
    assert values.std(axis=0) == pytest.approx(1.0, abs=0.03)
    assert np.mean((values <= -4) | (values >= 127 / 32)) < 0.003


def test_no_clip_is_in_two_parts_and_the_new_car_is_in_none_of_the_known(made):
    task = datasets.new_car_task(made, 3)
    assert (len(task.pretrain), len(task.held_known)) == (3 * 8, 3 * HELD_BACK)
    assert (len(task.adaptation), len(task.held)) == (8, HELD_BACK)
    parts = [task.pretrain, task.held_known, task.adaptation, task.held]
    parts += [part for test in task.tests.values() for part in (test.normal, test.anomalous)]
    assert len(set().union(*map(rows, parts))) == sum(map(len, parts))
    new = task.held[0, 0]
    assert (task.held[:, 0] == new).all()
    assert (task.adaptation[:, 0] == new).all()
    assert (task.tests[3].anomalous[:, 0] == new).all()
    assert new not in set(task.pretrain[:, 0]) | set(task.held_known[:, 0])


def test_few_clips_are_the_first_ones_in_an_order_of_the_seed(made):
    everything = datasets.new_car_task(made, 1)
    few, again, other = (datasets.new_car_task(made, 1, 5, seed) for seed in (3, 3, 4))
    assert len(few.adaptation) == 5
    assert rows(few.adaptation) == rows(other.adaptation) < rows(everything.adaptation)
    np.testing.assert_array_equal(few.adaptation, again.adaptation)
    assert (few.pretrain != other.pretrain).any()
    np.testing.assert_array_equal(few.held, everything.held)


def test_all_clips_of_the_new_car_are_those_held_back_too(made):
    task = datasets.new_car_task(made, 1, 8 + HELD_BACK)
    fewer = datasets.new_car_task(made, 1)
    assert rows(task.adaptation) == rows(fewer.adaptation) | rows(fewer.held)


def test_the_scale_depends_on_what_is_pretrained_on_only(made):
    plain = datasets.new_car_task(made, 4)
    made[4] = CarClips(made[4].learn + 9, made[4].normal + 9, made[4].anomalous + 9)
    made[1] = CarClips(made[1].learn.copy(), made[1].normal + 9, made[1].anomalous)
    made[1].learn[-HELD_BACK:] += 9
    moved = datasets.new_car_task(made, 4)
    np.testing.assert_array_equal(moved.pretrain, plain.pretrain)
    assert (moved.held > plain.held).any()
    made[1].learn[0] += 9
    assert (datasets.new_car_task(made, 4).pretrain != plain.pretrain).any()


def test_an_unknown_car_and_too_many_clips_are_refused(made):
    with pytest.raises(DataError, match="car is 5; accepted: 1, 2, 3, 4"):
        datasets.new_car_task(made, 5)
    most = 8 + HELD_BACK
    for count in (0, most + 1):
        with pytest.raises(DataError, match=f"{count} clips to adapt to; accepted: 1 to {most}"):
            datasets.new_car_task(made, 1, count)


def test_spectra_that_have_no_logarithm_are_refused():
    assert toycar.log_magnitudes(np.full((2, SIZE), np.e)) == pytest.approx(1.0)
    for value in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(DataError, match="not positive and finite"):
            toycar.log_magnitudes(np.full((2, SIZE), value))
    with pytest.raises(DataError, match=r"spectra are \(2, 109\), not \(count, 110\)"):
        toycar.log_magnitudes(np.ones((2, 109)))


def test_an_absent_file_is_named_and_load_says_that_there_are_no_classes(monkeypatch, tmp_path):
    with pytest.raises(DataError, match=r"load_toycar\(\)"):
        datasets.load("toycar-fft")
    monkeypatch.setenv("SECONDPASS_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"toycar-fft/toycar_fft110.npz; the data come from the"):
        datasets.load_toycar()
