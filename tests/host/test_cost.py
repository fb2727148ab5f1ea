# SPDX-License-Identifier: Apache-2.0
"""The cost formulas against the work that the NumPy reference counts as it does it."""

from dataclasses import replace

import numpy as np
import pytest
from toy_networks import toy_network, toy_samples

from secondpass.commands import untrained_network
from secondpass.cost import step_cost
from secondpass.errors import NetworkError
from secondpass.integer.reference import ReferenceModel
from secondpass.rules import RULES, Backprop, Dfa, Ftp, Mempepita, Pepita, Rule, make_rule
from secondpass_codegen.memory import plan

NETWORK = toy_network(21, 15, 9, 11, 5)
PARTS = ("forward", "again", "second", "backward", "projection", "repair")
VARIANTS: list[Rule] = [
    *(make_rule(name, {}) for name in RULES),
    Pepita(second_pass="short"),
    Pepita(second_pass="short", presynaptic="second", output_error="second"),
    Mempepita(output_error="second", presynaptic="second"),
    Pepita(trainable=("all", "none", "none", "all")),
    Pepita(trainable=("none", "all", "none", "none")),
    Mempepita(trainable=("all", "none", "none", "all")),
    Pepita(second_pass="short", trainable=("bias", "all", "none", "all")),
    Ftp(target_function="tanh", trainable=("all", "all", "none", "all")),
    Backprop(trainable=("none", "all", "all", "all")),
    Dfa(trainable=("none", "all", "bias", "all")),
    Pepita(projection="sparse"),
    Pepita(projection="sparse", second_pass="short", presynaptic="second"),
    Ftp(projection="sparse", target_function="tanh"),
    Dfa(projection="sparse"),
]


def title(rule: Rule) -> str:
    projection = "sparse" if getattr(rule, "projection", "") == "sparse" else ""
    return f"{rule.name}-{getattr(rule, 'second_pass', '')}-{projection}{'.'.join(rule.trainable)}"


@pytest.mark.parametrize("rule", VARIANTS, ids=title)
def test_the_formula_is_the_work_that_is_done(rule: Rule) -> None:
    samples, labels = toy_samples(NETWORK, 3)
    model = ReferenceModel(NETWORK, replace(rule, learning_rate=0.5))
    cost = step_cost(NETWORK, rule)
    for sample, label in zip(samples, labels, strict=True):
        before = dict(model.work)
        rows = [layer.active_rows for layer in model.counters.layers]
        model.train(sample, label)
        done = {part: model.work[part] - before.get(part, 0) for part in (*PARTS, "update")}
        assert {part: done[part] for part in PARTS} == {part: getattr(cost, part) for part in PARTS}
        active = [
            layer.active_rows - old for layer, old in zip(model.counters.layers, rows, strict=True)
        ]
        expected = sum(
            count * layer.inputs
            for count, layer, what in zip(
                active, NETWORK.layers, model.learning.trainable, strict=True
            )
            if what == "all"
        )
        if model.learning.short and model.learning.trainable[0] == "all":
            expected += active[0] * NETWORK.outputs
        assert done["update"] == expected
        assert done["update"] <= cost.update


def test_every_row_active_costs_the_whole_update() -> None:
    """With identity layers and a large error no row is skipped: the bound is reached."""
    layers = [replace(layer, activation="identity") for layer in NETWORK.layers]
    network = replace(NETWORK, layers=tuple(layers))
    samples, labels = toy_samples(network, 20)
    for rule in (Backprop(learning_rate=1.0), Dfa(learning_rate=1.0, projection="dense")):
        most = 0
        for sample, label in zip(samples, labels, strict=True):
            model = ReferenceModel(network, rule)
            model.train(sample, label)
            most = max(most, model.work["update"])
        assert most == step_cost(network, rule).update


