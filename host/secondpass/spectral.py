# SPDX-License-Identifier: Apache-2.0
"""Networks that are sent raw readings and make their features themselves (docs/features.md)."""

from dataclasses import dataclass, field
from typing import Any

from secondpass.errors import NetworkError
from secondpass.features.spectrum import ZERO, Spectrum
from secondpass.network import Input, Network


@dataclass(frozen=True, eq=False)
class SpectralNetwork(Network):
    """A network on log spectra: a raw sample is a window of readings, `input` one of features.

    The head `reconstruction` rebuilds the features.
    """

    front: Spectrum = field(kw_only=True)

    def __post_init__(self) -> None:
        spec = self.input
        if (spec.dtype, spec.zero_point, spec.size) != ("uint8", ZERO, self.front.size):
            raise NetworkError(
                f"the first layer reads {spec.size} x {spec.dtype} with the zero point "
                f"{spec.zero_point}; the spectrum makes {self.front.size} x uint8 with {ZERO}"
            )
        if not self.front.centres:
            raise NetworkError("the spectrum has no centres yet: fit it to windows (fitted)")
        super().__post_init__()

    @property
    def sample(self) -> Input:
        """The raw sample."""
        return self.front.sample

    @property
    def rebuilt(self) -> int:
        """Numbers that the head `reconstruction` rebuilds."""
        return self.input.size

    @property
    def upper(self) -> Network:
        """The same network on features."""
        return Network(self.input, self.layers, self.head, self.format)

    @property
    def shape(self) -> str:
        """The widths as text, such as `200x3>99-32-99`."""
        return f"{self.front.window}x{self.front.axes}>{super().shape}"

    def describe(self) -> dict[str, Any]:
        """Return everything but the weights as plain data."""
        return {**super().describe(), "front": self.front.describe()}


def front_of(network: Network) -> Spectrum | None:
    """Return what makes a network's features on the device; None: a sample is what it reads."""
    return network.front if isinstance(network, SpectralNetwork) else None


def with_front(network: Network, front: Spectrum) -> SpectralNetwork:
    """Return a network on features that makes them itself; raise `NetworkError` if it cannot."""
    if type(network) is not Network:
        raise NetworkError(
            f"a spectrum goes ahead of layers that learn, not of a {network.format} network with "
            "frozen layers or features of its own"
        )
    return SpectralNetwork(network.input, network.layers, network.head, network.format, front=front)


def spectral_network(network: Network, description: dict[str, Any]) -> SpectralNetwork:
    """Put the front end of a model file ahead of a network."""
    return with_front(network, Spectrum(**description))
