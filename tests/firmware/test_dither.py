# SPDX-License-Identifier: Apache-2.0
"""The update's dithered rounding: right on average, whatever fraction of an LSB a step is."""

import numpy as np
import numpy.typing as npt
import pytest
from kernel_host import KernelHost

from secondpass.integer.arithmetic import dither_key, dither_row

STEPS = 4000
COLUMNS = 6
# A row error of 2^8 times these is a step of 1/256 of them in LSB.
INPUTS = np.array([26, 26, 102, -102, 154, -1], np.int16)
SIX_SIGMA = 6 * 0.5 / np.sqrt(STEPS)
"""The rounding of one step has a standard deviation of at most half an LSB."""


def applied_steps(kernels: KernelHost, row: int) -> npt.NDArray[np.float64]:
    """Return what each of many steps took off one row's weights (STEPS, COLUMNS)."""
    errors = np.zeros(row + 1, np.int16)
    errors[row] = 2**8
    weights = np.zeros((row + 1, COLUMNS), np.int16)
    bias = np.zeros(row + 1, np.int32)
    layer = kernels.shape(COLUMNS, row + 1, in_frac=12)
    active = kernels.ffi.new("uint32_t *")
    taken = np.empty((STEPS, COLUMNS))
    for step in range(STEPS):
        weights[...] = 0
        kernels.lib.sp_update_a16w16(
            layer,
            kernels.pointer(errors),
            kernels.pointer(INPUTS),
            dither_key(1, step, 0),
            kernels.pointer(weights),
            kernels.pointer(bias),
            active,
        )
        taken[step] = -weights[row]
    return taken


@pytest.mark.parametrize("row", [0, 11])
def test_update_is_unbiased(kernels: KernelHost, row: int) -> None:
    taken = applied_steps(kernels, row)
    wanted = INPUTS / 2.0**8
    assert np.abs(taken - wanted).max() < 1.0  # one of the two neighbouring integers
    assert np.abs(taken.mean(axis=0) - wanted).max() < SIX_SIGMA
    # Rounding to the nearest would be off by its full error every time, many times the bound.
    nearest_bias = np.abs(np.floor(wanted + 0.5) - wanted)
    assert nearest_bias.max() > 8 * SIX_SIGMA
    assert np.abs(taken.mean(axis=0) - np.floor(wanted + 0.5)).max() > 7 * SIX_SIGMA
    # Truncation would be off by half an LSB on average.
    assert np.abs(taken.mean(axis=0) - np.floor(wanted)).max() > 7 * SIX_SIGMA


def test_steps_do_not_follow_each_other(kernels: KernelHost) -> None:
    """The rounding of one step says nothing about the next one's."""
    rest = applied_steps(kernels, 0)[:, 2] - INPUTS[2] / 2.0**8
    correlation = np.corrcoef(rest[:-1], rest[1:])[0, 1]
    assert abs(correlation) < 6 / np.sqrt(STEPS)
    assert rest.std() > 0.4


def test_offsets_are_uniform_in_every_column() -> None:
    offsets = np.stack([dither_row(dither_key(3, step, 1), 5, 9) for step in range(STEPS)])
    assert offsets.min() >= 0
    assert offsets.max() <= 65535
    deviation = 65536 / np.sqrt(12)
    assert np.abs(offsets.mean(axis=0) - 32767.5).max() < 6 * deviation / np.sqrt(STEPS)
    counts = np.stack([np.histogram(column, 16, (0, 65536))[0] for column in offsets.T])
    assert np.abs(counts - STEPS / 16).max() < 6 * np.sqrt(STEPS / 16)


def test_rows_and_layers_and_steps_differ() -> None:
    """Neighbours in each of the generator's coordinates get other offsets."""
    base = dither_row(dither_key(3, 8, 1), 5, 32)
    others = [
        dither_row(dither_key(3, 8, 1), 6, 32),
        dither_row(dither_key(3, 8, 0), 5, 32),
        dither_row(dither_key(3, 9, 1), 5, 32),
        dither_row(dither_key(4, 8, 1), 5, 32),
    ]
    others += [dither_row(dither_key(3 + 2**31, 8, 1), 5, 32)]
    everything = [base, *others]
    for index, first in enumerate(everything):
        assert all((first != second).mean() > 0.9 for second in everything[index + 1 :])
