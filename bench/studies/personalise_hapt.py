# SPDX-License-Identifier: Apache-2.0
"""Personalisation of an activity classifier: a few labelled windows of a person it never saw.

Pre-trains on some users, then adapts to each held-out user by each rule. Learning rate and
projection scale of a rule are those with the best mean accuracy when the same is done to other
users out of the pre-training ones, by a network pre-trained without those.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import TwinPool, candidates, pretrain, spread, write_lines

from secondpass.datasets import hapt
from secondpass.network import Network
from secondpass.rules import Backprop, BiasOnly, Dfa, Ftp, LastLayer, Pepita, Rule, with_seed
from secondpass.session import presentation_orders
from secondpass.tasks.personalise import (
    Fold,
    Labelled,
    Person,
    Windows,
    classifier,
    fold,
    load_windows,
    user_folds,
)
from secondpass.tasks.rehearsal import rehearse

RULES: dict[str, Rule] = {
    "pepita": Pepita(),
    "pepita short": Pepita(second_pass="short"),
    "ftp": Ftp(),
    "dfa": Dfa(),
    "bp": Backprop(),
    "bias": BiasOnly(),
    "last": LastLayer(),
}
RATES = (0.001, 0.003, 0.01, 0.03)
SCALES = (0.05, 0.2)
CHOICE_SEEDS = (101, 102, 103)
"""Of the networks and the windows on which rates are chosen; results use others."""


@dataclass(frozen=True)
class Setup:
    """What all runs have in common."""

    pool: TwinPool
    windows: Windows
    hidden: tuple[int, ...]
    epochs: int
    rate: float
    passes: int
    stored: int

    def kept(self, data: Fold, seed: int) -> Labelled:
        """Return windows of the pre-training that the device keeps."""
        known = data.pretrain
        chosen = np.random.default_rng(seed).permutation(len(known))[: self.stored]
        return Labelled(known.samples[chosen], known.labels[chosen])

    def network(self, data: Fold, seed: int) -> Network:
        """Return a network that knows the people of a fold who are not held out."""
        known = data.pretrain
        order = np.random.default_rng(seed).permutation(len(known))
        network = classifier(known.samples[order], self.hidden, seed)
        return pretrain(
            self.pool, network, known.samples, known.labels, self.epochs, self.rate, seed
        )

    def accuracy(self, network: Network, part: Labelled) -> float:
        """Return the share of windows that a network gets right."""
        return self.pool.get(network, LastLayer()).evaluate(part.samples, part.labels) / len(part)

    def adapted(
        self,
        network: Network,
        rule: Rule,
        person: Person,
        kept: Labelled,
        others: Labelled,
        seed: int,
    ) -> tuple[float, float, int]:
        """Return accuracy on a person and on others after adaptation, and saturations."""
        twin = self.pool.get(network, rule)
        learned = person.learned
        orders = presentation_orders(len(learned), self.passes, seed)
        for number, order in enumerate(orders, 1000 * seed):
            twin.train_all(
                rehearse(learned.samples[order], kept.samples, number),
                rehearse(learned.labels[order], kept.labels, number),
            )
        saturations = twin.statistics().counters.saturations
        tested = person.tested
        own = twin.evaluate(tested.samples, tested.labels) / len(tested)
        return own, twin.evaluate(others.samples, others.labels) / len(others), saturations


def choose(
    setup: Setup, held_out: Sequence[int], validation: Sequence[int], counts: Sequence[int]
) -> dict[tuple[str, int], Rule]:
    """Return each rule, by number of windows, at the setting best for the validation users."""
    training = ~np.isin(setup.windows.users, list(held_out))
    known = Windows(
        setup.windows.features[training],
        setup.windows.labels[training],
        setup.windows.users[training],
        setup.windows.starts[training],
    )
    data = fold(known, validation)
    networks = {seed: setup.network(data, seed) for seed in CHOICE_SEEDS}
    nobody = Labelled(data.samples[:1], known.labels[:1])
    chosen = {}
    for count in counts:
        for name, base in RULES.items():
            means = []
            for rule in candidates(base, RATES, SCALES):
                found = [
                    setup.adapted(
                        network,
                        with_seed(rule, seed),
                        data.person(user, count, seed),
                        setup.kept(data, seed),
                        nobody,
                        seed,
                    )[0]
                    for seed, network in networks.items()
                    for user in validation
                ]
                means.append((np.mean(found), rule))
            chosen[name, count] = max(means, key=lambda entry: entry[0])[1]
    return chosen


def study(
    setup: Setup, groups: Sequence[tuple[Sequence[int], Sequence[int]]], counts: Any, seeds: Any
) -> list[dict[str, Any]]:
    """Return one record for every rule, user, number of windows and seed.

    `groups` are held-out users and the users that choose the rates for them.
    """
    records = []
    for held_out, validation in groups:
        chosen = choose(setup, held_out, validation, counts)
        data = fold(setup.windows, held_out)
        for seed in seeds:
            network = setup.network(data, seed)
            kept = setup.kept(data, seed)
            for user in held_out:
                others = data.others([other for other in held_out if other != user])
                others_before = setup.accuracy(network, others)
                for count in counts:
                    person = data.person(user, count, seed)
                    before = setup.accuracy(network, person.tested)
                    for name in RULES:
                        rule = with_seed(chosen[name, count], seed)
                        own, rest, saturations = setup.adapted(
                            network, rule, person, kept, others, seed
                        )
                        records.append(
                            {
                                "study": "personalise_hapt",
                                "network": network.shape,
                                "format": network.format,
                                "rule": name,
                                "rate": rule.learning_rate,
                                "scale": getattr(rule, "projection_scale", 0.0),
                                "windows": count,
                                "passes": setup.passes,
                                "stored": setup.stored,
                                "seed": seed,
                                "user": int(user),
                                "before": before,
                                "after": own,
                                "others_before": others_before,
                                "others_after": rest,
                                "saturations": saturations,
                            }
                        )
    return records


def table(records: list[dict[str, Any]], users: Sequence[int] | None = None) -> str:
    """Return mean over users, and deviation of that mean over seeds, in % as Markdown."""
    lines = ["| rule | windows | rates | before | after | change | others, change |"]
    lines.append("|---" * 7 + "|")
    for count in dict.fromkeys(r["windows"] for r in records):
        for name in dict.fromkeys(r["rule"] for r in records):
            rows = [r for r in records if r["rule"] == name and r["windows"] == count]
            rows = [r for r in rows if users is None or r["user"] in users]
            by_seed = [[r for r in rows if r["seed"] == s] for s in {r["seed"] for r in rows}]
            rates = ", ".join(f"{rate:g}" for rate in sorted({r["rate"] for r in rows}))

            def cell(of: Any, by_seed: Any = by_seed) -> str:
                return spread([np.mean([of(r) for r in part]) for part in by_seed], 2, 100)

            cells = (
                cell(lambda r: r["before"]),
                cell(lambda r: r["after"]),
                cell(lambda r: r["after"] - r["before"]),
                cell(lambda r: r["others_after"] - r["others_before"]),
            )
            lines.append("| " + " | ".join([name, str(count), rates, *cells]) + " |")
    return "\n".join(lines)


def hardest(records: list[dict[str, Any]], count: int) -> list[int]:
    """Return the users on whom the network is worst before adaptation, the worst first."""
    users = sorted({r["user"] for r in records})
    before = {u: np.mean([r["before"] for r in records if r["user"] == u]) for u in users}
    return sorted(users, key=lambda user: before[user])[:count]


def main() -> None:
    """Run the study as the command line says; write its records, print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    parser.add_argument("--folds", type=int, default=0, help="hold out every user once, in folds")
    parser.add_argument("--hidden", nargs="+", type=int, default=[64])
    parser.add_argument("--windows", nargs="+", type=int, default=[10, 50])
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--stored", type=int, default=0, help="windows kept for rehearsal")
    parser.add_argument("--epochs", type=int, default=15, help="of the pre-training")
    parser.add_argument("--rate", type=float, default=0.02, help="of the pre-training")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    if options.folds:
        parts = list(user_folds(hapt.USERS, options.folds))
        groups = list(zip(parts, [*parts[1:], parts[0]], strict=True))
    else:
        groups = [(tuple(hapt.TEST_USERS), tuple(range(21, 26)))]
    setup = Setup(
        TwinPool(),
        load_windows(),
        tuple(options.hidden),
        options.epochs,
        options.rate,
        options.passes,
        options.stored,
    )
    records = study(setup, groups, options.windows, options.seeds)
    print(write_lines(options.name, records))
    print(table(records))
    if options.folds:
        worst = hardest(records, 5)
        print(f"\nhardest users: {worst}\n{table(records, worst)}")


if __name__ == "__main__":
    main()
