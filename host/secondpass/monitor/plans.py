# SPDX-License-Identifier: Apache-2.0
"""Session plans from what a user names on the command line."""

from secondpass import datasets, session
from secondpass.errors import DataError, require_choice
from secondpass.monitor.runner import Begin, SessionPlan
from secondpass.network import Network
from secondpass.presets import PRESETS


def begin_of(keep: bool, resume: bool) -> Begin:
    """Return where a session begins; the two options exclude each other."""
    if keep and resume:
        raise DataError("--keep and --resume exclude each other: resume goes on where it was")
    return Begin.KEEP if keep else Begin.RESUME if resume else Begin.RESET


def dataset_plan(
    network: Network,
    dataset: str,
    samples: int | None,
    epochs: int | None,
    seed: int,
    save_every: int,
    begin: Begin,
) -> SessionPlan:
    """Return the plan of learning a data set; what is left out is the data set's preset."""
    require_choice("dataset", dataset, PRESETS)
    data, preset = datasets.load(dataset), PRESETS[dataset]
    if data.size != network.sample.size or data.classes != network.classes:
        raise DataError(
            f"{dataset} has {data.size} values a sample and {data.classes} classes; the model is "
            f"{network.shape}"
        )
    count = preset.samples if samples is None else samples
    rounds = preset.epochs if epochs is None else epochs
    session.check_length("--samples", count, len(data.train_samples))
    session.check_length("--epochs", rounds)
    if seed < 0 or save_every < 0:
        raise DataError("--seed and --save-every take 0 or more")
    return SessionPlan(
        dataset,
        data.train_samples[:count],
        data.train_labels[:count],
        data.test_samples[: preset.evaluated],
        data.test_labels[: preset.evaluated],
        rounds,
        seed,
        save_every,
        begin,
    )
