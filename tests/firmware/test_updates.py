# SPDX-License-Identifier: Apache-2.0
"""Row errors and updates in every format: C equals NumPy, saturations included."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import (
    Guarded,
    KernelHost,
    data_seeds,
    exactly,
    kinds,
    make_data,
    padded,
    padded_rows,
    scales,
    sizes,
    words,
)

from secondpass.fixedpoint import Scale
from secondpass.integer import kernels as reference
from secondpass.integer.arithmetic import dither_key
from secondpass.network import FORMATS

row_gates = st.one_of(st.sampled_from([0, 1, 2, 2**15 - 1]), st.integers(0, 2**15 - 1))
clips = st.one_of(st.sampled_from([1, 2**15 - 1]), st.integers(1, 2**15 - 1))


@exactly
@given(length=sizes, rate=scales, clip=clips, kind=kinds, seed=data_seeds)
@example(length=3, rate=Scale(2**15 - 1, 14), clip=2**15 - 1, kind="rails", seed=1)
@example(length=3, rate=Scale(-(2**14), 14), clip=2**15 - 1, kind="lowest", seed=1)
@example(length=9, rate=Scale(2**15 - 1, 0), clip=1, kind="full", seed=1)
@example(length=9, rate=Scale(2**14, 14), clip=100, kind="small", seed=1)
def test_row_errors(
    kernels: KernelHost, length: int, rate: Scale, clip: int, kind: str, seed: int
) -> None:
    delta = make_data(kind, seed, length)
    expected, clamped = reference.row_errors(delta, rate, clip)
    buffer = Guarded(delta.shape, np.int16, delta)
    active = kernels.ffi.new("uint32_t *", 5)
    saturations = kernels.call("sp_row_errors", buffer, length, rate, clip, active)
    np.testing.assert_array_equal(buffer.array, expected)
    assert saturations == clamped
    assert active[0] == 5 + np.count_nonzero(expected)


def test_row_errors_at_the_clip(kernels: KernelHost) -> None:
    """What equals the bound is not clamped; by hand."""
    values = Guarded((6,), np.int16, [-101, -100, -99, 99, 100, 101])
    active = kernels.ffi.new("uint32_t *")
    one = Scale(2**14, 14)
    assert kernels.call("sp_row_errors", values, 6, one, 100, active) == 2
    assert values.array.tolist() == [-100, -100, -99, 99, 100, 100]
    assert active[0] == 6


def thinned(kernels: KernelHost, delta: npt.NDArray[np.int16], gate: int, key: int):
    """Return what C makes of deltas behind a row gate."""
    buffer = Guarded(delta.shape, np.int16, delta)
    kernels.call("sp_thin_rows", buffer, delta.size, gate, key)
    return buffer.array.copy()


@exactly
@given(length=sizes, gate=row_gates, key=words, kind=kinds, seed=data_seeds)
@example(length=70, gate=2**15 - 1, key=2**32 - 1, kind="full", seed=1)
@example(length=70, gate=301, key=0, kind="small", seed=1)
@example(length=3, gate=2**15 - 1, key=5, kind="lowest", seed=1)
@example(length=3, gate=2**15 - 1, key=5, kind="highest", seed=1)
def test_thin_rows(
    kernels: KernelHost, length: int, gate: int, key: int, kind: str, seed: int
) -> None:
    delta = make_data(kind, seed, length)
    expected = reference.thin_rows(delta, gate, key)
    np.testing.assert_array_equal(thinned(kernels, delta, gate, key), expected)


def test_thin_rows_at_the_gate(kernels: KernelHost) -> None:
    """What equals the gate, or is nothing, stays; the rest becomes one or the other; by hand."""
    delta = np.array([-(2**15), -101, -100, 0, 100, 101, 2**15 - 1] + [70, -70, 30, -30] * 50)
    delta = delta.astype(np.int16)
    got = thinned(kernels, delta, 100, 3)
    np.testing.assert_array_equal(got[:7], delta[:7])
    assert set(got[7::4]) == set(got[9::4]) == {0, 100}
    assert set(got[8::4]) == set(got[10::4]) == {0, -100}


@pytest.mark.parametrize("gate", [40, 2**15 - 1])
def test_thin_rows_keeps_the_mean(kernels: KernelHost, gate: int) -> None:
    """Over many steps, for every row; a row says nothing about its neighbour or the next step.

    A delta of a share p of the gate becomes the gate with probability p: its variance is
    gate^2 p (1 - p). The draws have 16 bits, so p may be up to 2^-16 too large.
    """
    steps = 4000
    shares = np.array([0.025, 0.1, 0.3, 0.5, 0.7, 0.975] * 2)
    delta = np.rint(shares * gate).astype(np.int16) * np.array([1, -1] * 6, np.int16)
    taken = np.array(
        [thinned(kernels, delta, gate, dither_key(1, step, 0)) for step in range(steps)]
    )
    assert set(np.unique(taken)) == {-gate, 0, gate}
    share = np.abs(delta / gate)
    deviation = gate * np.sqrt(share * (1 - share) / steps)
    off = np.abs(taken.mean(axis=0) - delta)
    assert (off < 6 * deviation + gate * 2.0**-16).all()
    # Dropping all of them would be off by the delta, many times the bound.
    assert (np.abs(delta) > 9 * deviation).all()
    active = (taken[:, 2:5] != 0).astype(float)  # p = 0.3, 0.5, 0.7
    for one, other in ((active[:, 0], active[:, 1]), (active[:-1, 1], active[1:, 1])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 6 / np.sqrt(steps)


def run_update(
    kernels: KernelHost,
    name: str,
    errors: npt.NDArray[np.int16],
    presynaptic: npt.NDArray[np.int16],
    key: int,
    weights: npt.NDArray[np.int16],
) -> tuple[npt.NDArray[np.int16], int]:
    """Return the new weights and the saturations; check guards, padding and room.

    Neither a list of groups nor what is known of the room makes a difference.
    """
    outputs, inputs = weights.shape
    rows = padded_rows(weights)
    before = padded(presynaptic, 2 if presynaptic.itemsize == 2 else 1)
    listed = kernels.groups(presynaptic, weights.itemsize)
    results = []
    for groups in (None, listed):
        for share in (0.0, 0.5, 1.0) if name == "a16w16" else (0.0,):
            buffer = Guarded(rows.shape, rows.dtype, rows)
            room = Guarded((outputs,), np.uint16, (share * room_of(weights)).astype(np.uint16))
            saturations = kernels.call(
                *(f"sp_update_{name}", kernels.shape(inputs, outputs), errors, before, groups),
                *(key, *([room] if name == "a16w16" else []), buffer),
            )
            new = buffer.array[:, :inputs].copy()
            assert not buffer.array[:, inputs:].any(), "the padding is not zero"
            if name == "a16w16":
                assert (room.array <= room_of(new)).all(), "more room than there is"
            results.append((new, saturations))
    for new, saturations in results[1:]:
        np.testing.assert_array_equal(new, results[0][0])
        assert saturations == results[0][1]
    return results[0]


def room_of(weights: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return how far each row's weights are from the limits of their type."""
    limits = np.iinfo(weights.dtype)
    wide = weights.astype(np.int64)
    room: npt.NDArray[np.int64] = np.minimum(limits.max - wide, wide - limits.min).min(axis=1)
    return room


