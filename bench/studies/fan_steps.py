# SPDX-License-Identifier: Apache-2.0
"""What features made on the device cost: instructions of the ceiling fan's front end on every core.

The same auto-encoder, 99-32-8-32-99, is counted twice: sent readings, and sent the features that
the front end makes of them. The difference of an inference is the front end. Every step is checked
against the host twin.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import write_lines

from secondpass.bench.matrix import LEAST_RAM
from secondpass.bench.measure import make_plan, measure_model
from secondpass.bench.results import ModelResult
from secondpass.bench.workloads import Samples
from secondpass.boards import emulated_boards, load_board
from secondpass.datasets import drift_task, load_ceiling_fan_readings
from secondpass.datasets.ceiling_fan import UNIT
from secondpass.datasets.scaling import STEP
from secondpass.network import Network
from secondpass.rules import Backprop, Ftp, LastLayer, Pepita, Rule
from secondpass.spectral import SpectralNetwork
from secondpass.tasks.anomaly import autoencoder

RATE = 0.001
SCALE = 0.05
RULES: dict[str, Rule] = {
    "pepita": Pepita(learning_rate=RATE, projection_scale=SCALE),
    "ftp": Ftp(learning_rate=RATE, projection_scale=SCALE),
    "bp": Backprop(learning_rate=RATE),
    "last": LastLayer(learning_rate=RATE),
}
SKIPPED = 200


@dataclass(frozen=True)
class Counted:
    """The fan's network as a workload of the bench, on readings or on their features."""

    subject: Network
    data: Samples

    def samples(self) -> Samples:
        """Return the windows of the new place."""
        return self.data

    def network(self, _format: str) -> Network:
        """Return the auto-encoder with random weights."""
        return self.subject

    def rule(self, name: str) -> Rule:
        """Return a rule of this study."""
        return RULES[name]


def workloads() -> tuple[Counted, Counted]:
    """Return the network on readings, and the same on features."""
    recordings = load_ceiling_fan_readings()
    task = drift_task(recordings, ("low",))
    network = autoencoder(recordings, task.pretrain, (32, 8, 32), 1)
    assert isinstance(network, SpectralNetwork)
    labels = np.zeros(len(task.adaptation), dtype=np.int64)
    raw = task.adaptation
    features = network.front.features(raw)
    source = "ceiling fan"
    return (
        Counted(network, Samples(source, True, raw, labels, UNIT)),
        Counted(network.upper, Samples(source, True, features, labels, STEP)),
    )


def count(workload: Counted, rule: str, board: str, steps: int) -> ModelResult:
    """Count inferences and steps of one rule on one board."""
    like: Any = workload  # the bench asks a workload for no more than these three methods
    plan = make_plan(workload.subject.shape, like, rule, "a16w16", steps, SKIPPED)
    return measure_model(plan, load_board(board))


def records(boards: Sequence[str], steps: int) -> list[dict[str, Any]]:
    """Return a record for every board and rule."""
    readings, features = workloads()
    found = []
    for board in boards:
        for rule in RULES:
            whole, rest = (count(each, rule, board, steps) for each in (readings, features))
            found.append(
                {
                    "study": "fan_steps",
                    "board": board,
                    "rule": rule,
                    "front": whole.early.inference - rest.early.inference,
                    "inference": rest.early.inference,
                    "step": whole.early.step,
                    "ram": whole.ram,
                    "flash": whole.flash,
                    "ram_features": rest.ram,
                    "flash_features": rest.flash,
                }
            )
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Return the records as Markdown, one line a board."""
    names = " / ".join(RULES)
    lines = [
        f"| board | front end | inference behind it | step: {names} | front end's share |",
        "|---" * 5 + "|",
    ]
    for board in dict.fromkeys(record["board"] for record in found):
        rows = [record for record in found if record["board"] == board]
        steps = " / ".join(f"{r['step']:,}" for r in rows)
        shares = " / ".join(f"{100 * r['front'] / r['step']:.0f}" for r in rows)
        front, rest = rows[0]["front"], rows[0]["inference"]
        lines.append(f"| {board} | {front:,} | {rest:,} | {steps} | {shares} % |")
    return "\n".join(lines)


def main() -> None:
    """Count as the command line says; write the records, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    every_core = [board.id for board in emulated_boards(LEAST_RAM)]
    parser.add_argument("--boards", nargs="+", default=every_core)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    found = records(options.boards, options.steps)
    print(write_lines(options.name, found))
    print(table(found))


if __name__ == "__main__":
    main()
