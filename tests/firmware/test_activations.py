# SPDX-License-Identifier: Apache-2.0
"""Activation functions, their slopes, int8 results: C equals NumPy; tanh against the real one."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import KernelHost, data_seeds, exactly, kinds, make_data, sizes

from secondpass.integer import activations as reference

FRACS = {"relu": (0, 15), "hard_tanh": (8, 14), "tanh": (8, 15)}
"""Range of a result's fractional bits."""
EVERY_INT16 = np.arange(-(2**15), 2**15).astype(np.int16)
LSB = 2.0**-15
TANH_BOUND = 4.3
"""Largest error of tanh in LSB of Q15: the chords of the table lie up to 3.08 below or above the
curve (max |tanh''| / 8 / 32^2); then the table and the interpolation round by half each, and the
value of the table at its end is 1 - 2^-15."""

functions = st.sampled_from(sorted(FRACS))


def activate(
    kernels: KernelHost, kind: str, z: npt.NDArray[np.int16], frac: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Return the result in a vector of its own, and in place."""
    formats = () if kind == "relu" else (frac,)
    apart, _ = kernels.vector(z.size, f"sp_{kind}_a16", z, z.size, *formats)
    within, _ = kernels.in_place(z, f"sp_{kind}_a16", (), *formats)
    return apart, within


@exactly
@given(kind=functions, length=sizes, place=st.integers(0, 7), data=kinds, seed=data_seeds)
@example("hard_tanh", 9, 6, "rails", 0)
@example("tanh", 9, 7, "lowest", 0)
def test_activate(
    kernels: KernelHost, kind: str, length: int, place: int, data: str, seed: int
) -> None:
    frac = min(FRACS[kind][0] + place, FRACS[kind][1])
    z = make_data(data, seed, length)
    expected = reference.activate(kind, z, frac)
    for got in activate(kernels, kind, z, frac):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("kind", FRACS)
def test_every_argument_and_format(kernels: KernelHost, kind: str) -> None:
    """All 65,536 arguments in every format of the result, a slope behind each of them."""
    least, most = FRACS[kind]
    delta = make_data("full", 5, EVERY_INT16.size)
    for frac in range(least, most + 1):
        formats = () if kind == "relu" else (frac,)
        result, _ = kernels.vector(
            EVERY_INT16.size, f"sp_{kind}_a16", EVERY_INT16, EVERY_INT16.size, *formats
        )
        np.testing.assert_array_equal(result, reference.activate(kind, EVERY_INT16, frac))
        sloped = delta.copy()
        kernels.call(f"sp_slope_{kind}", result, result.size, *formats, sloped)
        expected = reference.times_derivative(kind, delta, result, frac)
        np.testing.assert_array_equal(sloped, expected)


def test_tanh_is_close_to_tanh(kernels: KernelHost) -> None:
    """Within `TANH_BOUND`, odd, rising, for every argument; the bound is not loose."""
    got = np.array([kernels.lib.sp_tanh_q15(int(value)) for value in EVERY_INT16])
    np.testing.assert_array_equal(got, reference.tanh_q15(EVERY_INT16))
    worst = np.abs(got - np.tanh(EVERY_INT16 / 2.0**12) * 2**15).max()
    assert TANH_BOUND / 2 < worst <= TANH_BOUND
    assert (np.diff(got) >= 0).all()
    np.testing.assert_array_equal(got[1:], -got[1:][::-1])
    assert (got[0], got[-1]) == (-(2**15) + 1, 2**15 - 1)


@pytest.mark.parametrize("frac", range(8, 16))
def test_rounded_tanh_is_close_to_tanh(kernels: KernelHost, frac: int) -> None:
    """In every format: the error of Q15 and the rounding by half an LSB of the format."""
    result, _ = kernels.vector(EVERY_INT16.size, "sp_tanh_a16", EVERY_INT16, EVERY_INT16.size, frac)
    error = np.abs(result / 2.0**frac - np.tanh(EVERY_INT16 / 2.0**12))
    assert error.max() <= TANH_BOUND * LSB + (0.5 * 2.0**-frac if frac < 15 else 0)


@exactly
@given(kind=functions, length=sizes, place=st.integers(0, 7), data=kinds, seed=data_seeds)
@example("tanh", 9, 7, "lowest", 0)
@example("tanh", 9, 0, "rails", 0)
@example("hard_tanh", 9, 3, "sparse", 0)
def test_slope(
    kernels: KernelHost, kind: str, length: int, place: int, data: str, seed: int
) -> None:
    """Deltas of every character behind results that the function can give."""
    frac = min(FRACS[kind][0] + place, FRACS[kind][1])
    result = reference.activate(kind, make_data("full", seed, length), frac)
    delta = make_data(data, seed + 1, length)
    expected = reference.times_derivative(kind, delta, result, frac)
    formats = () if kind == "relu" else (frac,)
    kernels.call(f"sp_slope_{kind}", result, length, *formats, delta)
    np.testing.assert_array_equal(delta, expected)


def test_slopes_by_hand(kernels: KernelHost) -> None:
    """Flat where the function is: at zero for ReLU, at one for hard tanh."""
    delta = np.full(5, 1000, np.int16)
    kernels.call("sp_slope_relu", np.array([-1, 0, 1, 2, 2**15 - 1], np.int16), 5, delta)
    assert delta.tolist() == [0, 0, 1000, 1000, 1000]
    delta[...] = 1000
    one = 2**12
    result = np.array([-one, -one + 1, 0, one - 1, one], np.int16)
    kernels.call("sp_slope_hard_tanh", result, 5, 12, delta)
    assert delta.tolist() == [0, 1000, 1000, 1000, 0]
    delta[...] = 1000
    kernels.call(
        "sp_slope_tanh", np.array([-one, -one // 2, 0, one // 2, one], np.int16), 5, 12, delta
    )
    assert delta.tolist() == [0, 750, 1000, 750, 0]


@exactly
@given(length=sizes, kind=kinds, seed=data_seeds)
@example(9, "highest", 0)
def test_narrow(kernels: KernelHost, length: int, kind: str, seed: int) -> None:
    result = make_data(kind, seed, length)
    expected, clamped = reference.narrow(result)
    got, saturations = kernels.vector(
        length, "sp_narrow_a8", result, length, padding=False, dtype=np.int8
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


def test_narrow_every_value(kernels: KernelHost) -> None:
    expected, clamped = reference.narrow(EVERY_INT16)
    got, saturations = kernels.vector(
        EVERY_INT16.size, "sp_narrow_a8", EVERY_INT16, EVERY_INT16.size, dtype=np.int8
    )
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped == 128  # the half step below the upper end
    assert got[EVERY_INT16 == 127][0] == 0
    assert got[EVERY_INT16 == 128][0] == 1
