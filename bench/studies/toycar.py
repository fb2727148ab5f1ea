# SPDX-License-Identifier: Apache-2.0
"""A sound anomaly detector meets a new machine: an auto-encoder adapts to a car it never heard.

Pre-trains on normal clips of three toy cars, adapts to normal clips of the fourth by each rule, and
judges all four; each car is the new one in turn. Learning rate and projection scale of a rule are
those with the smallest error on normal clips held back, averaged over the four choices of the new
car, on networks of another seed; no anomaly and no clip for testing takes part in the choice.
For all 1,000 clips of a car the choice is that of the 900 that leave some to hold back.
"""

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
from common import TwinPool, candidates, pretrain, spread, write_lines

from secondpass.datasets import NewCarTask, Recordings, load_toycar, new_car_task
from secondpass.datasets.dataset import UInt8Array
from secondpass.datasets.toycar import CARS, HELD_BACK, SIZE, CarClips
from secondpass.device.twin import HostTwin
from secondpass.network import Network
from secondpass.rules import Backprop, BiasOnly, Ftp, LastLayer, Pepita, Rule, with_seed
from secondpass.session import presentation_orders
from secondpass.tasks.anomaly import auc, autoencoder, held_errors, measure_new_car
from secondpass.tasks.rehearsal import rehearse

RULES: dict[str, Rule] = {
    "pepita": Pepita(),
    "ftp": Ftp(),
    "bp": Backprop(),
    "bias": BiasOnly(),
    "last": LastLayer(),
}
RATES = (0.0003, 0.001, 0.003, 0.01)
SCALES = (0.05, 0.15)
PASSES = {20: 20, 100: 20, 1000: 2}
"""Clips of the new car to adapt to, and how often each is learned."""

HIDDEN = (64, 16, 64)
CHOICE_SEED = 101
BEFORE = "before adaptation"


def no_labels(samples: UInt8Array) -> Any:
    """Return the labels of samples that have none."""
    return np.zeros(len(samples), dtype=np.int64)


@dataclass(frozen=True)
class Setup:
    """What all runs have in common; `stored`: clips of the known cars for rehearsal."""

    cars: Mapping[int, CarClips]
    seeds: Sequence[int]
    epochs: int
    stored: int

    def task(self, car: int, count: int | None, seed: int) -> NewCarTask:
        """Return the parts with a car as the new one."""
        return new_car_task(self.cars, car, count, seed)

    def runs(self) -> list[tuple[int, str, int]]:
        """Return the clips to adapt to, rules and stored clips that are compared."""
        return list(product(PASSES, RULES, (0, self.stored)))


@cache
def pool() -> TwinPool:
    """Return the host twins of this process."""
    return TwinPool()


def trained_on_others(setup: Setup, car: int) -> dict[int, Network]:
    """Return a network for each seed that has learned what is normal for all cars but one."""
    networks = {}
    for seed in (CHOICE_SEED, *setup.seeds):
        samples = setup.task(car, None, seed).pretrain
        network = autoencoder(Recordings({"learned": samples}, SIZE), samples, HIDDEN, seed)
        labels = no_labels(samples)
        networks[seed] = pretrain(pool(), network, samples, labels, setup.epochs, 0.01, seed)
    return networks


def adapt(twin: HostTwin, task: NewCarTask, passes: int, stored: int, seed: int) -> None:
    """Learn the new car's clips, each followed by one of `stored` clips of the known cars."""
    count = len(task.adaptation)
    for number, order in enumerate(presentation_orders(count, passes, seed), start=1):
        kept = task.pretrain[:stored]
        stream = rehearse(task.adaptation[order], kept, 1000 * seed + number)
        twin.train_all(stream, no_labels(stream))


def choice_errors(setup: Setup, car: int, network: Network) -> list[list[float]]:
    """Return the errors of every candidate of every run, one list a run.

    The error is that of the new car's clips that are held back; with rehearsal the known cars'
    count as much.
    """
    found = []
    for count, name, stored in setup.runs():
        most = len(setup.cars[car].learn) - HELD_BACK
        task = setup.task(car, min(count, most), CHOICE_SEED)
        errors = []
        for rule in candidates(RULES[name], RATES, SCALES):
            twin = pool().get(network, with_seed(rule, CHOICE_SEED))
            adapt(twin, task, PASSES[count], stored, CHOICE_SEED)
            new, known = held_errors(twin, task)
            errors.append(new + known if stored else new)
        found.append(errors)
    return found


