# SPDX-License-Identifier: Apache-2.0
"""docs/numerics.md and its parts once more, in plain Python integers, section by section.

Written from the documents alone. It must not import secondpass: an error shared with the NumPy
reference would go unnoticed. Python integers cannot overflow, so this model also finds machine
integers that are too narrow in the reference.
"""

from .arithmetic import LOG2_E, dither_key, dither_offset, from_real, mix32, round_shift
from .forward import EXP2, TANH, softmax_parts, tanh15
from .model import DocumentModel

__all__ = [
    "EXP2",
    "LOG2_E",
    "TANH",
    "DocumentModel",
    "dither_key",
    "dither_offset",
    "from_real",
    "mix32",
    "round_shift",
    "softmax_parts",
    "tanh15",
]
