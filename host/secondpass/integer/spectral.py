# SPDX-License-Identifier: Apache-2.0
"""Layers that learn on log spectra of raw readings, in NumPy integers."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.integer.reference import ReferenceModel
from secondpass.integer.state import Response
from secondpass.rules import Rule
from secondpass.spectral import SpectralNetwork


class SpectralModel(ReferenceModel):
    """The learning step on features of a window."""

    def __init__(self, network: SpectralNetwork, rule: Rule) -> None:
        self.front = network.front
        super().__init__(network, rule)

    def quantise(self, sample: npt.NDArray[Any]) -> Response:
        """Return the quantised features; those that were clamped are the input's saturations."""
        features, clamped = self.front.clamped_features(np.asarray(sample)[None])
        self.counters.input_saturations += clamped
        return super().quantise(features[0])
