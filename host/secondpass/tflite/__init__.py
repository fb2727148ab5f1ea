# SPDX-License-Identifier: Apache-2.0
"""Import of `.tflite` files: fully connected networks, int8 or float (docs/importing.md)."""

from secondpass.tflite.convert import (
    dequantise,
    output_values,
    partly_trainable,
    reconstruction_error,
    trainable,
)
from secondpass.tflite.graph import FloatModel, load

__all__ = [
    "FloatModel",
    "dequantise",
    "load",
    "output_values",
    "partly_trainable",
    "reconstruction_error",
    "trainable",
]
