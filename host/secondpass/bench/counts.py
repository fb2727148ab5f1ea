# SPDX-License-Identifier: Apache-2.0
"""The instruction counts that a test holds against bench/instructions.json.

Small models and layers on seeded data, counted exactly: a change that moves a count moves it in the
file in the same commit, so that history shows every gain and every loss.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from secondpass.bench.board_run import INFER, TRAIN, build_model, run_jobs, work
from secondpass.bench.matrix import core_boards
from secondpass.bench.measure import measure_layer
from secondpass.bench.workloads import RULES, Workload, synthetic
from secondpass.boards import Board
from secondpass.crosscompiler import cross_compiler
from secondpass.device.interface import target_bytes
from secondpass.network import FORMATS

WIDTHS = (64, 32, 10)
GATED_RULES = ("pepita-fast", "ftp", "bp")
LAYER = (128, 128)
STEPS = 3
COMMAND = "./run bench --update-counts"

Counts = dict[str, int]


def compiler() -> str:
    """Return the cross compiler's version: other versions make other code."""
    return cross_compiler().version()


def count(board: Board) -> Counts:
    """Count the fixed set on a board: instructions by what was counted."""
    workload = Workload(WIDTHS, lambda: synthetic(WIDTHS[0], WIDTHS[-1], 20, zeros=0.5), 0.04)
    data = workload.samples()
    counts: Counts = {}
    for format in FORMATS:
        network = workload.network(format)
        records = [
            target_bytes(network, label) + sample.tobytes()
            for sample, label in zip(data.raw[:STEPS], data.labels[:STEPS], strict=True)
        ]
        jobs = [work(INFER, records[:1]), work(TRAIN, records)]
        for name in GATED_RULES:
            with tempfile.TemporaryDirectory() as scratch:
                build = build_model(network, RULES[name], board, Path(scratch))
                inference, steps = (d.instructions for d in run_jobs(board, build.elf, jobs).jobs)
            what = f"{network.shape} {name} {format}"
            counts[f"{what}, inference"] = int(inference[0])
            counts[f"{what}, {STEPS} steps"] = int(np.sum(steps))
        layer = measure_layer(board, *LAYER, format)
        counts[f"layer {LAYER[0]}x{LAYER[1]} {format}"] = layer.layer
        counts[f"update {LAYER[0]}x{LAYER[1]} {format}"] = layer.update
    return counts


def read(path: Path) -> tuple[str, dict[str, Counts]]:
    """Return the compiler that a file was made with, and its counts by core."""
    content = json.loads(path.read_text())
    return str(content["compiler"]), content["counts"]


def update(path: Path) -> None:
    """Count on every core and write the file."""
    counts = {core: count(board) for core, board in core_boards().items()}
    path.write_text(json.dumps({"compiler": compiler(), "counts": counts}, indent=1) + "\n")


def difference(core: str, expected: Counts, found: Counts) -> str:
    """Return what moved and by how much, and what to do; empty when nothing did."""
    lines = []
    for what in sorted(set(expected) | set(found)):
        old, new = expected.get(what), found.get(what)
        if old == new:
            continue
        if old is None or new is None:
            lines.append(f"{core}: {what}: {'new' if old is None else 'gone'}")
        else:
            change = 100 * (new - old) / old
            lines.append(f"{core}: {what}: {old:,} -> {new:,} ({new - old:+,}, {change:+.2f} %)")
    if lines:
        lines.append(f"if this is meant, '{COMMAND}' writes the new counts: commit them with it")
    return "\n".join(lines)
