# SPDX-License-Identifier: Apache-2.0
"""A training session: a stream of labelled samples into a device, and what came of it."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from secondpass.device.interface import Device, Sample, TrainStep
from secondpass.errors import DataError
from secondpass.learning import StepSettings

PREQUENTIAL_WINDOW = 200
"""Samples over which prequential accuracy is averaged."""


def presentation_orders(count: int, epochs: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield each epoch's order of `count` samples; it depends on the seed alone."""
    generator = np.random.default_rng(seed)
    for _ in range(epochs):
        yield generator.permutation(count)


def check_length(option: str, value: int, most: int | None = None) -> None:
    """Raise `DataError` unless a number of samples or epochs is 1 or more, and `most` at most."""
    if value < 1 or (most is not None and value > most):
        accepted = "1 or more" if most is None else f"1 to {most}"
        raise DataError(f"{option} is {value}; it takes {accepted}")


def falling_rate(epoch: int, epochs: int) -> float:
    """Return an epoch's learning rate relative to the first: linear, down to one twentieth."""
    return 1.0 - 0.95 * epoch / epochs


@dataclass(frozen=True)
class CurvePoint:
    """One training step as it is logged.

    `prequential_accuracy` is the share of right predictions among the last samples, each made
    before the sample was learned; `loss` is the cross-entropy of this sample in nats.
    """

    step: int
    label: int
    predicted: int
    prequential_accuracy: float
    loss: float
    saturations: int
    ticks: int


@dataclass
class History:
    """The learning curve of a session."""

    points: list[CurvePoint] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def steps_per_second(self) -> float:
        """Training steps in a second of wall time, the link included."""
        return len(self.points) / self.seconds if self.seconds else 0.0

    @property
    def ticks_per_step(self) -> float:
        """Mean ticks of a training step."""
        return sum(point.ticks for point in self.points) / max(len(self.points), 1)


class PrequentialAccuracy:
    """The share of right predictions in a sliding window; of scores, their mean."""

    def __init__(self, window: int = PREQUENTIAL_WINDOW) -> None:
        self._recent: deque[float] = deque(maxlen=window)

    def add(self, outcome: float) -> float:
        """Take one outcome, 1 if it was right; return the current mean."""
        self._recent.append(outcome)
        return sum(self._recent) / len(self._recent)


def curve_point(outcome: TrainStep, accuracy: float) -> CurvePoint:
    """Turn an answer into a logged step; a probability of zero counts as half a step of Q0.15."""
    probability = max(outcome.label_probability, 2.0**-16)
    return CurvePoint(
        step=outcome.step,
        label=outcome.label,
        predicted=outcome.predicted,
        prequential_accuracy=accuracy,
        loss=float(-np.log(probability)),
        saturations=outcome.saturations,
        ticks=outcome.ticks,
    )


def train(
    device: Device,
    samples: Sample,
    labels: npt.NDArray[np.integer],
    epochs: int = 1,
    seed: int = 0,
    on_step: Callable[[CurvePoint], None] | None = None,
    settings: Callable[[int], StepSettings] | None = None,
) -> History:
    """Train `device` on samples (count, size) and labels (count,), `epochs` times.

    `settings` gives the device's settings for an epoch, such as a falling learning rate; without it
    the device keeps those it has. `on_step` is called after every step. Ctrl-C ends the session
    early: the history says so, and
    the device keeps what it has learned. Raises `DataError` before anything is sent when samples
    and labels do not match.
    """
    if len(samples) != len(labels) or len(samples) == 0:
        raise DataError(f"{len(samples)} samples with {len(labels)} labels cannot be trained on")
    check_length("epochs", epochs)
    if seed < 0:
        raise DataError(f"the seed is {seed}; it must be 0 or more")
    history = History()
    accuracy = PrequentialAccuracy()
    started = time.perf_counter()
    try:
        for epoch, order in enumerate(presentation_orders(len(samples), epochs, seed)):
            if settings is not None:
                device.configure(settings(epoch))
            for outcome in device.train_stream(samples[order], labels[order].tolist()):
                point = curve_point(outcome, accuracy.add(outcome.correct))
                history.points.append(point)
                history.seconds = time.perf_counter() - started
                if on_step is not None:
                    on_step(point)
    except KeyboardInterrupt:
        history.interrupted = True
    return history
