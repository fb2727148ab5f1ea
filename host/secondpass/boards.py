# SPDX-License-Identifier: Apache-2.0
"""The board catalogue: one folder a board, described by its board.toml."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from secondpass import resources
from secondpass.errors import BuildError

Address = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Bytes = Annotated[int, msgspec.Meta(gt=0, lt=2**32)]
Hertz = Annotated[int, msgspec.Meta(gt=0, lt=2**32)]
Irq = Annotated[int, msgspec.Meta(ge=0, lt=96)]


class Memory(msgspec.Struct, forbid_unknown_fields=True):
    """Where code and data live, in bytes."""

    flash_origin: Address
    flash_bytes: Bytes
    ram_origin: Address
    ram_bytes: Bytes
    stack_bytes: Bytes


class Port(msgspec.Struct, forbid_unknown_fields=True):
    """The chip family's port and its peripherals; `timer_hz` is the timer's rate in emulation."""

    family: Literal["cmsdk", "sse300", "stm32f4"]
    uart: Address
    uart_rx_irq: Irq
    uart_tx_irq: Irq
    timer: Address
    timer_hz: Hertz


class EmulatorSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How the board is emulated; with `icount_shift` n an instruction takes 2**n ns.

    One tick an instruction, or more than two, keep instruction counts exact.
    """

    machine: str
    icount_shift: Annotated[int, msgspec.Meta(ge=0, le=10)]


class Board(msgspec.Struct, forbid_unknown_fields=True):
    """A board as its board.toml describes it."""

    name: str
    core: Literal[
        "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"
    ]
    clock_hz: Hertz
    memory: Memory
    port: Port
    emulator: EmulatorSettings
    id: str = ""

    @property
    def ticks_per_instruction(self) -> float:
        """Timer ticks that pass in one instruction when the emulator counts instructions."""
        return self.port.timer_hz * float(1 << self.emulator.icount_shift) / 1e9


def board_ids() -> list[str]:
    """Return the names that `load_board` accepts."""
    return sorted(path.parent.name for path in resources.folder("boards").glob("*/board.toml"))


def load_board(board_id: str) -> Board:
    """Read a board's description.

    Raises `BuildError` naming the known boards, or the file and the key that is wrong.
    """
    known = board_ids()
    if board_id not in known:
        raise BuildError(f"there is no board {board_id!r}; accepted: {', '.join(known)}")
    path = resources.folder("boards") / board_id / "board.toml"
    return read_board(path)


def read_board(path: Path) -> Board:
    """Read one board.toml; its folder gives the board's name."""
    try:
        board = msgspec.toml.decode(path.read_bytes(), type=Board)
    except msgspec.DecodeError as error:
        raise BuildError(f"{path}: {error}") from error
    board.id = path.parent.name
    return board
