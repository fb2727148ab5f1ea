# SPDX-License-Identifier: Apache-2.0
"""A training session of a classifier as a user sees it: greeting, progress, result, files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from secondpass import session
from secondpass.device.interface import Sample
from secondpass.device.link import LinkDevice
from secondpass.learning import StepSettings
from secondpass.moving.transfer import pull
from secondpass.network import Network
from secondpass.report.curve import write_csv, write_png
from secondpass.report.live import LiveDisplay
from secondpass.rules import Rule
from secondpass.work import measure_inference

TRAINED_FILE = "trained.spn"


@dataclass(frozen=True)
class Plan:
    """What is learned and tested: samples (count, size), labels (count,), passes and their order.

    `settings` gives the device's settings for an epoch; None: it keeps those it has.
    """

    train_samples: Sample
    train_labels: npt.NDArray[np.integer]
    test_samples: Sample
    test_labels: npt.NDArray[np.integer]
    epochs: int
    seed: int
    settings: Callable[[int], StepSettings] | None = None


def greet(device: LinkDevice, console: Console) -> None:
    """Print who is at the other end, and whether it crashed before."""
    info = device.info
    console.print(
        f"{info.board} ({info.core}), firmware {info.firmware_version}, "
        f"model {info.model_hash:016x}, {info.model_bytes} bytes"
    )
    if info.crash_pending and (report := device.fault_report()) is not None:
        console.print(f"it crashed before: {report.describe()}", soft_wrap=True)


def run(
    device: LinkDevice,
    network: Network,
    rule: Rule,
    plan: Plan,
    title: str,
    folder: Path,
    console: Console,
) -> float:
    """Train, test, and write curve.csv, curve.png and trained.spn into `folder`.

    Return the held-out accuracy.
    """
    work = measure_inference(device, plan.train_samples)
    steps = len(plan.train_samples) * plan.epochs
    with LiveDisplay(steps, device.info.core, console, work) as display:
        history = session.train(
            device,
            plan.train_samples,
            plan.train_labels,
            plan.epochs,
            plan.seed,
            display,
            plan.settings,
        )
    if history.interrupted:
        console.print(f"stopped after {len(history.points)} steps; the device keeps them")
    tested = len(plan.test_labels)
    accuracy = device.evaluate(plan.test_samples, plan.test_labels.tolist()) / tested
    console.print(
        f"held-out accuracy [bold]{100 * accuracy:.1f} %[/] of {tested}, "
        f"{history.steps_per_second:.0f} steps/s, {device.repeats} repeated requests"
    )
    if work is not None and history.points:
        console.print(f"mean work on the device: {work.describe(history.ticks_per_step)}")
    write_csv(folder / "curve.csv", history)
    write_png(folder / "curve.png", history, title, accuracy)
    save_trained(device, rule, folder)
    console.print(f"{folder}/curve.csv, curve.png and {TRAINED_FILE}")
    return accuracy


def save_trained(device: LinkDevice, rule: Rule, folder: Path) -> None:
    """Read the device's weights and save them as a network that says where it comes from."""
    pull(device, rule, folder / TRAINED_FILE)
