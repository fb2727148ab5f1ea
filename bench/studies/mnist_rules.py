# SPDX-License-Identifier: Apache-2.0
"""Every rule in every number format on MNIST and Fashion-MNIST, batch 1, on the host twin.

Results go to bench/studies/results/, a line a run as each ends; a run that is there is not done
again. `mnist_tables.py` makes the tables and figures of docs/results.md of them.

    python bench/studies/mnist_rules.py formats     # 784-128-10, all rules and formats, 3 seeds
    python bench/studies/mnist_rules.py depth       # 784-128-128-10
    python bench/studies/mnist_rules.py long        # the best two-pass rules, and bp, for longer
    python bench/studies/mnist_rules.py room        # how far int8 weights may reach
    python bench/studies/mnist_rules.py mempepita   # as pepita, bit for bit
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from runs import RESULTS, Run, run_all

DATASETS = ("mnist", "fashion-mnist")
FORMATS = ("a16w16", "a16w8", "a8w8")
EPOCHS = 2
LONG_EPOCHS = 15

RATES: dict[str, dict[str, float]] = {
    "mnist": {
        "bp": 0.01,
        "dfa": 0.02,
        "ftp": 0.02,
        "pepita": 0.02,
        "hebbian": 0.003,
        "tl": 0.001,
        "bias": 0.02,
        "last": 0.02,
    },
    "fashion-mnist": {
        "bp": 0.007,
        "dfa": 0.007,
        "ftp": 0.007,
        "pepita": 0.007,
        "hebbian": 0.001,
        "tl": 0.001,
        "bias": 0.02,
        "last": 0.01,
    },
}
"""Learning rates by data set and rule, of the first epoch."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "pepita": ("pepita", {}),
    "pepita short": ("pepita", {"second_pass": "short"}),
    "hebbian": ("hebbian", {}),
    "tl": ("tl", {}),
    "ftp": ("ftp", {}),
    "ftp tanh": ("ftp", {"target_function": "tanh"}),
    "dfa": ("dfa", {}),
    "bp": ("bp", {}),
    "bias": ("bias", {}),
    "last": ("last", {}),
}
"""What the table compares: a rule and the settings that make the variant."""

NO_INT8 = ("hebbian", "tl")
"""Rules that a8w8 has no form of."""


ONE_SEED = ("dfa",)
"""Variants that are run with one seed: with one hidden layer dfa is ftp, bit for bit."""

DEEP: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("pepita", "relu", {}),
    ("pepita", "relu", {"projection_scale": 0.05}),
    ("pepita", "tanh", {}),
    ("ftp", "relu", {}),
    ("ftp", "relu", {"learning_rate": 0.01, "projection_scale": 0.05}),
    ("ftp", "tanh", {}),
    ("dfa", "relu", {}),
    ("dfa", "relu", {"learning_rate": 0.007, "projection_scale": 0.1}),
    ("dfa", "tanh", {}),
    ("bp", "relu", {}),
    ("last", "relu", {}),
)
"""Rule, activation and settings of the networks with two hidden layers."""


def make_run(dataset: str, variant: str, **changes: Any) -> Run:
    """Return a run of a variant at the data set's rate."""
    rule, settings = VARIANTS[variant]
    more = changes.pop("settings", {})
    rate = RATES[dataset][rule]
    return Run(dataset, rule, {"learning_rate": rate, **settings, **more}, **changes)


def formats() -> list[Run]:
    """Return the runs of the big table, a seed after the other."""
    return [run for seed in (1, 2, 3) for format in FORMATS for run in table_part(format, seed)]


def table_part(format: str, seed: int) -> list[Run]:
    """Return the runs of the big table in a format with a seed."""
    return [
        make_run(dataset, variant, format=format, epochs=EPOCHS, seed=seed)
        for dataset in DATASETS
        for variant in VARIANTS
        if not (format == "a8w8" and variant in NO_INT8) and not (seed > 1 and variant in ONE_SEED)
    ]


def depth() -> list[Run]:
    """Return the runs with two hidden layers, with the projection that each activation takes."""
    return [
        make_run(
            dataset,
            variant,
            settings=settings,
            hidden=(128, 128),
            activation=activation,
            epochs=EPOCHS,
            seed=seed,
        )
        for seed in (1, 2, 3)
        for dataset in DATASETS
        for variant, activation, settings in DEEP
    ]


def long() -> list[Run]:
    """Return the long runs of the best two-pass rule and of back-propagation."""
    best = {"projection_scale": 0.2, "layer_rates": (1.0, 0.5)}
    chosen: list[tuple[str, dict[str, Any], str, int]] = [
        *(("ftp", best, "a16w16", seed) for seed in (1, 2, 3)),
        *(("bp", {}, "a16w16", seed) for seed in (1, 2, 3)),
        *(("ftp", best, "a16w8", seed) for seed in (1, 2, 3)),
        *(("ftp", best, "a8w8", seed) for seed in (1, 2, 3)),
    ]
    return [
        make_run(dataset, variant, settings=settings, format=format, epochs=LONG_EPOCHS, seed=seed)
        for variant, settings, format, seed in chosen
        for dataset in DATASETS
    ]


def room() -> list[Run]:
    """Return runs with int8 weights that may reach so many times their first magnitude."""
    return [
        make_run(
            dataset,
            "ftp",
            settings={"layer_rates": (1.0, 0.5)},
            format=format,
            epochs=4,
            weight_head_room=head_room,
        )
        for dataset in DATASETS
        for format in ("a16w8", "a8w8")
        for head_room in (4.0, 2.0, 1.0)
    ]


def mempepita() -> list[Run]:
    """Return the same run of pepita and mempepita."""
    settings = {"learning_rate": RATES["mnist"]["pepita"]}
    return [Run("mnist", rule, settings, epochs=1) for rule in ("pepita", "mempepita")]


STUDIES: dict[str, Callable[[], list[Run]]] = {
    "formats": formats,
    "depth": depth,
    "long": long,
    "room": room,
    "mempepita": mempepita,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    options = parser.parse_args(arguments)
    run_all(STUDIES[options.study](), RESULTS / f"mnist_{options.study}.jsonl")


if __name__ == "__main__":
    main()
