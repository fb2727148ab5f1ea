# SPDX-License-Identifier: Apache-2.0
"""Networks whose lower layers are frozen int8 and whose upper layers learn (docs/affine.md)."""

from dataclasses import dataclass
from typing import Any

from secondpass.affine import Affine, AffineDense, affine_layers, check_chain
from secondpass.errors import NetworkError
from secondpass.fixedpoint import Scale
from secondpass.network import Input, Network


@dataclass(frozen=True, eq=False)
class EncodedNetwork(Network):
    """Layers that learn, above an `encoder` of affine layers that do not.

    A raw sample is what the first layer of the encoder reads; `input` describes what the last one
    puts out. The head `reconstruction` rebuilds the raw sample.
    """

    encoder: tuple[AffineDense, ...] = ()

    def __post_init__(self) -> None:
        if not self.encoder:
            raise NetworkError("an encoder has one layer at least")
        first = self.encoder[0]
        size, result = check_chain(self.encoder, first.inputs, first.source)
        spec = self.input
        if (spec.size, spec.dtype) != (size, "int8"):
            raise NetworkError(
                f"the layers that learn read {spec.size} x {spec.dtype}; the encoder puts out "
                f"{size} x int8"
            )
        if Affine(spec.step, spec.zero_point) != result:
            raise NetworkError(f"the layers that learn do not read the encoder's {result}")
        super().__post_init__()

    @property
    def sample(self) -> Input:
        """The raw sample."""
        first = self.encoder[0]
        return Input(first.inputs, "int8", first.source.zero_point, first.source.step, 0)

    @property
    def sample_scale(self) -> Scale:
        """Factor from steps of the raw sample to steps of the error: the head `reconstruction`."""
        return Scale.from_real(self.sample.step * 2.0**self.error_frac)

    @property
    def frozen(self) -> tuple[AffineDense, ...]:
        """The layers below `layers`."""
        return self.encoder

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return super().macs + sum(layer.weights.size for layer in self.encoder)

    @property
    def shape(self) -> str:
        """The widths as text; a `+` stands where learning begins."""
        widths = (self.sample.size, *(layer.outputs for layer in self.encoder))
        upper = "-".join(str(layer.outputs) for layer in self.layers)
        return f"{'-'.join(str(n) for n in widths)}+{upper}"

    def describe(self) -> dict[str, Any]:
        """Return everything but the weights as plain data."""
        return {**super().describe(), "encoder": [layer.describe() for layer in self.encoder]}


def encoded_network(network: Network, description: dict[str, Any], arrays: Any) -> EncodedNetwork:
    """Put the encoder of a model file below the layers that learn."""
    encoder = affine_layers(description["encoder"], arrays, "encoder_")
    return with_encoder(network, encoder, description["head"])


def with_encoder(network: Network, encoder: tuple[AffineDense, ...], head: str) -> EncodedNetwork:
    """Return a network on top of frozen layers."""
    return EncodedNetwork(network.input, network.layers, head, network.format, encoder)
