# SPDX-License-Identifier: Apache-2.0
"""Section 4.5: the anomaly threshold."""

from dataclasses import dataclass

from .arithmetic import MODULUS, clamp

TOP = 2**31 - 1


def level(score):
    if score == 0:
        return 0
    k = next(k for k in range(31, -1, -1) if score >= 2**k)
    return k * 2**26 + (score - 2**k) * 2**26 // 2**k


def score_of(at):
    """Found by halving: the definition says what it is, not how to compute it."""
    low, high = 0, MODULUS - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if level(middle) <= at else (low, middle - 1)
    return low


@dataclass
class Threshold:
    mean: int = 0
    spread: int = 2**24
    width: int = 2 * 2**20
    count: int = 0
    quantile: int = 32440
    calibrating: int = 0

    def estimate(self):
        return score_of(min(self.mean + (self.width * self.spread >> 20), TOP))

    def threshold(self):
        expected = min(self.count, 2**15) * (2**15 - self.quantile)
        return self.estimate() if expected >= 2**15 else MODULUS - 1

    def sample(self, v, trained):
        alarm = 1 if v > self.threshold() else 0
        if trained or self.calibrating == 1:
            slow = max(k for k in range(8) if 2**k <= self.count + 1)
            step = 4 * 2 ** min(7 - slow, 3)
            if self.count == 0:
                self.mean = level(v)
            change = step * (self.quantile if v > self.estimate() else self.quantile - 2**15)
            self.width = clamp(self.width + change, 0, MODULUS - 1)
            distance = level(v) - self.mean
            self.mean += distance >> slow
            self.spread += (abs(distance) - self.spread) >> slow
            self.count = min(self.count + 1, MODULUS - 1)
        return alarm
