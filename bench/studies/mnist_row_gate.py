# SPDX-License-Identifier: Apache-2.0
"""What an error gate and a row gate save a step of PEPITA on MNIST, and what they cost.

784-100-10, one epoch at the preset's constant rate. At a constant rate accuracy goes up and down
from one thousand samples to the next, so that of a run is the mean of ten evaluations, each 1,000
samples before the next, the last at the end. A row counts as active when its weights are updated.
"early" is steps 0 to 1,000, "steady" steps 10,000 to 11,000.

    python bench/studies/mnist_row_gate.py             # 150 runs: a quarter of an hour on one core
    python bench/studies/mnist_row_gate.py --table     # the table of the results that are there
"""

import argparse
from collections.abc import Sequence
from typing import Any

from common import TwinPool, read_lines, spread, write_lines

from secondpass import datasets
from secondpass.datasets import Dataset
from secondpass.device.twin import HostTwin
from secondpass.presets import PRESETS, random_network
from secondpass.rules import Pepita
from secondpass.session import presentation_orders

NAME = "mnist_row_gate"
GATES = (0.0, 0.05, 0.1)
ROW_GATES = (0.0, 0.00625, 0.0125, 0.025, 0.05)
SEEDS = (1, 2, 3, 4, 5)
EVALUATIONS = 10
WINDOWS = {"early": (0, 1000), "steady": (10000, 11000)}


def run(pool: TwinPool, data: Dataset, centred: bool, rule: Pepita, seed: int) -> dict[str, Any]:
    """Train for one epoch; return accuracy in % and what each window counted a step."""
    network = random_network(data, PRESETS["mnist"].hidden, seed, centred=centred)
    twin = pool.get(network, rule)
    samples, labels = data.train_samples, data.train_labels
    order = next(iter(presentation_orders(len(samples), 1, seed)))
    record: dict[str, Any] = {
        "centred": centred,
        "gate": rule.gate,
        "row_gate": rule.row_gate,
        "seed": seed,
    }
    done = 0
    for name, (start, stop) in WINDOWS.items():
        twin.train_all(samples[order[done:start]], labels[order[done:start]])
        twin.statistics(clear=True)
        twin.train_all(samples[order[start:stop]], labels[order[start:stop]])
        record |= counted(twin, name, stop - start)
        done = stop
    tests = []
    for stop in range(len(order) - 1000 * (EVALUATIONS - 1), len(order) + 1, 1000):
        twin.train_all(samples[order[done:stop]], labels[order[done:stop]])
        correct = twin.evaluate(data.test_samples, data.test_labels)
        tests.append(100 * correct / len(data.test_labels))
        done = stop
    return {**record, "test": sum(tests) / len(tests), "last": tests[-1], "worst": min(tests)}


def counted(twin: HostTwin, name: str, steps: int) -> dict[str, Any]:
    """Return active rows a step of both layers and the share of samples that were skipped."""
    counters = twin.statistics().counters
    hidden, output = (layer.active_rows / steps for layer in counters.layers)
    skipped = counters.skipped / steps
    return {f"{name}_rows": hidden, f"{name}_output_rows": output, f"{name}_skipped": skipped}


def study() -> None:
    """Do all runs; the file is written after each."""
    data = datasets.load("mnist")
    pool, records = TwinPool(), []
    for seed in SEEDS:
        for centred in (False, True):
            for gate in GATES:
                for row_gate in ROW_GATES:
                    rule = Pepita(
                        learning_rate=PRESETS["mnist"].learning_rate,
                        second_pass="short",
                        projection="sparse",
                        gate=gate,
                        row_gate=row_gate,
                        dither_seed=seed,
                        projection_seed=seed,
                    )
                    records.append(run(pool, data, centred, rule, seed))
                    write_lines(NAME, records)
                    print(records[-1], flush=True)


def table() -> None:
    """Print means over seeds; the cost is the mean of paired differences to no gate at all."""
    lines = read_lines(NAME)
    free = {(x["centred"], x["seed"]): x["test"] for x in lines if x["gate"] == x["row_gate"] == 0}
    titles = ("inputs", "gate", "row gate", "test", "cost", "rows early", "rows steady", "skipped")
    print(f"| {' | '.join(titles)} |")
    print("|---" * len(titles) + "|")
    for centred in (False, True):
        for gate in GATES:
            for row_gate in ROW_GATES:
                key = (centred, gate, row_gate)
                chosen = [x for x in lines if (x["centred"], x["gate"], x["row_gate"]) == key]
                if chosen:
                    costs = [free[centred, x["seed"]] - x["test"] for x in chosen]
                    print(f"| {' | '.join(row(chosen, costs))} |")


def row(lines: list[dict[str, Any]], costs: list[float]) -> list[str]:
    """Return the cells of one setting."""

    def mean(name: str) -> float:
        return float(sum(line[name] for line in lines) / len(lines))

    return [
        "centred" if lines[0]["centred"] else "as they are",
        f"{lines[0]['gate']:g}",
        f"{lines[0]['row_gate']:g}",
        spread((line["test"] for line in lines), 2),
        spread(costs, 2),
        f"{mean('early_rows'):.1f}, {mean('early_output_rows'):.1f}",
        f"{mean('steady_rows'):.1f}, {mean('steady_output_rows'):.1f}",
        f"{100 * mean('steady_skipped'):.0f} %",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study unless only its table is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--table", action="store_true", help="print the table of known results")
    if not parser.parse_args(arguments).table:
        study()
    table()


if __name__ == "__main__":
    main()
