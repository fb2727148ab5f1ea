# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/numerics-example.md, number for number.

The numbers are read from the document, so that an edit of it is tested, too.
"""

import ast
import re

import numpy as np
import pytest
from document_model import DocumentModel, softmax_parts
from numerics_example import (
    EXAMPLE,
    FIRST_PASS,
    GIVEN,
    HASHES,
    LABEL,
    SAMPLE,
    SEED,
    SETTINGS,
    example_network,
    example_rule,
    listed,
    scales,
    words,
)

from secondpass import projection
from secondpass.integer import arithmetic, heads, kernels
from secondpass.integer.projections import follow_update
from secondpass.integer.reference import ReferenceModel
from secondpass.learning import step_settings

HEADINGS = list(SETTINGS)
IDS = ["A", "B", "C"]


def accumulators(model, layer, x):
    return (model.weights[layer].astype(np.int64) @ x + model.biases[layer]).tolist()


def difference(first, second):
    return (np.asarray(first, np.int64) - second).tolist()


def test_example_has_its_settings():
    kinds = [(r.projection, r.second_pass) for r in map(example_rule, HEADINGS)]
    assert kinds == [("dense", "full"), ("sign", "full"), ("sign", "short")]


def test_example_gives_its_scales():
    network = example_network()
    for heading in HEADINGS:
        settings = step_settings(network, example_rule(heading))
        expected = (network.input_scale, *settings.rates, *settings.projections)
        assert scales(GIVEN) + scales(heading + EXAMPLE.split(heading)[1].split("```")[0]) == [
            (s.multiplier, s.shift) for s in expected
        ]
    shifts = [network.requantise_shift(layer) for layer in range(2)]
    assert [int(n) for n in re.findall(r"shift \d+ \+ \d+ - \d+ = (\d+)", GIVEN)] == shifts


def test_example_first_pass():
    model = ReferenceModel(example_network(), example_rule(HEADINGS[0]))
    x, hidden, logits = (response.result for response in model.first_pass(SAMPLE))
    frac = model.network.layers[-1].out_frac
    parts = softmax_parts(logits.tolist(), frac)
    power, whole, index, rest, _ = (list(column) for column in zip(*parts, strict=True))
    error, probability = heads.softmax_error(logits, frac, LABEL)
    assert listed(FIRST_PASS) == {
        "x": [x.tolist()],
        "accumulators": [accumulators(model, 0, x), accumulators(model, 1, hidden)],
        "h[0]": [hidden.tolist()],
        "logits": [logits.tolist()],
        "power": [power],
        "whole": [whole],
        "i": [index],
        "rest": [rest],
        "q": [heads.exponentials(logits, frac).tolist()],
        "p": [heads.probabilities(logits, frac).tolist()],
        "e": [error.tolist()],
    }
    stated = re.search(r"predicted (\d).*label probability (\d+)", FIRST_PASS, re.DOTALL)
    assert [int(n) for n in stated.groups()] == [int(np.argmax(logits)), probability]


def test_example_generator():
    seed = example_rule(HEADINGS[0]).projection_seed
    stream = arithmetic.mix32_scalar(SEED ^ arithmetic.DITHER_STREAM)
    keys = [arithmetic.dither_key(SEED, 0, layer) for layer in range(2)]
    key = arithmetic.mix32_scalar(seed)
    generated = [arithmetic.mix32_scalar(key + n) for n in range(3)]
    rows = re.findall(r"^\| (\d) \| (\d) \| ([0-9A-F]{8}) \| (.*) \|$", HASHES, re.MULTILINE)
    bases = [arithmetic.mix32_scalar(keys[layer] + row) for layer in range(2) for row in range(2)]
    assert words(HASHES) == [key, *generated, stream, *keys, *bases]
    assert [(int(layer), int(row)) for layer, row, _, _ in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for layer, row, _, offsets in rows:
        dither = arithmetic.dither_rows(keys[int(layer)], [int(row)], 3 - int(layer), 16)
        assert [ast.literal_eval(f"[{offsets}]")] == dither.tolist()


def full_second_pass(model, x, error):
    """Lists of a full second pass, and its result."""
    rule, settings = model.rule, model.settings
    matrix = getattr(projection, f"{rule.projection}_matrix")(settings.projection_seed, 3, 2)
    sums = matrix @ error.astype(np.int64)
    projected = sums if rule.projection == "sign" else arithmetic.round_shift(sums, 8)
    modulation, _ = arithmetic.scale16(projected, settings.projections[0])
    modulated, _ = kernels.add(x, modulation)
    second = model.respond(0, modulated).result
    lists = {
        "F": [matrix.tolist()],
        "u": [projected.tolist()],
        "g": [modulation.tolist()],
        "t[-1]": [modulated.tolist()],
        "layer 0 accumulators": [accumulators(model, 0, modulated)],
        "t[0]": [second.tolist()],
    }
    if rule.projection == "dense":
        lists["sums"] = [sums.tolist()]
    return lists, second


def short_second_pass(model, first, error):
    """Lists of a short second pass, and its result."""
    total = arithmetic.round_shift(model.folded @ error.astype(np.int64), 12)
    modulation, _ = arithmetic.scale16(total, model.settings.projections[0])
    z, _ = kernels.add(first[1].z, modulation)
    second = model.activate(0, z)
    return {
        "Q": [model.folded.tolist()],
        "total": [total.tolist()],
        "m": [modulation.tolist()],
        "z": [z.tolist()],
        "t[0]": [second.tolist()],
    }, second


def followed(model, x, errors):
    """Lists of how Q follows the update."""
    folded = model.projection().fold(x, model.settings.projection_seed)
    q = model.folded.copy()
    follow_update(q, errors, folded, 16)
    return {
        "fold(x)": [folded.tolist()],
        "Q steps": [(model.folded - q).tolist()],
        "Q before repair": [q.tolist()],
    }


@pytest.mark.parametrize("heading", HEADINGS, ids=IDS)
def test_example_second_pass(heading):
    model = ReferenceModel(example_network(), example_rule(heading))
    rule, settings = model.rule, model.settings
    first = model.first_pass(SAMPLE)
    x, hidden, frac = first[0].result, first[1].result, model.network.layers[-1].out_frac
    error = model.outcome(first, LABEL).error
    if model.learning.short:
        expected, second = short_second_pass(model, first, error)
    else:
        expected, second = full_second_pass(model, x, error)
    delta, _ = kernels.subtract(hidden, second)
    expected["delta"] = [delta.tolist()]
    if rule.output_error == "second":
        logits = model.respond(1, second).result
        expected["layer 1 accumulators"] = [accumulators(model, 1, second)]
        expected["z"] = [logits.tolist()]
        expected["q"] = [heads.exponentials(logits, frac).tolist()]
        error, _ = heads.softmax_error(logits, frac, LABEL)
    expected["e" if rule.output_error == "second" else "e (unchanged)"] = [error.tolist()]
    errors = [
        kernels.row_errors(d, settings.rates[i], settings.clips[i])[0]
        for i, d in enumerate((delta, error))
    ]
    expected["d"] = [rows.tolist() for rows in errors]
    if model.learning.short:
        expected |= followed(model, x, errors[0])
    model.train(SAMPLE, LABEL)
    # The reference has no separate steps: they are what the update took away.
    pairs = list(enumerate(model.network.layers))
    expected["weight steps"] = [difference(v.weights, model.weights[i]) for i, v in pairs]
    expected["bias steps"] = [difference(v.bias, model.biases[i]) for i, v in pairs]
    for layer in range(2):
        expected[f"W{layer}"] = [model.weights[layer].tolist()]
        expected[f"b{layer}"] = [model.biases[layer].tolist()]
    if model.learning.short:
        expected["Q after"] = [model.folded.tolist()]
    assert listed(SETTINGS[heading]) == expected


@pytest.mark.parametrize("heading", HEADINGS, ids=IDS)
def test_example_in_both_models(heading):
    network, rule = example_network(), example_rule(heading)
    reference, document = ReferenceModel(network, rule), DocumentModel(network, rule)
    result = reference.train(SAMPLE, LABEL)
    assert document.train(SAMPLE, LABEL) == (result.predicted, result.label_probability, 0)
    stated = listed(SETTINGS[heading])
    for layer in range(2):
        assert document.weights[layer] == stated[f"W{layer}"][0]
        assert document.biases[layer] == stated[f"b{layer}"][0]
    assert document.q == stated.get("Q after", [[]])[0]
    counters = reference.counters
    numbers = re.search(
        r"step (\d+), trained (\d+), trained_correct (\d+), active rows (\d+) and (\d+), no\ssat",
        EXAMPLE,
    )
    rows = [layer.active_rows for layer in counters.layers]
    expected = [counters.step, counters.trained, counters.trained_correct, *rows]
    assert [int(number) for number in numbers.groups()] == expected
    assert counters.saturations == 0


def test_example_states_what_the_second_row_of_q_should_be():
    model = ReferenceModel(example_network(), example_rule(HEADINGS[2]))
    model.train(SAMPLE, LABEL)
    stated = re.search(r"product of the new weights, (\[.*?\])", EXAMPLE)[1]
    model.refold()
    assert model.folded[1].tolist() == ast.literal_eval(stated)
