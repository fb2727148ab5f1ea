# SPDX-License-Identifier: Apache-2.0
"""From accumulators of affine layers to int8, in integers with the bits of doubles.

LiteRT's reference kernel computes `round(accumulator * factor)` in doubles and rounds halves away
from zero. A device has no doubles: here is the same in integers (docs/affine.md).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError

MOST_STEPS = 256
"""Larger magnitudes are clamped to the same int8, whatever the zero point."""
MANTISSA_BITS = 53
_LOWEST, _HIGHEST = 2.0**-40, 2.0**20


@dataclass(frozen=True)
class Requantiser:
    """A positive real factor as `multiplier / 2**shift`, exactly the double.

    `multiplier` is 0 or in [2**52, 2**53); `shift` is in [33, 95].
    """

    multiplier: int
    shift: int

    @classmethod
    def from_real(cls, factor: float) -> "Requantiser":
        """Return a factor in [0, 2**20); raises `NetworkError` when it is out of range."""
        if not (math.isfinite(factor) and 0 < factor < _HIGHEST):
            raise NetworkError(
                f"the factor {factor} from accumulator to output is outside (0, 2^20)"
            )
        if factor < _LOWEST:  # not even the largest accumulator reaches a half
            return cls(0, MANTISSA_BITS)
        fraction, exponent = math.frexp(factor)
        return cls(int(fraction * 2**MANTISSA_BITS), MANTISSA_BITS - exponent)

    def apply(self, accumulator: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the products rounded, halves away from zero, magnitudes up to `MOST_STEPS`."""
        steps = [self._steps(abs(a)) for a in accumulator.tolist()]
        return np.asarray(np.sign(accumulator) * np.array(steps, dtype=np.int64))

    def _steps(self, magnitude: int) -> int:
        """Return a magnitude's steps: the product as a double has it, then rounded half up.

        Half a unit of the double's last place decides only where it reaches the next half step,
        whose mantissa is even.
        """
        product = magnitude * self.multiplier
        lost = product.bit_length() - MANTISSA_BITS
        last_place = (1 << lost) >> 1 if lost > 0 else 0
        return min((product + last_place + (1 << (self.shift - 1))) >> self.shift, MOST_STEPS)