@exactly
@given(inputs=sizes, kind=kinds, seed=data_seeds)
def test_room(kernels: KernelHost, inputs: int, kind: str, seed: int) -> None:
    weights = make_data(kind, seed, 1, inputs)
    assert kernels.call("sp_room_w16", weights, inputs) == room_of(weights)[0]


@pytest.mark.parametrize("name", FORMATS)
def test_many_updates_use_up_the_room(kernels: KernelHost, name: str) -> None:
    """Rows that walk to the limit, stay there and come back: C = NumPy at every step."""
    format = FORMATS[name]
    dtype = np.dtype(f"i{format.activation_bits // 8}")
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    presynaptic = np.array([high, low, 0, high // 2, 1], dtype)
    weights = make_data("small", 1, 3, 5, bits=format.weight_bits)
    buffer = Guarded(padded_rows(weights).shape, weights.dtype, padded_rows(weights))
    room = Guarded((3,), np.uint16, 0)
    before = padded(presynaptic, 2 if presynaptic.itemsize == 2 else 1)
    total = 0
    for step in range(200):
        errors = np.array([9000, -(2**15) + 1, 700], np.int16)
        errors = -errors if step > 120 else errors
        clamped = kernels.call(
            *(f"sp_update_{name}", kernels.shape(5, 3), errors, before, None, step),
            *([room] if name == "a16w16" else []),
            buffer,
        )
        assert clamped == reference.update(weights, errors, presynaptic, format.update_shift, step)
        np.testing.assert_array_equal(buffer.array[:, :5], weights)
        if name == "a16w16":
            assert (room.array <= room_of(weights)).all()
        total += clamped
    assert total > 100


@exactly
@given(
    inputs=sizes,
    outputs=sizes,
    key=words,
    error_kind=kinds,
    presynaptic_kind=kinds,
    weight_kind=kinds,
    seed=data_seeds,
)
@example(70, 70, 2**32 - 1, "lowest", "lowest", "lowest", 0)
@example(69, 5, 7, "lowest", "lowest", "lowest", 0)
@example(5, 3, 0, "lowest", "highest", "highest", 0)
@example(1, 1, 0, "full", "full", "rails", 3)
@example(9, 8, 5, "sparse", "full", "rails", 3)
@example(67, 8, 5, "full", "gaps", "small", 3)
@pytest.mark.parametrize("name", FORMATS)
def test_update(
    kernels: KernelHost,
    name: str,
    inputs: int,
    outputs: int,
    key: int,
    error_kind: str,
    presynaptic_kind: str,
    weight_kind: str,
    seed: int,
) -> None:
    format = FORMATS[name]
    errors = make_data(error_kind, seed, outputs)
    presynaptic = make_data(presynaptic_kind, seed + 1, inputs, bits=format.activation_bits)
    weights = make_data(weight_kind, seed + 2, outputs, inputs, bits=format.weight_bits)
    got, saturations = run_update(kernels, name, errors, presynaptic, key, weights)
    expected = reference.update(weights, errors, presynaptic, format.update_shift, key)
    np.testing.assert_array_equal(got, weights)
    assert saturations == expected


@pytest.mark.parametrize("kind", ["lowest", "highest", "rails"])
@pytest.mark.parametrize("name", FORMATS)
def test_update_with_4096_inputs_at_the_rails(kernels: KernelHost, name: str, kind: str) -> None:
    """The dither's sequence over the longest row, and products that an int32 just holds."""
    format = FORMATS[name]
    errors = np.array([-(2**15), 2**15 - 1], np.int16)
    presynaptic = make_data(kind, 1, 4096, bits=format.activation_bits)
    weights = make_data("full", 2, 2, 4096, bits=format.weight_bits)
    got, saturations = run_update(kernels, name, errors, presynaptic, 2**32 - 1, weights)
    expected = reference.update(weights, errors, presynaptic, format.update_shift, 2**32 - 1)
    np.testing.assert_array_equal(got, weights)
    assert saturations == expected > 0


@pytest.mark.parametrize(
    ("name", "presynaptic", "steps"),
    [
        ("a16w16", [2**14, -(2**14)], [2**12, -(2**12)]),
        ("a16w8", [2**14, -(2**14)], [2**4, -(2**4)]),
        ("a8w8", [2**6, -(2**6)], [2**4, -(2**4)]),
    ],
)
def test_update_subtracts(
    kernels: KernelHost, name: str, presynaptic: list[int], steps: list[int]
) -> None:
    """A positive error times a positive input lowers the weight; by hand."""
    format = FORMATS[name]
    weights = np.full((1, 2), 100, format.weight_dtype)
    inputs = np.array(presynaptic, f"i{format.activation_bits // 8}")
    errors = np.array([2**14], np.int16)
    got, saturations = run_update(kernels, name, errors, inputs, 0, weights)
    assert got[0].tolist() == [min(100 - step, np.iinfo(got.dtype).max) for step in steps]
    assert saturations == 0


@exactly
@given(inputs=sizes, outputs=sizes, seed=data_seeds)
@pytest.mark.parametrize("name", FORMATS)
def test_update_skips_rows_without_error(
    kernels: KernelHost, name: str, inputs: int, outputs: int, seed: int
) -> None:
    format = FORMATS[name]
    weights = make_data("full", seed, outputs, inputs, bits=format.weight_bits)
    presynaptic = make_data("full", seed, inputs, bits=format.activation_bits)
    errors = np.zeros(outputs, np.int16)
    got, saturations = run_update(kernels, name, errors, presynaptic, seed, weights)
    np.testing.assert_array_equal(got, weights)
    assert saturations == 0


@exactly
@given(length=sizes, error_kind=kinds, bias_kind=kinds, seed=data_seeds)
@example(70, "lowest", "highest", 0)
@example(70, "highest", "lowest", 0)
@example(9, "full", "small", 0)
def test_update_bias(
    kernels: KernelHost, length: int, error_kind: str, bias_kind: str, seed: int
) -> None:
    """Every exponent that a format can ask for."""
    errors = make_data(error_kind, seed, length)
    first = make_data(bias_kind, seed + 1, length, bits=32)
    for exponent in range(-24, 15):
        bias, buffer = first.copy(), Guarded(first.shape, np.int32, first)
        saturations = kernels.call("sp_update_bias", errors, length, exponent, buffer)
        expected = reference.update_bias(bias, errors, exponent)
        np.testing.assert_array_equal(buffer.array, bias)
        assert saturations == expected


def test_update_bias_by_hand(kernels: KernelHost) -> None:
    """Subtracts, rounds half up, counts what is clamped."""
    errors = np.array([3, -3, 2**14, -1, 1], np.int16)
    bias = Guarded((5,), np.int32, [1000, 1000, -(2**31), 2**31 - 1, 0])
    assert kernels.call("sp_update_bias", errors, 5, -1, bias) == 1
    assert bias.array.tolist() == [998, 1001, -(2**31), 2**31 - 1, -1]
    assert kernels.call("sp_update_bias", errors, 5, 2, bias) == 2
    assert bias.array.tolist() == [986, 1013, -(2**31), 2**31 - 1, -5]
