# SPDX-License-Identifier: Apache-2.0
"""docs/features.md once more, number by number in Python integers, from the document alone."""

import math


def table(window: int) -> list[int]:
    raw = (round(32768 * math.sin(2 * math.pi * k / window)) for k in range(5 * window // 4))
    return [min(max(value, -32767), 32767) for value in raw]


def half(v: int, w: int) -> int:
    return (v * w) >> 16


class Document:
    """The features of one shape."""

    def __init__(self, window: int, axes: int, lines: int, bands: int) -> None:
        self.window, self.axes, self.lines, self.bands = window, axes, lines, bands
        self.sine = table(window)

    def cosine(self, k: int) -> int:
        return self.sine[k + self.window // 4]

    def turn(self, z: tuple[int, int], k: int) -> tuple[int, int]:
        c, s = self.cosine(k), self.sine[k]
        return 2 * (half(z[0], c) + half(z[1], s)), 2 * (half(z[1], c) - half(z[0], s))

    def levels(self, readings: list[int]) -> list[int]:
        """Return every feature's level, of a window with the axes of a reading side by side."""
        found = []
        for axis in range(self.axes):
            x = readings[axis :: self.axes]
            d = [self.window * value - sum(x) for value in x]
            length = max(abs(value) for value in d).bit_length()
            e = 31 - self.window.bit_length() - length
            s = [value * 2**e if e >= 0 else value >> -e for value in d]
            t = [2 * half(value, (32767 - self.cosine(n)) >> 1) for n, value in enumerate(s)]
            spectrum = self.transform(list(zip(t[::2], t[1::2], strict=True)))
            for band in range(self.bands):
                first = self.lines * band + 1
                power = sum(self.power(spectrum, k) for k in range(first, first + self.lines))
                found.append(max(log2(power) - 1024 * e, 0))
        return found

    def power(self, spectrum: list[tuple[int, int]], k: int) -> int:
        a, there = spectrum[k], spectrum[self.window // 2 - k]
        c = (there[0], -there[1])
        o = self.turn((a[0] - c[0], a[1] - c[1]), k)
        return (a[0] + c[0] + o[1]) ** 2 + (a[1] + c[1] - o[0]) ** 2

    def transform(self, z: list[tuple[int, int]]) -> list[tuple[int, int]]:
        radices, rest = [], len(z)
        for radix in (2, 5):
            while rest % radix == 0:
                radices.append(radix)
                rest //= radix
        work = [(0, 0)] * len(z)
        for n, value in enumerate(z):
            place, weight, digits = 0, len(z), n
            for radix in reversed(radices):
                weight //= radix
                place += digits % radix * weight
                digits //= radix
            work[place] = value
        span = 1
        for radix in radices:
            for g in range(0, len(z), radix * span):
                for j in range(span):
                    at = [g + j + r * span for r in range(radix)]
                    u = [
                        self.turn(work[p], r * j * self.window // (radix * span))
                        if r * j
                        else work[p]
                        for r, p in enumerate(at)
                    ]
                    for p, value in zip(at, self.join(u), strict=True):
                        work[p] = value
            span *= radix
        return work

    def join(self, u: list[tuple[int, int]]) -> list[tuple[int, int]]:
        if len(u) == 2:
            return [add(u[0], u[1]), subtract(u[0], u[1])]
        fifth = self.window // 5
        c1, s1 = self.cosine(fifth), self.sine[fifth]
        c2, s2 = self.cosine(2 * fifth), self.sine[2 * fifth]
        S, T = add(u[1], u[4]), add(u[2], u[3])
        s, t = subtract(u[1], u[4]), subtract(u[2], u[3])
        N, F = add(u[0], mix(S, c1, T, c2)), add(u[0], mix(S, c2, T, c1))
        n, f = back(mix(s, s1, t, s2)), back(mix(s, s2, t, -s1))
        return [add(u[0], add(S, T)), add(N, n), add(F, f), subtract(F, f), subtract(N, n)]


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]


def subtract(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] - b[0], a[1] - b[1]


def mix(u: tuple[int, int], p: int, v: tuple[int, int], q: int) -> tuple[int, int]:
    return 2 * (half(u[0], p) + half(v[0], q)), 2 * (half(u[1], p) + half(v[1], q))


def back(z: tuple[int, int]) -> tuple[int, int]:
    """Return -i z."""
    return z[1], -z[0]


def log2(power: int) -> int:
    if power == 0:
        return 0
    bits = power.bit_length()
    mantissa = power >> (bits - 16) if bits > 16 else power << (16 - bits)
    result = bits - 1
    for _ in range(9):
        q = (mantissa * mantissa) >> 15
        bit = q >> 16
        mantissa = q >> bit
        result = 2 * result + bit
    return result
