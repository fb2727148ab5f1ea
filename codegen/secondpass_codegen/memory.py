# SPDX-License-Identifier: Apache-2.0
"""The memory of a generated model: weights, what a rule keeps, and one arena for vectors.

A vector has its place in the arena from the first statement that mentions it to the last one, so
vectors that are not alive together share memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.network import Network
from secondpass.rules import Rule
from secondpass_codegen.learn import Functions, build
from secondpass_codegen.program import Block, Names, Vector


@dataclass(frozen=True)
class Placed:
    """A vector and its offset in the arena, bytes; `first` and `last` statement of its life."""

    vector: Vector
    offset: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """Offset behind it."""
        return self.offset + self.vector.size


@dataclass(frozen=True)
class Memory:
    """Bytes of RAM of a model's parts; `weights`: what a layer has there, by its name."""

    weights: dict[str, int]
    folded: int
    arena: int
    other: int
    placed: tuple[Placed, ...]

    @property
    def total(self) -> int:
        """Bytes of the whole model."""
        return sum(self.weights.values()) + self.folded + self.arena + self.other


def row_stride(length: int, itemsize: int = 2) -> int:
    """Round a row up to four bytes: rows keep their alignment."""
    per_word = 4 // itemsize
    return (length + per_word - 1) // per_word * per_word


def place(blocks: Sequence[Block]) -> tuple[Placed, ...]:
    """Give every vector of the statements, run in order, a place; largest first, lowest free."""
    lives: dict[Vector, tuple[int, int]] = {}
    position = 0
    for block in blocks:
        for statement in block.statements:
            for vector in statement.uses:
                if not vector.kept:
                    lives[vector] = (lives.get(vector, (position, 0))[0], position)
            position += 1
    placed: list[Placed] = []
    for vector, (first, last) in sorted(lives.items(), key=lambda item: -item[0].size):
        neighbours = [p for p in placed if p.first <= last and first <= p.last]
        offset = 0
        for other in sorted(neighbours, key=lambda p: p.offset):
            if offset + vector.size <= other.offset:
                break
            offset = max(offset, other.end)
        placed.append(Placed(vector, offset, first, last))
    return tuple(sorted(placed, key=lambda p: (p.first, p.offset)))


def plan(
    network: Network,
    rule: Rule | None,
    functions: Functions | None = None,
    frozen_in_flash: bool = True,
) -> Memory:
    """Return the RAM that inference and one learning step take; without a rule, inference only."""
    names = Names(network, rule, frozen_in_flash)
    functions = functions or build(names)
    learning = names.learning
    logits = 2 * row_stride(network.outputs)
    if names.inference_only:
        placed = place([functions.infer])
        return Memory({}, 0, max(p.end for p in placed), logits, placed)
    blocks = functions.training
    if functions.time_local:
        blocks = [functions.infer, *blocks]
    placed = place(blocks)
    weights = {layer.name: _layer_ram(names, index) for index, layer in enumerate(network.layers)}
    folded = 0
    if learning.short:
        folded = 4 * network.outputs * (network.layers[0].outputs + 1) + 4
    layers = len(network.layers)
    projections = 4 * len(learning.settings().projections)
    threshold = 20 if network.head == "reconstruction" else 0
    settings = 16 + 8 * layers + projections + threshold
    counters = 28 + 16 * layers
    arena = max((p.end for p in placed), default=0)
    return Memory(weights, folded, arena, logits + settings + counters, placed)


def _layer_ram(names: Names, index: int) -> int:
    """Return the bytes of a layer's weights, bias and room that are in RAM."""
    layer, size = names.network.layers[index], 0
    if names.weights_in_ram(index):
        itemsize = layer.weights.itemsize
        size += itemsize * layer.outputs * row_stride(layer.inputs, itemsize)
    if names.bias_in_ram(index):
        size += 4 * layer.outputs
    if names.learning.has_room(index):
        size += 2 * row_stride(layer.outputs)
    return size


def _layer_line(names: Names, index: int) -> str:
    """Say which parts of a layer are in RAM and which stay in flash."""
    layer = names.network.layers[index]
    weights = f"weights {layer.outputs} x {layer.inputs}"
    if not names.bias_in_ram(index):
        return f"{layer.name}: nothing; {weights} and bias stay in flash"
    if not names.weights_in_ram(index):
        return f"{layer.name}: bias; {weights} stay in flash"
    room = ", room" if names.learning.has_room(index) else ""
    return f"{layer.name}: {weights}, bias{room}"


def arena_lines(memory: Memory) -> list[str]:
    """Describe the arena and where its vectors are."""
    lines = [f"{memory.arena:7d} arena: vectors, alive from statement to statement"]
    for entry in memory.placed:
        lines.append(
            f"          [{entry.offset:5d} .. {entry.end - 1:5d}] {entry.vector.name}, "
            f"statements {entry.first} to {entry.last}"
        )
    return lines


def memory_map(names: Names, memory: Memory) -> list[str]:
    """Describe the model's RAM, a line a part, sizes in bytes."""
    lines = []
    layers = () if names.inference_only else names.network.layers
    for index, layer in enumerate(layers):
        lines.append(f"{memory.weights[layer.name]:7d} {_layer_line(names, index)}")
    if memory.folded:
        lines.append(f"{memory.folded:7d} Q = W1 F of the short second pass")
    lines += arena_lines(memory)
    other = "output" if names.inference_only else "output, counters and settings"
    lines.append(f"{memory.other:7d} {other}")
    lines.append(f"{memory.total:7d} bytes together")
    return lines
