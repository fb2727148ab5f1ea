# SPDX-License-Identifier: Apache-2.0
"""The plan of a model on a board: RAM, flash, instructions, time, and whether it fits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from secondpass.boards import Board
from secondpass.device.crossbuild import CRASH_RECORD_BYTES
from secondpass.device.text import TextProfile, profile_of
from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.plan.activity import Activity
from secondpass.plan.code import Code, code_of
from secondpass.plan.fit import apply
from secondpass.plan.macros import link_frames
from secondpass.plan.objects import START
from secondpass.plan.pieces import MODEL, Piece, reachable, taken
from secondpass.plan.slots import Slots, checkpoint_slots
from secondpass.plan.tables import Table, load_table
from secondpass.plan.work import Amounts, Form, Program, form_of
from secondpass.rules import Rule
from secondpass_codegen.memory import Memory, plan

CYCLES_PER_INSTRUCTION = {
    "cortex-m0": 1.5,
    "cortex-m0plus": 1.35,
    "cortex-m3": 1.5,
    "cortex-m4": 1.45,
    "cortex-m7": 1.0,
    "cortex-m33": 1.3,
    "cortex-m55": 1.6,
}
"""Assumed, not measured on silicon. M0+, M3 and M4: what `./run bench --profile` estimates from the
instruction timings of their manuals. M0: as M0+, whose taken branch is a cycle shorter. M7 issues
two instructions at once where it can, an M55 takes two beats a vector instruction: guesses."""

INTERRUPT_STACK = 112
"""Most bytes seen of a received byte's interrupt, which may come where the stack is deepest."""

MARGIN = 0.02
"""How far RAM and flash may be off: what is over a board's memory by more cannot fit."""


@dataclass(frozen=True)
class Instructions:
    """Instructions of an inference or a step: mean of the samples, and the most there can be."""

    typical: float
    worst: float


@dataclass(frozen=True)
class Plan:
    """What a model takes on a board. `ram` and `flash`: bytes of their parts, in order.

    `step`: None for a network that only infers.
    """

    board: Board
    network: Network
    rule: Rule
    ram: dict[str, int]
    flash: dict[str, int]
    stack_used: int
    slots: Slots
    inference: Instructions
    step: Instructions | None
    port: str
    text: TextProfile | None

    @property
    def static_ram(self) -> int:
        """Bytes of RAM without the stack: what the linked ELF says."""
        return sum(self.ram.values())

    @property
    def ram_bytes(self) -> int:
        """Bytes of RAM with the reserved stack and the crash record above it."""
        return self.static_ram + self.board.memory.stack_bytes + CRASH_RECORD_BYTES

    @property
    def flash_bytes(self) -> int:
        """Bytes of flash: what the linked ELF says, without checkpoint slots."""
        return sum(self.flash.values())

    @property
    def ram_free(self) -> int:
        """Bytes of RAM left; negative: missing."""
        return self.board.memory.ram_bytes - self.ram_bytes

    @property
    def flash_free(self) -> int:
        """Bytes of flash left, checkpoint slots taken off; negative: missing."""
        return self.board.memory.flash_bytes - self.flash_bytes - self.slots.flash_bytes

    @property
    def fits(self) -> bool:
        """Whether RAM, flash and stack suffice."""
        return self.ram_free >= 0 and self.flash_free >= 0 and self.stack_fits

    @property
    def stack_fits(self) -> bool:
        """Whether the reserved stack holds the measured use."""
        return self.stack_used <= self.board.memory.stack_bytes

    @property
    def cannot_fit(self) -> bool:
        """Whether RAM or flash is missing by more than the plan may be off."""
        memory = self.board.memory
        return (
            self.ram_bytes * (1 - MARGIN) > memory.ram_bytes
            or self.flash_bytes * (1 - MARGIN) > memory.flash_bytes - self.slots.flash_bytes
        )

    def milliseconds(self, instructions: float) -> float:
        """Estimate the time of instructions with the core's assumed cycles per instruction."""
        cycles = instructions * CYCLES_PER_INSTRUCTION[self.board.core]
        return 1000 * cycles / self.board.clock_hz


