# SPDX-License-Identifier: Apache-2.0
"""The constants, tables and generators that docs/numerics.md and its parts state."""

import re
from pathlib import Path

import document_model
import numpy as np
import pytest

from secondpass import projection
from secondpass.fixedpoint import Scale
from secondpass.integer import activations, arithmetic, heads
from secondpass.integer.projections import follow_update, layer_seed, modulation
from secondpass.learning import FOLD_SHIFT
from secondpass.network import FORMATS
from secondpass.rules import PROJECTIONS

DOCS = Path(__file__).parents[2] / "docs"
NUMERICS = (DOCS / "numerics.md").read_text(encoding="utf-8")
HEADS = (DOCS / "heads.md").read_text(encoding="utf-8")
TEXTS = NUMERICS + HEADS + (DOCS / "learning-step.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOLDEN", arithmetic.GOLDEN),
        ("DITHER_STREAM", arithmetic.DITHER_STREAM),
        ("ROWS_STREAM", arithmetic.ROWS_STREAM),
        ("LOG2_E", heads.LOG2_E),
    ],
)
def test_constants(name, value):
    assert int(re.search(rf"^{name} = (\w+)", TEXTS, re.MULTILINE)[1], 0) == value


def test_generator_table():
    rows = re.findall(r"^\| (\w+) \| `0x([0-9A-F]{8})` \|$", NUMERICS, re.MULTILINE)
    assert len(rows) == 4
    for value, expected in rows:
        assert arithmetic.mix32_scalar(int(value, 0)) == int(expected, 16)


def test_table_of_formats():
    row = re.search(r"^\| update shift U \| (\d+) \| (\d+) \| (\d+) \|$", NUMERICS, re.MULTILINE)
    assert [int(shift) for shift in row.groups()] == [f.update_shift for f in FORMATS.values()]


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


@pytest.mark.parametrize("bits", [16, 24])
def test_dither_is_that_of_the_document(bits):
    key = arithmetic.dither_key(5, 2**32 - 1, 63)
    assert key == document_model.dither_key(5, 2**32 - 1, 63)
    rows = arithmetic.dither_rows(key, [0, 1, 4095], 4096, bits)
    for row, offsets in zip([0, 1, 4095], rows, strict=True):
        base = document_model.mix32(key + row)
        expected = [document_model.dither_offset(base, column, bits) for column in range(4096)]
        assert offsets.tolist() == expected


@pytest.mark.parametrize("columns", [1, 4, 5, 32, 33, 4096])
@pytest.mark.parametrize("kind", [kind for kind in PROJECTIONS if kind != "stored"])
def test_matrices_are_those_of_the_document(kind, columns):
    rows = 40
    matrix = getattr(projection, f"{kind}_matrix")(2**32 - 1, rows, columns)
    expected = [document_model.generated_row(kind, 2**32 - 1, row, columns) for row in range(rows)]
    assert matrix.tolist() == expected


@pytest.mark.parametrize("layer", [0, 1, 2, 31])
def test_seeds_of_the_layers_of_dfa(layer):
    for seed in (0, 1, 2**32 - 1):
        assert layer_seed(seed, layer) == document_model.layer_seed(seed, layer)


ENDS = [-(2**31), -(2**27), -1, 0, 1, 2**27, 2**31 - 1]


@pytest.mark.parametrize("bits", [16, 24])
def test_q_stays_in_int32(bits):
    """Only the widest layers reach its ends, after many steps in one direction."""
    rng = np.random.default_rng(bits)
    q = rng.choice(ENDS, (40, 7))
    errors = rng.choice([-32767, -3, 0, 32767], 40).astype(np.int16)
    folded = rng.choice([-(2**27), -5, 0, 5, 2**27], 7)
    expected = q.tolist()
    follow_update(q, errors, folded, bits)
    document_model.follow(expected, errors.tolist(), folded.tolist(), bits)
    assert q.tolist() == expected
    assert {-(2**31), 2**31 - 1} <= set(q.ravel().tolist())


@pytest.mark.parametrize("shift", [0, 15, 30, 46])
@pytest.mark.parametrize("outputs", [1, 3, 4096])
def test_modulation_from_q_at_its_ends(outputs, shift):
    """The widest sum is below 2^58; what is left of it is clamped to int32 before it is scaled."""
    rng = np.random.default_rng([outputs, shift])
    q = np.concatenate([rng.choice(ENDS, (20, outputs)), np.full((1, outputs), -(2**31))])
    signal = rng.choice([-(2**15), 2**15 - 1, 1], outputs).astype(np.int16)
    for a in (signal, np.full(outputs, -(2**15), np.int16)):
        result, clamps = modulation(q, a, Scale(-32767, shift), FOLD_SHIFT)
        expected = document_model.modulation(q.tolist(), a.tolist(), (-32767, shift))
        assert (result.tolist(), clamps) == expected


def test_table_of_tanh():
    assert activations.TANH_TABLE.tolist() == document_model.TANH


def test_tanh_equals_the_document_everywhere():
    values = np.arange(-(2**15), 2**15, dtype=np.int16)
    result = activations.tanh_q15(values)
    assert result.tolist() == [document_model.tanh15(v) for v in values.tolist()]
    assert np.abs(result - 2**15 * np.tanh(values / 2**12)).max() < 4  # as section 4.3 says


@pytest.mark.parametrize("kind", ["relu", "identity", "hard_tanh", "tanh"])
def test_activations_and_derivatives_equal_the_document(kind):
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.integers(-(2**15), 2**15, 500), [-(2**15), -1, 0, 1, 2**15 - 1]])
    deltas = np.concatenate([rng.integers(-(2**15), 2**15, 500), [-(2**15), 2**15 - 1, 0, 7, -7]])
    for frac in range(8, 15 if kind == "hard_tanh" else 16):
        result = activations.activate(kind, values.astype(np.int16), frac)
        expected = [document_model.activation(kind, v, frac) for v in values.tolist()]
        assert result.tolist() == expected
        derived = activations.times_derivative(kind, deltas.astype(np.int16), result, frac)
        pairs = zip(deltas.tolist(), expected, strict=True)
        assert derived.tolist() == [
            document_model.times_derivative(kind, d, h, frac) for d, h in pairs
        ]


def test_table_of_powers():
    text = re.search(r"T\[0\.\.32\] = ([\d\s]+?)\s+T\[i\]", HEADS)[1]
    assert [int(number) for number in text.split()] == heads.EXP2_TABLE.tolist()
    assert heads.EXP2_TABLE.tolist() == document_model.EXP2


@pytest.mark.parametrize("frac_bits", range(16))
def test_exponentials_equal_the_document(frac_bits):
    """Many distances: few of them are ties of the interpolation, which networks seldom meet."""
    logits = np.random.default_rng(frac_bits).integers(-(2**15), 2**15, 4096).astype(np.int16)
    expected = [part[-1] for part in document_model.softmax_parts(logits.tolist(), frac_bits)]
    assert heads.exponentials(logits, frac_bits).tolist() == expected
