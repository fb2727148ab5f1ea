# SPDX-License-Identifier: Apache-2.0
"""Projections and what becomes of projected errors: C equals NumPy, saturations included."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import (
    INT32,
    Guarded,
    KernelHost,
    data_seeds,
    exactly,
    kinds,
    make_data,
    scales,
    sizes,
    words,
)

from secondpass.fixedpoint import Scale
from secondpass.integer import projections as reference
from secondpass.integer.activations import tanh_q15
from secondpass.integer.arithmetic import mix32, mix32_scalar, scale16
from secondpass.integer.kernels import error_signs
from secondpass.integer.projections import Projection
from secondpass.learning import FOLD_SHIFT
from secondpass.network import FORMATS
from secondpass.rules import PROJECTIONS

matrices = {"rows": sizes, "outputs": sizes, "seed": words, "data_seed": data_seeds}


class Matrix:
    """A projection for both sides. `kind` is also the character of a stored matrix's elements."""

    def __init__(
        self,
        kernels: KernelHost,
        kind: str,
        rows: int,
        outputs: int,
        seed: int,
        elements: str = "full",
    ) -> None:
        self.kind, self.seed = kind, seed
        self.stored: npt.NDArray[Any] | None = None
        if kind == "stored":
            self.stored = make_data(elements, seed, rows, outputs, bits=8)
        self.reference = Projection(kind, rows, outputs, self.stored)
        self.c = kernels.ffi.new(
            "sp_matrix_t *",
            {
                "rows": rows,
                "outputs": outputs,
                "seed": seed,
                "stored": kernels.argument(self.stored),
            },
        )


@exactly
@given(scale=scales, signal_kind=kinds, elements=kinds, **matrices)
@example(Scale(2**15 - 1, 0), "lowest", "lowest", 70, 70, 2**32 - 1, 0)
@example(Scale(-(2**14), 14), "lowest", "highest", 3, 33, 1, 0)
@example(Scale(2**14, 14), "full", "full", 3, 5, 1, 0)
@pytest.mark.parametrize("kind", PROJECTIONS)
def test_project(
    kernels: KernelHost,
    kind: str,
    scale: Scale,
    signal_kind: str,
    elements: str,
    rows: int,
    outputs: int,
    seed: int,
    data_seed: int,
) -> None:
    matrix = Matrix(kernels, kind, rows, outputs, seed, elements)
    signal = make_data(signal_kind, data_seed, outputs)
    expected, clamped = matrix.reference.project(signal, seed, scale)
    got, saturations = kernels.vector(rows, f"sp_project_{kind}", matrix.c, signal, scale)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(
    scale=scales,
    place=st.integers(0, 69),
    value=st.sampled_from([0, 2**15]),
    elements=kinds,
    **matrices,
)
@example(Scale(2**14, 14), 4, 2**15, "lowest", 70, 6, 2**32 - 1, 0)
@example(Scale(-(2**14), 14), 69, 2**15, "full", 9, 70, 1, 0)
@pytest.mark.parametrize("kind", PROJECTIONS)
def test_column(
    kernels: KernelHost,
    kind: str,
    scale: Scale,
    place: int,
    value: int,
    elements: str,
    rows: int,
    outputs: int,
    seed: int,
    data_seed: int,
) -> None:
    del data_seed
    column = place % outputs
    matrix = Matrix(kernels, kind, rows, outputs, seed, elements)
    expected, clamped = matrix.reference.column(column, value, seed, scale)
    got, saturations = kernels.vector(rows, f"sp_column_{kind}", matrix.c, column, value, scale)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(bits=st.sampled_from([8, 16]), values_kind=kinds, elements=kinds, **matrices)
