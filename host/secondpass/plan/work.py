# SPDX-License-Identifier: Apache-2.0
"""The work of a model's statements, as amounts that a table of a core turns into instructions.

Amounts follow the loops of the kernels: rows that are computed together, columns behind the last
whole group, lists of what is not zero, rows that learn.
"""

import re
from collections import Counter
from dataclasses import dataclass

from secondpass.learning import Learning
from secondpass.network import Network
from secondpass.plan.activity import Activity, Rows, Vector, full_vector, group_size
from secondpass.rules import Rule
from secondpass.spectral import SpectralNetwork
from secondpass_codegen.learn import build
from secondpass_codegen.memory import row_stride
from secondpass_codegen.program import Block, Names, Statement

Amounts = Counter[str]

_CALL = re.compile(r"\b(sp_\w+|memcpy|refold|output_error|layer_step)\((.*)\);", re.DOTALL)
_SAFE = {"a16w8": 496, "a8w8": 4096}
"""Columns of int8 weights that are summed in 32 bits (SP_SAFE)."""
PACKED = 192
"""Most inputs that kernels with DSP instructions widen once for all rows."""
_DSP_CORES = ("cortex-m4", "cortex-m7", "cortex-m33")
_MVE_CORES = ("cortex-m55",)


@dataclass(frozen=True)
class Form:
    """Which form of the kernels a core runs: with DSP instructions, vectors, or neither."""

    dsp: bool
    mve: bool


def form_of(core: str) -> Form:
    """Return the form of the kernels on a core."""
    return Form(core in _DSP_CORES, core in _MVE_CORES)


@dataclass(frozen=True)
class Call:
    """A statement: the function and its arguments."""

    function: str
    arguments: tuple[str, ...]
    lengths: dict[str, int]

    def length(self, position: int) -> int:
        """Return an argument's length: a vector's, or a number itself."""
        argument = self.arguments[position]
        return self.lengths[argument] if argument in self.lengths else int(argument.rstrip("u"))


class Program:
    """A network under a rule, ready to be asked for the work of a sample."""

    def __init__(self, network: Network, rule: Rule) -> None:
        names = Names(network, rule)
        self.network, self.rule, self.learning = network, rule, names.learning
        functions = build(names)
        self._infer = _calls(functions.infer)
        self._first = _calls(functions.time_local) if functions.time_local else self._infer
        self._error = _calls(functions.error)
        self._learn = _calls(functions.learn)
        self._always_learns = functions.time_local is not None

    def inference(self, activity: Activity, form: Form) -> Amounts:
        """Return the work of an inference."""
        return self._work(self._infer, activity, form, Counter({"inference": 1}))

    def step(self, activity: Activity, form: Form) -> Amounts:
        """Return the work of a training step."""
        amounts: Amounts = Counter({"inference": 1, "step": 1})
        self._work(self._first, activity, form, amounts)
        self._work(self._error, activity, form, amounts)
        amounts["largest"] += self.network.outputs
        if self.network.head == "softmax":
            amounts["argmax"] += self.network.outputs
        if not activity.skipped or self._always_learns:
            amounts["learn"] += 1
            self._work(self._learn, activity, form, amounts)
        return amounts

    def worst(self, listed: bool) -> Activity:
        """Return the most that a sample can ask for: no zero, or just enough for lists."""
        group = group_size(self.network.format)
        vectors = tuple(full_vector(layer.inputs, group, listed) for layer in self.network.layers)
        rows = {
            (index, second): Rows(layer.outputs, layer.outputs if self.rule.row_gate else 0)
            for index, layer in enumerate(self.network.layers)
            for second in (False, True)
        }
        return Activity(vectors, rows)

    def calls(self) -> list[Call]:
        """Return every call of the generated code."""
        first = [] if self._first is self._infer else self._first
        return [*self._infer, *first, *self._error, *self._learn]

    def _work(self, calls: list[Call], activity: Activity, form: Form, amounts: Amounts) -> Amounts:
        meter = _Meter(self.network, self.learning, activity, form, amounts)
        for call in calls:
            meter.add(call)
        return amounts


def _calls(block: Block) -> list[Call]:
    found = []
    for statement in block.statements:
        if call := _call(statement):
            found.append(call)
    return found


def _call(statement: Statement) -> Call | None:
    if statement.text.startswith(("/*", "matrix =", "m->repaired")):
        return None
    match = _CALL.search(statement.text)
    if match is None:
        raise ValueError(f"the planner cannot read {statement.text!r}")
    lengths = {vector.expression: vector.length for vector in statement.uses}
    return Call(match.group(1), tuple(_split(match.group(2))), lengths)


