# SPDX-License-Identifier: Apache-2.0
"""Anomaly detection under drift: an auto-encoder learns what is normal, then adapts to a new place.

The score of a window is its reconstruction error. A detector is judged at both places: one that
adapts by forgetting where it came from finds the anomaly for the wrong reason
(`secondpass.datasets.DriftTask`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.datasets import DriftTask, NewCarTask, Recordings
from secondpass.device.interface import Device, Sample, Threshold
from secondpass.errors import DataError
from secondpass.features.spectrum import STEP, ZERO
from secondpass.network import Network
from secondpass.quantise import choose_input, quantise, random_layers
from secondpass.session import presentation_orders
from secondpass.spectral import with_front

Scores = npt.NDArray[np.float64]

CALIBRATION_SAMPLES = 500


@dataclass(frozen=True)
class DriftOutcome:
    """How well a detector tells windows apart, as areas under the ROC curve, and its errors.

    `deploy`: anomalous from normal windows of the new place; 0.5 is chance.
    `home`: anomalous from normal windows of the first place.
    `both`: anomalous from normal windows of the two places together, with one threshold for all.
    `places`: normal windows of the new place from those of the first; 0.5 is the aim.
    `normal_error`, `home_error`, `anomalous_error`: mean squared errors of the three parts.
    """

    deploy: float
    home: float
    both: float
    places: float
    normal_error: float
    home_error: float
    anomalous_error: float


def auc(lower: Scores, higher: Scores) -> float:
    """Return the area under the ROC curve of scores (count,) that should be low and high.

    It is the chance that a score from `higher` exceeds one from `lower`, ties counted half.
    """
    from sklearn.metrics import roc_auc_score

    if not len(lower) or not len(higher):
        raise DataError("no scores to compare; give at least one of each kind")
    truth = np.repeat([0, 1], [len(lower), len(higher)])
    return float(roc_auc_score(truth, np.concatenate([lower, higher])))


def measure_drift(device: Device, task: DriftTask) -> DriftOutcome:
    """Score the test parts of a task on a device with the head `reconstruction`."""
    return drift_outcome(
        device.scores(task.normal), device.scores(task.home_normal), device.scores(task.anomalous)
    )


def drift_outcome(normal: Scores, home: Scores, anomalous: Scores) -> DriftOutcome:
    """Judge scores (count,) of normal windows from the new and the first place and of anomalies."""
    return DriftOutcome(
        deploy=auc(normal, anomalous),
        home=auc(home, anomalous),
        both=auc(np.concatenate([normal, home]), anomalous),
        places=auc(home, normal),
        normal_error=float(normal.mean()),
        home_error=float(home.mean()),
        anomalous_error=float(anomalous.mean()),
    )


CALIBRATION_SCORES = 500
"""Scores that a device sees before a threshold that it calibrated is used."""


def calibrate(device: Device, samples: Sample, quantile: float, seed: int) -> Threshold:
    """Let a device find its threshold anew from normal samples (count, size); return it.

    They are scored in a random order, and again until the device has seen enough scores; with it
    calibrating ends. Raises `NetworkError` for a quantile out of range and for other heads.
    """
    if not len(samples):
        raise DataError("no samples to calibrate on; give at least one")
    device.set_threshold(quantile, calibrate=True, restart=True)
    passes = math.ceil(max(CALIBRATION_SCORES, 1 / (1 - quantile)) / len(samples))
    for order in presentation_orders(len(samples), passes, seed):
        device.scores(samples[order])
    return device.set_threshold(quantile)


def alarm_shares(device: Device, parts: Sequence[Sample], threshold: float) -> list[float]:
    """Return the share of scores above a threshold in each part (count, size)."""
    return [float((device.scores(part) > threshold).mean()) for part in parts]


@dataclass(frozen=True)
class NewCarOutcome:
    """Areas under the ROC curve of anomalous against normal clips, and errors of normal clips.

    `new`: of the new car; `known`: mean area of the others, each on its own. `new_error`,
    `known_error`: mean squared errors of the clips that are held back.
    """

    new: float
    known: float
    new_error: float
    known_error: float


def measure_new_car(device: Device, task: NewCarTask) -> NewCarOutcome:
    """Score the parts of a task for testing on a device with the head `reconstruction`."""
    areas = {
        car: auc(device.scores(clips.normal), device.scores(clips.anomalous))
        for car, clips in task.tests.items()
    }
    new = areas.pop(task.car)
    return NewCarOutcome(new, float(np.mean(list(areas.values()))), *held_errors(device, task))


def held_errors(device: Device, task: NewCarTask) -> tuple[float, float]:
    """Return the mean squared errors of the new and the known cars' clips that are held back."""
    held, known = device.scores(task.held), device.scores(task.held_known)
    return float(held.mean()), float(known.mean())


def autoencoder(
    recordings: Recordings,
    samples: npt.NDArray[Any],
    hidden: Sequence[int],
    seed: int,
    activation: str = "tanh",
) -> Network:
    """Return an auto-encoder with random weights; samples (count, size) choose its formats.

    It makes its features itself where the recordings are readings.
    """
    front, samples = recordings.front, samples[:CALIBRATION_SAMPLES]
    if front is None:
        spec = choose_input(
            recordings.size, recordings.dtype, recordings.zero_point, recordings.step
        )
    else:
        spec, samples = choose_input(front.size, "uint8", ZERO, STEP), front.features(samples)
    layers = random_layers((spec.size, *hidden, spec.size), seed, activation)
    network = quantise(layers, spec, samples, head="reconstruction")
    return network if front is None else with_front(network, front)
