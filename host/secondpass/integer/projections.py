# SPDX-License-Identifier: Apache-2.0
"""Projections with the fixed random matrix in integers (docs/projection.md)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.fixedpoint import Scale
from secondpass.integer.arithmetic import Int64Array, mix32_scalar, round_shift, saturate, scale16
from secondpass.integer.kernels import Activation, as_int64
from secondpass.network import Int16Array
from secondpass.projection import dense_matrix, row_elements, sign_matrix, sparse_matrix

UNIT_SHIFT = {"sign": 0, "sparse": 0, "dense": 8, "stored": 7}
"""Fractional bits of a matrix element of each kind."""
ONE = 2**15
"""A probability of one, Q15."""


@dataclass(frozen=True)
class Projection:
    """A matrix (rows, outputs): generated from a seed, or the stored one."""

    kind: str
    rows: int
    outputs: int
    stored: npt.NDArray[np.int8] | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a product with a vector or of folding one."""
        return self.rows * row_elements(self.kind, self.outputs)

    def elements(self, seed: int) -> Int64Array:
        """Return the matrix in its integer units."""
        if self.stored is not None:
            return as_int64(self.stored)
        generate = {"sign": sign_matrix, "dense": dense_matrix, "sparse": sparse_matrix}
        return generate[self.kind](seed, self.rows, self.outputs)

    def project(self, signal: Int16Array, seed: int, scale: Scale) -> tuple[Int16Array, int]:
        """Return the scaled projection (rows,) of an error signal and its saturations."""
        return self._scaled(self.elements(seed) @ as_int64(signal), scale)

    def column(self, label: int, value: int, seed: int, scale: Scale) -> tuple[Int16Array, int]:
        """Return the projection of a vector that holds `value` at `label` and else zeros."""
        return self._scaled(self.elements(seed)[:, label] * value, scale)

    def fold(self, values: Activation | Int64Array, seed: int) -> Int64Array:
        """Return (..., outputs): rows of Q for weight rows, or pre^T F for an activation."""
        return round_shift(as_int64(values) @ self.elements(seed), UNIT_SHIFT[self.kind])

    def _scaled(self, total: Int64Array, scale: Scale) -> tuple[Int16Array, int]:
        result, clamped = scale16(round_shift(total, UNIT_SHIFT[self.kind]), scale)
        return result.astype(np.int16), clamped


def layer_seed(seed: int, layer: int) -> int:
    """Return the seed of a layer's matrix: the first layer has the seed itself."""
    return seed if layer == 0 else mix32_scalar(seed + layer * 0x9E3779B9)


def modulation(
    q: Int64Array, signal: Int16Array, scale: Scale, fold_shift: int
) -> tuple[Int16Array, int]:
    """Return what the modulated input changes in the first pre-activation: Q times the signal."""
    total = round_shift(q @ as_int64(signal), fold_shift)
    clamped32, first = saturate(total, -(2**31), 2**31 - 1)
    result, second = scale16(clamped32, scale)
    return result.astype(np.int16), first + second


def follow_update(q: Int64Array, errors: Int16Array, folded: Int64Array, shift: int) -> None:
    """Update Q (units, outputs) in place as the weights it was made of."""
    step = round_shift(as_int64(errors)[:, None] * folded[None, :], shift)
    q[...] = saturate(q - step, -(2**31), 2**31 - 1)[0]
