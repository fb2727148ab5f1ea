# SPDX-License-Identifier: Apache-2.0
"""A vibration monitor at a new place: a fan's anomaly detector adapts on an emulated Cortex-M.

The device is sent readings of an accelerometer and makes its features of them (docs/features.md),
or is sent features that the host made. The host twin does the same and is compared bit for bit.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from secondpass import modelfile, session
from secondpass.boards import load_board
from secondpass.crosscompiler import require_tools
from secondpass.datasets import (
    DriftTask,
    drift_task,
    load_ceiling_fan,
    load_ceiling_fan_readings,
)
from secondpass.device.crossbuild import Firmware, build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.transport import SerialTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import require_choice
from secondpass.learning import step_settings
from secondpass.network import Network
from secondpass.rules import RULES, Backprop, Rule, make_rule, with_seed
from secondpass.tasks.anomaly import DriftOutcome, autoencoder, measure_drift
from secondpass.tasks.rehearsal import rehearse
from secondpass.work import Work, measure_inference

HIDDEN = (32, 8, 32)
PRETRAINING = 100
"""Epochs of back-propagation at the first place."""
STORED = 64
"""Windows of the first place that follow those of the new one, at random."""
FEATURES = ("device", "host")
_RATES = {"bp": 0.0003, "bias": 0.003}
_PROJECTION = {"projection_scale": 0.05}


@dataclass(frozen=True)
class FanOptions:
    """What `./run fan` accepts; `features`: where they are made; `settings` of the rule."""

    board: str = "mps2-an386"
    features: str = "device"
    rule: str = "ftp"
    settings: dict[str, Any] = field(default_factory=dict)
    passes: int = 5
    seed: int = 1
    folder: Path = Path("build/fan")


@dataclass(frozen=True)
class FanResult:
    """What the task saw: areas under the ROC curve before and after, and whether the twin agrees.

    `work`: of an inference; `step`: of a learning step, in the same unit.
    """

    before: DriftOutcome
    after: DriftOutcome
    steps: int
    step: float
    work: Work | None
    firmware: Firmware
    equal_to_twin: bool


def run(options: FanOptions, console: Console) -> FanResult:
    """Pre-train on the host, adapt and judge on the board, compare; write network and weights."""
    require_choice("features", options.features, FEATURES)
    require_choice("rule", options.rule, RULES)
    session.check_length("--passes", options.passes)
    board = load_board(options.board)
    board.require_emulator()
    require_tools()
    readings = options.features == "device"
    recordings = load_ceiling_fan_readings() if readings else load_ceiling_fan()
    task = drift_task(recordings, ("low",), options.seed)
    rule = _rule(options)
    network = _pretrained(autoencoder(recordings, task.pretrain, HIDDEN, options.seed), task)
    modelfile.save(options.folder / "network.spn", network, rule)
    console.print(
        f"[bold]{network.shape}[/] knows the first place from {len(task.pretrain)} windows; a "
        f"sample has {network.sample.size} x {network.sample.dtype}",
        soft_wrap=True,
        highlight=False,
    )
    firmware = build_firmware(network, rule, board, options.folder / "firmware")
    console.print(
        f"built for {board.name} ({board.core}): {firmware.flash_bytes} bytes of flash, "
        f"{firmware.ram_bytes} bytes of RAM and {firmware.stack_bytes} of stack",
        soft_wrap=True,
    )
    stream = _stream(options, task)
    with Emulator(board, firmware.elf, count_instructions=True) as emulator:
        device = LinkDevice(SerialTransport(emulator.port), network, rule)
        work = measure_inference(device, task.normal, board.ticks_per_instruction)
        with console.status("the device scores windows of both places"):
            before = measure_drift(device, task)
        shown = track(
            device.train_stream(stream, np.zeros(len(stream), np.int64)),
            description=board.core,
            total=len(stream),
            console=console,
        )
        ticks = [step.ticks for step in shown]
        with console.status("the device scores them again"):
            after = measure_drift(device, task)
        weights = read_weights(device)
        counters = device.statistics().counters
        device.close()
    twin = HostTwin(network, rule)
    measure_inference(twin, task.normal)
    twin_before = measure_drift(twin, task)
    twin.train_all(stream, np.zeros(len(stream), np.int64))
    equal = (
        (twin_before, measure_drift(twin, task)) == (before, after)
        and same_weights(weights, read_weights(twin))
        and twin.statistics().counters == counters
    )
    modelfile.save(options.folder / "trained.spn", network.with_weights(weights), rule)
    step = float(np.mean(ticks)) / (work.ticks_per_unit if work else 1.0)
    result = FanResult(before, after, len(stream), step, work, firmware, equal)
    _summarise(options, rule, result, console)
    return result


def _rule(options: FanOptions) -> Rule:
    """Return the rule with the rate that does well in the study, a seed and settings."""
    chosen: dict[str, Any] = {"learning_rate": _RATES.get(options.rule, 0.001)}
    if hasattr(make_rule(options.rule, {}), "projection_scale"):
        chosen.update(_PROJECTION)
    return with_seed(make_rule(options.rule, {**chosen, **options.settings}), options.seed)


def _pretrained(network: Network, task: DriftTask) -> Network:
    """Return the network after back-propagation at a falling rate, in the device's arithmetic."""
    rule = Backprop(learning_rate=0.01)
    twin = HostTwin(network, rule)
    targets = np.zeros(len(task.pretrain), np.int64)
    for epoch, order in enumerate(session.presentation_orders(len(targets), PRETRAINING, 1)):
        rate = rule.learning_rate * session.falling_rate(epoch, PRETRAINING)
        twin.configure(step_settings(network, rule, rate))
        twin.train_all(task.pretrain[order], targets)
    return network.with_weights(read_weights(twin))


def _stream(options: FanOptions, task: DriftTask) -> Any:
    """Return the windows to learn, in order: a stored one follows each of the new place."""
    orders = session.presentation_orders(len(task.adaptation), options.passes, options.seed)
    parts = [
        rehearse(task.adaptation[order], task.pretrain[:STORED], 1000 * options.seed + number)
        for number, order in enumerate(orders, start=1)
    ]
    return np.concatenate(parts)


def _summarise(options: FanOptions, rule: Rule, result: FanResult, console: Console) -> None:
    table = Table(title="Weight on a blade against normal windows: area under the ROC curve")
    for column in ("", "new place", "first place", "both"):
        table.add_column(column, justify="right" if column else "left")
    for title, outcome in (("before", result.before), ("after", result.after)):
        areas = (outcome.deploy, outcome.home, outcome.both)
        table.add_row(title, *(f"{area:.3f}" for area in areas))
    console.print(table)
    console.print(f"{rule.name.upper()}, {result.steps} windows learned one by one")
    if result.work is not None:
        ticks = result.step * result.work.ticks_per_unit
        console.print(f"mean work: {result.work.describe(ticks)}", highlight=False)
    console.print(
        "host twin, same stream: "
        + (
            "[green]weights, areas and counters equal bit for bit[/]"
            if result.equal_to_twin
            else "[red]DIFFERENT: this is a bug, please report it[/]"
        )
    )
    console.print(f"{options.folder}/network.spn, {options.folder}/trained.spn", soft_wrap=True)
