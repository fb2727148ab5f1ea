# SPDX-License-Identifier: Apache-2.0
"""The anomaly threshold: a running quantile of scores in integers (docs/anomaly.md)."""

from dataclasses import dataclass

OCTAVE = 26
"""Fractional bits of a level: the logarithm of a score to the base 2, piecewise linear."""
LEVEL_MAX = 2**31 - 1
WIDTH_FRAC = 20
FIRST_SPREAD = 2 ** (OCTAVE - 2)
FIRST_WIDTH = 2 << WIDTH_FRAC
QUANTILE_MIN, QUANTILE_MAX = 2**14, 2**15 - 1
"""Limits of the quantile, Q15."""
FIRST_QUANTILE = 32440
"""0.99 in Q15: one normal sample in a hundred is an alarm."""
NO_THRESHOLD = 2**32 - 1
"""The threshold while too few scores were seen: no score is above it."""

_ONE = 2**15
_SLOWEST = 7
"""Gains fall to 2^-7."""
_STEP = 4
"""Step of the width when gains have fallen, in units of 2^(15 - WIDTH_FRAC)."""
_FASTEST = 3
"""Steps begin with _STEP * 2^3."""


def level(score: int) -> int:
    """Return a score's level in [0, 2**31 - 1]; 0 and 1 have the same."""
    if score == 0:
        return 0
    whole = score.bit_length() - 1
    rest = score - (1 << whole)
    return (whole << OCTAVE) + (rest << OCTAVE >> whole)


def score_of(of_level: int) -> int:
    """Return the largest score whose level is not above the given one."""
    whole = of_level >> OCTAVE
    mantissa = (1 << OCTAVE) + (of_level & ((1 << OCTAVE) - 1))
    if whole <= OCTAVE:
        return mantissa >> (OCTAVE - whole)
    return (mantissa + 1 << whole - OCTAVE) - 1


@dataclass
class Threshold:
    """State of the estimate: mean and spread of levels, width in spreads; a quantile in Q15.

    `calibrating`: scores of evaluated samples count as well as those of learned ones.
    """

    quantile: int = FIRST_QUANTILE
    calibrating: bool = False
    mean: int = 0
    spread: int = FIRST_SPREAD
    width: int = FIRST_WIDTH
    count: int = 0

    def restart(self) -> None:
        """Forget all scores."""
        self.mean, self.spread, self.width, self.count = 0, FIRST_SPREAD, FIRST_WIDTH, 0

    @property
    def estimate(self) -> int:
        """The score above which a share of 1 - quantile lies, however few were seen."""
        above = self.width * self.spread >> WIDTH_FRAC
        return score_of(min(self.mean + above, LEVEL_MAX))

    @property
    def score(self) -> int:
        """The score above which a sample is an alarm; `NO_THRESHOLD` until one is expected."""
        alarms = min(self.count, _ONE) * (_ONE - self.quantile)
        return self.estimate if alarms >= _ONE else NO_THRESHOLD

    def judge(self, score: int, normal: bool) -> int:
        """Return 1 for an alarm, else 0; then let the estimate follow if the sample is normal."""
        alarm = int(score > self.score)
        if normal:
            self._follow(score)
        return alarm

    def _follow(self, score: int) -> None:
        found = level(score)
        slow = min((self.count + 1).bit_length() - 1, _SLOWEST)
        step = _STEP << min(_SLOWEST - slow, _FASTEST)
        if self.count == 0:
            self.mean = found
        if score > self.estimate:
            self.width = min(self.width + step * self.quantile, 2**32 - 1)
        else:
            self.width = max(self.width - step * (_ONE - self.quantile), 0)
        distance = found - self.mean
        self.mean += distance >> slow
        self.spread += (abs(distance) - self.spread) >> slow
        self.count = min(self.count + 1, 2**32 - 1)
