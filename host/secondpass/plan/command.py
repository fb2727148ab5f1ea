# SPDX-License-Identifier: Apache-2.0
"""What `secondpass plan` and `./run plan` do, with options already parsed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from secondpass.affine import AffineNetwork
from secondpass.boards import load_board, load_catalogue
from secondpass.device.text import TextProfile
from secondpass.errors import DataError, NetworkError
from secondpass.network import Network
from secondpass.plan.activity import STEPS, watch_inference, watch_training
from secondpass.plan.frozen import FrozenPlanner
from secondpass.plan.planner import Planner
from secondpass.rules import Rule

INFERENCES = 100
"""Inferences that a typical one is the mean of."""


@dataclass(frozen=True)
class Request:
    """What is to be planned: a `.spn` file or widths, a rule with settings, samples.

    `zeros`: share of zeros in random samples; `dataset`: real ones instead; `steps` that a typical
    step is the mean of; `text`: as `build_firmware` takes it.
    """

    model: str
    rule: str | None = None
    settings: tuple[str, ...] = ()
    format: str = "a16w16"
    head: str = "softmax"
    zeros: float = 0.0
    dataset: str | None = None
    steps: int = STEPS
    text: TextProfile | bool = True


def plan(request: Request, board: str, every_board: bool, console: Console) -> bool:
    """Print the plan of a model on a board or on all; return whether it fits (all: any)."""
    from secondpass.plan.advice import advise
    from secondpass.plan.report import advice_lines, boards_table, plan_table

    boards = load_catalogue() if every_board else [load_board(board)]
    planner = _planner(request)
    plans = [planner.on(one) for one in boards]
    network, rule = planner.network, planner.rule
    learns = f"rule {rule.name}" if plans[0].step is not None else "infers only"
    console.print(f"{network.shape}, {network.format}, {network.head}, {learns}\n")
    console.print(boards_table(plans) if every_board else plan_table(plans[0]))
    _explain(request, plans[0].step is not None, console)
    for one in plans:
        if one.port != getattr(one.board.port, "family", None) and not every_board:
            console.print(f"{one.board.id} has no port yet: planned with that of {one.port}.")
    if not every_board and not plans[0].fits:
        for line in advice_lines(advise(network, rule, boards[0], request.text)):
            console.print(line, soft_wrap=True, highlight=False)
    return any(one.fits for one in plans)


def _explain(request: Request, learns: bool, console: Console) -> None:
    estimated = "Times are estimates from assumed cycles an instruction (docs/planning.md)."
    if not learns:
        console.print(f"Bytes and instructions. {estimated}", style="dim")
        return
    what = (
        f"samples of {request.dataset}"
        if request.dataset
        else f"random samples, {100 * request.zeros:.0f} % of their values zero, random labels"
    )
    console.print(
        f"Bytes and instructions. A typical step is the mean of the first {request.steps} on "
        f"{what}; the worst has no zero and every row learns. {estimated}",
        style="dim",
    )


def _planner(request: Request) -> Planner | FrozenPlanner:
    network, rule = model_of(request)
    if isinstance(network, AffineNetwork):
        return FrozenPlanner(network, request.text)
    if request.steps < 1:
        raise DataError(f"--steps is {request.steps}; it takes 1 or more")
    if not 0 <= request.zeros <= 1:
        raise DataError(f"--zeros is {request.zeros}; it takes a share, 0 to 1")
    raw, targets = _samples(request, network)
    return Planner(
        network,
        rule,
        watch_inference(network, rule, raw[:INFERENCES]),
        watch_training(network, rule, raw[: request.steps], targets[: request.steps]),
        request.text,
    )


def model_of(request: Request) -> tuple[Network, Rule]:
    """Return network and rule: those of a `.spn` file, or new ones.

    Raises `NetworkError` where rule and network do not go together.
    """
    from secondpass import modelfile
    from secondpass.commands import untrained_network
    from secondpass.learning import Learning
    from secondpass.rules import make_rule, parse_settings

    own: Rule | None = None
    if request.model.endswith(".spn"):
        network, own = modelfile.load(Path(request.model))
    else:
        network = untrained_network(request.model, request.format, request.head)
    if isinstance(network, AffineNetwork) and own is not None:
        if request.rule or request.settings:
            network.require_trainable()
        return network, own
    name = request.rule or (own.name if own is not None else "pepita")
    settings = parse_settings(name, list(request.settings))
    kept: dict[str, Any] = {}
    if own is not None and own.name == name:
        kept = own.describe()
        del kept["rule"]
    rule = make_rule(name, {**kept, **settings})
    Learning(network, rule)
    return network, rule


def _samples(request: Request, network: Network) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return raw samples (count, inputs) and targets."""
    count = max(request.steps, INFERENCES)
    if request.dataset is not None:
        return _of_dataset(request.dataset, network, count)
    random = np.random.default_rng(1)
    limits = np.iinfo(network.sample.dtype)
    raw = random.integers(limits.min, limits.max + 1, (count, network.sample.size))
    raw[random.random(raw.shape) < request.zeros] = network.sample.zero_point
    if network.target_size:
        targets = network.encode_targets(random.normal(0, 0.5, (count, network.target_size)))
        return raw.astype(network.sample.dtype), targets
    return raw.astype(network.sample.dtype), random.integers(0, network.classes, count)


def _of_dataset(
    name: str, network: Network, count: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    from secondpass import datasets

    data = datasets.load(name)
    labelled = network.head in ("softmax", "sigmoid")
    if data.train_samples.shape[1] != network.sample.size or (
        labelled and data.classes != network.classes
    ):
        raise DataError(
            f"{name} has {data.train_samples.shape[1]} values a sample and {data.classes} classes; "
            f"the model is {network.shape}"
        )
    if network.target_size:
        raise NetworkError(f"{name} has labels; the head {network.head} learns vectors")
    index = np.arange(count) % len(data.train_samples)
    labels = data.train_labels[index] if labelled else np.zeros(count, dtype=np.int64)
    return network.sample.check_samples(data.train_samples[index]), labels


def update_tables(console: Console) -> None:
    """Measure all tables anew with the cross compiler and the emulator."""
    from secondpass.plan import regenerate

    regenerate.update_tables(lambda line: console.print(line, highlight=False, soft_wrap=True))
