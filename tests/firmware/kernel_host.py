# SPDX-License-Identifier: Apache-2.0
"""The C kernels called with NumPy data, in buffers that show a write outside of them."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from kernel_declarations import DECLARATIONS, PREAMBLE

from secondpass import resources
from secondpass.device.hostbuild import build_module
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.fixedpoint import Scale

EXAMPLES = int(os.environ.get("SECONDPASS_TEST_EXAMPLES", "100"))
"""Hypothesis examples a property; the sanitizer run takes fewer."""
GUARD_WORDS = int(os.environ.get("SECONDPASS_TEST_GUARD_WORDS", "8"))
"""Words before and after an output. None in the sanitizer run, which sees reads outside too."""
_GUARD = 0x5A
_STALE = -0x5B

FORMS = {"plain": (), "dsp": ("-DSP_EMULATE_DSP",), "split": ("-DSP_NO_LONG_MULTIPLY",)}
"""Forms of the kernels, and what makes the compiler take them. `split`: products of halves, for
cores without a long multiplication."""

exactly = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)
"""The same examples on every run."""

INT32 = (-(2**31), 2**31 - 1)
KINDS = ("full", "small", "rails", "lowest", "highest", "sparse", "gaps", "zero")

sizes = st.one_of(st.integers(1, 9), st.integers(1, 70))
words = st.integers(0, 2**32 - 1)
scales = st.builds(
    lambda magnitude, sign, shift: Scale(sign * magnitude, shift),
    st.one_of(st.sampled_from([0, 2**14, 2**15 - 1]), st.integers(2**14, 2**15 - 1)),
    st.sampled_from([1, -1]),
    st.integers(0, 46),
)
data_seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["full", *KINDS])


def make_data(kind: str, seed: int, *shape: int, bits: int = 16) -> npt.NDArray[Any]:
    """Return signed integers of `bits` bits: one character of data for each kind."""
    dtype = {8: np.int8, 16: np.int16, 32: np.int32}[bits]
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    random = np.random.default_rng(seed)
    full = random.integers(low, high, shape, endpoint=True)
    bound = 300 if bits > 8 else 9
    values = {
        "full": full,
        "small": random.integers(-bound, bound, shape),
        "rails": random.choice([low, high], shape),
        "lowest": np.full(shape, low),
        "highest": np.full(shape, high),
        "sparse": np.where(random.random(shape) < 0.7, 0, full),
        "gaps": np.where(np.arange(full.size).reshape(shape) // 6 % 4, 0, full),
        "zero": np.zeros(shape),
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


def padded(values: npt.NDArray[Any], multiple: int = 2) -> npt.NDArray[Any]:
    """Return vectors or rows with zeros up to a multiple of elements, and not a byte more."""
    extra = [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % multiple)]
    return np.ascontiguousarray(np.pad(values, extra))


def padded_rows(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a weight matrix as C holds it: rows begin on 4-byte boundaries."""
    return padded(weights, 4 // weights.itemsize)


class KernelHost:
    """Every kernel as a function from arrays to arrays; checks guards and padding itself."""

    def __init__(self, form: str) -> None:
        module = build_module(
            DECLARATIONS,
            PREAMBLE,
            library_sources(*MODEL_FREE),
            [resources.folder("firmware") / "src"],
            FORMS[form],
        )
        self.ffi, self.lib = module.ffi, module.lib
        assert bool(self.lib.form_is_dsp) == (form == "dsp")
        assert bool(self.lib.form_is_split) == (form == "split")

    def pointer(self, array: npt.NDArray[Any]) -> Any:
        """Return a C pointer to the array's memory."""
        kind = {
            "i1": "int8_t *",
            "u1": "uint8_t *",
            "i2": "int16_t *",
            "u2": "uint16_t *",
            "i4": "int32_t *",
        }[array.dtype.str[1:]]
        assert array.flags.c_contiguous
        return self.ffi.cast(kind, array.ctypes.data)

    def argument(self, value: Any) -> Any:
        """Return a value as C takes it: arrays as pointers, scales as structures."""
        if isinstance(value, np.ndarray):
            return self.pointer(value)
        if isinstance(value, Guarded):
            return self.pointer(value.array)
        if isinstance(value, Scale):
            return {"multiplier": value.multiplier, "shift": value.shift}
        return self.ffi.NULL if value is None else value

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a kernel; check the guards of every `Guarded` argument."""
        result = getattr(self.lib, name)(*(self.argument(value) for value in arguments))
        for value in arguments:
            if isinstance(value, Guarded):
                value.check()
        return result

    def vector(
        self, length: int, name: str, *arguments: Any, padding: bool = True, dtype: Any = np.int16
    ) -> tuple[npt.NDArray[Any], Any]:
        """Call with an output vector behind the arguments; return it and what the kernel returned.

        `padding`: whether a zero follows an odd length.
        """
        output = Guarded((length + length % 2 if padding else length,), dtype)
        result = self.call(name, *arguments, output)
        assert not output.array[length:].any(), "the padding is not zero"
        return output.array[:length].copy(), result

    def in_place(
        self, values: npt.NDArray[np.int16], name: str, before: tuple[Any, ...], *behind: Any
    ) -> tuple[npt.NDArray[np.int16], Any]:
        """Call with the first and the last argument being one vector; return it and the result."""
        length = values.size
        buffer = Guarded((length + length % 2,), np.int16)
        buffer.array[:length] = values
        result = self.call(name, buffer, *before, length, *behind, buffer)
        assert not buffer.array[length:].any(), "the padding is not zero"
        return buffer.array[:length].copy(), result

    def groups(self, x: npt.NDArray[Any], weight_bytes: int) -> npt.NDArray[np.uint16]:
        """Return the kernel's list of a vector's groups that are not zero."""
        group = 4 // weight_bytes
        count = (x.size + 1) // 2 if group == 2 else x.size // 4
        output = Guarded((1 + count // 2,), np.uint16, 0x5A5A)
        name = f"sp_{'pairs' if group == 2 else 'quads'}_a{8 * x.itemsize}"
        self.call(name, padded(x, 2 if x.itemsize == 2 else 1), x.size, output)
        return output.array.copy()

    def shape(self, inputs: int, outputs: int, shift: int = 0, relu: int = 0, counted: int = 3):
        """Return a layer's shape as C takes it."""
        return self.ffi.new(
            "sp_fc_t *",
            {
                "inputs": inputs,
                "outputs": outputs,
                "shift": shift,
                "relu": relu,
                "counted": counted,
            },
        )
