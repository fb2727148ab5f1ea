# SPDX-License-Identifier: Apache-2.0
"""`sp_spectrum_u8` called with NumPy data, between guard bytes."""

import os
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device.hostbuild import build_module
from secondpass.device.objects import library_sources
from secondpass.features.spectrum import Spectrum

FORMS: dict[str, tuple[str, ...]] = {"plain": (), "split": ("-DSP_NO_LONG_MULTIPLY",)}
"""Forms of the code: `split` has no long multiplication, as on Armv6-M."""

DECLARATIONS = """
typedef struct { int16_t multiplier; uint8_t shift; ...; } sp_scale_t;
typedef struct { int32_t re; int32_t im; } sp_complex_t;
typedef struct {
    uint16_t window, axes, bands, lines;
    uint8_t twos, fives;
    sp_scale_t scale;
    const int16_t *sines;
    const uint16_t *places;
    const uint16_t *centres;
    ...;
} sp_spectrum_t;
uint32_t sp_spectrum_u8(const sp_spectrum_t *spectrum, const uint8_t *readings,
                        sp_complex_t *scratch, uint8_t *features);
"""
_GUARD = 0x5A
_GUARDS = int(os.environ.get("SECONDPASS_TEST_GUARD_WORDS", "8"))
"""None in the sanitizer run, which sees what is outside by itself."""


@cache
def module(form: str) -> ModuleType:
    return build_module(
        DECLARATIONS,
        '#include "secondpass/features.h"\n',
        library_sources("features"),
        flags=FORMS[form],
    )


def features_in_c(
    front: Spectrum, windows: npt.NDArray[Any], form: str = "plain"
) -> tuple[npt.NDArray[np.uint8], int]:
    """Return what C makes of windows int16 (count, window * axes), and how many were clamped."""
    built = module(form)
    ffi = built.ffi
    tables = [
        ffi.new(f"{kind}[]", [int(v) for v in values])
        for kind, values in (
            ("int16_t", front.sines),
            ("uint16_t", front.places),
            ("uint16_t", front.centres),
        )
    ]
    assert front.radices is not None
    shape = ffi.new("sp_spectrum_t *")
    shape.window, shape.axes, shape.bands, shape.lines = (
        *(front.window, front.axes, front.bands, front.lines),
    )
    shape.twos, shape.fives = front.radices
    shape.scale.multiplier, shape.scale.shift = front.scale.multiplier, front.scale.shift
    shape.sines, shape.places, shape.centres = tables
    result = np.empty((len(windows), front.size), np.uint8)
    clamped = 0
    for row, window in zip(result, windows, strict=True):
        readings = window.astype("<i2").tobytes()
        scratch = guarded(4 * front.window)
        made = guarded(front.size)
        clamped += built.lib.sp_spectrum_u8(
            shape,
            readings,
            ffi.cast("sp_complex_t *", ffi.from_buffer(scratch) + _GUARDS),
            ffi.cast("uint8_t *", ffi.from_buffer(made) + _GUARDS),
        )
        for block in (scratch, made):
            edges = np.concatenate([block[:_GUARDS], block[len(block) - _GUARDS :]])
            assert (edges == _GUARD).all(), "written outside"
        row[:] = made[_GUARDS : len(made) - _GUARDS]
    return result, clamped


def guarded(size: int) -> npt.NDArray[np.uint8]:
    """Return bytes, stale, between guards."""
    return np.full(size + 2 * _GUARDS, _GUARD, np.uint8)