def test_published_figures_of_the_anomaly_detector() -> None:
    """640-128x4-8-128x4-640, million MACs a step, by Pau & Aymone (COINS 2023); FTP's authors."""
    network = untrained_network(
        "640-128-128-128-128-8-128-128-128-128-640", "a16w16", "reconstruction"
    )
    published = {"bp": 0.711, "pepita": 1.203, "mempepita": 1.467, "ftp": 0.875}
    for name, millions in published.items():
        cost = step_cost(network, make_rule(name, {}))
        output = network.layers[-1].weights.size
        # They count a second pass through the output layer (MEMPEPITA: two), and two projections
        # where FTP's linear target needs one.
        once_more = {"pepita": output, "mempepita": 2 * output, "ftp": output}.get(name, 0)
        twice = cost.projection if name == "ftp" else 0
        assert (cost.macs + once_more + twice) / 1e6 == pytest.approx(millions, abs=0.0035)


def test_a_sparse_matrix_costs_its_non_zeros() -> None:
    """One in every row, as the matrix itself says; the rest of a step is that of a dense one."""
    for rule, rows in ((Pepita(), NETWORK.input.size), (Ftp(), NETWORK.layers[0].outputs)):
        sparse = replace(rule, projection="sparse")
        matrix = ReferenceModel(NETWORK, sparse).projection().elements(seed=7)
        assert matrix.shape == (rows, NETWORK.outputs)
        dense, thin = step_cost(NETWORK, rule), step_cost(NETWORK, sparse)
        assert dense.projection == matrix.size
        assert thin.projection == np.count_nonzero(matrix) == rows
        assert dense.macs - thin.macs == matrix.size - rows


def test_ftp_learns_the_anomaly_detector_for_less_than_back_propagation() -> None:
    """640-128x4-8-128x4-640; published: 0.711 million MACs a step for BP, 1.203 for PEPITA."""
    network = untrained_network(
        "640-128-128-128-128-8-128-128-128-128-640", "a16w16", "reconstruction"
    )
    bp = step_cost(network, Backprop()).macs
    assert step_cost(network, Ftp(projection="sparse")).macs < 0.63e6 < 0.711e6
    assert step_cost(network, Ftp(projection="sparse")).macs < 0.89 * bp
    # as much as back-propagation, not less: the second pass of PEPITA reads the input layer too
    assert bp < step_cost(network, Pepita(projection="sparse")).macs < 1.001 * bp


def test_deep_networks_keep_few_activations_under_mempepita() -> None:
    costs = {
        name: step_cost(toy_network(16, 40, 40, 40, 40, 4), make_rule(name, {}))
        for name in ("pepita", "mempepita", "tl", "bp")
    }
    assert costs["pepita"].activations == 2 * (4 * 40 + 2 * 40)
    assert costs["bp"].activations == 2 * 4 * 40
    assert costs["mempepita"].activations == 2 * 3 * 40
    assert costs["tl"].activations == 2 * 2 * 40


def test_a_short_second_pass_saves_what_is_promised() -> None:
    """784-128-10: about 223 thousand multiply-accumulates instead of 313 thousand."""
    network = untrained_network("784-128-10", "a16w16", "softmax")
    full = step_cost(network, Pepita())
    short = step_cost(network, Pepita(second_pass="short"))
    assert full.macs == pytest.approx(313_000, rel=0.02)
    assert short.macs - short.repair == pytest.approx(215_000, rel=0.02)
    assert short.matrices == 4 * 128 * 10


def test_the_arena_is_what_the_formula_says_and_buffers() -> None:
    """The planner's arena holds the formula's activations beside input, error and scratch."""
    network = toy_network(16, 40, 40, 40, 40, 4)
    for name in ("pepita", "mempepita", "bp", "dfa", "ftp"):
        rule = make_rule(name, {})
        arena, formula = plan(network, rule).arena, step_cost(network, rule).activations
        assert 0.5 * formula < arena < formula + 2 * (4 * 16 + 4 * 40)


def test_widths_that_are_none_are_refused() -> None:
    with pytest.raises(NetworkError, match=r"neither a \.spn file nor widths"):
        untrained_network("64x10", "a16w16", "softmax")
    assert np.prod(untrained_network("8-4-2", "a8w8", "softmax").layers[0].weights.shape) == 32
