# SPDX-License-Identifier: Apache-2.0
"""docs/numerics.md, the NumPy reference and the host twin say the same.

The worked example's numbers are read from the document, so that an edit of it is tested, too.
"""

import ast
import itertools
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import document_model
import numpy as np
import pytest
from document_model import DocumentModel

from secondpass import projection
from secondpass.device.interface import read_weights
from secondpass.device.twin import HostTwin
from secondpass.integer import arithmetic, kernels, softmax
from secondpass.integer.reference import ReferenceModel
from secondpass.network import Dense, Input, Network
from secondpass.rules import ERROR_SIGNALS, PASSES, PROJECTIONS, Ftp, Pepita, step_settings

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "numerics.md").read_text(encoding="utf-8")
LAYER_COUNTERS = (
    "activation_saturations",
    "error_saturations",
    "weight_saturations",
    "active_rows",
)
RULES = [*itertools.product(PROJECTIONS, PASSES, PASSES), *itertools.product(PROJECTIONS, ["ftp"])]
LARGEST_SCALE = 14.9
"""log2 of the largest factor that random settings ask of a scale (the limit is just below 15)."""


# Random networks


def random_case(rng, choices, in_frac):
    """A valid network, a rule, layer factors and samples, many of which saturate."""
    widths = [int(width) for width in rng.integers(1, 40, rng.integers(3, 5))]
    dtype = str(rng.choice(["uint8", "int16"]))
    step = 2.0 ** rng.uniform(-12, min(0, LARGEST_SCALE - in_frac))
    spec = Input(widths[0], dtype, int(rng.integers(-(2**15), 2**15)), step, in_frac)
    layers, exponents = [], []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        is_last = index == len(widths) - 2
        weight_frac = int(rng.integers(0, 16))
        out_frac = int(rng.integers(0, min(15, in_frac + weight_frac) + 1))
        weights = rng.integers(-(2**15), 2**15, (outputs, inputs)) // rng.choice([1, 16, 256])
        bias = rng.integers(-(2**31), 2**31, outputs) // rng.choice([1, 2**10, 2**16])
        activation = "identity" if is_last else str(rng.choice(["relu", "identity"]))
        tensors = weights.astype(np.int16), bias.astype(np.int32)
        layers.append(Dense(f"fc{index}", *tensors, weight_frac, out_frac, activation))
        exponents.append(weight_frac + 16 - in_frac - (15 if is_last else out_frac))
        in_frac = out_frac
    rate = float(rng.uniform(0.001, 1) * 2.0 ** min(0, LARGEST_SCALE - max(exponents)))
    # Small row errors are often zero, large ones saturate: the factors make both likely.
    factors = tuple(
        float(2.0 ** (rng.uniform(-4, LARGEST_SCALE) - exponent) / rate) for exponent in exponents
    )
    kind, *passes = choices
    rule_class = Ftp if passes == ["ftp"] else Pepita
    rule = rule_class(
        kind,
        float(rng.normal()),
        int(rng.integers(2**32)),
        *(passes if rule_class is Pepita else ()),
        learning_rate=rate,
        dither_seed=int(rng.integers(2**32)),
        error_signal=str(rng.choice(ERROR_SIGNALS)),
    )
    limits = np.iinfo(dtype)
    samples = rng.integers(limits.min, limits.max + 1, (5, widths[0])).astype(dtype)
    labels = [int(label) for label in rng.integers(widths[-1], size=len(samples))]
    return Network(spec, tuple(layers)), rule, factors, samples, labels


@cache
def run_case(choices, in_frac):
    """Train and evaluate reference and document's model; return both and their answers."""
    rng = np.random.default_rng([RULES.index(choices), in_frac])
    network, rule, factors, samples, labels = random_case(rng, choices, in_frac)
    reference, document = ReferenceModel(network, rule), DocumentModel(network, rule, factors)
    reference.configure(step_settings(network, rule, layer_rates=factors))
    # Just below 2^32 in half of the networks: `step` and its hash wrap around.
    reference.counters.step = document.step = 2**32 - 2 if in_frac % 2 else 0
    answers = ([], [])
    for sample, label in zip(samples[:-1], labels[:-1], strict=True):
        result = reference.train(sample, label)
        answers[0].append((result.predicted, result.label_probability))
        answers[1].append(document.train(sample, label))
    answers[0].append(reference.evaluate(samples[-1], labels[-1]).predicted)
    answers[1].append(document.evaluate(samples[-1], labels[-1]))
    answers[0].append(reference.infer(samples[-1]).tolist())
    answers[1].append(document.infer(samples[-1]))
    return reference, document, answers


