# SPDX-License-Identifier: Apache-2.0
"""The board catalogue: one folder a board, described by its board.toml (docs/boards.md)."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from secondpass import resources
from secondpass.device.flash import Flash
from secondpass.errors import BuildError

BOARDS_VARIABLE = "SECONDPASS_BOARDS"
"""Environment variable with more catalogue folders, separated as in PATH."""

Core = Literal[
    "cortex-m0",
    "cortex-m0plus",
    "cortex-m3",
    "cortex-m4",
    "cortex-m7",
    "cortex-m33",
    "cortex-m55",
]
Family = Literal["cmsdk", "sse300", "stm32f1", "stm32f4", "nrf51"]
Framework = Literal["arduino"]
Proof = Literal["emulated", "compiled", "neither"]

Address = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Bytes = Annotated[int, msgspec.Meta(gt=0, lt=2**32)]
Hertz = Annotated[int, msgspec.Meta(gt=0, lt=2**32)]
Irq = Annotated[int, msgspec.Meta(ge=0, lt=96)]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Memory(msgspec.Struct, forbid_unknown_fields=True):
    """Where code and data live, in bytes."""

    flash_origin: Address
    flash_bytes: Bytes
    ram_origin: Address
    ram_bytes: Bytes
    stack_bytes: Bytes


class Port(msgspec.Struct, forbid_unknown_fields=True):
    """The chip family's port and its peripherals.

    `timer_hz` is the timer's rate in emulation; a request of 2**`timer_bits` ticks or more is
    counted modulo that.
    """

    family: Family
    uart: Address
    uart_rx_irq: Irq
    uart_tx_irq: Irq
    timer: Address
    timer_hz: Hertz
    timer_bits: Literal[24, 32] = 32


class Watchdog(msgspec.Struct, forbid_unknown_fields=True):
    """The chip's watchdog; with `timeout_ms` 0 it is not started (docs/safety.md).

    `hz` is its clock, `reset_flags` the register that tells its resets (STM32).
    """

    address: Address
    hz: Hertz
    reset_flags: Address = 0
    timeout_ms: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


class EmulatorSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How the board is emulated; with `icount_shift` n an instruction takes 2**n ns.

    One tick an instruction, or more than two, keep instruction counts exact.
    """

    machine: Text
    icount_shift: Annotated[int, msgspec.Meta(ge=0, le=10)]


class PlatformIo(msgspec.Struct, forbid_unknown_fields=True):
    """What PlatformIO calls the board, its platform and the framework to build with."""

    board: Text
    platform: Text
    framework: Framework


class PyOcd(msgspec.Struct, forbid_unknown_fields=True):
    """pyOCD's target name; with `pack` it knows the target only from a CMSIS pack."""

    target: Text
    pack: bool = False


class Board(msgspec.Struct, forbid_unknown_fields=True):
    """A board as its board.toml describes it; without `port` nothing can be built for it."""

    name: Text
    core: Core
    clock_hz: Hertz
    memory: Memory
    port: Port | None = None
    flash: Flash | None = None
    watchdog: Watchdog | None = None
    emulator: EmulatorSettings | None = None
    platformio: PlatformIo | None = None
    pyocd: PyOcd | None = None
    id: str = ""
    own: bool = False
    """Whether it comes from a user's own catalogue, which the project's tests never saw."""

    @property
    def ticks_per_instruction(self) -> float:
        """Timer ticks that pass in one instruction when the emulator counts instructions."""
        return self.require_port().timer_hz * float(1 << self.require_emulator().icount_shift) / 1e9

    @property
    def proven(self) -> Proof:
        """What the project's tests do with the board: they run it emulated, or compile for it."""
        if self.own or (self.port is None and self.platformio is None):
            return "neither"
        return "compiled" if self.emulator is None else "emulated"

    @property
    def _way_without_port(self) -> str:
        return (
            f"; './run flash --board {self.id}' builds with PlatformIO" if self.platformio else ""
        )

    def require_port(self) -> Port:
        """Return the port, or raise `BuildError`: nothing can be built for the board."""
        if self.port is None:
            raise BuildError(
                f"{self.id} has no port of its own: its board.toml has no [port]"
                f"{self._way_without_port}; boards with one: {', '.join(board_ids(ported=True))}"
            )
        return self.port

    def require_emulator(self) -> EmulatorSettings:
        """Return how the board is emulated, or raise `BuildError`."""
        if self.emulator is None:
            raise BuildError(
                f"{self.id} is not emulated: its board.toml has no [emulator]; emulated boards: "
                f"{', '.join(board.id for board in emulated_boards())}"
            )
        return self.emulator


