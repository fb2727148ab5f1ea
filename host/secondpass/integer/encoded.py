# SPDX-License-Identifier: Apache-2.0
"""Layers that learn above frozen int8 ones, in NumPy integers."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.encoded import EncodedNetwork
from secondpass.integer import kernels
from secondpass.integer.affine import respond
from secondpass.integer.reference import ReferenceModel
from secondpass.integer.spectral import SpectralModel
from secondpass.integer.state import Response, Target
from secondpass.network import Int16Array, Network
from secondpass.rules import Rule
from secondpass.spectral import SpectralNetwork


class EncodedModel(ReferenceModel):
    """The learning step on what frozen layers make of a sample."""

    def __init__(self, network: EncodedNetwork, rule: Rule) -> None:
        self.encoded = network
        self._sample = np.zeros(0, dtype=np.int16)
        super().__init__(network, rule)

    def quantise(self, sample: npt.NDArray[Any]) -> Response:
        """Return the quantised output of the frozen layers; their saturations are the input's."""
        x = np.asarray(sample, dtype=np.int8)
        if self.network.head == "reconstruction":
            spec = self.encoded.sample
            self._sample, clamped = kernels.quantise(x, spec.zero_point, self.encoded.sample_scale)
            self.counters.input_saturations += clamped
        for layer in self.encoded.encoder:
            x, clamped = respond(layer, x)
            self.counters.input_saturations += clamped
        return super().quantise(x)

    def target_vector(self, responses: list[Response], target: Target) -> Int16Array:
        """Return what the heads `mse` and `reconstruction` should put out."""
        if self.network.head == "reconstruction":
            return self._sample
        return super().target_vector(responses, target)


def reference_model(network: Network, rule: Rule) -> ReferenceModel:
    """Return the reference of a network that learns."""
    if isinstance(network, EncodedNetwork):
        return EncodedModel(network, rule)
    if isinstance(network, SpectralNetwork):
        return SpectralModel(network, rule)
    return ReferenceModel(network, rule)
