# SPDX-License-Identifier: Apache-2.0
"""Frozen int8 layers below those that learn, as C statements."""

from secondpass.affine import AffineDense
from secondpass.encoded import EncodedNetwork
from secondpass_codegen.program import Block, Names, Vector


def add_encoder(names: Names, block: Block, x: Vector) -> None:
    """Add the frozen layers of a network, and what they put out as `x`, the quantised input.

    The head `reconstruction` keeps the sample in the format of the error: nobody has it later.
    """
    network = names.network
    assert isinstance(network, EncodedNetwork)
    size = network.sample.size
    if network.head == "reconstruction" and not names.inference_only:
        target = names.target
        zero = network.sample.zero_point
        block.call(
            "sp_quantise_i8", "sample", size, zero, "sample_scale", target, counter=names.inputs
        )
    sample = Vector("sample_int8", size, "sample", "int8_t")
    block.line(f"memcpy(sample_int8, sample, {size}u);", sample)
    counters = [names.inputs] * len(network.encoder)
    codes = add_layers(block, network.encoder, sample, counters)
    spec, counter = network.input, f"{names.inputs} +=\n        " if names.inputs else "(void)"
    block.line(
        f"{counter}sp_quantise_i8((const uint8_t *){codes.expression}, {spec.size}, "
        f"{spec.zero_point}, input_scale, {x.expression});",
        *(codes, x),
    )


def add_layers(
    block: Block, layers: tuple[AffineDense, ...], x: Vector, counters: list[str]
) -> Vector:
    """Add affine layers; return what the last puts out. An empty counter: nothing is counted."""
    for layer, counter in zip(layers, counters, strict=True):
        y = Vector(f"{layer.name}_out", layer.outputs, "int8 result", "int8_t")
        tables = (f"{layer.name}_weights", f"{layer.name}_bias", f"{layer.name}_scales")
        arguments = (f"&{layer.name}_shape", x, *tables, y)
        if counter:
            block.call("sp_fc_affine8", *arguments, counter=counter)
        else:
            block.call("(void)sp_fc_affine8", *arguments)
        x = y
    return x
