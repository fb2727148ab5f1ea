# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass import datasets
from secondpass.datasets import Recordings
from secondpass.datasets.toycar import SIZE
from secondpass.device.interface import read_weights
from secondpass.device.twin import HostTwin
from secondpass.rules import Backprop, Ftp, Pepita
from secondpass.session import presentation_orders
from secondpass.tasks.anomaly import auc, autoencoder, held_errors, measure_new_car


@pytest.fixture(scope="module")
def task():
    reason = datasets.unavailable_reason("toycar-fft")
    if reason:
        pytest.skip(reason)
    return datasets.new_car_task(datasets.load_toycar(), 4, 100, seed=1)


@pytest.fixture(scope="module")
def trained(task):
    """An auto-encoder that knows cars 1 to 3."""
    network = autoencoder(
        Recordings({"known": task.pretrain}, SIZE), task.pretrain, (64, 16, 64), 1
    )
    twin = HostTwin(network, Backprop(learning_rate=0.005))
    learn(twin, task.pretrain, 5)
    return network.with_weights(read_weights(twin))


def learn(twin, samples, passes):
    for order in presentation_orders(len(samples), passes, seed=1):
        twin.train_all(samples[order], np.zeros(len(samples), dtype=np.int64))


@pytest.mark.parametrize("rule", [Pepita, Ftp])
def test_a_hundred_normal_clips_of_a_new_car_sharpen_the_detector(task, trained, rule):
    twin = HostTwin(trained, rule(learning_rate=0.003, projection_scale=0.05))
    before = measure_new_car(twin, task)
    learn(twin, task.adaptation, 10)
    after = measure_new_car(twin, task)
    assert twin.statistics().counters.saturations == 0
    assert after.new > before.new + 0.05
    assert after.new_error < 0.8 * before.new_error


def test_the_outcome_keeps_the_new_car_apart_from_the_others(task, trained):
    twin = HostTwin(trained, Pepita())
    outcome = measure_new_car(twin, task)
    areas = {
        car: auc(twin.scores(clips.normal), twin.scores(clips.anomalous))
        for car, clips in task.tests.items()
    }
    assert outcome.new == areas[4]
    assert outcome.known == pytest.approx((areas[1] + areas[2] + areas[3]) / 3)
    assert held_errors(twin, task) == (outcome.new_error, outcome.known_error)
    assert outcome.new_error == pytest.approx(twin.scores(task.held).mean())
    assert outcome.known_error == pytest.approx(twin.scores(task.held_known).mean())
