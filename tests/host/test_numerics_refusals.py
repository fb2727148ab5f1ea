# SPDX-License-Identifier: Apache-2.0
"""The combinations that docs/rules.md, section 7.10, and docs/numerics.md refuse."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secondpass.errors import NetworkError
from secondpass.integer.reference import ReferenceModel
from secondpass.learning import Learning
from secondpass.network import FORMATS, HEADS, Dense, Input, Network
from secondpass.rules import RULES, Dfa, Ftp, Hebbian, Mempepita, Pepita, TimeLocal, make_rule

RULES_DOCUMENT = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def network(number_format="a16w16", head="softmax", outputs=4, activation="relu", **first):
    """A network 4-3-outputs whose formats are valid; `first` changes its first layer."""
    dtype = FORMATS[number_format].weight_dtype
    layers = [
        Dense("a", np.ones((3, 4), dtype), np.zeros(3, np.int32), 8, 6, activation),
        Dense("b", np.ones((outputs, 3), dtype), np.zeros(outputs, np.int32), 8, 6, "identity"),
    ]
    layers[0] = replace(layers[0], **first)
    return Network(Input(4, "uint8", 0, 1 / 16, 6), tuple(layers), head, number_format)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("number_format", FORMATS)
@pytest.mark.parametrize("name", RULES)
def test_which_rule_works_in_which_format(name, number_format, head):
    """As the table of section 7.10 says."""
    row = next(
        cells
        for line in RULES_DOCUMENT.split("## 7.10")[1].splitlines()
        if len(cells := line.split(" | ")) == 3 and f"`{name}`" in cells[0]
    )
    works = number_format != "a8w8" or row[2].strip(" |") != "no"
    built = network(number_format, head, outputs=1 if head == "sigmoid" else 4)
    rule = make_rule(name, {})
    if works:
        ReferenceModel(built, rule)
    else:
        with pytest.raises(NetworkError, match=f"the rule {name} has no form in a8w8"):
            ReferenceModel(built, rule)


@pytest.mark.parametrize("rule", [Pepita, Mempepita])
@pytest.mark.parametrize("choice", ["presynaptic", "output_error"])
def test_a_difference_is_no_presynaptic_activation(rule, choice):
    for number_format in ("a16w16", "a16w8"):
        ReferenceModel(network(number_format), rule(**{choice: "second"}))
    with pytest.raises(NetworkError, match="carries the second pass as its difference"):
        ReferenceModel(network("a8w8"), rule(**{choice: "second"}))


STORED = base64.b64encode(bytes(16)).decode()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TimeLocal(gate=0.1), "takes no gate"),
        (lambda: Dfa(projection="stored", matrix=STORED), "one matrix a layer"),
        (lambda: Ftp(error_signal="sign", target_function="tanh"), "needs the target function"),
        (lambda: Ftp(error_signal="sign", target_function="sign"), "needs the target function"),
        (lambda: Pepita(projection="stored"), "takes a matrix"),
        (lambda: Hebbian(matrix=STORED), "takes a matrix"),
        (lambda: Pepita(decay_factor=0.49), r"outside \[0.5, 1\]"),
        (lambda: Pepita(decay_factor=1.01), r"outside \[0.5, 1\]"),
        (lambda: Pepita(decay_steps=2**32), "decay_steps"),
        (lambda: Pepita(dither_seed=-1), "dither_seed"),
        (lambda: Pepita(projection_seed=2**32), "projection_seed"),
        (lambda: Pepita(learning_rate=-1.0), "learning rate"),
        (lambda: Pepita(gate=float("nan")), "gate"),
        (lambda: Pepita(clip=float("inf")), "clip"),
        (lambda: Pepita(row_gate=-0.5), "row gate"),
        (lambda: Pepita(row_gate=float("nan")), "row gate"),
        (lambda: Pepita(layer_rates=(1.0, -1.0)), "layer rates"),
        (lambda: Pepita(trainable=("some", "all")), "trainable"),
        (lambda: Pepita(second_pass="none"), "second_pass"),
        (lambda: make_rule("mempepita", {"second_pass": "short"}), "no setting second_pass"),
    ],
)
def test_rules_that_are_refused(make, message):
    with pytest.raises(NetworkError, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Pepita(layer_rates=(1.0,)), "layer_rates has 1 values for 2 layers"),
        (Pepita(trainable=("all",) * 3), "trainable has 3 values for 2 layers"),
        (Pepita(projection="stored", matrix=STORED[:-4]), "has 15 elements; this network needs"),
        (Ftp(projection="stored", matrix=STORED), "has 16 elements; this network needs"),
        (Pepita(projection="stored", matrix="*"), "not base64"),
        (Pepita(learning_rate=1e9), "32768 or more"),
        (Pepita(projection_scale=1e9), "32768 or more"),
    ],
)
def test_rules_that_do_not_fit_a_network(rule, message):
    with pytest.raises(NetworkError, match=message):
        ReferenceModel(network(), rule)
    assert Learning(network(), Pepita(projection="stored", matrix=STORED)).matrix.shape == (4, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number_format": "a8w8", "out_frac": 8}, "out_frac 8 is outside"),
        ({"activation": "tanh", "out_frac": 7}, "8 to 15 fractional bits"),
        ({"activation": "hard_tanh", "out_frac": 15}, "(8 to 14 fractional|requantisation)"),
        ({"out_frac": 15}, r"requantisation shift outside \[0, 30\]"),
        ({"number_format": "a8w8", "weight_frac": 0, "activation": "tanh"}, None),
        ({"activation": "tanh", "out_frac": 12, "weight_frac": 5}, "requantisation shift"),
        ({"head": "sigmoid"}, "has one output"),
        ({"head": "reconstruction", "outputs": 3}, "as many outputs"),
    ],
)
def test_networks_that_are_refused(changes, message):
    if message is None:
        network(**changes)
        return
    with pytest.raises(NetworkError, match=message):
        network(**changes)


@pytest.mark.parametrize(
    ("head", "outputs", "target"),
    [
        ("softmax", 4, 4),
        ("softmax", 4, -1),
        ("sigmoid", 1, 2),
        ("reconstruction", 4, 1),
        ("mse", 4, 0),
        ("mse", 4, np.zeros(3, np.int16)),
        ("mse", 4, np.zeros(4, np.int32)),
    ],
)
def test_a_target_out_of_range_changes_nothing(head, outputs, target):
    model = ReferenceModel(network(head=head, outputs=outputs), make_rule("tl", {}))
    for learn in (model.train, model.evaluate):
        with pytest.raises(NetworkError):
            learn(np.full(4, 9, np.uint8), target)
    assert model.counters.step == model.counters.trained == model.counters.saturations == 0
    for weights, layer in zip(model.weights, model.network.layers, strict=True):
        assert (weights == layer.weights).all()
