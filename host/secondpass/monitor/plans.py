# SPDX-License-Identifier: Apache-2.0
"""Session plans from what a user names on the command line."""

from collections.abc import Callable
from pathlib import Path

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


def plan_of(
    model: Path,
    dataset: str | None,
    csv: Path | None,
    wav: Path | None,
    group: str | None,
    samples: int | None,
    epochs: int | None,
    seed: int,
    save_every: int,
    begin: Begin,
) -> Callable[[Network], SessionPlan]:
    """Return what makes the plan for the network of `model`, from a data set or from own data."""
    if csv is None and wav is None:
        if group is not None:
            raise DataError("--group divides own data: give --csv FILE or --wav FOLDER")
        name = dataset or "digits"
        return lambda network: dataset_plan(network, name, samples, epochs, seed, save_every, begin)
    if dataset is not None or samples is not None:
        raise DataError("--dataset and --samples do not go with own data")
    return lambda network: own_plan(
        network, model, csv, wav, group, epochs, seed, save_every, begin
    )


def own_plan(
    network: Network,
    model: Path,
    csv: Path | None,
    wav: Path | None,
    group: str | None,
    epochs: int | None,
    seed: int,
    save_every: int,
    begin: Begin,
) -> SessionPlan:
    """Return the plan of learning own data by the recipe beside the model.

    Targets of a detector's held-out samples say what is abnormal (1); it never sees them.
    """
    from secondpass import own_training
    from secondpass.own_model import epochs_for, targets_for

    task = own_training.further_task(model, csv, wav, group, epochs, seed)
    held = task.test_answers
    anomaly = task.recipe.goal == "anomaly"
    source = csv or wav
    assert source is not None
    _require_seed(seed, save_every)
    return SessionPlan(
        source.name,
        task.train_samples,
        targets_for(network, task.train_answers),
        task.test_samples,
        held.astype("int64") if anomaly else targets_for(network, held),
        epochs_for(len(task.train_samples)) if epochs is None else epochs,
        seed,
        save_every,
        begin,
    )


def _require_seed(seed: int, save_every: int) -> None:
    if seed < 0 or save_every < 0:
        raise DataError("--seed and --save-every take 0 or more")


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
    _require_seed(seed, save_every)
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
