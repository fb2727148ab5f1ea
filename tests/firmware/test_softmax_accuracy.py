# SPDX-License-Identifier: Apache-2.0
"""How far the integer softmax is from the real one, on every number format."""

import numpy as np
import numpy.typing as npt
import pytest
from kernel_host import KernelHost, make_data

from secondpass.integer.heads import EXP2_TABLE, exponentials, probabilities

LSB = 2.0**-15
EXPONENTIAL_BOUND = 3.0 * LSB
"""The chords of the table lie up to (ln 2 / 32)^2 / 8 = 1.92 LSB above; the rest is rounding."""
KINDS = ("full", "small", "rails", "sparse")


def probability_bound(classes: int) -> float:
    """Largest error of a probability: measured 4.3 LSB with 10 classes, 8.7 with 100."""
    return (4.0 + classes / 20) * LSB


def real_softmax(logits: npt.NDArray[np.int16], frac_bits: int) -> npt.NDArray[np.float64]:
    real = logits.astype(np.float64) / 2.0**frac_bits
    values = np.exp(real - real.max())
    return np.asarray(values / values.sum())


def cases(classes: int, frac_bits: int) -> list[npt.NDArray[np.int16]]:
    """Logits of every character, among them ones within a few units of each other."""
    random = np.random.default_rng(classes * 16 + frac_bits)
    spread = min(4.0 * 2**frac_bits, 2.0**14)
    near = [np.rint(random.normal(0, spread, classes)).clip(-(2**15), 2**15 - 1) for _ in range(40)]
    far = [make_data(kind, seed, classes) for kind in KINDS for seed in range(5)]
    return [x.astype(np.int16) for x in (*near, *far)]


@pytest.mark.parametrize("frac_bits", range(16))
@pytest.mark.parametrize("classes", [2, 3, 10, 47, 100])
def test_probabilities_are_close_and_sum_to_one(classes: int, frac_bits: int) -> None:
    for logits in cases(classes, frac_bits):
        got = probabilities(logits, frac_bits) * LSB
        assert np.abs(got - real_softmax(logits, frac_bits)).max() <= probability_bound(classes)
        # Every quotient is rounded to the nearest on its own.
        assert abs(got.sum() - 1.0) <= (classes / 2) * LSB
        assert (got >= 0).all()


def test_bound_is_tight() -> None:
    """The stated bound is not loose: some case comes within a factor of two of it."""
    worst = max(
        np.abs(probabilities(x, frac) * LSB - real_softmax(x, frac)).max()
        for frac in range(16)
        for x in cases(10, frac)
    )
    assert worst > probability_bound(10) / 2


def test_exponential_falls_with_distance() -> None:
    """Over every distance of one format: close to exp, and never rising."""
    distance = np.arange(0, 2**15)
    logits = (-distance).astype(np.int16)
    got = exponentials(logits, 12)
    assert np.abs(got * LSB - np.exp(-distance / 2.0**12)).max() <= EXPONENTIAL_BOUND
    assert (np.diff(got) <= 0).all()
    assert got[0] == 2**15


def test_c_table_and_constants(kernels: KernelHost) -> None:
    """The C kernel over every distance to the largest of two logits, at the finest format."""
    for distance in range(0, 2**16, 7):
        pair = np.array([2**15 - 1, 2**15 - 1 - distance], np.int16)
        error = np.zeros(2, np.int16)
        label_probability = kernels.lib.sp_softmax_error(
            kernels.pointer(pair), 2, 13, 1, kernels.pointer(error)
        )
        expected = probabilities(pair, 13)
        assert label_probability == expected[1]
        assert error.tolist() == [min(expected[0], 2**15 - 1), expected[1] - 2**15]
    assert EXP2_TABLE[32] == 2**14


def test_equal_logits_share_the_probability(kernels: KernelHost) -> None:
    logits = np.full(4, -(2**15), np.int16)
    error = np.zeros(4, np.int16)
    kernels.lib.sp_softmax_error(kernels.pointer(logits), 4, 12, 2, kernels.pointer(error))
    assert error.tolist() == [2**13, 2**13, 2**13 - 2**15, 2**13]


def test_a_lone_class_has_no_error(kernels: KernelHost) -> None:
    logits = np.array([123], np.int16)
    error = np.ones(1, np.int16)
    probability = kernels.lib.sp_softmax_error(
        kernels.pointer(logits), 1, 12, 0, kernels.pointer(error)
    )
    assert (probability, error[0]) == (2**15, 0)
