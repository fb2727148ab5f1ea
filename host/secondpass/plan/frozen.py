# SPDX-License-Identifier: Apache-2.0
"""The plan of a frozen int8 network: it only infers, its weights stay in flash."""

from collections import Counter
from dataclasses import dataclass

from secondpass.affine import AffineNetwork
from secondpass.boards import Board
from secondpass.device.crossbuild import CRASH_RECORD_BYTES
from secondpass.device.text import TextProfile, profile_of
from secondpass.network import Network
from secondpass.plan.fit import apply
from secondpass.plan.macros import frames_of, network_values
from secondpass.plan.planner import INTERRUPT_STACK, Instructions, Plan, Planner
from secondpass.plan.slots import checkpoint_slots
from secondpass.plan.tables import Table, UnmeasuredError, load_table
from secondpass.plan.work import PACKED, Amounts, Form, form_of
from secondpass.rules import NoRule, Rule
from secondpass_codegen import affine
from secondpass_codegen.memory import Memory, row_stride

SCALE_BYTES = 12
"""Of an `sp_affine_scale_t`."""

_TOGETHER = 4
"""Rows that the kernel sums at once."""


@dataclass(frozen=True)
class FrozenSource:
    """What a table is asked for a network: RAM of its model, constants in flash, features."""

    memory: Memory
    constants: int
    features: Counter[str]


def source_of(network: AffineNetwork) -> FrozenSource:
    """Return what the generated C of a network is made of."""
    constants = 0
    for layer in network.layers:
        scales = len(layer.weight_steps)
        constants += layer.outputs * (row_stride(layer.inputs, 1) + 4) + SCALE_BYTES * scales
    features = Counter({"model": 1, "layer": len(network.layers), f"head {network.head}": 1})
    return FrozenSource(
        affine.plan(network, affine.build(network, counted=True), counted=True),
        constants,
        features,
    )


def inference_work(network: AffineNetwork, form: Form) -> Amounts:
    """Return the loops of an inference: no sample makes it skip anything."""
    amounts: Amounts = Counter({"inference": 1})
    amounts["input"] = network.input.size
    amounts["output"] = network.outputs
    for layer in network.layers:
        inputs, outputs = layer.inputs, layer.outputs
        groups = -(-outputs // _TOGETHER) if outputs >= _TOGETHER else outputs
        amounts.update({"layer": 1, "row": outputs, "group": groups})
        if form.mve:
            amounts["column"] += groups * (inputs // 16)
            amounts["rest"] += groups * (inputs % 16 > 0)
            continue
        packed = form.dsp and inputs <= PACKED
        kind = "packed column" if packed else "column"
        amounts["pack"] += inputs // 4 if packed else 0
        amounts[kind] += groups * (inputs // 4 if form.dsp else inputs)
        amounts["single"] += groups * (inputs % 16 // 4) if form.dsp else 0
        amounts["tail"] += groups * (inputs % 4) if form.dsp else 0
    return +amounts


def planner_of(
    network: Network, rule: Rule, text: TextProfile | bool = True
) -> "Planner | FrozenPlanner":
    """Return what plans a network; counts of one that learns are the most there can be."""
    if isinstance(network, AffineNetwork):
        return FrozenPlanner(network, text)
    return Planner(network, rule, text=text)


class FrozenPlanner:
    """A frozen int8 network, ready to be planned on any board.

    `text`: as `build_firmware` takes it.
    """

    def __init__(self, network: AffineNetwork, text: TextProfile | bool = True) -> None:
        self.network, self.rule = network, NoRule()
        self.text = profile_of(network, text)
        self.source = source_of(network)

    def on(self, board: Board) -> Plan:
        """Return the plan on a board. Raises `BuildError` when its core was never measured."""
        table = load_table(board.core)
        family = self._family(board, table)
        ram, reserved = self._ram(table, family), board.memory.stack_bytes + CRASH_RECORD_BYTES
        work = inference_work(self.network, form_of(table.core))
        count = apply(table.frozen.instructions, work)
        free = board.memory.ram_bytes - sum(ram.values()) - reserved
        return Plan(
            board=board,
            network=self.network,
            rule=self.rule,
            ram=ram,
            flash=self._flash(table, family),
            stack_used=table.frozen.stack + INTERRUPT_STACK,
            slots=checkpoint_slots(board, 0, free),
            inference=Instructions(count, count),
            step=None,
            port=family,
            text=self.text,
        )

    def _family(self, board: Board, table: Table) -> str:
        flash = table.frozen.flash
        family = board.port.family if board.port else max(flash, key=lambda name: flash[name])
        if family not in flash:
            raise UnmeasuredError(f"the planner's table of {table.core} knows no port {family!r}")
        return family

    def _ram(self, table: Table, family: str) -> dict[str, int]:
        memory, frozen = self.source.memory, table.frozen
        frames = frames_of(network_values(self.network, 0))
        link = sum(count * frame for count, frame in zip(table.buffers, frames, strict=True))
        return {
            "activations": memory.arena,
            "output, counters": memory.other,
            "link buffers": link,
            "trainer and port": frozen.ram[family],
            "text protocol": frozen.text.ram_of(self.network, self.text) if self.text else 0,
        }

    def _flash(self, table: Table, family: str) -> dict[str, int]:
        frozen = table.frozen
        return {
            "library, trainer and port": frozen.flash[family] + frozen.head[self.network.head],
            "text protocol": frozen.text.flash_of(self.network, self.text) if self.text else 0,
            "generated code": round(apply(frozen.code, self.source.features)),
            "weights and constants": self.source.constants,
        }
