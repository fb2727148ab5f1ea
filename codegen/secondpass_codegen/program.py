# SPDX-License-Identifier: Apache-2.0
"""A model's work as a list of C statements, with the buffers that each reads and writes."""

from dataclasses import dataclass, field

from secondpass.learning import Learning
from secondpass.network import Network
from secondpass.rules import LastLayer, Rule

ELEMENT_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "sp_complex_t": 8}
"""Bytes of an element of a vector by its type in C."""


@dataclass(frozen=True)
class Vector:
    """A vector that lives in the arena from its first to its last mention.

    A `kept` vector is a field of the model instead.
    """

    name: str
    length: int
    purpose: str
    ctype: str = "int16_t"
    kept: bool = False

    @property
    def expression(self) -> str:
        """How C code names it."""
        return f"m->{self.name}" if self.kept else self.name

    @property
    def size(self) -> int:
        """Bytes, a multiple of four: room for the padding of odd lengths, aligned neighbours."""
        return (self.length * ELEMENT_BYTES[self.ctype] + 3) // 4 * 4


@dataclass(frozen=True)
class Statement:
    """One C statement, or a comment that uses no vector."""

    text: str
    uses: tuple[Vector, ...] = ()


@dataclass
class Block:
    """The statements of one C function."""

    statements: list[Statement] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a comment."""
        self.statements.append(Statement(f"/* {text} */"))

    def line(self, text: str, *uses: Vector) -> None:
        """Add a statement as it is."""
        self.statements.append(Statement(text, uses))

    def call(self, function: str, *arguments: "str | int | Vector", counter: str = "") -> None:
        """Add a call; what it returns is added to `counter` when there is one."""
        uses = tuple(a for a in arguments if isinstance(a, Vector))
        shown = ", ".join(a.expression if isinstance(a, Vector) else str(a) for a in arguments)
        text = f"{function}({shown});"
        if counter:
            text = f"{counter} +=\n        {text}"
        self.statements.append(Statement(text, uses))

    @property
    def lines(self) -> list[str]:
        """The statements' texts."""
        return [statement.text for statement in self.statements]


class Names:
    """What generated code calls things, and what layers look like in C.

    With `frozen_in_flash`, weights and biases that never learn are read where the linker put them.
    Without a rule nothing learns and nothing is counted: inference only.
    """

    def __init__(self, network: Network, rule: Rule | None, frozen_in_flash: bool = True) -> None:
        self.inference_only = rule is None
        if rule is None:
            rule, frozen_in_flash = LastLayer(trainable=("none",) * len(network.layers)), True
        self.network, self.rule = network, rule
        self.frozen_in_flash = frozen_in_flash
        self.learning = Learning(network, rule)
        self.fine = network.format == "a8w8"

    def layer(self, index: int) -> str:
        """Return the name of a layer."""
        return self.network.layers[index].name

    def weights_in_ram(self, index: int) -> bool:
        """Tell whether a layer's weights are part of the model's state."""
        return not self.frozen_in_flash or self.learning.trainable[index] == "all"

    def bias_in_ram(self, index: int) -> bool:
        """Tell whether a layer's bias is part of the model's state."""
        return not self.frozen_in_flash or self.learning.trainable[index] != "none"

    def weights(self, index: int) -> str:
        """Return a layer's weights in C."""
        name = self.layer(index)
        return f"m->{name}_weights" if self.weights_in_ram(index) else f"{name}_first_weights"

    def bias(self, index: int) -> str:
        """Return a layer's bias in C."""
        name = self.layer(index)
        return f"m->{name}_bias" if self.bias_in_ram(index) else f"{name}_first_bias"

    def room(self, index: int) -> str:
        """Return the room of a layer's rows in C, NULL where it has none."""
        return f"m->{self.layer(index)}_room" if self.learning.has_room(index) else "NULL"

    def shape(self, index: int, purpose: str = "shape") -> str:
        """Return a pointer to a layer's shape."""
        return f"&{self.layer(index)}_{purpose}"

    def activations(self, index: int) -> str:
        """Return the counter of a layer's activation saturations; empty: none."""
        if self.inference_only:
            return ""
        return f"m->layer_counters[{index}].activation_saturations"

    def errors(self, index: int) -> str:
        """Return the counter of a layer's error saturations."""
        return f"m->layer_counters[{index}].error_saturations"

    @property
    def inputs(self) -> str:
        """Counter of input saturations; empty: none."""
        return "" if self.inference_only else "m->counters.input_saturations"

    def result(self, index: int, purpose: str) -> Vector:
        """Return a vector as long as a layer's result; the output's first one is kept."""
        length = self.network.layers[index].outputs
        return Vector(f"{self.layer(index)}_{purpose}", length, f"layer {index}, {purpose}")

    @property
    def output(self) -> Vector:
        """The logits, or the output of heads without labels."""
        return Vector("logits", self.network.outputs, "output of the last layer", kept=True)

    @property
    def target(self) -> Vector:
        """What the output should be, in the format of the error."""
        return Vector("target", self.network.outputs, "what the output should be")

    def vector(self, name: str, length: int, purpose: str, ctype: str = "int16_t") -> Vector:
        """Return a vector of any length."""
        return Vector(name, length, purpose, ctype)
