# SPDX-License-Identifier: Apache-2.0
"""What the studies share: one run in the device's arithmetic, and its line in a file of results."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from secondpass import datasets
from secondpass.datasets import Dataset
from secondpass.device.twin import HostTwin
from secondpass.integer.state import Counters
from secondpass.learning import step_settings
from secondpass.network import Network
from secondpass.presets import CALIBRATION_SAMPLES, input_of, random_network
from secondpass.quantise import quantise, random_layers
from secondpass.rules import Rule, make_rule, with_seed
from secondpass.session import falling_rate, presentation_orders

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Run:
    """A training run: everything that its result depends on.

    `settings` are those of the rule that differ from its defaults; the seed is that of weights,
    projection, rounding and order. The learning rate falls linearly to a twentieth by epoch.
    """

    dataset: str
    rule: str
    settings: dict[str, Any]
    format: str = "a16w16"
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    epochs: int = 3
    seed: int = 1
    samples: int | None = None
    centred: bool = True
    arithmetic: str = "integer"
    weight_head_room: float | None = None

    def make_rule(self) -> Rule:
        """Return the rule with its settings and seed."""
        return with_seed(make_rule(self.rule, self.settings), self.seed)

    def describe(self) -> dict[str, Any]:
        """Return the run as what JSON makes of it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


@dataclass
class Outcome:
    """What one epoch gave: accuracies in %, and the device's telemetry."""

    test: float
    prequential: float
    saturations: list[int]
    active_rows: list[float]


@cache
def load(name: str) -> Dataset:
    """Return a data set, read once."""
    return datasets.load(name)


def network_of(run: Run) -> Network:
    """Return a run's network with its first weights."""
    data = load(run.dataset)
    if run.weight_head_room is None:
        return random_network(data, run.hidden, run.seed, run.format, run.activation, run.centred)
    return quantise(
        random_layers((data.size, *run.hidden, data.classes), run.seed, run.activation),
        input_of(data, run.centred, run.format),
        data.train_samples[:CALIBRATION_SAMPLES],
        run.weight_head_room,
        format=run.format,
    )


def train(run: Run) -> Iterator[Outcome]:
    """Train in integers on the host twin; yield each epoch's outcome."""
    data = load(run.dataset)
    rule = run.make_rule()
    network = network_of(run)
    twin = HostTwin(network, rule)
    samples, labels = data.train_samples[: run.samples], data.train_labels[: run.samples]
    for epoch, order in enumerate(presentation_orders(len(samples), run.epochs, run.seed)):
        rate = rule.learning_rate * falling_rate(epoch, run.epochs)
        twin.configure(step_settings(network, rule, rate))
        predicted = twin.train_all(samples[order], labels[order])
        counters = twin.statistics(clear=True).counters
        correct = twin.evaluate(data.test_samples, data.test_labels)
        yield Outcome(
            round(100 * correct / len(data.test_labels), 2),
            round(100 * float((predicted == labels[order]).mean()), 2),
            saturations(counters),
            [round(layer.active_rows / len(order), 1) for layer in counters.layers],
        )


def saturations(counters: Counters) -> list[int]:
    """Return how many values each layer saturated: activations, errors and weights."""
    return [
        layer.activation_saturations + layer.error_saturations + layer.weight_saturations
        for layer in counters.layers
    ]


def record(run: Run, outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    """Return a run and what came of it as one line of a file of results."""
    return {
        **run.describe(),
        "test": [outcome.test for outcome in outcomes],
        "prequential": [outcome.prequential for outcome in outcomes],
        "saturations": [outcome.saturations for outcome in outcomes],
        "active_rows": [outcome.active_rows for outcome in outcomes],
        "seconds": round(seconds, 1),
    }


def results(path: Path) -> list[dict[str, Any]]:
    """Read a file of results; there are none when it does not exist."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def run_all(runs: list[Run], path: Path, train: Callable[[Run], Iterator[Outcome]] = train) -> None:
    """Do the runs that the file does not hold yet; append a line for each as it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = list(Run.__dataclass_fields__)
    done = [{key: line.get(key) for key in keys} for line in results(path)]
    for run in runs:
        if run.describe() in done:
            continue
        started = time.perf_counter()
        line = record(run, list(train(run)), time.perf_counter() - started)
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(summary(line), flush=True)


def summary(line: dict[str, Any]) -> str:
    """Return a result in a line of text."""
    widths = "-".join(str(width) for width in line["hidden"])
    return (
        f"{line['dataset']} {line['rule']} {line['format']} {widths} {line['activation']} "
        f"{line['settings']} seed {line['seed']}: {line['test']} %, saturations "
        f"{line['saturations'][-1]}, rows a step {line['active_rows'][-1]}, {line['seconds']} s"
    )
