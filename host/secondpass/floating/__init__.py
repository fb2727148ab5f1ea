# SPDX-License-Identifier: Apache-2.0
"""Training in real numbers with Keras. Needs the extra `train`; imported on first use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secondpass.floating.pepita import PepitaModel

__all__ = ["PepitaModel"]


def __getattr__(name: str) -> object:
    """Import `PepitaModel`, and with it TensorFlow, when it is first asked for."""
    if name != "PepitaModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from secondpass.floating.pepita import PepitaModel

    return PepitaModel
