# SPDX-License-Identifier: Apache-2.0
"""The C kernels called with NumPy data, in buffers that show a write outside of them."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from secondpass import resources
from secondpass.device.hostbuild import build_module, library_sources
from secondpass.fixedpoint import Scale

EXAMPLES = int(os.environ.get("SECONDPASS_TEST_EXAMPLES", "150"))
"""Hypothesis examples a property; the sanitizer run takes fewer."""
GUARD_WORDS = int(os.environ.get("SECONDPASS_TEST_GUARD_WORDS", "8"))
"""Words before and after an output. None in the sanitizer run, which sees reads outside too."""
_GUARD = 0x5AFE
_STALE = -0x5A5B

_DECLARATIONS = """
typedef struct { int16_t multiplier; uint8_t shift; ...; } sp_scale_t;
typedef struct {
    uint16_t inputs, outputs; uint8_t in_frac, shift, relu; ...;
} sp_fc_t;
int16_t sp_scale16(int32_t value, sp_scale_t scale, uint32_t *saturations);
uint32_t sp_mix32(uint32_t x);
uint32_t sp_dither_key(uint32_t dither_seed, uint32_t step, uint32_t layer);
uint32_t sp_fc_a16w16(const sp_fc_t *, const int16_t *, const int16_t *, const int32_t *,
                      int16_t *);
uint32_t sp_update_a16w16(const sp_fc_t *, const int16_t *, const int16_t *, uint32_t, int16_t *,
                          int32_t *, uint32_t *);
uint32_t sp_row_errors(const int16_t *, uint32_t, sp_scale_t, int16_t *);
uint32_t sp_row_errors_difference(const int16_t *, const int16_t *, uint32_t, sp_scale_t,
                                  int16_t *);
uint32_t sp_row_errors_relu(const int16_t *, const int16_t *, uint32_t, sp_scale_t, int16_t *);
uint32_t sp_quantise_u8(const uint8_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
uint32_t sp_quantise_i16(const uint8_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
uint32_t sp_project_sign_a16(const int16_t *, uint32_t, const int16_t *, uint32_t, uint32_t,
                             sp_scale_t, int16_t *);
uint32_t sp_project_dense_a16(const int16_t *, uint32_t, const int16_t *, uint32_t, uint32_t,
                              sp_scale_t, int16_t *);
uint32_t sp_project_sparse_a16(const int16_t *, uint32_t, const int16_t *, uint32_t, uint32_t,
                               sp_scale_t, int16_t *);
void sp_error_signs(const int16_t *, uint32_t, int16_t *);
uint16_t sp_softmax_error(const int16_t *, uint32_t, unsigned, uint16_t, int16_t *);
uint16_t sp_argmax(const int16_t *, uint32_t);
uint32_t sp_link_crc32(const uint8_t *, uint32_t);
static const int form_is_dsp;
"""

_PREAMBLE = """
#include "secondpass/kernels.h"
#include "secondpass/link.h"
#include "kernels/dsp.h"
static const int form_is_dsp = SP_DSP;
"""

exactly = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)
"""The same examples on every run."""

sizes = st.one_of(st.integers(1, 9), st.integers(1, 70))
words = st.integers(0, 2**32 - 1)
scales = st.builds(
    lambda magnitude, sign, shift: Scale(sign * magnitude, shift),
    st.one_of(st.sampled_from([0, 2**14, 2**15 - 1]), st.integers(2**14, 2**15 - 1)),
    st.sampled_from([1, -1]),
    st.integers(0, 46),
)
data_seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["full", "full", "small", "rails", "lowest", "highest", "sparse"])


def make_data(kind: str, seed: int, *shape: int, bits: int = 16) -> npt.NDArray[Any]:
    """Return signed integers of `bits` bits: one character of data for each kind."""
    dtype = np.int16 if bits == 16 else np.int32
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    random = np.random.default_rng(seed)
    full = random.integers(low, high, shape, endpoint=True)
    values = {
        "full": full,
        "small": random.integers(-300, 300, shape),
        "rails": random.choice([low, high], shape),
        "lowest": np.full(shape, low),
        "highest": np.full(shape, high),
        "sparse": np.where(random.random(shape) < 0.7, 0, full),
    }[kind]
    return values.astype(dtype)


class Guarded:
    """An array between guard words, filled with stale values unless it is given some."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, values: Any = None) -> None:
        count = int(np.prod(shape))
        self._whole = np.full(count + 2 * GUARD_WORDS, _GUARD, dtype=dtype)
        self.array = self._whole[GUARD_WORDS : GUARD_WORDS + count].reshape(shape)
        self.array[...] = _STALE if values is None else values

    def check(self) -> None:
        """Assert that nothing outside the array was written."""
        count = self.array.size
        assert (self._whole[:GUARD_WORDS] == _GUARD).all(), "written before the buffer"
        assert (self._whole[GUARD_WORDS + count :] == _GUARD).all(), "written behind the buffer"


def padded(values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return vectors or rows with the zero that follows an odd length, and not a byte more."""
    extra = [(0, 0)] * (values.ndim - 1) + [(0, values.shape[-1] % 2)]
    return np.ascontiguousarray(np.pad(values, extra))


class KernelHost:
    """Every kernel as a function from arrays to arrays; checks guards and padding itself."""

    def __init__(self, dsp: bool) -> None:
        module = build_module(
            _DECLARATIONS,
            _PREAMBLE,
            library_sources("kernels", "link"),
            [resources.folder("firmware") / "src"],
            ("-DSP_EMULATE_DSP",) if dsp else (),
        )
        self.ffi, self.lib = module.ffi, module.lib
        assert bool(self.lib.form_is_dsp) == dsp

    def pointer(self, array: npt.NDArray[Any]) -> Any:
        """Return a C pointer to the array's memory."""
        kind = {"i2": "int16_t *", "i4": "int32_t *", "u1": "uint8_t *"}[array.dtype.str[1:]]
        return self.ffi.cast(kind, array.ctypes.data)

    def scale(self, scale: Scale) -> dict[str, int]:
        """Return a scale as C takes it."""
        return {"multiplier": scale.multiplier, "shift": scale.shift}

    def vector(self, length: int, call: Any, padding: bool = True) -> tuple[Any, Any]:
        """Call with an output vector; return the vector without padding and what call returned."""
        size = length + length % 2 if padding else length
        output = Guarded((size,), np.int16)
        result = call(self.pointer(output.array))
        output.check()
        assert not output.array[length:].any(), "the padding is not zero"
        return output.array[:length].copy(), result

    def shape(self, inputs: int, outputs: int, **formats: int) -> Any:
        """Return a layer's shape as C takes it."""
        values = {"inputs": inputs, "outputs": outputs, "in_frac": 0, "shift": 0, "relu": 0}
        return self.ffi.new("sp_fc_t *", {**values, **formats})
