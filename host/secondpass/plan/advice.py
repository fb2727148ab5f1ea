# SPDX-License-Identifier: Apache-2.0
"""What to change so that a model fits: alternatives are planned, those that fit are told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from secondpass.affine import AffineNetwork
from secondpass.boards import Board, load_catalogue
from secondpass.device.text import TextProfile
from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.plan.frozen import FrozenPlanner
from secondpass.plan.planner import Plan, Planner
from secondpass.quantise import choose_input, quantise, random_layers
from secondpass.rules import Pepita, Rule, make_rule
from secondpass.spectral import SpectralNetwork, with_front

FORMATS = ("a16w8", "a8w8")
MOST = 4
"""Pieces of advice that are given, the mildest first."""

_SEED = 1


@dataclass(frozen=True)
class Advice:
    """A change, how to ask for it, and what the model then takes."""

    change: str
    options: str
    plan: Plan


def advise(
    network: Network,
    rule: Rule,
    board: Board,
    text: TextProfile | bool = True,
    most: int = MOST,
) -> list[Advice]:
    """Return changes with which a network under a rule fits a board; none: nothing tried fits.

    Single changes come first, then two together; the last places are for a smaller first layer.
    `text`: as `build_firmware` takes it; only the first change leaves the protocol out.
    Only shapes count: another format is planned with random weights.
    """
    if isinstance(network, AffineNetwork):
        return _of_frozen(network, board, text)[:most]
    found: list[Advice] = []
    if text and (planned := _planned(network, rule, board, False)):
        found.append(Advice("the text protocol left out", "--no-text", planned))
    for change, options, changed_network, changed_rule in _alternatives(network, rule):
        if len(found) == most - 1:
            break
        if planned := _planned(changed_network, changed_rule, board, text):
            found.append(Advice(change, options, planned))
    for format in dict.fromkeys((network.format, *FORMATS)):
        if len(found) == most:
            break
        found += _smaller(network, rule, board, format, text)
    return found


def _of_frozen(network: AffineNetwork, board: Board, text: TextProfile | bool) -> list[Advice]:
    """Return the protocol left out, then other boards, the smallest first."""
    found = []
    without = FrozenPlanner(network, False).on(board)
    if text and without.fits:
        found.append(Advice("the text protocol left out", "--no-text", without))
    plans = [FrozenPlanner(network, text).on(one) for one in load_catalogue()]
    fitting = [plan for plan in plans if plan.fits]
    for plan in sorted(fitting, key=lambda p: (p.board.memory.flash_bytes, p.board.id)):
        found.append(Advice(plan.board.name, f"--board {plan.board.id}", plan))
    return found


Alternative = tuple[str, str, Network, Rule]


def _alternatives(network: Network, rule: Rule) -> Iterator[Alternative]:
    rules = list(_rules(network, rule))
    for title, options, changed in rules:
        yield title, options, network, changed
    order = ("a16w16", *FORMATS)
    formats = [
        (format, in_format)
        for format in order[order.index(network.format) + 1 :]
        if (in_format := resized(network, network.layers[0].outputs, format))
    ]
    for format, in_format in formats:
        yield f"format {format}", f"--format {format}", in_format, rule
    for format, in_format in formats:
        for title, options, changed in rules:
            yield (
                *(f"format {format}, {title}", f"--format {format} {options}"),
                *(in_format, changed),
            )


def _rules(network: Network, rule: Rule) -> Iterator[tuple[str, str, Rule]]:
    """Yield rules that keep less: less of the passes, then fewer layers that learn."""
    if isinstance(rule, Pepita):
        if rule.second_pass == "short":
            full = replace(rule, second_pass="full")
            yield "the whole second pass, without Q", "--setting second_pass=full", full
        else:
            short = replace(rule, second_pass="short")
            yield "the short second pass", "--setting second_pass=short", short
        settings = rule.describe()
        for name in ("rule", "second_pass"):
            settings.pop(name)
        yield "rule mempepita", "--rule mempepita", make_rule("mempepita", settings)
    layers = len(network.layers)
    learns = rule.layer_trainable(layers)
    for frozen in range(1, layers):
        if all(what == "none" for what in learns[:frozen]):
            continue  # they are in flash already
        chosen = ("none",) * frozen + learns[frozen:]
        which = "the first layer" if frozen == 1 else f"the first {frozen} layers"
        changed = replace(rule, trainable=chosen)
        yield f"{which} frozen", f"--setting trainable={','.join(chosen)}", changed


def _planned(network: Network, rule: Rule, board: Board, text: TextProfile | bool) -> Plan | None:
    """Return the plan if it fits; None where rule and network do not go together either."""
    try:
        planned = Planner(network, rule, text=text).on(board)
    except NetworkError:
        return None
    return planned if planned.fits else None


def _smaller(
    network: Network, rule: Rule, board: Board, format: str, text: TextProfile | bool
) -> list[Advice]:
    """Return the widest first hidden layer that fits in a format; none: no layer does."""
    width = _widest(
        network.layers[0].outputs, lambda units: _narrow(network, rule, board, units, format, text)
    )
    planned = _narrow(network, rule, board, width, format, text) if width else None
    if planned is None:
        return []
    widths = [width, *(layer.outputs for layer in network.layers[1:-1])]
    change, options = f"{width} units in the first hidden layer", f"--hidden {_join(widths)}"
    if format != network.format:
        change, options = f"format {format}, {change}", f"--format {format} {options}"
    return [Advice(change, options, planned)]


def _join(widths: list[int]) -> str:
    return ",".join(map(str, widths))


def _narrow(
    network: Network,
    rule: Rule,
    board: Board,
    units: int,
    format: str,
    text: TextProfile | bool,
) -> Plan | None:
    changed = resized(network, units, format)
    return None if changed is None else _planned(changed, rule, board, text)


def _widest(limit: int, plan_of: Callable[[int], Plan | None]) -> int:
    """Return the largest width below `limit` that fits, by bisection; 0: none does."""
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        if plan_of(middle) is None:
            high = middle
        else:
            low = middle
    return low


def resized(network: Network, units: int, format: str) -> Network | None:
    """Return a network of random weights like another one, with so many first hidden units.

    None where there is none in the format.
    """
    spec = network.input
    widths = (spec.size, units, *(layer.outputs for layer in network.layers[1:]))
    layers = [
        replace(fresh, activation=layer.activation)
        for fresh, layer in zip(random_layers(widths, _SEED), network.layers, strict=True)
    ]
    shape = (spec.size, spec.dtype, spec.zero_point, spec.step)
    limits = np.iinfo(spec.dtype)
    random = np.random.default_rng(_SEED)
    raw = random.integers(limits.min, limits.max + 1, (10, spec.size)).astype(spec.dtype)
    try:
        chosen = choose_input(*shape, spec.mean, format)
        made = quantise(layers, chosen, raw, format=format, head=network.head)
    except NetworkError:
        return None
    return with_front(made, network.front) if isinstance(network, SpectralNetwork) else made
