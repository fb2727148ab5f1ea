# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass import datasets
from secondpass.device.interface import read_weights
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError
from secondpass.rules import Backprop, Pepita
from secondpass.session import presentation_orders
from secondpass.spectral import with_front
from secondpass.tasks.anomaly import auc, autoencoder, drift_outcome, measure_drift
from secondpass.tasks.rehearsal import rehearse


def test_auc_counts_pairs_in_order_and_halves_ties():
    assert auc(np.array([1.0, 3.0]), np.array([2.0, 3.0])) == pytest.approx(2.5 / 4)


def test_auc_needs_scores_of_both_kinds():
    with pytest.raises(DataError, match="no scores"):
        auc(np.array([]), np.array([1.0]))


def test_outcome_compares_the_parts_it_names():
    normal, home, anomalous = np.array([4.0, 5.0]), np.array([1.0, 2.0]), np.array([3.0])
    outcome = drift_outcome(normal, home, anomalous)
    assert (outcome.deploy, outcome.home, outcome.both, outcome.places) == (0.0, 1.0, 0.5, 1.0)
    errors = (outcome.normal_error, outcome.home_error, outcome.anomalous_error)
    assert errors == (4.5, 1.5, 3.0)


@pytest.fixture(scope="module")
def task():
    reason = datasets.unavailable_reason("ceiling-fan")
    if reason:
        pytest.skip(reason)
    return datasets.drift_task(datasets.load_ceiling_fan(), ("low",), seed=1)


@pytest.fixture(scope="module")
def trained(task):
    """An auto-encoder that knows the first place."""
    network = autoencoder(datasets.load_ceiling_fan(), task.pretrain, (32,), seed=1)
    twin = HostTwin(network, Backprop(learning_rate=0.003))
    learn(twin, task.pretrain, 40)
    return network.with_weights(read_weights(twin))


def adapted(network, task, stored, saturations=0):
    """Return how the detector does before and after ten passes of PEPITA."""
    twin = HostTwin(network, Pepita(learning_rate=0.001, projection_scale=0.05))
    before = measure_drift(twin, task)
    learn(twin, task.adaptation, 10, task.pretrain[:stored])
    if saturations is not None:  # clamped features of loud windows count too
        assert twin.statistics().counters.saturations == saturations
    return before, measure_drift(twin, task)


def test_pepita_finds_the_anomaly_at_the_new_place(task, trained):
    before, after = adapted(trained, task, stored=64)
    assert before.home > 0.95
    assert before.places > 0.95
    assert before.deploy < 0.65
    assert after.deploy > 0.88
    assert after.home > 0.93
    assert after.both > 0.9
    assert after.places < 0.8


def test_rehearsal_keeps_the_first_place(task, trained):
    _, without = adapted(trained, task, stored=0)
    _, rehearsed = adapted(trained, task, stored=64)
    assert without.normal_error == pytest.approx(rehearsed.normal_error, rel=0.1)
    assert rehearsed.home_error < without.home_error
    assert rehearsed.home > without.home


def test_it_does_so_from_readings_too(task, trained):
    """The same detector, its features made on the device."""
    recordings = datasets.load_ceiling_fan_readings()
    readings = datasets.drift_task(recordings, ("low",), seed=1)
    made = autoencoder(recordings, readings.pretrain, (32,), seed=1)
    assert made.sample.sample_bytes == 1200
    network = with_front(trained, recordings.front)
    before, after = adapted(network, readings, stored=64, saturations=None)
    _, by_host = adapted(trained, task, stored=64)
    assert before.deploy < 0.65
    assert after.both == pytest.approx(by_host.both, abs=0.01)
    assert after.home == pytest.approx(by_host.home, abs=0.01)


def learn(twin, samples, passes, stored=None):
    for number, order in enumerate(presentation_orders(len(samples), passes, seed=1)):
        stream = samples[order]
        if stored is not None:
            stream = rehearse(stream, stored, number)
        twin.train_all(stream, np.zeros(len(stream), dtype=np.int64))
