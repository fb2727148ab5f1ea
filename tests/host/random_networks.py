# SPDX-License-Identifier: Apache-2.0
"""Random networks, rules and samples that reach every clamp: what back ends are compared on."""

import base64
import itertools
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from secondpass.learning import Learning
from secondpass.network import (
    ACTIVATIONS,
    FORMATS,
    HEADS,
    SAMPLE_DTYPES,
    Dense,
    Input,
    Network,
)
from secondpass.rules import (
    ERROR_SIGNALS,
    MODULATIONS,
    PASSES,
    PROJECTIONS,
    RULES,
    SECOND_PASSES,
    TARGET_FUNCTIONS,
    TRAINABLE,
    Rule,
)

NO_A8W8 = ("hebbian", "tl")
COMBINATIONS = [
    combination
    for combination in itertools.product(RULES, FORMATS, HEADS, ACTIVATIONS)
    if not (combination[1] == "a8w8" and combination[0] in NO_A8W8)
]
"""Rule, format, head and activation of the first hidden layer."""
LARGEST_SCALE = 14.9
"""log2 of the largest factor that random settings ask of a scale (the limit is just below 15)."""
CHOICES: dict[str, tuple[str, ...]] = {
    "projection": PROJECTIONS,
    "error_signal": ERROR_SIGNALS,
    "modulation": MODULATIONS,
    "presynaptic": PASSES,
    "output_error": PASSES,
    "second_pass": SECOND_PASSES,
    "target_function": TARGET_FUNCTIONS,
}
"""Every choice of a rule and its values."""


@dataclass(frozen=True)
class Case:
    """A network, a rule and what it sees."""

    network: Network
    rule: Rule
    samples: np.ndarray
    targets: list[Any]