def _split(text: str) -> list[str]:
    """Split arguments at commas outside of parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


class _Meter:
    """Adds the work of calls, one after the other."""

    def __init__(
        self,
        network: Network,
        learning: Learning,
        activity: Activity,
        form: Form,
        amounts: Amounts,
    ) -> None:
        self.network, self.learning = network, learning
        self.activity, self.form, self.amounts = activity, form, amounts
        self.indices = {layer.name: index for index, layer in enumerate(network.layers)}
        self.layer, self.second = 0, False

    def add(self, call: Call) -> None:
        """Add a call's work."""
        name = call.function
        if name == "layer_step":
            self._note_layer(call)
        elif name == "output_error":
            self.amounts["softmax"] += self.network.outputs
        elif name == "refold":
            kind = getattr(self.learning.rule, "projection", "")
            whole = full_vector(self.network.input.size, 2, False)
            self._fold(f"sp_fold_{kind}", whole)
        elif name.startswith("sp_fc_"):
            self._layer_response(call)
        elif name.startswith("sp_learn_"):
            self._update(call)
        elif name.startswith(("sp_pairs_", "sp_quads_")):
            vector = self._vector(call.arguments[2])
            self._count(name, scanned=vector.scanned, found=vector.listed or vector.length // 8)
        elif name.startswith("sp_fold_"):
            self._fold(name, self.activity.vectors[0])
        elif name.startswith("sp_project_"):
            self._project(name, call.length(3))
        elif name == "sp_modulation":
            units = self.network.layers[0].outputs
            self._products(name, units, self.network.outputs)
        elif name == "sp_follow_update":
            active = self._rows(0).active
            self._products(name, active, self.network.outputs)
            self.amounts[f"{name} unit"] += self.network.layers[0].outputs
        elif name == "sp_spectrum_u8":
            self._spectrum(name)
        elif name.startswith("sp_backward_"):
            layer = self.network.layers[self._shape(call)]
            columns = -(-layer.inputs // 2)
            self._count(name, column=columns, product=columns * layer.outputs)
        else:
            self._vector_kernel(call)

    def _count(self, name: str, **amounts: int) -> None:
        self.amounts[name] += 1
        for what, amount in amounts.items():
            if amount:
                self.amounts[f"{name} {what}"] += amount

    def _note_layer(self, call: Call) -> None:
        number = int(call.arguments[-1])
        layers = len(self.network.layers)
        self.layer, self.second = number % layers, number >= layers

    def _rows(self, index: int, second: bool = False) -> Rows:
        return self.activity.rows.get((index, second), Rows(0, 0))

    def _shape(self, call: Call) -> int:
        name = call.arguments[0].removeprefix("&")
        for suffix in ("_change_shape", "_shape"):
            if name.endswith(suffix):
                return self.indices[name.removesuffix(suffix)]
        raise ValueError(f"the planner cannot read the shape {name}")

    def _vector(self, groups: str) -> Vector:
        """Return the vector of a list: `x_groups`, `fc1_first_groups`, `fc1_again_int8_groups`."""
        name = groups.removesuffix("_groups").removesuffix("_int8")
        index = 0 if name == "x" else self.indices[name.rsplit("_", 1)[0]] + 1
        return self.activity.vectors[index]

    def _listed(self, groups: str) -> int | None:
        return None if groups == "NULL" else self._vector(groups).listed

    def _layer_response(self, call: Call) -> None:
        layer = self.network.layers[self._shape(call)]
        listed = self._listed(call.arguments[2])
        if call.function == "sp_fc_a16w16":
            self._response16(call.function, layer.inputs, layer.outputs, listed)
        else:
            self._response8(call.function, layer.inputs, layer.outputs, listed)

    def _response16(self, name: str, inputs: int, outputs: int, listed: int | None) -> None:
        together = 4 if self.form.mve else 2
        groups = -(-outputs // together) if outputs >= together else outputs
        self._count(name, row=outputs, group=groups)
        if listed is not None:
            self._count(f"{name} few", group=groups, column=groups * listed)
            return
        columns = row_stride(inputs)
        if self.form.mve:
            self._count(
                f"{name} all", column=groups * (columns // 8), rest=groups * (inputs % 8 > 0)
            )
            return
        self._count(
            f"{name} all",
            column=groups * columns,
            eight=groups * (columns % 32 // 8),
            rest=groups * (columns % 8 // 2),
        )

    def _response8(self, name: str, inputs: int, outputs: int, listed: int | None) -> None:
        form, safe = self.form, _SAFE[name.removeprefix("sp_fc_")]
        groups = -(-outputs // 4) if outputs >= 4 else outputs
        packed = form.dsp and inputs <= PACKED
        if packed:
            self.amounts[f"{name} packed"] += inputs // 4
        tail = inputs % 4
        if form.mve:
            self._count(
                f"{name} mve", column=groups * (inputs // 16), rest=groups * (inputs % 16 > 0)
            )
        if listed is not None:
            self._count(name, row64=outputs, group64=groups)
            if not form.mve:
                parts = -(-listed // (safe // 4))
                self._count(f"{name} few", part=groups * parts, column=groups * listed)
        elif inputs <= safe:
            self._count(name, row32=outputs, group32=groups)
        else:
            self._count(name, row64=outputs, group64=groups)
            self.amounts[f"{name} part"] += groups * -(-inputs // safe)
        if form.mve:
            return
        if listed is None:
            kind = "packed all" if packed else "all"
            quads = inputs // 4 if form.dsp else inputs
            single = groups * (inputs % 16 // 4) if form.dsp else 0
            self._count(f"{name} {kind}", column=groups * quads, rest=single)
        if tail and (form.dsp or listed is not None):
            self._count(f"{name} tail", group=groups, column=groups * tail)

    def _update(self, call: Call) -> None:
        name, layer = call.function, self.network.layers[self.layer]
        rows = self._rows(self.layer, self.second)
        self._count("begin", row=layer.outputs)
        if self.learning.rule.row_gate:
            self._count("thin", row=layer.outputs, thrown=rows.thinned)
        if name == "sp_learn_bias":
            return
        listed = self._listed(call.arguments[4])
        self._count(name, row=layer.outputs, active=rows.active)
        if listed is None or (self.form.mve and name != "sp_learn_a16w16"):
            if self.form.mve:
                self._count(
                    f"{name} all",
                    column=rows.active * (layer.inputs // 8),
                    rest=rows.active * (layer.inputs % 8 > 0),
                )
                return
            self._count(
                f"{name} all",
                column=rows.active * (layer.inputs // 2 * 2),
                rest=rows.active * (layer.inputs % 16 // 2),
                tail=rows.active * (layer.inputs % 4),
            )
        else:
            tail = layer.inputs % 4 if name != "sp_learn_a16w16" else 0
            self._count(f"{name} few", column=rows.active * listed, tail=rows.active * tail)

    def _fold(self, name: str, vector: Vector) -> None:
        outputs, occupied = self.network.outputs, vector.occupied
        if name == "sp_fold_sparse":
            size = group_size(self.network.format) if self.network.format != "a16w8" else 2
            size = 8 if self.form.mve and outputs <= 16 else size
            self._count(name, row=vector.length, used=occupied[size] * size, output=outputs)
        elif name == "sp_fold_stored":
            self._count(name, product=vector.length * outputs)
        else:
            fours = -(-outputs // 4)
            self._count(name, row=vector.length * fours, used=occupied[1] * fours)

    def _project(self, name: str, rows: int) -> None:
        outputs = self.network.outputs
        if name == "sp_project_sparse":
            self._count(name, row=rows)
        elif name == "sp_project_stored":
            self._count(name, row=rows, product=rows * outputs)
        else:
            words = -(-outputs // (32 if name == "sp_project_sign" else 4))
            self._count(
                name,
                row=rows,
                word=rows * words,
                four=rows * (outputs // 4),
                one=rows * (outputs % 4),
            )

    def _products(self, name: str, rows: int, outputs: int) -> None:
        self._count(name, row=rows, product=rows * outputs)
        if self.form.mve:
            self.amounts[f"{name} four"] += rows * (outputs // 4)

    def _spectrum(self, name: str) -> None:
        """Add the features: the same whatever the readings are."""
        assert isinstance(self.network, SpectralNetwork)
        front = self.network.front
        assert front.radices is not None
        twos, fives = front.radices
        length, turns, span = front.window // 2, 0, 1
        for radix in (2,) * twos + (5,) * fives:
            turns += (radix - 1) * (length // radix - length // (radix * span))
            span *= radix
        self._count(
            name,
            axis=front.axes,
            reading=front.axes * front.window,
            two=front.axes * twos * length // 2,
            five=front.axes * fives * length // 5,
            turn=front.axes * turns,
            line=front.size * front.lines,
            feature=front.size,
        )

    def _vector_kernel(self, call: Call) -> None:
        """Add a kernel that looks at every element of a vector, or of the output."""
        name = call.function
        if name.startswith("sp_softmax_error"):
            self._count("softmax", element=self.network.outputs)
            return
        longest = max(call.lengths.values(), default=1)
        self._count(name, element=longest)
