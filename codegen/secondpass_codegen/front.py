# SPDX-License-Identifier: Apache-2.0
"""Features ahead of the first layer, as C statements and tables."""

from typing import Any

import numpy as np

from secondpass.network import Network
from secondpass.spectral import SpectralNetwork
from secondpass_codegen.program import Block, Names, Vector
from secondpass_codegen.text import numbers


def add_spectrum(names: Names, block: Block, x: Vector) -> None:
    """Add what makes features of a raw sample, and quantises them as `x`."""
    network = names.network
    assert isinstance(network, SpectralNetwork)
    front, spec = network.front, network.input
    scratch = Vector("transform", front.window // 2, "spectrum of one axis", "sp_complex_t")
    features = Vector("features", front.size, "raw features", "uint8_t")
    cast = "(void)" if names.inference_only else ""
    block.call(
        f"{cast}sp_spectrum_u8", "&spectrum", "sample", scratch, features, counter=names.inputs
    )
    block.call(
        f"{cast}sp_quantise_u8",
        *(features, spec.size, spec.zero_point, "input_scale", x),
        counter=names.inputs,
    )


def spectrum_context(network: Network) -> dict[str, Any] | None:
    """Return what the templates say about features; None: the sample is what the layers read."""
    if not isinstance(network, SpectralNetwork):
        return None
    front = network.front
    assert front.radices is not None
    twos, fives = front.radices
    return {
        "window": front.window,
        "axes": front.axes,
        "bands": front.bands,
        "lines": front.lines,
        "twos": twos,
        "fives": fives,
        "scale": front.scale,
        "sines": len(front.sines),
        "sines_text": numbers(front.sines),
        "places": len(front.places),
        "places_text": numbers(front.places),
        "centres": front.size,
        "centres_text": numbers(np.array(front.centres)),
    }


def table_bytes(network: Network) -> int:
    """Return the flash that the tables and the shape of a front end take."""
    if not isinstance(network, SpectralNetwork):
        return 0
    front = network.front
    tables = (len(front.sines), len(front.places), front.size)
    return sum((2 * count + 3) // 4 * 4 for count in tables) + 28
