# SPDX-License-Identifier: Apache-2.0
"""Turn measurements into tables: what a feature costs, from cases that have it in several sizes."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Rows = Sequence[Mapping[str, float]]
Floats = npt.NDArray[np.float64]

_SHRINK = 0.3
"""How much the size of a call is drawn to that of all calls, in bytes squared a case."""


def fit_counts(rows: Rows, counts: Sequence[float]) -> dict[str, float]:
    """Return instructions a feature, none negative, with the least relative error."""
    from scipy.optimize import nnls  # comes with scikit-learn

    names = sorted({name for row in rows for name in row})
    matrix = _matrix(rows, names)
    target = np.asarray(counts, dtype=np.float64)
    weight = 1.0 / target
    scale = np.maximum((matrix * weight[:, None]).max(axis=0), 1e-12)
    scaled = matrix * weight[:, None] / scale
    damping = 1e-4 * np.sqrt(len(target)) * np.eye(len(names))
    solution, _ = nnls(
        np.vstack([scaled, damping]), np.concatenate([np.ones(len(target)), np.zeros(len(names))])
    )
    return {name: float(v / s) for name, v, s in zip(names, solution, scale, strict=True)}


def fit_sizes(rows: Rows, sizes: Sequence[float], free: Sequence[str]) -> dict[str, float]:
    """Return bytes a feature; those that are not `free` are drawn to zero: few cases have them."""
    names = sorted({name for row in rows for name in row})
    matrix = _matrix(rows, names)
    target = np.asarray(sizes, dtype=np.float64)
    penalty = np.diag([1e-3 if name in free else _SHRINK for name in names])
    solution, *_ = np.linalg.lstsq(
        np.vstack([matrix, penalty]),
        np.concatenate([target, np.zeros(len(names))]),
        rcond=None,
    )
    return dict(zip(names, map(float, solution), strict=True))


def apply(table: Mapping[str, float], amounts: Mapping[str, float]) -> float:
    """Return what amounts cost by a table; a feature that it does not know costs nothing."""
    return sum(table.get(name, 0.0) * amount for name, amount in amounts.items())


def _matrix(rows: Rows, names: Sequence[str]) -> Floats:
    return np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float64)