@pytest.mark.parametrize("in_frac", range(16))
@pytest.mark.parametrize("choices", RULES, ids="-".join)
def test_a_model_written_from_the_document_equals_the_reference(choices, in_frac):
    reference, document, (expected, answers) = run_case(choices, in_frac)
    assert answers == expected
    assert document.weights == [weights.tolist() for weights in reference.weights]
    assert document.biases == [bias.tolist() for bias in reference.biases]
    counters = reference.counters
    assert document.step == counters.step
    names = ("trained", "trained_correct", "evaluated", "evaluated_correct", "input_saturations")
    for name in names:
        assert document.counts[name] == getattr(counters, name), name
    for index, layer in enumerate(counters.layers):
        for name in LAYER_COUNTERS:
            assert document.counts[index, name] == getattr(layer, name), (index, name)


def test_random_networks_reach_saturations_and_skipped_rows():
    """Otherwise the comparison above would be easy to pass."""
    seen, depths, rows = Counter(), set(), 0
    for choices, in_frac in itertools.product(RULES, range(16)):
        reference, _, _ = run_case(choices, in_frac)
        counters = reference.counters
        depths.add(len(counters.layers))
        seen["input_saturations"] += counters.input_saturations > 0
        seen["trained_correct"] += counters.trained_correct > 0
        rows += counters.trained * sum(layer.outputs for layer in reference.network.layers)
        for layer, name in itertools.product(counters.layers, LAYER_COUNTERS):
            seen[name] += getattr(layer, name)
    assert depths == {2, 3}
    assert min(seen[name] for name in ("input_saturations", "trained_correct")) > 10
    assert min(seen[name] for name in LAYER_COUNTERS) > 1000
    assert 0.1 * rows < seen["active_rows"] < 0.9 * rows


# Section 3: generator and dither


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOLDEN", arithmetic.GOLDEN),
        ("DITHER_STREAM", arithmetic.DITHER_STREAM),
        ("LOG2_E", softmax.LOG2_E),
    ],
)
def test_constants(name, value):
    assert int(re.search(rf"^{name} = (\w+)", DOCUMENT, re.MULTILINE)[1], 0) == value


def test_generator_table():
    rows = re.findall(r"^\| (\w+) \| `0x([0-9A-F]{8})` \|$", DOCUMENT, re.MULTILINE)
    assert len(rows) == 4
    for value, expected in rows:
        assert arithmetic.mix32_scalar(int(value, 0)) == int(expected, 16)


@pytest.mark.parametrize("seed", [0, 1, 2, 41, 2**32 - 2])
def test_neighbouring_seeds_share_no_dither_key(seed):
    """A seed added to the step instead would make them equal one step apart."""
    keys = [
        {arithmetic.dither_key(seed + k, step, layer) for step in range(300) for layer in range(3)}
        for k in range(2)
    ]
    assert len(keys[0]) == len(keys[1]) == 900
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("seed", [0, 1, 2, 41, 2**32 - 1])
def test_equal_seeds_give_the_dither_no_word_of_the_projection(seed):
    # A row of 32 columns takes one word of `sign`.
    signs = projection.sign_matrix(seed, 1000, 32) < 0
    words = set((signs @ (1 << np.arange(32, dtype=np.int64))).tolist())
    assert arithmetic.mix32_scalar(arithmetic.mix32_scalar(seed)) in words
    keys = {arithmetic.dither_key(seed, step, layer) for step in range(300) for layer in range(3)}
    assert not keys & words


# Section 4.3: softmax


def test_table_of_powers():
    text = re.search(r"T\[0\.\.32\] = ([\d\s]+?)\s+T\[i\]", DOCUMENT)[1]
    assert [int(number) for number in text.split()] == softmax.EXP2_TABLE.tolist()


@pytest.mark.parametrize("frac_bits", range(16))
def test_exponentials_equal_the_document(frac_bits):
    """Many distances: few of them are ties of the interpolation, which networks seldom meet."""
    logits = np.random.default_rng(frac_bits).integers(-(2**15), 2**15, 4096).astype(np.int16)
    expected = [part[-1] for part in document_model.softmax_parts(logits.tolist(), frac_bits)]
    assert softmax.exponentials(logits, frac_bits).tolist() == expected


# Section 9: the worked example


def listed(text):
    """Every `name = [numbers]` (the equals sign is optional) of a text: name to its lists."""
    found = defaultdict(list)
    for name, numbers in re.findall(
        r"([A-Za-z]\S*(?: [^\s=]\S*)*?) +(?:= )?(\[\[?-?\d[-\d, \[\]]*\])", text
    ):
        found[name].append(ast.literal_eval(numbers))
    return found


