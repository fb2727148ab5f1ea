# SPDX-License-Identifier: Apache-2.0
"""How `secondpass train --csv` does as it comes: three tables of scikit-learn, rates and rules."""

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import write_lines
from sklearn import datasets

from secondpass import own_training, session
from secondpass.device.twin import HostTwin
from secondpass.learning import step_settings
from secondpass.own_model import epochs_for, network_for, rule_for
from secondpass.own_training import OwnOptions

TABLES = ("iris", "wine", "breast_cancer")
RULES = ("pepita", "ftp", "bp")
RATES = (0.005, 0.01, 0.02, 0.04, 0.08)


def write_table(name: str, folder: Path) -> Path:
    """Write a table that scikit-learn carries as a CSV file."""
    bunch = getattr(datasets, f"load_{name}")()
    path = folder / f"{name}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow((*bunch.feature_names, "class"))
        writer.writerows(
            (*row, bunch.target_names[answer])
            for row, answer in zip(bunch.data, bunch.target, strict=True)
        )
    return path


def accuracy(path: Path, rule_name: str, rate: float, seed: int) -> float:
    """Return the held-out accuracy of a session with default options on the host twin."""
    options = OwnOptions(csv=path, label="class", seed=seed, rule=rule_name)
    task = own_training.read_task(options, None)
    network = network_for(task, options.hidden, seed, options.format, options.activation)
    rule = rule_for(task.recipe, rule_name, seed, [f"learning_rate={rate}"])
    twin = HostTwin(network, rule)
    epochs = epochs_for(len(task.train_samples))
    session.train(
        twin,
        task.train_samples,
        task.train_answers,
        epochs,
        seed,
        settings=lambda epoch: step_settings(
            network, rule, rate * session.falling_rate(epoch, epochs)
        ),
    )
    return twin.evaluate(task.test_samples, task.test_answers) / len(task.test_answers)


def main() -> None:
    """Run all of it; write the records, print a table of means in %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    records: list[dict[str, Any]] = []
    print("| rule, rate | " + " | ".join(TABLES) + " |\n" + "|---" * (len(TABLES) + 1) + "|")
    with tempfile.TemporaryDirectory() as scratch:
        paths = {name: write_table(name, Path(scratch)) for name in TABLES}
        for rule in RULES:
            for rate in RATES:
                cells = []
                for name, path in paths.items():
                    found = [accuracy(path, rule, rate, seed) for seed in options.seeds]
                    cells.append(f"{100 * np.mean(found):.1f}")
                    shared = {"study": "own_tables", "table": name, "rule": rule, "rate": rate}
                    records += [
                        {**shared, "seed": seed, "accuracy": value}
                        for seed, value in zip(options.seeds, found, strict=True)
                    ]
                print(f"| {rule}, {rate:g} | " + " | ".join(cells) + " |", flush=True)
    print(write_lines(options.name, records))


if __name__ == "__main__":
    main()
