# SPDX-License-Identifier: Apache-2.0
"""A training session that is judged by errors: regression and anomaly detection."""

import csv
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from secondpass.datasets.own import OwnTask
from secondpass.device.interface import Device
from secondpass.learning import step_settings
from secondpass.network import Network
from secondpass.own_model import targets_for
from secondpass.rules import Rule
from secondpass.session import PREQUENTIAL_WINDOW, falling_rate, presentation_orders
from secondpass.tasks import anomaly

FALSE_ALARMS = 0.01
"""Share of normal samples that are above an anomaly detector's threshold."""

Scores = npt.NDArray[np.float64]


@dataclass
class ScoreHistory:
    """Mean squared error and saturations of every step, each before the sample was learned."""

    scores: list[float] = field(default_factory=list)
    saturations: list[int] = field(default_factory=list)
    interrupted: bool = False


def train(
    device: Device,
    network: Network,
    rule: Rule,
    task: OwnTask,
    epochs: int,
    seed: int,
    console: Console,
) -> ScoreHistory:
    """Train a device at a falling rate, with a progress bar; Ctrl-C ends it early."""
    history = ScoreHistory()
    recent: deque[float] = deque(maxlen=PREQUENTIAL_WINDOW)
    targets = targets_for(network, task.train_answers)
    bar = Progress(
        TextColumn(device.info.core),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("error {task.fields[error]:.4f}"),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        shown = bar.add_task("train", total=epochs * len(targets), error=0.0)
        try:
            for epoch, order in enumerate(presentation_orders(len(targets), epochs, seed)):
                rate = rule.learning_rate * falling_rate(epoch, epochs)
                device.configure(step_settings(network, rule, rate))
                for step in device.train_stream(task.train_samples[order], targets[order]):
                    recent.append(step.score)
                    history.scores.append(step.score)
                    history.saturations.append(step.saturations)
                    bar.update(shown, advance=1, error=sum(recent) / len(recent))
        except KeyboardInterrupt:
            history.interrupted = True
    return history


def held_out(device: Device, network: Network, task: OwnTask) -> dict[str, Any]:
    """Return how a device does on what is held out, by name, in units of the target.

    Regression: root mean squared error, and that of predicting the mean of what was learned.
    Anomaly: mean error of normal samples; with abnormal ones their mean, and the area under the
    ROC curve.
    """
    if network.head == "mse":
        scores = device.scores(task.test_samples, targets_for(network, task.test_answers))
        unit = task.recipe.target_scale
        return {
            "error": unit * float(np.sqrt(scores.mean())),
            "error of the mean": unit * float(np.sqrt((task.test_answers**2).mean())),
        }
    scores = device.scores(task.test_samples)
    abnormal = task.test_answers.astype(bool)
    found: dict[str, Any] = {"normal": float(scores[~abnormal].mean())}
    if abnormal.any():
        found["abnormal"] = float(scores[abnormal].mean())
        found["area"] = anomaly.auc(scores[~abnormal], scores[abnormal])
    return found


@dataclass(frozen=True)
class Calibration:
    """The error above which a sample is an alarm: the device's, and the learned samples' exact one.

    Shares of held-out samples above each, None where there are no such samples.
    """

    threshold: float
    exact: float
    false_alarms: float | None
    exact_false_alarms: float | None
    hits: float | None
    exact_hits: float | None

    def describe(self) -> str:
        """Return the outcome in words."""
        text = f"alarm above an error of {self.threshold:.4g} on the device ({self.exact:.4g} exact"
        text += f", {100 * FALSE_ALARMS:g} % of what was learned)"
        for what, share, exact in (
            ("false alarms", self.false_alarms, self.exact_false_alarms),
            ("found", self.hits, self.exact_hits),
        ):
            if share is not None and exact is not None:
                text += f", {what} {100 * share:.1f} % ({100 * exact:.1f} %)"
        return text


def calibrate(device: Device, task: OwnTask, seed: int) -> Calibration:
    """Let a device find its threshold anew from what was learned, and try it on what was not."""
    quantile = 1 - FALSE_ALARMS
    found = anomaly.calibrate(device, task.train_samples, quantile, seed).score
    exact = float(np.quantile(device.scores(task.train_samples), quantile))
    scores, abnormal = device.scores(task.test_samples), task.test_answers.astype(bool)
    return Calibration(
        found,
        exact,
        *(_share_above(scores[~abnormal], limit) for limit in (found, exact)),
        *(_share_above(scores[abnormal], limit) for limit in (found, exact)),
    )


def _share_above(scores: Scores, limit: float) -> float | None:
    return float((scores > limit).mean()) if len(scores) else None


def describe(found: dict[str, Any]) -> str:
    """Return what `held_out` found as text."""
    return ", ".join(f"{name} {value:.4g}" for name, value in found.items())


def write_csv(path: Path, history: ScoreHistory) -> None:
    """Write one line a training step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("step", "error", "saturations"))
        for step, (score, count) in enumerate(
            zip(history.scores, history.saturations, strict=True), 1
        ):
            writer.writerow((step, f"{score:.6g}", count))