@example(8, "lowest", "lowest", 70, 70, 2**32 - 1, 0)
@example(16, "lowest", "lowest", 70, 70, 2**32 - 1, 0)
@example(16, "sparse", "full", 69, 9, 3, 0)
@pytest.mark.parametrize("kind", PROJECTIONS)
def test_fold(
    kernels: KernelHost,
    kind: str,
    bits: int,
    values_kind: str,
    elements: str,
    rows: int,
    outputs: int,
    seed: int,
    data_seed: int,
) -> None:
    matrix = Matrix(kernels, kind, rows, outputs, seed, elements)
    values = make_data(values_kind, data_seed, rows, bits=bits)
    folded = Guarded((outputs,), np.int32)
    kernels.call(f"sp_fold_{kind}", matrix.c, values, bits // 8, folded)
    np.testing.assert_array_equal(folded.array, matrix.reference.fold(values, seed))


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_4096_columns_at_the_rails(kernels: KernelHost, kind: str) -> None:
    """Signals that agree with a row's signs: the largest sum that there is, of either sign."""
    matrix = Matrix(kernels, kind, 2, 4096, 9, "rails")
    elements = matrix.reference.elements(9)
    for row, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        signal = np.where(elements[row] * sign > 0, 2**15 - 1, -(2**15)).astype(np.int16)
        for scale in (Scale(2**14, 14), Scale(2**14, 29), Scale(2**15 - 1, 0)):
            expected, clamped = matrix.reference.project(signal, 9, scale)
            got, saturations = kernels.vector(2, f"sp_project_{kind}", matrix.c, signal, scale)
            np.testing.assert_array_equal(got, expected)
            assert saturations == clamped
    column, _ = matrix.reference.column(4095, 2**15, 9, Scale(2**14, 15))
    got, _ = kernels.vector(2, f"sp_column_{kind}", matrix.c, 4095, 2**15, Scale(2**14, 15))
    np.testing.assert_array_equal(got, column)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", PROJECTIONS)
def test_fold_of_4096_rows_at_the_rails(kernels: KernelHost, kind: str, bits: int) -> None:
    matrix = Matrix(kernels, kind, 4096, 5, 9, "rails")
    elements = matrix.reference.elements(9)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    for sign in (1, -1):
        values = np.where(elements[:, 2] * sign > 0, high, low).astype(f"i{bits // 8}")
        folded = Guarded((5,), np.int32)
        kernels.call(f"sp_fold_{kind}", matrix.c, values, bits // 8, folded)
        np.testing.assert_array_equal(folded.array, matrix.reference.fold(values, 9))


def test_the_counter_of_words_wraps(kernels: KernelHost) -> None:
    """A large matrix whose generator starts just below 2^32."""
    rows, outputs = 4096, 130
    seed = int(np.argmax(mix32(np.arange(2**17)) > 2**32 - rows * 33))
    assert mix32_scalar(seed) > 2**32 - rows * 33
    matrix = Matrix(kernels, "dense", rows, outputs, seed)
    signal, scale = make_data("full", 1, outputs), Scale(2**14, 16)
    expected, _ = matrix.reference.project(signal, seed, scale)
    got, _ = kernels.vector(rows, "sp_project_dense", matrix.c, signal, scale)
    np.testing.assert_array_equal(got, expected)
    column, _ = matrix.reference.column(7, 2**15, seed, scale)
    got, _ = kernels.vector(rows, "sp_column_dense", matrix.c, 7, 2**15, scale)
    np.testing.assert_array_equal(got, column)


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
def test_error_signs(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    error = make_data(kind, seed, length)
    expected = error_signs(error)
    got, _ = kernels.vector(length, "sp_error_signs", error, length, padding=False)
    np.testing.assert_array_equal(got, expected)
    kernels.call("sp_error_signs", error, length, error)
    np.testing.assert_array_equal(error, expected)


@exactly
@given(length=sizes, first_kind=kinds, second_kind=kinds, scale=scales, seed=data_seeds)
@example(9, "lowest", "highest", Scale(2**14, 14), 0)
@example(9, "rails", "full", Scale(2**15 - 1, 0), 0)
@example(9, "small", "zero", Scale(-(2**14), 14), 0)
@pytest.mark.parametrize("function", ["tanh", "sign"])
def test_contrast(
    kernels: KernelHost,
    function: str,
    length: int,
    first_kind: str,
    second_kind: str,
    scale: Scale,
    seed: int,
) -> None:
    target, prediction = make_data(first_kind, seed, length), make_data(second_kind, seed, length)
    g = tanh_q15 if function == "tanh" else lambda v: np.sign(v.astype(np.int64)) * (2**15 - 1)
    expected, clamped = scale16(g(target) - g(prediction), scale)
    got, saturations = kernels.vector(
        length, f"sp_contrast_{function}", target, prediction, length, scale
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(units=sizes, outputs=sizes, q_kind=kinds, signal_kind=kinds, scale=scales, seed=data_seeds)
@example(9, 70, "lowest", "lowest", Scale(2**14, 14), 0)
@example(9, 70, "highest", "lowest", Scale(2**15 - 1, 0), 0)
@example(9, 70, "rails", "full", Scale(-(2**14), 28), 0)
def test_modulation(
    kernels: KernelHost,
    units: int,
    outputs: int,
    q_kind: str,
    signal_kind: str,
    scale: Scale,
    seed: int,
) -> None:
    q = make_data(q_kind, seed, units, outputs, bits=32)
    signal = make_data(signal_kind, seed + 1, outputs)
    expected, clamped = reference.modulation(q.astype(np.int64), signal, scale, FOLD_SHIFT)
    got, saturations = kernels.vector(units, "sp_modulation", q, units, outputs, signal, scale)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@pytest.mark.parametrize("q_value", [*INT32])
def test_modulation_with_4096_outputs_at_the_rails(kernels: KernelHost, q_value: int) -> None:
    """A sum of 2^58; both clamps count."""
    q = np.full((3, 4096), q_value, np.int32)
    signal = np.full(4096, -(2**15), np.int16)
    for scale in (Scale(2**14, 14), Scale(2**14, 46)):
        expected, clamped = reference.modulation(q.astype(np.int64), signal, scale, FOLD_SHIFT)
        got, saturations = kernels.vector(3, "sp_modulation", q, 3, 4096, signal, scale)
        np.testing.assert_array_equal(got, expected)
        assert saturations == clamped == (6 if scale.shift == 14 else 3)


@exactly
@given(
    units=sizes,
    outputs=sizes,
    shift=st.sampled_from([16, 24]),
    q_kind=kinds,
    error_kind=kinds,
    folded_kind=kinds,
    seed=data_seeds,
)
@example(9, 70, 16, "lowest", "lowest", "lowest", 0)
@example(9, 70, 16, "highest", "lowest", "lowest", 0)
@example(9, 7, 24, "small", "sparse", "full", 0)
@example(9, 7, 16, "full", "highest", "highest", 0)
@example(9, 7, 24, "rails", "lowest", "lowest", 0)
@example(9, 7, 24, "rails", "rails", "rails", 0)
def test_follow_update(
    kernels: KernelHost,
    units: int,
    outputs: int,
    shift: int,
    q_kind: str,
    error_kind: str,
    folded_kind: str,
    seed: int,
) -> None:
    q = make_data(q_kind, seed, units, outputs, bits=32)
    errors = make_data(error_kind, seed + 1, units)
    folded = make_data(folded_kind, seed + 2, outputs, bits=32)
    buffer = Guarded(q.shape, np.int32, q)
    kernels.call("sp_follow_update", buffer, units, outputs, errors, folded, shift)
    expected = q.astype(np.int64)
    reference.follow_update(expected, errors, folded.astype(np.int64), shift)
    np.testing.assert_array_equal(buffer.array, expected)


@pytest.mark.parametrize("name", FORMATS)
def test_folding_follows_an_update(kernels: KernelHost, name: str) -> None:
    """Q kept up to date is near the Q of the updated weights, for the shift of every format."""
    format = FORMATS[name]
    rows, units, outputs = 33, 7, 5
    matrix = Matrix(kernels, "sign", rows, outputs, 4)
    weights = make_data("small", 1, units, rows, bits=format.weight_bits)
    presynaptic = make_data("full", 2, rows, bits=format.activation_bits)
    errors = make_data("full", 3, units)
    q = np.zeros((units, outputs), np.int32)
    folded = np.zeros(outputs, np.int32)
    for unit in range(units):
        kernels.call("sp_fold_sign", matrix.c, weights[unit].copy(), weights.itemsize, q[unit])
    kernels.call("sp_fold_sign", matrix.c, presynaptic, presynaptic.itemsize, folded)
    kernels.call("sp_follow_update", q, units, outputs, errors, folded, format.update_shift)
    products = errors.astype(np.float64)[:, None] * presynaptic / 2.0**format.update_shift
    exact = (weights - products) @ matrix.reference.elements(4)
    assert np.abs(q - exact).max() <= 0.5
