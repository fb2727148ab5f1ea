# SPDX-License-Identifier: Apache-2.0
"""Layers forward and backward in every format: C equals NumPy, saturations included."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import (
    KernelHost,
    data_seeds,
    exactly,
    kinds,
    make_data,
    padded,
    padded_rows,
    sizes,
)

from secondpass.integer import kernels as reference

FORMATS = {"a16w16": (16, 16, (0, 30)), "a16w8": (16, 8, (0, 38)), "a8w8": (8, 8, (-8, 30))}
"""Bits of an activation and of a weight, and the range of the shift."""
COUNTED = {"identity": 3, "relu": 2, "tanh": 0}
"""What a generated model counts for an activation function."""
RAIL = {"low": 0, "high": -1}

cases = {
    "inputs": sizes,
    "outputs": sizes,
    "place": st.integers(0, 100),
    "x_kind": kinds,
    "weight_kind": kinds,
    "bias_kind": kinds,
    "seed": data_seeds,
}
"""A layer's data; `place` is where in the format's range the shift is, in percent."""


def fully_connected(
    kernels: KernelHost,
    name: str,
    data: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any] | None],
    **shape: int,
) -> tuple[npt.NDArray[Any], int]:
    x, weights, bias = data
    outputs, inputs = weights.shape
    layer = kernels.shape(inputs, outputs, **shape)
    before, behind = padded(x, 2 if x.itemsize == 2 else 1), (padded_rows(weights), bias)
    y, saturations = kernels.vector(outputs, f"sp_fc_{name}", layer, before, None, *behind)
    listed = kernels.groups(x, weights.itemsize)
    again = kernels.vector(outputs, f"sp_fc_{name}", layer, before, listed, *behind)
    np.testing.assert_array_equal(again[0], y)
    assert again[1] == saturations
    return y, saturations


@exactly
@given(activation=st.sampled_from(sorted(COUNTED)), **cases)
@example("identity", 70, 70, 50, "lowest", "lowest", "highest", 0)
@example("relu", 69, 3, 0, "lowest", "highest", "lowest", 0)
@example("identity", 69, 3, 0, "lowest", "highest", "lowest", 0)
@example("relu", 1, 1, 100, "full", "full", "full", 0)
@example("tanh", 5, 9, 0, "rails", "rails", "full", 0)
@example("identity", 70, 9, 10, "gaps", "full", "full", 0)
@example("identity", 67, 6, 10, "gaps", "lowest", "full", 0)
@pytest.mark.parametrize("name", FORMATS)
def test_fc(
    kernels: KernelHost,
    name: str,
    activation: str,
    inputs: int,
    outputs: int,
    place: int,
    x_kind: str,
    weight_kind: str,
    bias_kind: str,
    seed: int,
) -> None:
    x_bits, weight_bits, (least, most) = FORMATS[name]
    shift = least + (most - least) * place // 100
    x = make_data(x_kind, seed, inputs, bits=x_bits)
    weights = make_data(weight_kind, seed + 1, outputs, inputs, bits=weight_bits)
    bias = make_data(bias_kind, seed + 2, outputs, bits=32)
    expected, clamped = reference.pre_activation(x, weights, bias, shift, activation)
    if activation == "relu":
        expected = np.maximum(expected, 0)
    got, saturations = fully_connected(
        kernels,
        name,
        (x, weights, bias),
        shift=shift,
        relu=int(activation == "relu"),
        counted=COUNTED[activation],
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@pytest.mark.parametrize("kind", ["lowest", "gaps"])
@pytest.mark.parametrize("outputs", [1, 3, 5])
@pytest.mark.parametrize("inputs", [495, 496, 497, 4093, 4096])
@pytest.mark.parametrize("name", FORMATS)
def test_fc_of_long_rows_at_the_rails(
    kernels: KernelHost, name: str, inputs: int, outputs: int, kind: str
) -> None:
    """More products than 32 bits hold, each as large as it can be."""
    x_bits, weight_bits, (_, most) = FORMATS[name]
    x = make_data(kind, 1, inputs, bits=x_bits)
    if kind == "gaps":
        x[x != 0] = np.iinfo(x.dtype).min
    weights = make_data("lowest", 2, outputs, inputs, bits=weight_bits)
    bias = make_data("full", 3, outputs, bits=32)
    shift = min(most, 28)
    expected, clamped = reference.pre_activation(x, weights, bias, shift, "identity")
    got, saturations = fully_connected(kernels, name, (x, weights, bias), shift=shift)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
@example(length=9, kind="zero", seed=0)
@example(length=65, kind="gaps", seed=0)
@pytest.mark.parametrize(("bits", "group"), [(16, 2), (16, 4), (8, 4)])
def test_groups(
    kernels: KernelHost, bits: int, group: int, length: int, kind: str, seed: int
) -> None:
    """The numbers of the groups that are not zero; none when they are more than half."""
    x = make_data(kind, seed, length, bits=bits)
    whole = padded(x, 2) if group == 2 else x[: length // 4 * 4]
    wanted = np.flatnonzero(whole.reshape(-1, group).any(axis=1))
    got = kernels.groups(x, 4 // group)
    if len(wanted) > len(whole) // group // 2:
        assert got[0] == 0xFFFF
    else:
        assert got[0] == len(wanted)
        np.testing.assert_array_equal(got[1 : 1 + len(wanted)], wanted)


@exactly
@given(**cases)
@example(70, 70, 50, "lowest", "lowest", "zero", 0)
@pytest.mark.parametrize("name", ["a16w16", "a16w8"])
def test_fc_without_bias(
    kernels: KernelHost,
    name: str,
    inputs: int,
    outputs: int,
    place: int,
    x_kind: str,
    weight_kind: str,
    bias_kind: str,
    seed: int,
) -> None:
    """A change of a layer's inputs, which the bias has no part in."""
    _, weight_bits, (least, most) = FORMATS[name]
    shift = least + (most - least) * place // 100
    x = make_data(x_kind, seed, inputs)
    weights = make_data(weight_kind, seed + 1, outputs, inputs, bits=weight_bits)
    expected, clamped = reference.change(x, weights, shift)
    got, saturations = fully_connected(kernels, name, (x, weights, None), shift=shift)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@pytest.mark.parametrize("name", FORMATS)
