# SPDX-License-Identifier: Apache-2.0
"""docs/numerics.md with its parts and the NumPy reference say the same, on random networks."""

import itertools
from collections import Counter
from dataclasses import astuple, replace
from functools import cache

import numpy as np
import pytest
from document_model import DocumentModel
from random_networks import COMBINATIONS, Case, random_case

from secondpass.integer.reference import ReferenceModel
from secondpass.learning import Learning
from secondpass.network import FORMATS, Dense, Input, Network
from secondpass.rules import MODULATIONS, PASSES, PROJECTIONS, RULES, SECOND_PASSES, Pepita

MODEL_COUNTERS = (
    "trained",
    "trained_correct",
    "evaluated",
    "evaluated_correct",
    "input_saturations",
    "skipped",
)
LAYER_COUNTERS = (
    "activation_saturations",
    "error_saturations",
    "weight_saturations",
    "active_rows",
)
VARIANTS = range(3)


def pairs(scales):
    return [(scale.multiplier, scale.shift) for scale in scales]


def assert_equal(reference, document):
    """Everything that a model holds."""
    settings, plan = reference.settings, document.plan
    assert pairs(settings.projections) == plan.projections
    assert list(settings.clips) == plan.clips
    assert list(settings.row_gates) == plan.row_gates
    assert (settings.gate, settings.decay_factor) == (plan.gate, plan.decay_factor)
    assert pairs(reference.rates) == document.rates
    assert document.weights == [weights.tolist() for weights in reference.weights]
    assert document.biases == [bias.tolist() for bias in reference.biases]
    if reference.learning.short:
        assert document.q == reference.folded.tolist()
    kept = document.threshold
    assert astuple(reference.threshold) == (
        *(kept.quantile, kept.calibrating, kept.mean, kept.spread, kept.width, kept.count),
    )
    counters = reference.counters
    assert document.step == counters.step
    for name in MODEL_COUNTERS:
        assert document.counts[name,] == getattr(counters, name), name
    for index, layer in enumerate(counters.layers):
        for name in LAYER_COUNTERS:
            assert document.counts[index, name] == getattr(layer, name), (index, name)


def run(case: Case, start: int = 0, again: bool = False) -> ReferenceModel:
    """Train and evaluate both models, comparing them; `again` writes the settings half-way."""
    reference = ReferenceModel(case.network, case.rule)
    document = DocumentModel(case.network, case.rule)
    assert_equal(reference, document)
    reference.counters.step = document.step = start
    for threshold in (reference.threshold, document.threshold):  # ready at the third sample
        threshold.quantile, threshold.calibrating = 2**14, 1
    for number, (sample, target) in enumerate(zip(case.samples, case.targets, strict=True)):
        if again and number == 2:
            rate = 0.6 * case.rule.learning_rate
            factors = tuple(0.75 * v for v in case.rule.layer_rates)
            reference.configure(reference.learning.settings(rate, factors))
            document.configure(rate, factors)
        result = reference.train(sample, target)
        answer = (result.predicted, result.label_probability, result.score)
        assert document.train(sample, target) == answer
    sample, target = case.samples[0], case.targets[0]
    result = reference.evaluate(sample, target)
    assert document.evaluate(sample, target) == (result.predicted, result.score)
    assert document.infer(sample) == reference.infer(sample).tolist()
    assert_equal(reference, document)
    for weights, layer in zip(reference.weights, case.network.layers, strict=True):
        assert weights.dtype == layer.weights.dtype
    return reference


