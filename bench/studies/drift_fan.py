# SPDX-License-Identifier: Apache-2.0
"""Drift of a vibration anomaly detector: an auto-encoder adapts to a ceiling fan at another place.

Pre-trains on normal windows of the first place, adapts to normal windows of the new one by each
rule, and judges both places. Learning rate and projection scale of a rule are those with the
smallest error on normal windows held back from the adaptation; no anomaly takes part in any choice.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from common import TwinPool, candidates, in_format, pretrain, spread, write_lines

from secondpass.datasets import (
    DriftTask,
    Recordings,
    drift_task,
    load_ceiling_fan,
    load_ceiling_fan_readings,
)
from secondpass.datasets.ceiling_fan import SPEEDS
from secondpass.datasets.scaling import STEP
from secondpass.device.twin import HostTwin
from secondpass.network import Network
from secondpass.rules import Backprop, BiasOnly, Dfa, Ftp, LastLayer, Pepita, Rule, with_seed
from secondpass.session import presentation_orders
from secondpass.tasks.anomaly import autoencoder, drift_outcome, measure_drift
from secondpass.tasks.rehearsal import rehearse

Samples = npt.NDArray[Any]

RULES: dict[str, Rule] = {
    "pepita": Pepita(),
    "pepita short": Pepita(second_pass="short"),
    "pepita sparse": Pepita(projection="sparse"),
    "ftp": Ftp(),
    "ftp tanh": Ftp(target_function="tanh"),
    "dfa": Dfa(),
    "bp": Backprop(),
    "bias": BiasOnly(),
    "last": LastLayer(),
}
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
SCALES = (0.05, 0.15, 0.5)
HELD_BACK = 0.2
"""Share of the adaptation windows that choose a rate instead of being learned."""

CHOICE_SEEDS = (101, 102, 103)
"""Of the networks and the orders on which rates are chosen; results use others."""


@dataclass(frozen=True)
class Mode:
    """A way to adapt. `stored`: pre-training windows the device keeps; `both`: which error counts.

    `both`: rates are chosen by the errors at the two places, otherwise by that at the new one.
    """

    name: str
    stored: int
    both: bool


@dataclass(frozen=True)
class Setup:
    """What all runs have in common."""

    pool: TwinPool
    recordings: Recordings
    speeds: Sequence[str]
    hidden: Sequence[int]
    activation: str
    format: str
    epochs: int

    def features(self, samples: Samples) -> Samples:
        """Return what the network's first layer reads of raw samples."""
        front = self.recordings.front
        return samples if front is None else front.features(samples)

    def task(self, seed: int) -> DriftTask:
        """Return the parts, in an order that depends on the seed."""
        return drift_task(self.recordings, self.speeds, seed)

    def trained(self, seed: int) -> tuple[DriftTask, Network]:
        """Return the parts and a network that has learned what is normal at the first place."""
        task = self.task(seed)
        samples = task.pretrain
        network = autoencoder(self.recordings, samples, self.hidden, seed, self.activation)
        trained = pretrain(self.pool, network, samples, zeros(samples), self.epochs, 0.01, seed)
        return task, in_format(trained, samples, self.format)


def zeros(samples: Samples) -> Any:
    """Return the labels of samples that have none."""
    return np.zeros(len(samples), dtype=np.int64)


def adapt(
    twin: HostTwin, samples: Samples, stored: Samples, passes: Sequence[int], seed: int
) -> Any:
    """Train for the last of `passes`; yield the number after each pass that is in `passes`."""
    for number, order in enumerate(presentation_orders(len(samples), passes[-1], seed), start=1):
        stream = rehearse(samples[order], stored, 1000 * seed + number)
        twin.train_all(stream, zeros(stream))
        if number in passes:
            yield number


def choose(
    setup: Setup,
    trained: Sequence[tuple[DriftTask, Network]],
    base: Rule,
    modes: Sequence[Mode],
    passes: int,
) -> dict[str, Rule]:
    """Return the rule with the best rate and scale for each mode."""
    errors: dict[int, list[tuple[float, float, Rule]]] = {}
    for stored in sorted({mode.stored for mode in modes}):
        errors[stored] = []
        for rule in candidates(base, RATES, SCALES):
            found = []
            for seed, (task, network) in zip(CHOICE_SEEDS, trained, strict=True):
                cut = int(len(task.adaptation) * HELD_BACK)
                held, learned = task.adaptation[:cut], task.adaptation[cut:]
                twin = setup.pool.get(network, with_seed(rule, seed))
                for _ in adapt(twin, learned, task.pretrain[:stored], [passes], seed):
                    scores = twin.scores(held), twin.scores(task.pretrain[stored:])
                    found.append([float(score.mean()) for score in scores])
            new, old = np.mean(found, axis=0)
            errors[stored].append((new, new + old, rule))
    return {
        mode.name: min(errors[mode.stored], key=lambda entry, mode=mode: entry[mode.both])[2]
        for mode in modes
    }


