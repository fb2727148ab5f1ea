# SPDX-License-Identifier: Apache-2.0
"""Rehearsal: a device that learns something new goes on seeing a little of the old."""

from typing import Any

import numpy as np
import numpy.typing as npt


def rehearse(stream: npt.NDArray[Any], stored: npt.NDArray[Any], seed: int) -> npt.NDArray[Any]:
    """Return `stream` (count, ...) with a stored item (some, ...), drawn at random, after each own.

    Stored items are samples of the pre-training that the device keeps in its flash memory; the
    same seed draws the labels that belong to them. Without any, the stream is returned as it is.
    """
    if not len(stored):
        return stream
    drawn = stored[np.random.default_rng(seed).integers(0, len(stored), len(stream))]
    return np.stack([stream, drawn], axis=1).reshape(-1, *stream.shape[1:])
