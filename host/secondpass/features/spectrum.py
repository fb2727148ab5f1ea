# SPDX-License-Identifier: Apache-2.0
"""Log spectra of windows of raw readings, in the integers of docs/features.md.

A device computes the same bits (`sp_spectrum_u8`): its network is sent readings, not features.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError, NetworkError
from secondpass.fixedpoint import Scale
from secondpass.integer.arithmetic import Int64Array, scale16
from secondpass.network import MAX_WIDTH, Input

UInt8Array = npt.NDArray[np.uint8]

ZERO = 128
"""Raw feature that stands for its centre."""
STEP = 1 / 32
"""Deviations that one raw step of a feature stands for."""
OCTAVE = 512
"""Steps of a logarithm from one power to its double."""
WINDOWS = (20, 1000)
"""Shortest and longest window, readings."""

_HIGHEST = 2**15 - 1
_MANTISSA_BITS = 15
_OCTAVE_BITS = 9
_LONGEST = 31
"""Bits that a window's length and its largest scaled reading have together: no sum leaves int32."""


@dataclass(frozen=True)
class Spectrum:
    """Windows of `window` readings of `axes` values become `bands` features an axis.

    Feature `bands * axis + band` is the logarithm of the power of spectral lines
    `lines * band + 1` to `lines * band + lines` under a Hann taper, the mean taken out.
    `centres`, one a feature in 1/512 octaves of power, become raw 128; `gain` raw steps are one
    1/512 of an octave. `unit`: the real value of a reading of 1.
    Raises `NetworkError` for a shape that has no such transform.
    """

    window: int
    axes: int
    lines: int
    bands: int
    unit: float = 1.0
    centres: tuple[int, ...] = ()
    gain: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", float(self.unit))
        object.__setattr__(self, "gain", float(self.gain))
        object.__setattr__(self, "centres", tuple(int(v) for v in self.centres))
        shortest, longest = WINDOWS
        if not shortest <= self.window <= longest or self.window % 4 or self.radices is None:
            raise NetworkError(
                f"a window has {self.window} readings; a spectrum takes {shortest} to {longest} "
                "that are 4 times a product of twos and fives, such as 100, 128, 200 or 256"
            )
        if self.axes < 1 or not 1 <= self.window * self.axes <= MAX_WIDTH:
            raise NetworkError(
                f"a window of {self.window} x {self.axes} readings; it takes 1 axis or more, and "
                f"at most {MAX_WIDTH} readings in all"
            )
        if self.lines < 1 or self.bands < 1 or self.lines * self.bands >= self.window // 2:
            raise NetworkError(
                f"{self.bands} bands of {self.lines} lines; a window of {self.window} readings has "
                f"{self.window // 2 - 1} lines between 0 and half its rate"
            )
        if self.centres and len(self.centres) != self.size:
            raise NetworkError(f"{len(self.centres)} centres for {self.size} features")
        if self.centres and not 0 <= min(self.centres) <= max(self.centres) < 2**16:
            raise NetworkError(f"a centre of a feature is outside [0, {2**16 - 1}]")
        if not (self.unit > 0 and self.gain > 0):
            raise NetworkError(
                f"unit {self.unit} and gain {self.gain} of a spectrum must be positive"
            )
        _ = self.scale

    @property
    def size(self) -> int:
        """Number of features."""
        return self.axes * self.bands

    @property
    def sample(self) -> Input:
        """The raw sample: readings int16, the axes of one side by side."""
        return Input(self.window * self.axes, "int16", 0, self.unit, 0)

    @property
    def scale(self) -> Scale:
        """Factor from 1/512 of an octave to raw steps."""
        return Scale.from_real(self.gain)

    @property
    def radices(self) -> tuple[int, int] | None:
        """How many twos and fives half a window is the product of; None: there is another."""
        twos, rest = 0, self.window // 2
        while rest and rest % 2 == 0:
            twos, rest = twos + 1, rest // 2
        fives = 0
        while rest and rest % 5 == 0:
            fives, rest = fives + 1, rest // 5
        return (twos, fives) if rest == 1 else None

    @cached_property
    def sines(self) -> npt.NDArray[np.int16]:
        """Q15 sine of k / window turns, k = 0 .. 5/4 window - 1: the cosine a quarter further."""
        angles = 2 * np.pi * np.arange(self.window * 5 // 4) / self.window
        rounded = np.rint(np.sin(angles) * 2**15)
        return np.asarray(np.clip(rounded, -_HIGHEST, _HIGHEST), dtype=np.int16)

    @cached_property
    def places(self) -> npt.NDArray[np.uint16]:
        """Where the pair of readings 2n and 2n + 1 goes, (window / 2,)."""
        assert self.radices is not None
        twos, fives = self.radices
        rest = np.arange(self.window // 2)
        places, weight = np.zeros_like(rest), self.window // 2
        for radix in (5,) * fives + (2,) * twos:  # the last join first
            weight //= radix
            places += rest % radix * weight
            rest //= radix
        return places.astype(np.uint16)

    def features(self, readings: npt.ArrayLike) -> UInt8Array:
        """Return features uint8 (count, size) of windows int16 (count, window * axes)."""
        return self.clamped_features(readings)[0]

    def clamped_features(self, readings: npt.ArrayLike) -> tuple[UInt8Array, int]:
        """Return features, and how many of them were clamped to 0 or 255."""
        centres = np.array(self.centres or (0,) * self.size)
        values = ZERO + scale16(self.logarithms(readings) - centres, self.scale)[0]
        clamped = np.clip(values, 0, 255)
        return clamped.astype(np.uint8), int(np.count_nonzero(clamped != values))

    def logarithms(self, readings: npt.ArrayLike) -> Int64Array:
        """Return the powers' logarithms (count, size), in 1/512 octaves, of raw windows."""
        raw = self.sample.check_samples(np.asarray(readings)).astype(np.int64)
        powers, shift = self._powers(raw.reshape(-1, self.window, self.axes).transpose(0, 2, 1))
        levels = np.maximum(logarithm(powers) - 2 * OCTAVE * shift, 0)
        return np.asarray(levels.reshape(-1, self.size))

    def fitted(self, readings: npt.ArrayLike) -> "Spectrum":
        """Return the same with the centres of windows, and with 32 raw steps a deviation.

        All features share one scale. Raises `DataError` when the windows' features are all alike.
        """
        logarithms = self.logarithms(readings)
        centres = logarithms.mean(axis=0) if len(logarithms) else np.zeros(self.size)
        deviation = float((logarithms - centres).std()) if len(logarithms) else 0.0
        if not deviation > 0:
            raise DataError(
                f"the features of {len(logarithms)} windows are all alike: they give no scale; "
                "take more windows"
            )
        whole = tuple(int(v) for v in np.rint(centres))
        return replace(self, centres=whole, gain=1 / (STEP * deviation))

    def describe(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {**asdict(self), "centres": list(self.centres)}

    def _powers(self, readings: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return the powers (..., bands) of readings (..., window), and the shift (..., 1) of them.

        They are those of twice the spectrum.
        """
        window, lines = self.window, np.arange(1, 1 + self.lines * self.bands)
        scaled, shift = self._scaled(readings)
        taper = (_HIGHEST - self._cosine(np.arange(window))) >> 1
        spectrum = self._transform(2 * _half_product(scaled, taper))
        there, back = spectrum[..., lines], np.conj(spectrum[..., window // 2 - lines])
        by = self._turned(there - back, lines)
        twice = there + back + _complex(by.imag, -by.real)
        power = twice.real.astype(np.int64) ** 2 + twice.imag.astype(np.int64) ** 2
        return power.reshape(*power.shape[:-1], self.bands, self.lines).sum(axis=-1), shift

    def _scaled(self, readings: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return readings less their mean, as large as they may be, and their shift (..., 1)."""
        moved = readings * self.window - readings.sum(axis=-1, keepdims=True)
        largest = np.abs(moved).max(axis=-1, keepdims=True)
        bits = np.frexp(largest.astype(np.float64))[1]  # of an integer: its length
        shift = (_LONGEST - self.window.bit_length() - bits).astype(np.int64)
        return (moved << np.maximum(shift, 0)) >> np.maximum(-shift, 0), shift

    def _transform(self, tapered: Int64Array) -> "Complex":
        """Return the complex transform (..., window / 2) of pairs of readings (..., window)."""
        assert self.radices is not None
        twos, fives = self.radices
        z = np.empty((*tapered.shape[:-1], self.window // 2), dtype=np.complex128)
        z[..., self.places] = _complex(tapered[..., ::2], tapered[..., 1::2])
        span = 1
        for radix in (2,) * twos + (5,) * fives:
            groups = z.reshape(*z.shape[:-1], z.shape[-1] // (radix * span), radix, span)
            step = np.arange(radix)[:, None] * np.arange(span) * (self.window // (radix * span))
            turned = np.where(step == 0, groups, self._turned(groups, step))
            joined = (_two if radix == 2 else self._five)(np.moveaxis(turned, -2, 0))
            z = np.moveaxis(joined, 0, -2).reshape(z.shape)
            span *= radix
        return z

    def _five(self, z: "Complex") -> "Complex":
        """Return the transform of five numbers along the first axis."""
        one, two = self.window // 5, 2 * self.window // 5
        near_cosine, far_cosine = self._cosine(one), self._cosine(two)
        near_sine, far_sine = int(self.sines[one]), int(self.sines[two])
        outer, inner = z[1] + z[4], z[2] + z[3]
        outer_gap, inner_gap = z[1] - z[4], z[2] - z[3]
        near = z[0] + _mixed(outer, near_cosine, inner, far_cosine)
        far = z[0] + _mixed(outer, far_cosine, inner, near_cosine)
        near_gap = -1j * _mixed(outer_gap, near_sine, inner_gap, far_sine)
        far_gap = -1j * _mixed(outer_gap, far_sine, inner_gap, -near_sine)
        whole = z[0] + outer + inner
        return np.stack([whole, near + near_gap, far + far_gap, far - far_gap, near - near_gap])

    def _turned(self, z: "Complex", index: npt.NDArray[Any]) -> "Complex":
        """Return numbers times exp(-2 pi i index / window)."""
        cosine, sine = self._cosine(index), self.sines[index].astype(np.int64)
        re, im = z.real.astype(np.int64), z.imag.astype(np.int64)
        return _complex(
            2 * (_half_product(re, cosine) + _half_product(im, sine)),
            2 * (_half_product(im, cosine) - _half_product(re, sine)),
        )

    def _cosine(self, index: Any) -> Any:
        return self.sines[index + self.window // 4].astype(np.int64)


Complex = npt.NDArray[np.complex128]
"""Complex numbers whose parts are integers of 32 bits: a double holds those exactly."""


def logarithm(powers: npt.ArrayLike) -> Int64Array:
    """Return the logarithm to base 2, in steps of 1/512, of powers in [0, 2**63); of 0 as of 1."""
    power = np.maximum(np.asarray(powers, dtype=np.int64), 1)
    exponent = np.zeros_like(power)
    for step in (32, 16, 8, 4, 2, 1):
        high = (power >> exponent) >> step > 0
        exponent += np.where(high, step, 0)
    shift = exponent - _MANTISSA_BITS
    mantissa = np.where(shift >= 0, power >> np.maximum(shift, 0), power << np.maximum(-shift, 0))
    result = exponent
    for _ in range(_OCTAVE_BITS):
        squared = mantissa * mantissa >> _MANTISSA_BITS
        above = squared >> (_MANTISSA_BITS + 1)
        mantissa = squared >> above
        result = 2 * result + above
    return np.asarray(result)


def _half_product(value: Int64Array, factor: Any) -> Int64Array:
    return np.asarray(value * factor >> 16)


def _mixed(a: Complex, p: Any, b: Complex, q: Any) -> Complex:
    """Return twice a * p + b * q, each product rounded down."""
    re = _half_product(a.real.astype(np.int64), p) + _half_product(b.real.astype(np.int64), q)
    im = _half_product(a.imag.astype(np.int64), p) + _half_product(b.imag.astype(np.int64), q)
    return _complex(2 * re, 2 * im)


def _two(z: Complex) -> Complex:
    return np.stack([z[0] + z[1], z[0] - z[1]])


def _complex(re: npt.ArrayLike, im: npt.ArrayLike) -> Complex:
    result: Complex = np.asarray(re) + 1j * np.asarray(im)
    return result
