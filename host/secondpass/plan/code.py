# SPDX-License-Identifier: Apache-2.0
"""The generated code: what it refers to, and features that its size follows from."""

import re
from collections import Counter
from dataclasses import dataclass

from secondpass.network import Network
from secondpass.plan.work import Program
from secondpass.rules import Rule
from secondpass_codegen.emit import model_source
from secondpass_codegen.front import table_bytes
from secondpass_codegen.learn import build
from secondpass_codegen.memory import row_stride
from secondpass_codegen.program import Names

_WORD = re.compile(r"\b\w+\b")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Code:
    """What the planner knows of a generated model.c.

    `words`: all names in it; those that are pieces are what it refers to. `constants`: bytes of
    weights and matrices in flash. `features`: amounts that its size follows from.
    """

    words: frozenset[str]
    constants: int
    features: Counter[str]


def code_of(network: Network, rule: Rule) -> Code:
    """Return what model.c of a network under a rule is made of."""
    names = Names(network, rule)
    source = _COMMENT.sub("", model_source(network, rule))
    return Code(
        words=frozenset(_WORD.findall(source)) | {"memcpy", "memset"} | _from_trainer(network),
        constants=_constants(names),
        features=_features(names, source, Program(network, rule)),
    )


def _from_trainer(network: Network) -> set[str]:
    """Return what the trainer calls for this model and not for the one that tables are made of."""
    return {"sp_threshold_score"} if network.head == "reconstruction" else set()


def _constants(names: Names) -> int:
    """Return the bytes of the first weights, the mean of the input and a stored projection.

    With features their tables too.
    """
    network, total = names.network, table_bytes(names.network)
    for layer in network.layers:
        itemsize = layer.weights.itemsize
        total += itemsize * layer.outputs * row_stride(layer.inputs, itemsize) + 4 * layer.outputs
    if network.input.mean:
        total += (2 * network.input.size + 3) // 4 * 4
    if getattr(names.rule, "projection", "") == "stored":
        total += (names.learning.projected_rows * network.outputs + 3) // 4 * 4
    return total


def _features(names: Names, source: str, program: Program) -> Counter[str]:
    network, learning = names.network, names.learning
    found: Counter[str] = Counter({"model": 1, "layer": len(network.layers)})
    for index in range(len(network.layers)):
        found["weights in RAM"] += names.weights_in_ram(index)
        found["bias in RAM"] += names.bias_in_ram(index)
        found["room"] += learning.has_room(index)
    found["room any"] += found["room"] > 0
    found["Q"] += learning.short
    found["projection"] += len(learning.settings().projections)
    found["no projection"] += not learning.settings().projections
    found[f"head {network.head}"] += 1
    for call in program.calls():
        found["call"] += 1
        found["argument"] += len(call.arguments)
        found[call.function] += 1
    functions = build(names)
    for block in (*functions.training, functions.infer):
        for statement in block.statements:
            found["counted"] += "+=" in statement.text
            found["matrix"] += statement.text.startswith("matrix")
    return +found
