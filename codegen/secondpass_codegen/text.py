# SPDX-License-Identifier: Apache-2.0
"""Templates and numbers as text: what every generated file needs."""

import math
import textwrap
from importlib import resources
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

import secondpass
from secondpass.network import Input


def versions() -> dict[str, Any]:
    """Return the version that generated code asks of the library, as text and as a number."""
    major, minor, patch = (int(part) for part in secondpass.__version__.split("."))
    return {
        "version": secondpass.__version__,
        "library_version": major * 10000 + minor * 100 + patch,
    }


def render(template: str, context: dict[str, Any]) -> str:
    """Fill in a template of this package."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_template),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(context)


def _read_template(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text()


def numbers(values: npt.NDArray[Any]) -> str:
    """Lay out integers as C initialisers; the smallest int32 needs care in C."""
    lowest = -(2**31)
    text = ", ".join(
        "(-2147483647 - 1)" if value == lowest else str(value) for value in values.ravel().tolist()
    )
    return textwrap.fill(text, 98, initial_indent="    ", subsequent_indent="    ")


def raw_range(spec: Input) -> dict[str, int]:
    """Return the range of raw values and the factor from real numbers to them."""
    fraction, exponent = math.frexp(spec.step)
    rate, shift = round(2**31 / fraction), 31 + exponent
    if rate == 2**32:  # a step that is a power of two
        rate, shift = 2**31, shift - 1
    limits = np.iinfo(spec.dtype)
    return {"low": int(limits.min), "high": int(limits.max), "rate": rate, "rate_shift": shift}