@cache
def run_combination(combination, variant):
    """Run a random case of a combination; other cases start just below 2^32 steps."""
    case = random_case([COMBINATIONS.index(combination), variant], *combination)
    return run(case, start=2**32 - 3 if variant % 2 else 0, again=variant % 2 == 0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("combination", COMBINATIONS, ids="-".join)
def test_a_model_written_from_the_documents_equals_the_reference(combination, variant):
    run_combination(combination, variant)


PEPITA_CHOICES = [
    choices
    for choices in itertools.product(
        FORMATS, PROJECTIONS, PASSES, PASSES, SECOND_PASSES, MODULATIONS
    )
    if not (choices[0] == "a8w8" and "second" in choices)
]


@pytest.mark.parametrize("choices", PEPITA_CHOICES, ids="-".join)
def test_every_choice_of_pepita(choices):
    number_format, *chosen = choices
    names = ("projection", "presynaptic", "output_error", "second_pass", "modulation")
    settings = dict(zip(names, chosen, strict=True))
    for activation in ("relu", "tanh"):
        seed = list(map(ord, "".join(choices)))
        run(random_case(seed, "pepita", number_format, "softmax", activation, **settings))


def test_random_networks_reach_everything():
    """Otherwise the comparison above would be easy to pass."""
    seen, depths, rows = Counter(), Counter(), 0
    by_rule = {name: Counter() for name in RULES}
    for combination, variant in itertools.product(COMBINATIONS, VARIANTS):
        reference = run_combination(combination, variant)
        counters, count = reference.counters, by_rule[combination[0]]
        depths[len(counters.layers)] += 1
        for name in MODEL_COUNTERS:
            seen[name] += getattr(counters, name) > 0
        learned = counters.trained - counters.skipped
        for index, layer in enumerate(counters.layers):
            for name in LAYER_COUNTERS:
                count[name] += getattr(layer, name) > 0
            if reference.learning.trainable[index] != "none":
                rows += learned * reference.network.layers[index].outputs
                seen["rows"] += layer.active_rows
        seen["decayed"] += reference.rates != list(reference.settings.rates)
        seen["clipped"] += min(reference.settings.clips) < 1000
        seen["thinned"] += max(reference.settings.row_gates) > 1000
    assert set(depths) == {2, 3, 4}
    assert min(seen[name] for name in ("input_saturations", "trained_correct", "skipped")) > 40
    assert min(seen["decayed"], seen["clipped"], seen["thinned"]) > 40
    for name, count in by_rule.items():
        few = 0 if name == "bias" else 15  # few biases reach 2^31
        assert min(count[counter] for counter in LAYER_COUNTERS) > few, (name, count)
    assert 0.2 * rows < seen["rows"] < 0.9 * rows


@pytest.mark.parametrize("number_format", FORMATS)
def test_clip_bounds_the_change_of_a_weight_by_an_input_of_one(number_format):
    form = FORMATS[number_format]
    tensors = np.zeros((1, 1), form.weight_dtype), np.zeros(1, np.int32)
    layers = tuple(
        Dense(name, *tensors, 6, 6, kind) for name, kind in (("a", "relu"), ("b", "identity"))
    )
    frac = 6 if number_format == "a8w8" else 12
    network = Network(Input(1, "uint8", 0, 1.0, frac), layers, "mse", number_format)
    model = ReferenceModel(network, Pepita(learning_rate=0.12, clip=1 / 16))
    errors = np.array([2**15 - 1], np.int16)
    model.update(0, errors, np.array([1 << frac], dtype=np.int64))
    assert model.weights[0][0, 0] == -(2**6) / 16


def extreme_network(widths, number_format, rng, sign):
    """Weights, biases and samples at the ends of their types."""
    form = FORMATS[number_format]
    limits, fine = np.iinfo(form.weight_dtype), form.weight_bits == form.activation_bits == 8
    layers = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        ends = [limits.min, limits.max] if sign == 0 else [limits.min if sign < 0 else limits.max]
        weights = rng.choice(ends, (outputs, inputs)).astype(form.weight_dtype)
        bias = rng.choice([-(2**31), 2**31 - 1], outputs).astype(np.int32)
        kind = "identity" if index == len(widths) - 2 else "relu" if sign > 0 else "tanh"
        layers.append(Dense(f"fc{index}", weights, bias, 15, 7 if fine else 15, kind))
    return Network(
        Input(widths[0], "int16", 0, 2.0**-15, 7 if fine else 15),
        tuple(layers),
        "softmax" if sign else "mse",
        number_format,
    )


@pytest.mark.parametrize("sign", [-1, 0, 1])
@pytest.mark.parametrize("number_format", FORMATS)
@pytest.mark.parametrize("widths", [(4096, 2, 3), (3, 2, 4096), (2, 4096, 2)], ids=str)
def test_widest_layers_at_the_ends_of_their_types(widths, number_format, sign):
    """int64 suffices: the document's model cannot overflow."""
    rng = np.random.default_rng(abs(sign))
    kind = "sign" if sign == 0 else "dense"
    network = extreme_network(widths, number_format, rng, sign)
    rule = Pepita(projection=kind, projection_scale=1.0, second_pass="short", learning_rate=1.0)
    learning = Learning(network, rule)
    exponents = [learning.row_error_exponent(index) for index in range(2)]
    rule = replace(
        rule,
        projection_scale=2**14 / max(map(abs, learning._projection_factors())),
        layer_rates=tuple(2.0 ** (14 - exponent) for exponent in exponents),
    )
    samples = rng.choice([-(2**15), 2**15 - 1], (2, widths[0])).astype(np.int16)
    targets = [0, 1]
    if network.head == "mse":
        targets = list(rng.choice([-(2**15), 2**15 - 1], (2, widths[-1])).astype(np.int16))
    run(Case(network, rule, samples, targets))
