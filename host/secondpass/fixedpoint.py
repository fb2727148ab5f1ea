# SPDX-License-Identifier: Apache-2.0
"""Number formats: Q formats and the multiplier-and-shift scale (docs/numerics.md, section 2)."""

import math
from dataclasses import dataclass

from secondpass.errors import NetworkError

MAX_SCALE_SHIFT = 46
"""Largest shift of a `Scale`; a smaller real factor is represented as zero."""


@dataclass(frozen=True)
class Scale:
    """A real factor as `multiplier / 2**shift`.

    `multiplier` is 0 or has a magnitude in [2**14, 2**15 - 1]; `shift` is in [0, 46].
    """

    multiplier: int
    shift: int

    def __post_init__(self) -> None:
        magnitude = abs(self.multiplier)
        if magnitude and not 2**14 <= magnitude < 2**15:
            raise NetworkError(f"scale multiplier {self.multiplier} is outside +-[16384, 32767]")
        if not 0 <= self.shift <= MAX_SCALE_SHIFT:
            raise NetworkError(f"scale shift {self.shift} is outside [0, {MAX_SCALE_SHIFT}]")

    @classmethod
    def from_real(cls, factor: float) -> "Scale":
        """Return the nearest scale to `factor`.

        Raises `NetworkError` when the factor is not finite or rounds to 32768 or more.
        """
        if not math.isfinite(factor):
            raise NetworkError(f"scale factor {factor} is not a finite number")
        fraction, exponent = math.frexp(abs(factor))
        multiplier = round(fraction * 2**15)
        if multiplier == 2**15:
            multiplier, exponent = 2**14, exponent + 1
        shift = 15 - exponent
        if multiplier == 0 or shift > MAX_SCALE_SHIFT:
            return cls(0, 0)
        if shift < 0:
            raise NetworkError(
                f"scale factor {factor} is 32768 or more; lower the learning rate or the number "
                "of fractional bits"
            )
        return cls(multiplier if factor > 0 else -multiplier, shift)

    @property
    def real(self) -> float:
        """The factor that this scale stands for."""
        return self.multiplier / 2.0**self.shift


def fractional_bits(magnitude: float, head_room: float = 1.0, limit: int = 15) -> int:
    """Return the fractional bits of the finest int16 Q format that holds +-`magnitude * head_room`.

    The result is in [0, `limit`]; a larger magnitude than an int16 integer can hold raises
    `NetworkError`.
    """
    if not math.isfinite(magnitude) or magnitude < 0:
        raise NetworkError(f"cannot choose a number format for the magnitude {magnitude}")
    needed = magnitude * head_room
    for bits in range(limit, -1, -1):
        if needed * 2**bits <= 2**15 - 1:
            return bits
    raise NetworkError(f"a magnitude of {needed:g} does not fit int16; scale the data down")