def pairs(text):
    """Every scale that a text gives as `(multiplier, shift)`."""
    return [(int(m), int(s)) for m, s in re.findall(r"\((-?\d+), (\d+)\)", text)]


def words(text):
    return [int(word, 16) for word in re.findall(r"\b[0-9A-F]{8}\b", text)]


EXAMPLE = (DOCS / "numerics-example.md").read_text(encoding="utf-8")
GIVEN, FIRST_PASS, *_ = re.findall(r"```\n(.*?)```", EXAMPLE, re.DOTALL)
HASHES = re.search(r"Generator:.*?(?=\*\*Setting A)", EXAMPLE, re.DOTALL)[0]
SETTINGS = dict(re.findall(r"(\*\*Setting [AB]:.*?)```\n(.*?)```", EXAMPLE, re.DOTALL))
SEED, LABEL = (int(re.search(rf"{name} (\d+)", GIVEN)[1]) for name in ("dither_seed", "label ="))


def example_network():
    given = listed(GIVEN)
    zero_point, steps, frac = re.search(
        r"uint8, zero_point (\d+), step 1/(\d+), frac_bits (\d+)", GIVEN
    ).groups()
    layers = re.findall(r"layer (\d): weight_frac (\d+), out_frac (\d+), (\w+)", GIVEN)
    return Network(
        Input(3, "uint8", int(zero_point), 1 / int(steps), int(frac)),
        tuple(
            Dense(
                f"fc{index}",
                np.array(given["W"][int(index)], np.int16),
                np.array(given["b"][int(index)], np.int32),
                int(weight_frac),
                int(out_frac),
                activation.lower(),
            )
            for index, weight_frac, out_frac, activation in layers
        ),
    )


def example_rule(heading):
    kind, presynaptic, output_error = re.findall(r"`(\w+)`", heading)
    scale, seed, rate = re.search(
        r"projection_scale (\S+), projection_seed (\d+),.* learning_rate (\S+)", GIVEN
    ).groups()
    return Pepita(
        kind, float(scale), int(seed), presynaptic, output_error, float(rate), dither_seed=SEED
    )


def accumulators(model, layer, x):
    return (model.weights[layer].astype(np.int64) @ x + model.biases[layer]).tolist()


def first_pass(model):
    """x, h[0], logits and error of the example."""
    sample = np.array(listed(GIVEN)["raw"][0], np.uint8)
    x, _ = kernels.quantise(sample, model.network.input.zero_point, model.network.input.scale)
    hidden, logits = model._forward(x)
    error, _ = softmax.softmax_error(logits, model.network.layers[-1].out_frac, LABEL)
    return x, hidden, logits, error


def test_example_gives_its_scales():
    network = example_network()
    for heading in SETTINGS:
        settings = step_settings(network, example_rule(heading))
        scales = (network.input.scale, *settings.rates, settings.projection)
        assert pairs(GIVEN) + pairs(heading) == [(s.multiplier, s.shift) for s in scales]
    shifts = [network.requantise_shift(layer) for layer in range(2)]
    assert [int(n) for n in re.findall(r"shift \d+ \+ \d+ - \d+ = (\d+)", GIVEN)] == shifts


def test_example_first_pass():
    model = ReferenceModel(example_network(), example_rule(next(iter(SETTINGS))))
    x, hidden, logits, error = first_pass(model)
    frac = model.network.layers[-1].out_frac
    parts = document_model.softmax_parts(logits.tolist(), frac)
    power, whole, index, rest, _ = (list(column) for column in zip(*parts, strict=True))
    assert listed(FIRST_PASS) == {
        "x": [x.tolist()],
        "accumulators": [accumulators(model, 0, x), accumulators(model, 1, hidden)],
        "h[0]": [hidden.tolist()],
        "logits": [logits.tolist()],
        "power": [power],
        "whole": [whole],
        "i": [index],
        "rest": [rest],
        "q": [softmax.exponentials(logits, frac).tolist()],
        "p": [softmax.probabilities(logits, frac).tolist()],
        "e": [error.tolist()],
    }


