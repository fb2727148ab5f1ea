# SPDX-License-Identifier: Apache-2.0
"""What an error gate and a row gate save a step of PEPITA, and what they cost.

784-100-10, one epoch at the preset's constant rate. At a constant rate accuracy goes up and down
from one thousand samples to the next, so that of a run is the mean of ten evaluations, each 1,000
samples before the next, the last at the end. A row counts as active when its weights are updated.
"early" is steps 0 to 1,000, "steady" steps 10,000 to 11,000.

    python bench/studies/mnist_row_gate.py gates       # MNIST, a16w16: 90 runs, ten minutes
    python bench/studies/mnist_row_gate.py formats     # two data sets, all formats: 54 runs
    python bench/studies/mnist_row_gate.py gates --table     # the table of the results there are
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from common import TwinPool, read_lines, spread, write_lines

from secondpass import datasets
from secondpass.datasets import Dataset
from secondpass.device.twin import HostTwin
from secondpass.presets import PRESETS, random_network
from secondpass.rules import Pepita
from secondpass.session import presentation_orders

SEEDS = (1, 2, 3)
WINDOWS = {"early": (0, 1000), "steady": (10000, 11000)}
EVALUATIONS = 10

Line = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What is compared. Two settings belong together when only their gates differ."""

    dataset: str
    format: str
    centred: bool
    gate: float
    row_gate: float

    def rule(self, seed: int) -> Pepita:
        """Return PEPITA as it is fastest, with these gates."""
        return Pepita(
            learning_rate=PRESETS[self.dataset].learning_rate,
            second_pass="short",
            projection="sparse",
            gate=self.gate,
            row_gate=self.row_gate,
            dither_seed=seed,
            projection_seed=seed,
        )


def gates() -> list[Setting]:
    """Return every pair of gates, with inputs that are centred and not."""
    error_gates, row_gates = (0.0, 0.05, 0.1), (0.0, 0.00625, 0.0125, 0.025, 0.05)
    return [
        Setting("mnist", "a16w16", *choice)
        for choice in product((False, True), error_gates, row_gates)
    ]


def formats() -> list[Setting]:
    """Return two likely pairs of gates beside none, in every format and on two data sets."""
    pairs = ((0.0, 0.0), (0.05, 0.0125), (0.05, 0.025))
    names, kinds = ("mnist", "fashion-mnist"), ("a16w16", "a16w8", "a8w8")
    return [Setting(name, kind, True, *pair) for name, kind, pair in product(names, kinds, pairs)]


STUDIES: dict[str, Callable[[], list[Setting]]] = {"gates": gates, "formats": formats}


def run(pool: TwinPool, data: Dataset, setting: Setting, seed: int) -> Line:
    """Train for one epoch; return accuracies in % and what each window counted a step."""
    hidden = PRESETS[setting.dataset].hidden
    network = random_network(data, hidden, seed, setting.format, centred=setting.centred)
    twin = pool.get(network, setting.rule(seed))
    order = next(iter(presentation_orders(len(data.train_samples), 1, seed)))
    samples, labels = data.train_samples[order], data.train_labels[order]
    record: Line = {**asdict(setting), "seed": seed}
    done = 0
    for name, (start, stop) in WINDOWS.items():
        twin.train_all(samples[done:start], labels[done:start])
        twin.statistics(clear=True)
        twin.train_all(samples[start:stop], labels[start:stop])
        record |= counted(twin, name, stop - start)
        done = stop
    tests = []
    for stop in range(len(order) - 1000 * (EVALUATIONS - 1), len(order) + 1, 1000):
        twin.train_all(samples[done:stop], labels[done:stop])
        correct = twin.evaluate(data.test_samples, data.test_labels)
        tests.append(100 * correct / len(data.test_labels))
        done = stop
    return {**record, "test": sum(tests) / len(tests), "last": tests[-1], "worst": min(tests)}


def counted(twin: HostTwin, name: str, steps: int) -> Line:
    """Return active rows a step of both layers and the share of samples that were skipped."""
    counters = twin.statistics().counters
    hidden, output = (layer.active_rows / steps for layer in counters.layers)
    skipped = counters.skipped / steps
    return {f"{name}_rows": hidden, f"{name}_output_rows": output, f"{name}_skipped": skipped}


def study(name: str) -> None:
    """Do all runs of a study; the file is written after each."""
    pool, records = TwinPool(), []
    for setting, seed in product(STUDIES[name](), SEEDS):
        records.append(run(pool, datasets.load(setting.dataset), setting, seed))
        write_lines(f"mnist_row_gate_{name}", records)
        print(records[-1], flush=True)


def table(name: str) -> None:
    """Print means over seeds; the cost is the mean of paired differences to no gate at all."""
    lines = read_lines(f"mnist_row_gate_{name}")
    free = {partner(line): line["test"] for line in lines if line["gate"] == line["row_gate"] == 0}
    gains = ("rows early", "rows steady", "skipped steady")
    titles = ("data set", "format", "inputs", "gate", "row gate", "test", "cost", *gains)
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for setting in STUDIES[name]():
        chosen = [line for line in lines if asdict(setting).items() <= line.items()]
        if chosen:
            costs = [free[partner(line)] - line["test"] for line in chosen]
            print(f"| {' | '.join(row(setting, chosen, costs))} |")


def partner(line: Line) -> tuple[Any, ...]:
    """Return what a run shares with the run without gates that it is compared with."""
    return tuple(line[key] for key in ("dataset", "format", "centred", "seed"))


def row(setting: Setting, lines: list[Line], costs: list[float]) -> list[str]:
    """Return the cells of one setting."""

    def mean(name: str) -> float:
        return float(sum(line[name] for line in lines) / len(lines))

    return [
        setting.dataset,
        setting.format,
        "centred" if setting.centred else "as they are",
        f"{setting.gate:g}",
        f"{setting.row_gate:g}",
        spread((line["test"] for line in lines), 2),
        spread(costs, 2) if setting.gate or setting.row_gate else "",
        f"{mean('early_rows'):.1f}, {mean('early_output_rows'):.1f}",
        f"{mean('steady_rows'):.1f}, {mean('steady_output_rows'):.1f}",
        f"{100 * mean('steady_skipped'):.0f} %",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a study unless only its table is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--table", action="store_true", help="print the table of known results")
    options = parser.parse_args(arguments)
    if not options.table:
        study(options.study)
    table(options.study)


if __name__ == "__main__":
    main()
