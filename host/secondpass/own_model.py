# SPDX-License-Identifier: Apache-2.0
"""Networks and rules for own data: a classifier, a regression or an anomaly detector."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.datasets.own import OwnTask, Recipe
from secondpass.errors import DataError
from secondpass.fixedpoint import fractional_bits
from secondpass.network import Input, Network
from secondpass.presets import CALIBRATION_SAMPLES, Preset
from secondpass.quantise import choose_input, feature_mean, quantise, random_layers
from secondpass.rules import Rule, make_rule, parse_settings, with_seed

HEADS = {"classify": "softmax", "regression": "mse", "anomaly": "reconstruction"}

RATES = {"classify": 0.02, "regression": 0.01, "anomaly": 0.003}
"""Learning rate of scaled features."""
SPEECH_RATE = 0.01
"""Learning rate of speech features, which are many."""

STEPS = 5000
MOST_EPOCHS = 30
"""A session without a number of passes has about so many steps, in so many passes at most."""

OUTPUT_RANGE = 8.0
"""Deviations that predictions of numbers can reach: targets lie within 4."""


def network_for(
    task: OwnTask, hidden: tuple[int, ...], seed: int, format: str, activation: str
) -> Network:
    """Return a network with random weights for a task, its formats chosen from what it learns."""
    goal = task.recipe.goal
    outputs = {"classify": len(task.recipe.classes), "regression": 1}.get(goal, task.size)
    layers = random_layers((task.size, *hidden, outputs), seed, activation)
    spec = input_for(task, format)
    samples = task.train_samples[:CALIBRATION_SAMPLES]
    network = quantise(layers, spec, samples, format=format, head=HEADS[goal])
    return network if goal == "classify" else with_output_range(network, OUTPUT_RANGE)


def input_for(task: OwnTask, format: str) -> Input:
    """Return how samples enter: less their mean, but for a network that has to give them back."""
    recipe = task.recipe
    shape = (task.size, recipe.sample_type, recipe.zero_point, recipe.step)
    spec = choose_input(*shape, format=format)
    if recipe.goal == "anomaly":
        return spec
    return choose_input(*shape, feature_mean(spec, task.train_samples), format)


def with_output_range(network: Network, largest: float) -> Network:
    """Return a network whose outputs reach a magnitude: random weights do not tell of targets."""
    last = network.layers[-1]
    bits = fractional_bits(largest) - network.fine_bits
    changed = replace(last, out_frac=max(0, min(last.out_frac, bits)))
    return replace(network, layers=(*network.layers[:-1], changed))


def rule_for(recipe: Recipe, name: str, seed: int, settings: list[str]) -> Rule:
    """Return a rule for a task; `settings` are further ones as `name=value`."""
    rate = SPEECH_RATE if recipe.source == "wav" else RATES[recipe.goal]
    chosen = parse_settings(name, settings)
    if recipe.goal == "classify":
        return Preset((), rate, 0, 0, 0).rule(name, seed, chosen)
    plain = with_seed(make_rule(name, {"learning_rate": rate}), seed).describe()
    del plain["rule"]
    return make_rule(name, {**plain, **chosen})


def epochs_for(count: int) -> int:
    """Return the passes over so many samples of a session that was given no number."""
    return max(1, min(MOST_EPOCHS, round(STEPS / count)))


def require_fitting(recipe: Recipe, network: Network) -> None:
    """Raise `DataError` unless a recipe is that of a network."""
    classes = len(recipe.classes) if recipe.goal == "classify" else 1
    spec = network.input
    fits = (
        network.head == HEADS[recipe.goal]
        and network.classes == classes
        and (spec.dtype, spec.step, spec.zero_point)
        == (recipe.sample_type, recipe.step, recipe.zero_point)
        and (recipe.source == "wav" or spec.size == len(recipe.columns))
    )
    if not fits:
        raise DataError(
            f"task.json is not that of this network ({network.shape}, {network.head}); keep the "
            "two files of one session together"
        )


def targets_for(network: Network, answers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return answers as a device of this network takes them."""
    if network.head == "mse":
        return network.encode_targets(answers)
    if network.head == "reconstruction":
        return np.zeros(len(answers), dtype=np.int64)
    return answers
