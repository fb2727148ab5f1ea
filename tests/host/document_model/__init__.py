# SPDX-License-Identifier: Apache-2.0
"""docs/numerics.md and its parts once more, in plain Python integers, section by section.

Written from the documents alone. It must not import secondpass: an error shared with the NumPy
reference would go unnoticed. Python integers cannot overflow, so this model also finds machine
integers that are too narrow in the reference.
"""

from .arithmetic import dither_key, dither_offset, mix32
from .forward import EXP2, TANH, activation, softmax_parts, tanh15, times_derivative
from .model import DocumentModel
from .projection import follow, generated_row, layer_seed, modulation

__all__ = [
    "EXP2",
    "TANH",
    "DocumentModel",
    "activation",
    "dither_key",
    "dither_offset",
    "follow",
    "generated_row",
    "layer_seed",
    "mix32",
    "modulation",
    "softmax_parts",
    "tanh15",
    "times_derivative",
]
