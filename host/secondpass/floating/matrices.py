# SPDX-License-Identifier: Apache-2.0
"""The projection matrices of a rule in real numbers: the same ones that a device has."""

import base64
import binascii
import math

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError
from secondpass.integer.projections import UNIT_SHIFT, layer_seed
from secondpass.projection import element_magnitude, real_matrix
from secondpass.rules import ProjectedRule

Float32Array = npt.NDArray[np.float32]


def modulation_matrix(rule: ProjectedRule, inputs: int, outputs: int) -> Float32Array:
    """Return F (inputs, outputs) of the rules that modulate the input."""
    return _matrix(rule, inputs, outputs, inputs, rule.projection_seed)


def first_target_matrix(rule: ProjectedRule, units: int, outputs: int) -> Float32Array:
    """Return G (units of the first hidden layer, outputs) of FTP."""
    return _matrix(rule, units, outputs, outputs, rule.projection_seed)


def feedback_matrix(rule: ProjectedRule, layer: int, units: int, outputs: int) -> Float32Array:
    """Return B (units, outputs) of a hidden layer for direct feedback alignment."""
    return _matrix(rule, units, outputs, outputs, layer_seed(rule.projection_seed, layer))


def _matrix(rule: ProjectedRule, rows: int, outputs: int, size: int, seed: int) -> Float32Array:
    """Return a matrix whose deviation is projection_scale * sqrt(2 / size), or the stored one."""
    deviation = rule.projection_scale * math.sqrt(2.0 / size)
    if rule.projection != "stored":
        return real_matrix(rule.projection, seed, rows, outputs, deviation)
    magnitude = element_magnitude("stored", deviation, outputs, 1.0)
    elements = stored_elements(rule.matrix, rows, outputs) / 2.0 ** UNIT_SHIFT["stored"]
    return (elements * magnitude).astype(np.float32)


def stored_elements(text: str, rows: int, outputs: int) -> npt.NDArray[np.int8]:
    """Return the int8 elements (rows, outputs) of a rule's `matrix`."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise NetworkError(f"the stored projection is not base64 ({error})") from None
    if len(content) != rows * outputs:
        raise NetworkError(
            f"the stored projection has {len(content)} elements; this network needs "
            f"{rows} x {outputs}"
        )
    return np.frombuffer(content, dtype=np.int8).reshape(rows, outputs)