def study(setup: Setup, seeds: Sequence[int], passes: Sequence[int], stored: int) -> list[Any]:
    """Return one record for every rule, mode, seed and number of passes."""
    modes = [
        Mode("new place only", 0, False),
        Mode("both places", 0, True),
        Mode(f"rehearsal of {stored}", stored, True),
    ]
    records = []
    trained = {seed: setup.trained(seed) for seed in seeds}
    for_choice = [setup.trained(seed) for seed in CHOICE_SEEDS]
    for name, base in RULES.items():
        chosen = choose(setup, for_choice, base, modes, passes[-1])
        for mode in modes:
            for seed, (task, network) in trained.items():
                rule = with_seed(chosen[mode.name], seed)
                twin = setup.pool.get(network, rule)
                common = {
                    "study": "drift_fan",
                    "network": network.shape,
                    "activation": setup.activation,
                    "format": setup.format,
                    "speeds": " ".join(setup.speeds),
                    "rule": name,
                    "mode": mode.name,
                    "rate": rule.learning_rate,
                    "scale": getattr(rule, "projection_scale", 0.0),
                    "seed": seed,
                }
                records.append({**common, "passes": 0, **asdict(measure_drift(twin, task))})
                kept = task.pretrain[: mode.stored]
                for number in adapt(twin, task.adaptation, kept, passes, seed):
                    outcome = asdict(measure_drift(twin, task))
                    saturations = twin.statistics().counters.saturations
                    records.append(
                        {**common, "passes": number, **outcome, "saturations": saturations}
                    )
    return records


def baseline(setup: Setup, components: int) -> list[Any]:
    """Return one record for each way to fit a principal component analysis, in floating point."""
    from sklearn.decomposition import PCA

    task = setup.task(0)
    parts = {
        "first place": task.pretrain,
        "new place only": task.adaptation,
        "both places": np.concatenate([task.pretrain, task.adaptation]),
    }
    records = []
    for mode, samples in parts.items():
        fitted = PCA(components).fit(setup.features(samples))

        def errors(windows: Samples, fitted: Any = fitted) -> Any:
            features = setup.features(windows)
            restored = fitted.inverse_transform(fitted.transform(features))
            return ((features - restored) ** 2).mean(axis=1) * STEP**2

        outcome = drift_outcome(*map(errors, (task.normal, task.home_normal, task.anomalous)))
        names = {"rule": f"PCA, {components} components", "mode": mode, "passes": -1}
        records.append({"study": "drift_fan", **names, **asdict(outcome)})
    return records


def table(records: list[dict[str, Any]]) -> str:
    """Return mean and deviation over seeds after the last pass as Markdown."""
    columns = ("deploy", "home", "both", "places")
    lines = ["| rule | rates chosen for | rate | scale | " + " | ".join(columns) + " |"]
    lines.append("|---" * (4 + len(columns)) + "|")
    first = [r for r in records if r["passes"] == 0]
    last = max(r["passes"] for r in records)
    before = [r for r in first if r["rule"] == first[0]["rule"] and r["mode"] == first[0]["mode"]]
    groups = [([r["rule"], r["mode"], "", ""], [r]) for r in records if r["passes"] < 0]
    groups.append((["before adaptation", "", "", ""], before))
    learned = [r for r in records if r["passes"] == last]
    for mode in dict.fromkeys(r["mode"] for r in learned):
        for rule in dict.fromkeys(r["rule"] for r in learned):
            rows = [r for r in learned if r["rule"] == rule and r["mode"] == mode]
            scale = f"{rows[0]['scale']:g}" if rows[0]["scale"] else ""
            groups.append(([rule, mode, f"{rows[0]['rate']:g}", scale], rows))
    for names, rows in groups:
        cells = [spread(r[column] for r in rows) for column in columns]
        lines.append("| " + " | ".join([*names, *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the study as the command line says; write its records, print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    parser.add_argument("--speeds", nargs="+", default=["low"], choices=SPEEDS)
    parser.add_argument("--hidden", nargs="+", type=int, default=[32, 8, 32])
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--format", default="a16w16")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--passes", nargs="+", type=int, default=[1, 2, 5, 10, 20])
    parser.add_argument("--epochs", type=int, default=100, help="of the pre-training")
    parser.add_argument("--stored", type=int, default=64, help="windows kept for rehearsal")
    parser.add_argument("--components", type=int, default=8, help="of the baseline")
    parser.add_argument("--readings", action="store_true", help="features are made on the device")
    options = parser.parse_args()
    setup = Setup(
        TwinPool(),
        load_ceiling_fan_readings() if options.readings else load_ceiling_fan(),
        options.speeds,
        options.hidden,
        options.activation,
        options.format,
        options.epochs,
    )
    records = baseline(setup, options.components) + study(
        setup, options.seeds, options.passes, options.stored
    )
    print(write_lines(options.name, records))
    print(table(records))


if __name__ == "__main__":
    main()
