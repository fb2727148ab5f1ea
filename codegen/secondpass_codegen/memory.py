# SPDX-License-Identifier: Apache-2.0
"""The memory of a generated model: which buffers it needs and how large they are."""

from dataclasses import dataclass

from secondpass.network import Network
from secondpass.rules import Rule


@dataclass(frozen=True)
class Buffer:
    """An int16 vector of the model's state, `length` elements including padding."""

    name: str
    length: int
    purpose: str

    @staticmethod
    def first(layer: str) -> str:
        """Name of a layer's first-pass activation."""
        return f"{layer}_first"

    @staticmethod
    def second(layer: str) -> str:
        """Name of a layer's second-pass activation."""
        return f"{layer}_second"


def row_stride(length: int) -> int:
    """Round up to an even number of elements: rows and vectors keep 4-byte alignment."""
    return (length + 1) // 2 * 2


def plan_buffers(network: Network, rule: Rule) -> list[Buffer]:
    """Return the vectors that inference and one learning step keep alive at the same time."""
    hidden = network.layers[:-1]
    classes = row_stride(network.classes)
    widest = max(layer.outputs for layer in network.layers)
    size = row_stride(network.input.size)
    signs = rule.error_signal == "sign"
    return [
        Buffer("x", size, "quantised input"),
        *(Buffer(Buffer.first(h.name), row_stride(h.outputs), "first pass") for h in hidden),
        Buffer("logits", classes, "output before the softmax"),
        Buffer("error", classes, "output error, Q0.15"),
        *([Buffer("error_signs", classes, "what is projected")] if signs else []),
        *([Buffer("x_second", size, "modulated input")] if rule.name == "pepita" else []),
        *(Buffer(Buffer.second(h.name), row_stride(h.outputs), "second pass") for h in hidden),
        Buffer("row_errors", row_stride(widest), "scratch of one layer's update"),
    ]


def memory_map(network: Network, buffers: list[Buffer]) -> list[str]:
    """Describe the model's memory, a line a part, sizes in bytes."""
    lines = []
    total = 0
    for layer in network.layers:
        size = 2 * layer.outputs * row_stride(layer.inputs) + 4 * layer.outputs
        lines.append(f"{size:7d} {layer.name}: weights {layer.outputs} x {layer.inputs}, bias")
        total += size
    for buffer in buffers:
        lines.append(f"{2 * buffer.length:7d} {buffer.name}")
        total += 2 * buffer.length
    counters = 24 + 16 * len(network.layers) + 12 + 4 * len(network.layers)
    lines.append(f"{counters:7d} counters and settings")
    lines.append(f"{total + counters:7d} bytes together")
    return lines
