# SPDX-License-Identifier: Apache-2.0
"""Count the instructions of models and layers on emulated boards, checked against the host twin."""

import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.bench.board_run import (
    INFER,
    TRAIN,
    BoardRun,
    Done,
    Job,
    build_layer,
    build_model,
    load,
    run_jobs,
    work,
)
from secondpass.bench.results import LayerResult, ModelResult, Window
from secondpass.bench.workloads import Samples, Workload, window
from secondpass.boards import Board
from secondpass.cost import step_cost
from secondpass.device.crossbuild import build_firmware
from secondpass.device.interface import BIAS, WEIGHTS, target_bytes
from secondpass.device.twin import HostTwin
from secondpass.errors import DeviceError
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass_codegen.memory import row_stride

SKIPPED = 10_000
"""Steps before the steady window."""

STEPS = 1_000
"""Steps of a window."""

INFERENCES = 100
"""Inferences ahead of a window, on its first samples."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A model with the jobs that measure it and the checks that the twin found."""

    workload: str
    data: Samples
    rule_name: str
    network: Network
    rule: Rule
    jobs: list[Job]
    checks: list[int]
    steps: int
    skipped: int


def make_plan(
    name: str,
    workload: Workload,
    rule_name: str,
    format: str,
    steps: int = STEPS,
    skipped: int = SKIPPED,
) -> Plan:
    """Prepare inferences and steps from random weights, then the same after `skipped` steps.

    The host twin trains the steps between: its state is loaded into the board, and it says what
    both must have computed.
    """
    data, network, rule = workload.samples(), workload.network(format), workload.rule(rule_name)
    twin = HostTwin(network, rule)
    jobs: list[Job] = []
    checks: list[int] = []
    for first in (0, skipped):
        if first:
            twin.reset()
            twin.train_all(*window(data, 0, skipped))
        jobs.append(load(twin.state()))
        checks.append(twin_check(twin))
        raw, labels = window(data, first, steps)
        records = [
            target_bytes(network, label) + sample.tobytes()
            for sample, label in zip(raw, labels, strict=True)
        ]
        for sample in raw[:INFERENCES]:
            twin.infer(sample)
        jobs.append(work(INFER, records[:INFERENCES]))
        checks.append(twin_check(twin))
        twin.train_all(raw, labels)
        jobs.append(work(TRAIN, records))
        checks.append(twin_check(twin))
    return Plan(name, data, rule_name, network, rule, jobs, checks, steps, skipped)


def twin_check(twin: HostTwin) -> int:
    """Return what sp_subject_check (model_subject.c) gives on a device in the twin's state."""
    counters = twin.statistics().counters
    check = counters.step + counters.trained_correct + counters.skipped
    for layer in range(len(twin.network.layers)):
        for kind in (WEIGHTS, BIAS):
            values = twin.read_tensor(layer, kind)
            check = check * 31 + zlib.crc32(_padded(values, kind).tobytes())
    return check & 0xFFFFFFFF


def _padded(values: npt.NDArray[Any], kind: int) -> npt.NDArray[Any]:
    if kind == BIAS:
        return values
    stride = row_stride(values.shape[1], values.itemsize)
    return np.pad(values, ((0, 0), (0, stride - values.shape[1])))


def measure_model(plan: Plan, board: Board, emulator_options: tuple[str, ...] = ()) -> ModelResult:
    """Run a plan on a board. Raises `DeviceError` when the board computes something else."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trainer = build_firmware(plan.network, plan.rule, board, folder / "trainer", text=False)
        bench = build_model(plan.network, plan.rule, board, folder)
        run = run_jobs(board, bench.elf, plan.jobs, emulator_options)
    check_equal(plan, board, run)
    return ModelResult(
        board=board.id,
        core=board.core,
        network=plan.workload,
        data=plan.data.source,
        real_data=plan.data.real,
        rule=plan.rule_name,
        format=plan.network.format,
        macs=plan.network.macs,
        step_macs=step_cost(plan.network, plan.rule).macs,
        skipped=plan.skipped,
        early=summary(*run.jobs[1:3]),
        steady=summary(*run.jobs[4:6]),
        flash=trainer.flash_bytes,
        ram=trainer.ram_bytes + trainer.stack_bytes,
        stack=run.stack_used,
    )


def check_equal(plan: Plan, board: Board, run: BoardRun) -> None:
    """Raise `DeviceError` unless the board computed what the twin did."""
    found = [job.check for job in run.jobs]
    if found != plan.checks:
        raise DeviceError(
            f"{board.id} and the host twin differ: {plan.workload}, {plan.rule_name}, "
            f"{plan.network.format}; './run test' shows where"
        )


def summary(inferences: Done, steps: Done) -> Window:
    """Return a window's figures."""
    return Window(
        steps=len(steps.instructions),
        step=round(float(steps.instructions.mean())),
        worst=int(steps.instructions.max()),
        inference=round(float(inferences.instructions.mean())),
    )


def measure_layer(board: Board, inputs: int, outputs: int, format: str) -> LayerResult:
    """Count one fully connected layer and the update of all its rows, on dense data."""
    with tempfile.TemporaryDirectory() as scratch:
        bench = build_layer(inputs, outputs, format, board, Path(scratch))
        record = [bytes(4)]
        run = run_jobs(board, bench.elf, [work(INFER, record), work(TRAIN, record)])
    layer, update = (int(job.instructions[0]) for job in run.jobs)
    return LayerResult(board.id, board.core, inputs, outputs, format, layer, update)
