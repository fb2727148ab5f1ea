# SPDX-License-Identifier: Apache-2.0
"""The update's dithered rounding: right on average, whatever fraction of an LSB a step is."""

import numpy as np
import numpy.typing as npt
import pytest
from kernel_host import KernelHost, padded, padded_rows

from secondpass.integer.arithmetic import dither_key, dither_rows, row_draws
from secondpass.network import FORMATS

STEPS = 4000
COLUMNS = 6
ERROR = {"a16w16": 2**8, "a16w8": 2**14, "a8w8": 2**10}
INPUTS = {
    "a16w16": np.array([26, 26, 102, -102, 154, -1], np.int16),
    "a16w8": np.array([104, 104, 408, -408, 616, -4], np.int16),
    "a8w8": np.array([6, 6, 26, -26, 38, -1], np.int8),
}
"""With the row error of `ERROR`: steps of a tenth, four tenths, six tenths of an LSB, and less."""
SIX_SIGMA = 6 * 0.5 / np.sqrt(STEPS)
"""The rounding of one step has a standard deviation of at most half an LSB."""

formats = pytest.mark.parametrize("name", FORMATS)


def wanted_step(name: str) -> npt.NDArray[np.float64]:
    """Return the step that rounding makes an integer of."""
    return np.asarray(INPUTS[name] * (ERROR[name] / 2.0 ** FORMATS[name].update_shift))


def applied_steps(kernels: KernelHost, name: str, row: int) -> npt.NDArray[np.float64]:
    """Return what each of many steps took off one row's weights (STEPS, COLUMNS)."""
    errors = np.zeros(row + 1, np.int16)
    errors[row] = ERROR[name]
    weights = padded_rows(np.zeros((row + 1, COLUMNS), FORMATS[name].weight_dtype))
    layer = kernels.shape(COLUMNS, row + 1)
    kernel = getattr(kernels.lib, f"sp_update_{name}")
    inputs = padded(INPUTS[name])
    room = [np.zeros(row + 1, np.uint16)] if name == "a16w16" else []
    pointers = [kernels.pointer(array) for array in (errors, inputs, *room, weights)]
    taken = np.empty((STEPS, COLUMNS))
    for step in range(STEPS):
        weights[...] = 0
        key = dither_key(1, step, 0)
        kernel(layer, *pointers[:2], kernels.ffi.NULL, key, *pointers[2:])
        taken[step] = -weights[row, :COLUMNS].astype(int)
    return taken


@formats
@pytest.mark.parametrize("row", [0, 11])
def test_update_is_unbiased(kernels: KernelHost, name: str, row: int) -> None:
    taken = applied_steps(kernels, name, row)
    wanted = wanted_step(name)
    assert np.abs(taken - wanted).max() < 1.0  # one of the two neighbouring integers
    assert np.abs(taken.mean(axis=0) - wanted).max() < SIX_SIGMA
    # Rounding to the nearest would be off by its full error every time, many times the bound.
    nearest_bias = np.abs(np.floor(wanted + 0.5) - wanted)
    assert nearest_bias.max() > 8 * SIX_SIGMA
    assert np.abs(taken.mean(axis=0) - np.floor(wanted + 0.5)).max() > 7 * SIX_SIGMA
    # Truncation would be off by half an LSB on average.
    assert np.abs(taken.mean(axis=0) - np.floor(wanted)).max() > 7 * SIX_SIGMA


@formats
def test_steps_do_not_follow_each_other(kernels: KernelHost, name: str) -> None:
    """The rounding of one step says nothing about the next one's."""
    rest = applied_steps(kernels, name, 0)[:, 2] - wanted_step(name)[2]
    correlation = np.corrcoef(rest[:-1], rest[1:])[0, 1]
    assert abs(correlation) < 6 / np.sqrt(STEPS)
    assert rest.std() > 0.4


def offsets_of(key: int, row: int, columns: int, bits: int = 16) -> npt.NDArray[np.int64]:
    return dither_rows(key, [row], columns, bits)[0]


@pytest.mark.parametrize("bits", [16, 24])
def test_offsets_are_uniform_in_every_column(bits: int) -> None:
    offsets = np.stack([offsets_of(dither_key(3, step, 1), 5, 9, bits) for step in range(STEPS)])
    assert offsets.min() >= 0
    assert offsets.max() <= 2**bits - 1
    deviation = 2**bits / np.sqrt(12)
    middle = (2**bits - 1) / 2
    assert np.abs(offsets.mean(axis=0) - middle).max() < 6 * deviation / np.sqrt(STEPS)
    counts = np.stack([np.histogram(column, 16, (0, 2**bits))[0] for column in offsets.T])
    assert np.abs(counts - STEPS / 16).max() < 6 * np.sqrt(STEPS / 16)


def test_offsets_of_24_bits_begin_with_those_of_16() -> None:
    key = dither_key(3, 8, 1)
    np.testing.assert_array_equal(offsets_of(key, 5, 40, 24) >> 8, offsets_of(key, 5, 40, 16))


def test_rows_and_layers_and_steps_differ() -> None:
    """Neighbours in each of the generator's coordinates get other offsets."""
    everything = [
        offsets_of(dither_key(3, 8, 1), 5, 32),
        offsets_of(dither_key(3, 8, 1), 6, 32),
        offsets_of(dither_key(3, 8, 0), 5, 32),
        offsets_of(dither_key(3, 9, 1), 5, 32),
        offsets_of(dither_key(4, 8, 1), 5, 32),
        offsets_of(dither_key(3 + 2**31, 8, 1), 5, 32),
    ]
    for index, first in enumerate(everything):
        assert all((first != second).mean() > 0.9 for second in everything[index + 1 :])


def test_the_row_gates_draws_are_uniform_and_unrelated_to_the_offsets() -> None:
    """A row that the gate lets through is rounded like any other."""
    keys = [dither_key(3, step, 1) for step in range(STEPS)]
    draws = np.stack([row_draws(key, 6) for key in keys])
    assert draws.min() >= 0
    assert draws.max() <= 2**16 - 1
    for row in range(6):
        counts = np.histogram(draws[:, row], 16, (0, 2**16))[0]
        assert np.abs(counts - STEPS / 16).max() < 6 * np.sqrt(STEPS / 16)
        offsets = np.array([offsets_of(key, row, 1)[0] for key in keys])
        for other in (offsets, np.roll(draws[:, row], 1)):
            assert abs(np.corrcoef(draws[:, row], other)[0, 1]) < 6 / np.sqrt(STEPS)