def adapted(
    setup: Setup, chosen: Sequence[Rule], car: int, networks: Mapping[int, Network]
) -> list[dict[str, Any]]:
    """Return one record for every seed and run with a car as the new one."""
    records = []
    for seed in setup.seeds:
        network = networks[seed]
        names = {"study": "toycar", "network": network.shape, "format": network.format}
        names |= {"seed": seed, "car": car}
        untouched = pool().get(network, BiasOnly())
        before = asdict(measure_new_car(untouched, setup.task(car, None, seed)))
        records.append({**names, "rule": BEFORE, "clips": 0, "stored": 0, **before})
        for (count, name, stored), base in zip(setup.runs(), chosen, strict=True):
            twin = pool().get(network, with_seed(base, seed))
            task = setup.task(car, count, seed)
            adapt(twin, task, PASSES[count], stored, seed)
            settings = {"rule": name, "rate": base.learning_rate}
            settings |= {"scale": getattr(base, "projection_scale", 0.0), "clips": count}
            settings |= {"passes": PASSES[count], "stored": stored}
            saturations = twin.statistics().counters.saturations
            outcome = asdict(measure_new_car(twin, task))
            records.append({**names, **settings, **outcome, "saturations": saturations})
    return records


def study(setup: Setup, workers: int) -> list[dict[str, Any]]:
    """Return the records of all cars, each the new one in turn."""
    with ProcessPoolExecutor(workers) as processes:
        trained = dict(
            zip(CARS, processes.map(partial(trained_on_others, setup), CARS), strict=True)
        )
        firsts = [trained[car][CHOICE_SEED] for car in CARS]
        errors = list(processes.map(partial(choice_errors, setup), CARS, firsts))
        chosen = []
        for run, (_, name, _) in enumerate(setup.runs()):
            rules = candidates(RULES[name], RATES, SCALES)
            mean = np.mean([found[run] for found in errors], axis=0)
            chosen.append(rules[int(np.argmin(mean))])
        results = processes.map(partial(adapted, setup, chosen), CARS, trained.values())
        return [record for records in results for record in records]


def references() -> list[Any]:
    """Return the areas of Mahalanobis detectors, floating point, fitted to a car or to the others.

    With fewer than 1,000 clips the covariance is shrunk (Ledoit and Wolf, 2004).
    """
    from sklearn.covariance import EmpiricalCovariance, LedoitWolf

    cars = load_toycar()
    records = []
    for car, clips in cars.items():
        others = np.concatenate([cars[other].learn for other in CARS if other != car])
        fits = {"the other cars": EmpiricalCovariance().fit(others)}
        fits["1000 clips"] = EmpiricalCovariance().fit(clips.learn)
        fits |= {f"{count} clips": LedoitWolf().fit(clips.learn[:count]) for count in (20, 100)}
        for name, fit in fits.items():
            area = auc(fit.mahalanobis(clips.normal), fit.mahalanobis(clips.anomalous))
            records.append({"study": "toycar", "reference": name, "car": car, "new": area})
    return records


def over_cars(rows: Sequence[dict[str, Any]], column: str) -> list[float]:
    """Return the mean over cars for each seed."""
    seeds = sorted({row["seed"] for row in rows})
    return [float(np.mean([r[column] for r in rows if r["seed"] == seed])) for seed in seeds]


def table(records: list[dict[str, Any]]) -> str:
    """Return means over cars, mean and deviation over seeds, and each new car, as Markdown."""
    heads = ["clips", "rule", "stored", "new car", "known cars", *(f"car {car}" for car in CARS)]
    lines = ["| " + " | ".join([*heads, "rate"]) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in dict.fromkeys(r["reference"] for r in records if "reference" in r):
        areas = [r["new"] for r in records if r.get("reference") == name]
        cells = ["", f"Mahalanobis, {name}", "", f"{np.mean(areas):.3f}", ""]
        lines.append("| " + " | ".join([*cells, *(f"{area:.3f}" for area in areas), ""]) + " |")
    runs = [r for r in records if "rule" in r]
    keys = {(r["clips"], r["stored"], r["rule"]) for r in runs}
    order = [BEFORE, *RULES]
    for clips, stored, rule in sorted(keys, key=lambda key: (*key[:2], order.index(key[2]))):
        rows = [r for r in runs if (r["clips"], r["stored"], r["rule"]) == (clips, stored, rule)]
        rate = f"{rows[0]['rate']:g}" if clips else ""
        scale = f" at {rows[0]['scale']:g}" if rows[0].get("scale") else ""
        cells = [str(clips or ""), rule, str(stored or "")]
        cells += [spread(over_cars(rows, column)) for column in ("new", "known")]
        cells += [spread(r["new"] for r in rows if r["car"] == car) for car in CARS]
        lines.append("| " + " | ".join([*cells, rate + scale]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the study as the command line says; write its records, print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=20, help="of the pre-training")
    parser.add_argument("--stored", type=int, default=64, help="clips kept for rehearsal")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    setup = Setup(load_toycar(), options.seeds, options.epochs, options.stored)
    records = references() + study(setup, options.workers)
    print(write_lines(options.name, records))
    print(table(records))


if __name__ == "__main__":
    main()
