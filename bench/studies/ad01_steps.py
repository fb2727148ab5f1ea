# SPDX-License-Identifier: Apache-2.0
"""What a learning step of the MLCommons Tiny auto-encoder costs on a Cortex-M7.

Counts instructions of 640-128x4-8-128x4-640 under several rules, from random weights and after 200
steps, on windows of a log-mel clip; every step is checked against the host twin. Beside them stand
multiply-accumulates (published: BP 0.711, FTP 0.875, PEPITA 1.203 million) and memory, as planned
and as linked, without the text protocol.
"""

import argparse
from dataclasses import replace
from typing import Any

from common import write_lines

from secondpass.bench.measure import make_plan, measure_model
from secondpass.bench.workloads import WORKLOADS, Workload
from secondpass.boards import load_board
from secondpass.cost import step_cost
from secondpass.plan.planner import Planner
from secondpass.rules import Backprop, Ftp, Pepita, Rule

NAME = "640-128x4-8-128x4-640"
WIDTHS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
RULES: dict[str, Rule] = {
    "pepita": Pepita(),
    "pepita, sparse": Pepita(projection="sparse"),
    "ftp": Ftp(),
    "ftp, sparse": Ftp(projection="sparse"),
    "bp": Backprop(),
}
SKIPPED = 200


class Ad01(Workload):
    """The bench's anomaly detector at its full depth, under the rules of this study."""

    def rule(self, name: str) -> Rule:
        """Return a rule with this workload's rate, and its projection scale where it has one."""
        changes: dict[str, Any] = {"learning_rate": self.learning_rate}
        if name != "bp":
            changes["projection_scale"] = self.projection_scale
        return replace(RULES[name], **changes)


def measured(rule_name: str, format: str, board_id: str, steps: int) -> dict[str, Any]:
    """Return the record of one rule in one format."""
    like = WORKLOADS["640-128-8-128-640"]
    workload = Ad01(
        WIDTHS, like.samples, like.learning_rate, like.head, projection_scale=like.projection_scale
    )
    board = load_board(board_id)
    plan = make_plan(NAME, workload, rule_name, format, steps, SKIPPED)
    result = measure_model(plan, board)
    planned = Planner(plan.network, plan.rule, text=False).on(board)
    return {
        "study": "ad01_steps",
        "data": result.data,
        "board": board_id,
        "rule": rule_name,
        "format": format,
        "macs": step_cost(plan.network, plan.rule).macs,
        "inference": result.early.inference,
        "early": result.early.step,
        "steady": result.steady.step,
        "worst": max(result.early.worst, result.steady.worst),
        "planned_worst": planned.step.worst,
        "ram_planned": planned.ram_bytes,
        "ram": result.ram,
        "flash": result.flash,
    }


def table(records: list[dict[str, Any]]) -> str:
    """Return the records as Markdown."""
    lines = [
        "| rule | format | MACs | inference | step, first | after 200 | worst | RAM | planned |",
        "|---" * 9 + "|",
    ]
    for r in records:
        cells = [r["rule"], r["format"], f"{r['macs'] / 1e6:.3f} M"]
        cells += [f"{r[name] / 1e6:.3f} M" for name in ("inference", "early", "steady", "worst")]
        lines.append("| " + " | ".join([*cells, f"{r['ram']:,}", f"{r['ram_planned']:,}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure as the command line says; write the records, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    parser.add_argument("--board", default="mps2-an500")
    parser.add_argument("--formats", nargs="+", default=["a16w16", "a16w8"])
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    records = [
        measured(rule, format, options.board, options.steps)
        for format in options.formats
        for rule in RULES
    ]
    print(write_lines(options.name, records))
    print(table(records))


if __name__ == "__main__":
    main()