def board_files(folder: Path | None = None) -> dict[str, Path]:
    """Return every board.toml by board: the catalogue's and the user's own.

    The user's own catalogues are `folder` and what `SECONDPASS_BOARDS` names.
    Raises `BuildError` for a folder that does not exist and for two boards of one name.
    """
    files = {path.parent.name: path for path in resources.folder("boards").glob("*/board.toml")}
    named = [Path(part) for part in os.environ.get(BOARDS_VARIABLE, "").split(os.pathsep) if part]
    extra = [(BOARDS_VARIABLE, path) for path in named]
    if folder is not None:
        extra.append(("the catalogue option", folder))
    for where, path in {item[1].resolve(): item for item in extra}.values():
        if not path.is_dir():
            raise BuildError(f"{where} names {path}: there is no such folder")
        for file in path.glob("*/board.toml"):
            other = files.setdefault(file.parent.name, file)
            if other != file:
                raise BuildError(
                    f"{file}: {other} describes a board of this name; rename the folder"
                )
    return dict(sorted(files.items()))


def board_ids(ported: bool = False) -> list[str]:
    """Return the names that `load_board` accepts, or only of boards that can be built for."""
    names = list(board_files())
    return [name for name in names if load_board(name).port is not None] if ported else names


def emulated_boards(ram_bytes: int = 0) -> list[Board]:
    """Return the emulated boards that have at least so many bytes of RAM."""
    boards = [load_board(name) for name in board_files()]
    return [b for b in boards if b.port and b.emulator and b.memory.ram_bytes >= ram_bytes]


def load_board(board_id: str) -> Board:
    """Read a board's description.

    Raises `BuildError` naming the known boards, or the file and the key that is wrong.
    """
    files = board_files()
    if board_id not in files:
        raise BuildError(f"there is no board {board_id!r}; accepted: {', '.join(files)}")
    return read_board(files[board_id])


def load_catalogue(folder: Path | None = None) -> list[Board]:
    """Read every board, also those of the user's own catalogue `folder`."""
    return [read_board(path) for path in board_files(folder).values()]


def read_board(path: Path) -> Board:
    """Read one board.toml; its folder gives the board's name.

    Raises `BuildError` with the file, the key and what it accepts.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if given := sorted({"id", "own"} & set(content)):
            raise msgspec.ValidationError(f"Object contains unknown field `{given[0]}`")
        board = msgspec.convert(content, Board)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BuildError(f"{path}: {_explain(error)}") from error
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error
    board.id = path.parent.name
    _check_flash(board, path)
    if board.emulator is not None and board.port is None:
        raise BuildError(f"{path}: [emulator] needs a [port]: what runs must be built first")
    board.own = path.resolve().parent.parent != resources.folder("boards").resolve()
    return board


def _check_flash(board: Board, path: Path) -> None:
    """Raise `BuildError` when the slots do not go with the rest of the board."""
    if board.flash is not None:
        if board.port is None or board.port.family != "stm32f4":
            raise BuildError(f"{path}: [flash] needs a [port] of the family stm32f4")
        try:
            board.flash.check(board.memory.flash_bytes)
        except BuildError as error:
            raise BuildError(f"{path}: {error}") from None


def _explain(error: Exception) -> str:
    """Add what is accepted to messages that only say what is wrong."""
    text = str(error)
    if "enum value" in text:
        keys = {"$.core": Core, "$.port.family": Family}
        keys["$.platformio.framework"] = Framework
        for key, kind in keys.items():
            if f"`{key}`" in text:
                return f"{text}; accepted: {', '.join(get_args(kind))}"
    if "unknown field" in text:
        return f"{text}; accepted: {', '.join(_fields(text))}"
    return text


def _fields(text: str) -> list[str]:
    """Return the keys of the table in which a message found an unknown one."""
    tables: dict[str, Any] = {"memory": Memory, "port": Port, "emulator": EmulatorSettings}
    tables |= {"platformio": PlatformIo, "pyocd": PyOcd, "flash": Flash, "watchdog": Watchdog}
    for name, kind in tables.items():
        if f"`$.{name}`" in text:
            return [field.name for field in msgspec.structs.fields(kind)]
    return [f.name for f in msgspec.structs.fields(Board) if f.name not in ("id", "own")]