def test_example_generator():
    seed = example_rule(next(iter(SETTINGS))).projection_seed
    stream = arithmetic.mix32_scalar(SEED ^ arithmetic.DITHER_STREAM)
    keys = [arithmetic.dither_key(SEED, 0, layer) for layer in range(2)]
    key = arithmetic.mix32_scalar(seed)
    generated = [arithmetic.mix32_scalar(key + n) for n in range(3)]
    rows = re.findall(r"^\| (\d) \| (\d) \| ([0-9A-F]{8}) \| (.*) \|$", HASHES, re.MULTILINE)
    bases = [arithmetic.mix32_scalar(keys[layer] + row) for layer in range(2) for row in range(2)]
    assert words(HASHES) == [key, *generated, stream, *keys, *bases]
    assert [(int(layer), int(row)) for layer, row, _, _ in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for layer, row, _, offsets in rows:
        dither = arithmetic.dither_row(keys[int(layer)], int(row), 3 - int(layer))
        assert ast.literal_eval(f"[{offsets}]") == dither.tolist()


@pytest.mark.parametrize("heading", SETTINGS, ids=["A", "B"])
def test_example_second_pass(heading):
    model = ReferenceModel(example_network(), example_rule(heading))
    rule, settings = model.rule, model.settings
    x, hidden, _, error = first_pass(model)
    matrix = getattr(projection, f"{rule.projection}_matrix")(settings.projection_seed, 3, 2)
    sums = matrix @ error.astype(np.int64)
    projected = sums if rule.projection == "sign" else arithmetic.round_shift(sums, 8)
    modulation, _ = arithmetic.scale16(projected, settings.projection)
    modulated, _ = kernels.project(
        rule.projection, error, x, settings.projection_seed, settings.projection
    )
    second = model.layer(0, modulated)
    delta = hidden.astype(np.int64) - second
    expected = {
        "F": [matrix.tolist()],
        "u": [projected.tolist()],
        "g": [modulation.tolist()],
        "t[-1]": [modulated.tolist()],
        "layer 0 accumulators": [accumulators(model, 0, modulated)],
        "t[0]": [second.tolist()],
        "delta": [delta.tolist()],
    }
    if rule.projection == "dense":
        expected["sums"] = [sums.tolist()]
    if rule.output_error == "second":
        logits, frac = model.layer(1, second), model.network.layers[1].out_frac
        expected["layer 1 accumulators"] = [accumulators(model, 1, second)]
        expected["z"] = [logits.tolist()]
        expected["q"] = [softmax.exponentials(logits, frac).tolist()]
        error, _ = softmax.softmax_error(logits, model.network.layers[-1].out_frac, LABEL)
    expected["e" if rule.output_error == "second" else "e (unchanged)"] = [error.tolist()]
    errors = [kernels.row_errors(d, settings.rates[i])[0] for i, d in enumerate((delta, error))]
    expected["d"] = [rows.tolist() for rows in errors]
    expected["bias steps"] = [
        [kernels.bias_step(int(e), model.network.in_frac(index)) for e in rows]
        for index, rows in enumerate(errors)
    ]
    model.train(np.array(listed(GIVEN)["raw"][0], np.uint8), LABEL)
    # The reference has no separate weight steps: they are what the update took away.
    expected["weight steps"] = [
        (layer.weights.astype(np.int64) - weights).tolist()
        for layer, weights in zip(model.network.layers, model.weights, strict=True)
    ]
    for layer in range(2):
        expected[f"W{layer}"] = [model.weights[layer].tolist()]
        expected[f"b{layer}"] = [model.biases[layer].tolist()]
    assert listed(SETTINGS[heading]) == expected


@pytest.mark.parametrize("heading", SETTINGS, ids=["A", "B"])
def test_example_in_the_host_twin(heading):
    network, rule = example_network(), example_rule(heading)
    reference, twin = ReferenceModel(network, rule), HostTwin(network, rule)
    sample = np.array(listed(GIVEN)["raw"][0], np.uint8)
    result, answer = reference.train(sample, LABEL), twin.train(sample, LABEL)
    stated = re.search(r"predicted (\d).*label probability (\d+)", FIRST_PASS, re.DOTALL)
    predicted, probability = map(int, stated.groups())
    for outcome in (
        (result.predicted, result.label_probability),
        (answer.predicted, answer.label_probability * 2**15),
    ):
        assert outcome == (predicted, probability)
    tensors_stated = listed(SETTINGS[heading])
    for layer, tensors in enumerate(read_weights(twin)):
        assert [t.tolist() for t in tensors] == [
            tensors_stated[f"{name}{layer}"][0] for name in "Wb"
        ]
    counters = twin.statistics().counters
    assert counters == reference.counters
    numbers = re.search(
        r"step (\d+), trained (\d+), trained_correct (\d+), active rows (\d+) and (\d+), no\ssat",
        EXAMPLE,
    )
    rows = [layer.active_rows for layer in counters.layers]
    assert list(map(int, numbers.groups())) == [
        counters.step,
        counters.trained,
        counters.trained_correct,
        *rows,
    ]
    assert counters.saturations == 0