def random_case(
    seed: Any, rule: str, number_format: str, head: str, activation: str, **choices: Any
) -> Case:
    """Return a case; `choices` fixes settings of the rule that are random otherwise."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, number_format, head, activation)
    limits = np.iinfo(network.input.dtype)
    shape = (5, network.input.size)
    samples = rng.integers(limits.min, limits.max + 1, shape).astype(network.input.dtype)
    if head == "mse":
        targets = list(rng.integers(-(2**15), 2**15, (5, network.outputs)).astype(np.int16))
    else:
        targets = [int(label) for label in rng.integers(network.classes, size=5)]
    return Case(network, random_rule(rng, network, rule, choices), samples, targets)


def random_network(
    rng: np.random.Generator, number_format: str, head: str, activation: str
) -> Network:
    """Return a network of 1 to 3 hidden layers whose weights and biases often saturate."""
    widths = [int(width) for width in rng.integers(1, 15, rng.integers(3, 6))]
    widths[-1] = {"sigmoid": 1, "reconstruction": widths[0]}.get(head, widths[-1])
    spec = _input(rng, widths[0], number_format)
    weight = FORMATS[number_format].weight_bits
    layers: list[Dense] = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        kind = activation if index == 0 else str(rng.choice(ACTIVATIONS))
        kind = "identity" if index == len(widths) - 2 else kind
        in_frac = layers[-1].out_frac if layers else spec.frac_bits
        weight_frac, out_frac = _fractions(rng, number_format, kind, in_frac)
        weights = rng.integers(-(2 ** (weight - 1)), 2 ** (weight - 1), (outputs, inputs))
        weights //= rng.choice([1, 4] if weight == 8 else [1, 16, 256])
        bias = rng.integers(-(2**31), 2**31, outputs) // rng.choice([1, 2**10, 2**16])
        tensors = weights.astype(FORMATS[number_format].weight_dtype), bias.astype(np.int32)
        layers.append(Dense(f"fc{index}", *tensors, weight_frac, out_frac, kind))
    return Network(spec, tuple(layers), head, number_format)


def _input(rng: np.random.Generator, size: int, number_format: str) -> Input:
    fine = 8 if number_format == "a8w8" else 0
    frac = int(rng.integers(0, 16 - fine))
    mean: tuple[float, ...] = ()
    if rng.random() < 0.4:
        mean = tuple(float(v) for v in rng.uniform(-(2**15), 2**15 - 1, size) / 2 ** (frac + fine))
    step = 2.0 ** rng.uniform(-12, min(0, LARGEST_SCALE - frac - fine))
    dtype = str(rng.choice(list(SAMPLE_DTYPES)))
    zero = int(rng.integers(-300, 300) if rng.random() < 0.5 else rng.integers(-(2**15), 2**15))
    return Input(size, dtype, zero, step, frac, mean)


def _fractions(
    rng: np.random.Generator, number_format: str, kind: str, in_frac: int
) -> tuple[int, int]:
    """Return valid weight_frac and out_frac of a layer."""
    fine = 8 if number_format == "a8w8" else 0
    while True:
        weight_frac, out_frac = int(rng.integers(0, 16)), int(rng.integers(0, 16 - fine))
        result = out_frac + fine
        low, high = {"tanh": (8, 15), "hard_tanh": (8, 14)}.get(kind, (0, 15))
        shift = in_frac + weight_frac - (12 if kind == "tanh" else result)
        if low <= result <= high and -fine <= shift <= 30:
            return weight_frac, out_frac


def random_rule(
    rng: np.random.Generator, network: Network, name: str, choices: dict[str, Any]
) -> Rule:
    """Return a rule whose scales suit the network: large enough to matter, often too large."""
    known = [field.name for field in fields(RULES[name])]
    settings: dict[str, Any] = {"dither_seed": int(rng.integers(2**32))}
    for choice, values in CHOICES.items():
        if choice in known:
            settings[choice] = str(rng.choice(values))
    if network.format == "a8w8" and "presynaptic" in known:
        settings |= {"presynaptic": "first", "output_error": "first"}
    if settings.get("target_function", "linear") != "linear":
        settings["error_signal"] = "error"
    if name == "dfa" and settings["projection"] == "stored":
        settings["projection"] = "sign"
    layers = len(network.layers)
    if rng.random() < 0.3:
        settings["trainable"] = tuple(str(v) for v in rng.choice(TRAINABLE, layers))
    if rng.random() < 0.5:
        factor = float(rng.choice([0.5, 1.0, rng.uniform(0.5, 1)]))
        settings |= {"decay_steps": int(rng.integers(1, 4)), "decay_factor": factor}
    settings |= choices
    if "projection" in known:
        settings["projection_seed"] = int(rng.integers(2**32))
    if settings.get("projection") == "stored":
        rows = network.layers[0].outputs if name == "ftp" else network.input.size
        content = rng.integers(-128, 128, rows * network.outputs).astype(np.int8).tobytes()
        settings["matrix"] = base64.b64encode(content).decode()
    if "target_scale" in known:
        settings["target_scale"] = float(2.0 ** rng.uniform(-2, 4))
    return _scaled(rng, network, RULES[name](**settings), "projection" in known)


def _scaled(rng: np.random.Generator, network: Network, rule: Rule, projected: bool) -> Rule:
    """Choose what depends on the fractional bits of the network."""
    learning = Learning(network, rule)
    exponents = [learning.row_error_exponent(index) for index in range(len(network.layers))]
    rate = float(rng.uniform(0.001, 1))
    # Small row errors are often zero, large ones saturate: the factors make both likely.
    rates = [float(2.0 ** (rng.uniform(-4, LARGEST_SCALE) - e) / rate) for e in exponents]
    if rng.random() < 0.2:
        rates[int(rng.integers(len(rates)))] = 0.0
    changes: dict[str, Any] = {"learning_rate": rate, "layer_rates": tuple(rates)}
    if rng.random() < 0.3:
        clips = [e + learning.delta_frac(index) for index, e in enumerate(exponents)]
        changes["clip"] = float(2.0 ** (rng.uniform(-2, 16) - rng.choice(clips)))
    if rng.random() < 0.3 and rule.name != "tl":
        changes["gate"] = float(2.0 ** (rng.uniform(12, 15.5) - network.error_frac))
    factors = learning._projection_factors()
    if projected and factors:
        if rule.name == "ftp":
            factors = factors[:1]  # the second one has no matrix in it
        wanted = 2.0 ** rng.uniform(*([-10, 1] if rng.random() < 0.8 else [1, LARGEST_SCALE]))
        largest = max(abs(factor) for factor in factors)
        changes["projection_scale"] = rule.projection_scale * wanted / largest
    if rng.random() < 0.3:
        fracs = [learning.delta_frac(index) for index in range(len(network.layers))]
        changes["row_gate"] = float(2.0 ** (rng.uniform(1, 16) - rng.choice(fracs)))
    return replace(rule, **changes)
