# SPDX-License-Identifier: Apache-2.0
"""Instruction counts of inference and training on the emulated cores.

The emulator advances the board's timer by a fixed time per instruction, so that the ticks which
the firmware reports around a request give the number of instructions exactly, on every run: at
more than two ticks an instruction, where in a tick the count began makes no difference.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from secondpass.boards import Board, board_ids, load_board
from secondpass.cost import step_cost
from secondpass.device.emulator import emulated_device
from secondpass.device.interface import Sample
from secondpass.errors import require_choice
from secondpass.network import Network
from secondpass.quantise import choose_input, quantise, random_layers
from secondpass.rules import Pepita, Rule

WIDTHS = ((64, 64, 10), (784, 100, 10))
_NUMBERS = ("instructions", "MACs", "per MAC")
SAMPLES = 32
"""Samples whose mean is reported; the training steps start from random weights."""


@dataclass(frozen=True)
class Measurement:
    """Mean instructions of one inference or one training step over the first samples."""

    name: str
    core: str
    board: str
    network: str
    rule: str
    format: str
    instructions: int
    macs: int
    per_mac: float


def bench_network(
    widths: tuple[int, ...],
) -> tuple[Network, Sample, npt.NDArray[np.integer]]:
    """Return a network with samples (SAMPLES, size) and labels; four values in five are zero."""
    generator = np.random.default_rng(1)
    size = widths[0]
    samples = generator.integers(0, 256, (SAMPLES, size))
    samples[generator.random(samples.shape) < 0.8] = 0
    labels = generator.integers(0, widths[-1], SAMPLES)
    spec = choose_input(size, "uint8", 0, 1 / 255)
    raw = samples.astype(np.uint8)
    return quantise(random_layers(widths, 1), spec, raw), raw, labels


def measure(board: Board, widths: tuple[int, ...], rule: Rule) -> Iterator[Measurement]:
    """Count one inference and one training step of a network on a board."""
    network, samples, labels = bench_network(widths)
    with emulated_device(network, rule, board.id, count_instructions=True) as device:
        inference = [device.infer(sample).ticks for sample in samples]
        training = [
            device.train(sample, int(label)).ticks
            for sample, label in zip(samples, labels, strict=True)
        ]
    for name, ticks, macs in (
        ("inference", inference, network.macs),
        ("training step", training, step_cost(network, rule).macs),
    ):
        counts = [round(count / board.ticks_per_instruction) for count in ticks]
        instructions = round(sum(counts) / len(counts))
        yield Measurement(
            name=name,
            core=board.core,
            board=board.id,
            network=network.shape,
            rule=rule.name if name != "inference" else "none",
            format=network.format,
            instructions=instructions,
            macs=macs,
            per_mac=round(instructions / macs, 3),
        )


def run(out: Path, console: Console, network: str | None = None) -> list[Measurement]:
    """Measure every board and network (or one); write a JSON list and print a table."""
    results = []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("what", "board", "network", "instructions", "MACs", "per MAC"):
        table.add_column(
            column, justify="right" if column in _NUMBERS else "left", no_wrap=column == "board"
        )
    names = {"-".join(map(str, widths)): widths for widths in WIDTHS}
    if network is not None:
        require_choice("network", network, names)
        names = {network: names[network]}
    for widths in names.values():
        for board_id in board_ids():
            board = load_board(board_id)
            weight_bytes = 2 * sum(a * b for a, b in pairwise(widths))
            if weight_bytes > board.memory.ram_bytes:
                continue
            for result in measure(board, widths, Pepita()):
                results.append(result)
                table.add_row(
                    result.name,
                    result.board,
                    result.network,
                    f"{result.instructions:,}",
                    f"{result.macs:,}",
                    f"{result.per_mac:.2f}",
                )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    console.print(table)
    console.print(f"{out}")
    return results