class Planner:
    """A network under a rule, ready to be planned on any board.

    `inferences` and `steps`: what samples make of it (`secondpass.plan.activity`); without, the
    typical counts are the worst. `text`: as `build_firmware` takes it.
    Raises `NetworkError` for a network that does not learn.
    """

    def __init__(
        self,
        network: Network,
        rule: Rule,
        inferences: Sequence[Activity] = (),
        steps: Sequence[Activity] = (),
        text: TextProfile | bool = True,
    ) -> None:
        network.require_trainable()
        if network.frozen:
            raise NetworkError(
                "networks above a frozen int8 encoder are not planned: build it and read the size"
            )
        self.network, self.rule = network, rule
        self.text = profile_of(network, text)
        self.memory: Memory = plan(network, rule)
        self.program = Program(network, rule)
        self.inferences, self.steps = inferences, steps
        self._means: dict[Form, tuple[dict[str, float], dict[str, float]]] = {}

    @cached_property
    def code(self) -> Code:
        """What the generated code is made of."""
        return code_of(self.network, self.rule)

    def on(self, board: Board) -> Plan:
        """Return the plan on a board. Raises `BuildError` when its core was never measured."""
        table = load_table(board.core)
        family = self._family(board, table)
        inference, step = self._instructions(table)
        ram = self._ram(table, family)
        stack = table.stack[self.network.format] + table.link_stack + INTERRUPT_STACK
        reserved = board.memory.stack_bytes + CRASH_RECORD_BYTES
        free = board.memory.ram_bytes - sum(ram.values()) - reserved
        return Plan(
            board=board,
            network=self.network,
            rule=self.rule,
            ram=ram,
            flash=self._flash(table, family),
            stack_used=stack,
            slots=checkpoint_slots(board, self.checkpoint_bytes, free),
            inference=inference,
            step=step,
            port=family,
            text=self.text,
        )

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of a checkpoint's content: the model without output and arena."""
        logits = (2 * self.network.outputs + 3) // 4 * 4
        return self.memory.total - self.memory.arena - logits

    def _family(self, board: Board, table: Table) -> str:
        """Return the board's port; where there is none, that which takes most."""
        if board.port is not None:
            return board.port.family
        return max(table.ports, key=lambda name: sum(self._flash(table, name).values()))

    def _ram(self, table: Table, family: str) -> dict[str, int]:
        memory = self.memory
        frames = link_frames(self.program.learning)
        link = sum(count * frame for count, frame in zip(table.buffers, frames, strict=True))
        table.firmware(family)  # says when it was never measured
        return {
            "weights and biases": sum(memory.weights.values()),
            "Q of the short second pass": memory.folded,
            "activations and second pass": memory.arena,
            "output, counters, settings": memory.other,
            "link buffers": link,
            "trainer and port": table.fixed_ram[family],
            "text protocol": table.text.ram_of(self.network, self.text) if self.text else 0,
        }

    def _flash(self, table: Table, family: str) -> dict[str, int]:
        pieces = dict(table.firmware(family))
        named = tuple(sorted(word for word in self.code.words if word in pieces))
        pieces[MODEL] = Piece(0, 0, named)
        library = taken(pieces, reachable(pieces, [START])).flash
        return {
            "library, trainer and port": library,
            "text protocol": table.text.flash_of(self.network, self.text) if self.text else 0,
            "generated code": round(apply(table.code, self.code.features)),
            "weights and constants": self.code.constants,
        }

    def _instructions(self, table: Table) -> tuple[Instructions, Instructions]:
        form, program = form_of(table.core), self.program
        extremes = [program.worst(listed) for listed in (False, True)]
        worst = [
            max(apply(table.instructions, work(extreme, form)) for extreme in extremes)
            for work in (program.inference, program.step)
        ]
        if form not in self._means:
            self._means[form] = (
                _mean([program.inference(activity, form) for activity in self.inferences]),
                _mean([program.step(activity, form) for activity in self.steps]),
            )
        typical = [apply(table.instructions, amounts) for amounts in self._means[form]]
        first, second = (
            Instructions(mean if mean else most, most)
            for mean, most in zip(typical, worst, strict=True)
        )
        return first, second


def _mean(amounts: Sequence[Amounts]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for one in amounts:
        total.update(one)
    return {name: value / len(amounts) for name, value in total.items()}
