# SPDX-License-Identifier: Apache-2.0
"""Training in real numbers with Keras. Needs the extra `train`; imported on first use."""

import importlib
from typing import TYPE_CHECKING

from secondpass.toolchain import require_module

if TYPE_CHECKING:
    from secondpass.floating.ftp import FtpModel
    from secondpass.floating.pepita import PepitaModel

__all__ = ["FtpModel", "PepitaModel"]

_MODULES = {"FtpModel": "ftp", "PepitaModel": "pepita"}


def __getattr__(name: str) -> object:
    """Import a model, and with it TensorFlow, when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_module("tensorflow", "train")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
