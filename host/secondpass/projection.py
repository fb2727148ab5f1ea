# SPDX-License-Identifier: Apache-2.0
"""The fixed random matrix F, generated element by element and never stored on a device.

docs/numerics.md, section 5. Also the float trainer's F, so that both arithmetics use one matrix.
"""

import functools
import math

import numpy as np
import numpy.typing as npt

from secondpass.integer.arithmetic import mix32, mix32_scalar


def _words(seed: int, rows: int, words_per_row: int) -> npt.NDArray[np.uint32]:
    """Return the generator's words (rows, words_per_row)."""
    key = np.uint32(mix32_scalar(seed))
    counters = np.arange(rows * words_per_row, dtype=np.uint32) + key
    return mix32(counters).reshape(rows, words_per_row)


@functools.lru_cache(maxsize=4)
def sign_matrix(seed: int, inputs: int, outputs: int) -> npt.NDArray[np.int64]:
    """Return the +-1 matrix (inputs, outputs) of the projection `sign`."""
    words = _words(seed, inputs, (outputs + 31) // 32)
    columns = np.arange(outputs)
    bits = (words[:, columns // 32] >> (columns % 32).astype(np.uint32)) & np.uint32(1)
    return 1 - 2 * bits.astype(np.int64)


@functools.lru_cache(maxsize=4)
def dense_matrix(seed: int, inputs: int, outputs: int) -> npt.NDArray[np.int64]:
    """Return the odd integers (inputs, outputs) in [-255, 255] of the projection `dense`."""
    words = _words(seed, inputs, (outputs + 3) // 4)
    columns = np.arange(outputs)
    values = (words[:, columns // 4] >> (8 * (columns % 4)).astype(np.uint32)) & np.uint32(255)
    return 2 * values.astype(np.uint8).view(np.int8).astype(np.int64) + 1


@functools.lru_cache(maxsize=4)
def sparse_matrix(seed: int, inputs: int, outputs: int) -> npt.NDArray[np.int64]:
    """Return the matrix (inputs, outputs) of the projection `sparse`: one +-1 in every row."""
    words = _words(seed, inputs, 1)[:, 0]
    columns = ((words >> np.uint32(16)) * np.uint32(outputs)) >> np.uint32(16)
    matrix = np.zeros((inputs, outputs), dtype=np.int64)
    matrix[np.arange(inputs), columns] = 1 - 2 * (words & np.uint32(1)).astype(np.int64)
    return matrix


def row_elements(kind: str, outputs: int) -> int:
    """Return how many elements of a row of a matrix (rows, outputs) are not structurally zero."""
    return 1 if kind == "sparse" else outputs


_UNITS = {
    "sign": (sign_matrix, 1.0),
    "dense": (dense_matrix, 1.0 / 256.0),
    "sparse": (sparse_matrix, 1.0),
}
"""Integer matrix of each kind and the factor that gives its unit elements."""


def element_magnitude(kind: str, unit: float, outputs: int, scale: float) -> float:
    """Return what a unit element stands for, so that the matrix has the deviation scale * unit.

    The standard deviation is over all elements of the matrix (rows, outputs), zeros included.
    """
    magnitude = scale * unit
    if kind == "dense":
        magnitude *= math.sqrt(3.0)
    if kind == "sparse":
        magnitude *= math.sqrt(outputs)
    return magnitude


def real_matrix(
    kind: str, seed: int, rows: int, outputs: int, deviation: float
) -> npt.NDArray[np.float32]:
    """Return the matrix (rows, outputs) in real numbers with a standard deviation."""
    generate, unit = _UNITS[kind]
    magnitude = element_magnitude(kind, deviation, outputs, 1.0)
    return (generate(seed, rows, outputs) * (magnitude * unit)).astype(np.float32)


def float_matrix(
    kind: str, seed: int, inputs: int, outputs: int, scale: float
) -> npt.NDArray[np.float32]:
    """Return PEPITA's F (inputs, outputs); its standard deviation is scale*sqrt(2/inputs).

    `dense` with scale 0.05 is the distribution of the PEPITA paper's code: uniform within
    +-0.05*sqrt(6/inputs).
    """
    return real_matrix(kind, seed, inputs, outputs, scale * math.sqrt(2.0 / inputs))


def target_matrix(
    kind: str, seed: int, units: int, outputs: int, scale: float
) -> npt.NDArray[np.float32]:
    """Return FTP's G (units of the first hidden layer, outputs); see `Ftp` for its deviation."""
    return real_matrix(kind, seed, units, outputs, scale * math.sqrt(2.0 / outputs))