def test_fc_counts_what_it_is_told_to(kernels: KernelHost, name: str) -> None:
    """One row far above, one far below, one between; every combination of flags, by hand."""
    x_bits, weight_bits, _ = FORMATS[name]
    weights = np.zeros((3, 1), np.int16 if weight_bits == 16 else np.int8)
    x = np.zeros(1, np.int16 if x_bits == 16 else np.int8)
    for bias in (np.array([2**20, -(2**20), 100], np.int32), None):
        if bias is None and name == "a8w8":
            weights[:, 0], x[0] = (127, -128, 1), 100
        elif bias is None:
            weights[:, 0], x[0] = (100, -100, 1), 1000
        shift = -8 if name == "a8w8" and bias is None else 0
        exact = weights[:, 0].astype(int) * int(x[0]) + (0 if bias is None else bias)
        exact = exact * 2**-shift
        for relu in (0, 1):
            lowest = 0 if relu else -(2**15)
            for counted in range(4):
                got, saturations = fully_connected(
                    kernels, name, (x, weights, bias), shift=shift, relu=relu, counted=counted
                )
                assert got.tolist() == np.clip(exact, lowest, 2**15 - 1).tolist()
                assert saturations == [0, 1, 1, 2][counted]


@pytest.mark.parametrize("bias_rail", RAIL)
@pytest.mark.parametrize("weight_rail", RAIL)
@pytest.mark.parametrize("x_rail", RAIL)
@pytest.mark.parametrize("name", FORMATS)
def test_fc_with_4096_inputs_at_the_rails(
    kernels: KernelHost, name: str, x_rail: str, weight_rail: str, bias_rail: str
) -> None:
    """The widest layer at its largest sums: an accumulator that were too narrow would wrap."""
    x_bits, weight_bits, (least, most) = FORMATS[name]
    ends = {bits: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32)}
    x = make_data("zero", 0, 4096, bits=x_bits) + ends[x_bits][RAIL[x_rail]]
    weights = make_data("zero", 0, 3, 4096, bits=weight_bits) + ends[weight_bits][RAIL[weight_rail]]
    x, weights = x.astype(f"i{x_bits // 8}"), weights.astype(f"i{weight_bits // 8}")
    bias = np.full(3, ends[32][RAIL[bias_rail]], np.int32)
    for shift in (least, 12, most):
        expected, clamped = reference.pre_activation(x, weights, bias, shift, "identity")
        got, saturations = fully_connected(kernels, name, (x, weights, bias), shift=shift)
        np.testing.assert_array_equal(got, expected)
        assert saturations == clamped
    # The largest shift brings the sum back into range: the result shows every bit of it.
    if name != "a8w8":
        assert clamped == 0
        assert np.abs(got.astype(int)).min() > 0 or name == "a16w8"


def test_fc_rows_do_not_touch_each_other(kernels: KernelHost) -> None:
    """4096 rows of one input: the largest matrix in the other direction."""
    weights = make_data("full", 3, 4096, 1)
    bias = make_data("small", 4, 4096, bits=32)
    x = np.array([321], np.int16)
    expected, clamped = reference.pre_activation(x, weights, bias, 7, "identity")
    got, saturations = fully_connected(kernels, "a16w16", (x, weights, bias), shift=7)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped > 0


@exactly
@given(
    inputs=sizes,
    outputs=sizes,
    shift=st.integers(0, 30),
    delta_kind=kinds,
    weight_kind=kinds,
    seed=data_seeds,
)
@example(70, 70, 0, "lowest", "lowest", 0)
@example(3, 70, 30, "lowest", "highest", 0)
@example(69, 1, 15, "full", "full", 0)
@pytest.mark.parametrize("bits", [8, 16])
def test_backward(
    kernels: KernelHost,
    bits: int,
    inputs: int,
    outputs: int,
    shift: int,
    delta_kind: str,
    weight_kind: str,
    seed: int,
) -> None:
    delta = make_data(delta_kind, seed, outputs)
    weights = make_data(weight_kind, seed + 1, outputs, inputs, bits=bits)
    expected, clamped = reference.backward(delta, weights, shift)
    got, saturations = kernels.vector(
        inputs,
        f"sp_backward_w{bits}",
        kernels.shape(inputs, outputs),
        delta,
        padded_rows(weights),
        shift,
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@pytest.mark.parametrize("weight_rail", RAIL)
@pytest.mark.parametrize("delta_rail", RAIL)
@pytest.mark.parametrize("bits", [8, 16])
def test_backward_through_4096_rows_at_the_rails(
    kernels: KernelHost, bits: int, delta_rail: str, weight_rail: str
) -> None:
    delta = np.full(4096, (-(2**15), 2**15 - 1)[RAIL[delta_rail]], np.int16)
    rail = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)[RAIL[weight_rail]]
    weights = np.full((4096, 3), rail, f"i{bits // 8}")
    for shift in (0, 17, 30):
        expected, clamped = reference.backward(delta, weights, shift)
        got, saturations = kernels.vector(
            3, f"sp_backward_w{bits}", kernels.shape(3, 4096), delta, padded_rows(weights), shift
        )
        np.testing.assert_array_equal(got, expected)
        assert saturations == clamped
    assert clamped == 0
