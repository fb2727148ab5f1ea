# SPDX-License-Identifier: Apache-2.0
"""Who names only a data set and a rule gets settings that train, and go on training."""

from functools import cache

import numpy as np
import pytest

from secondpass import datasets
from secondpass.device.twin import HostTwin
from secondpass.presets import PRESETS, random_network
from secondpass.rules import RULES
from secondpass.session import presentation_orders

SEED = 1
STEPS = 4000
TRAINED = 2000
TESTED = 1500
PARTS = 4

FROZEN_FLOOR = {"digits": 0.85, "mnist": 0.70, "fashion-mnist": 0.65, "hapt": 0.80}
"""Least accuracy of the frozen hidden layer, so that the comparison with it means something."""

MARGIN = {"hebbian": 0.05}
"""How far below the frozen hidden layer a rule may end; others must reach it."""

OWN_FLOOR = {"tl": 0.35, "bias": 0.25}
"""Rules that learn little in so few steps. Chance is 0.1, on HAPT 0.17."""

MOST_SATURATIONS = {"a16w16": STEPS / 10, "a16w8": STEPS, "a8w8": STEPS}
"""One in ten steps, each of which computes some hundred values; int8 weights have less room."""


@cache
def load(name):
    return datasets.load(name)


@cache
def learned(name, rule_name, format="a16w16"):
    """Train with a rule of which only the name is said; return what came of it."""
    data = load(name)
    rule = PRESETS[name].rule(rule_name, SEED)
    twin = HostTwin(random_network(data, PRESETS[name].hidden, SEED, format), rule)
    count = min(TRAINED, len(data.train_samples))
    orders = presentation_orders(count, STEPS // count + 1, SEED)
    order = np.concatenate(list(orders))[:STEPS]
    chosen = np.random.default_rng(SEED).permutation(len(data.train_samples))[order]
    hits = twin.train_all(data.train_samples[chosen], data.train_labels[chosen])
    hits = hits == data.train_labels[chosen]
    saturations = twin.statistics().counters.saturations
    tested = np.random.default_rng(SEED).permutation(len(data.test_samples))[:TESTED]
    right = twin.evaluate(data.test_samples[tested], data.test_labels[tested])
    return right / len(tested), [part.mean() for part in np.split(hits, PARTS)], saturations


@pytest.fixture
def name(request):
    reason = datasets.unavailable_reason(request.param)
    if reason:
        pytest.skip(reason)
    return request.param


def check(name, rule, format="a16w16"):
    accuracy, prequential, saturations = learned(name, rule, format)
    assert saturations < MOST_SATURATIONS[format]
    assert prequential[-1] > prequential[0]
    assert prequential[-1] > max(prequential) - 0.03
    if rule in OWN_FLOOR:
        assert accuracy > OWN_FLOOR[rule]
        return
    frozen, _, _ = learned(name, "last", format)
    assert frozen > FROZEN_FLOOR[name]
    assert accuracy >= frozen - MARGIN.get(rule, 0.0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", PRESETS, indirect=True)
def test_every_rule_trains_with_nothing_but_its_name(name, rule):
    check(name, rule)


@pytest.mark.parametrize("rule", ["pepita", "ftp", "dfa", "bp"])
@pytest.mark.parametrize("format", ["a16w8", "a8w8"])
@pytest.mark.parametrize("name", ["digits", "mnist"], indirect=True)
def test_the_main_rules_train_in_int8(name, format, rule):
    check(name, rule, format)
