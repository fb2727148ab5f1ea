# SPDX-License-Identifier: Apache-2.0
"""Which emulated boards run: a small file each below build/, for commands in other terminals."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from secondpass.boards import Board
from secondpass.device.emulator import Emulator
from secondpass.errors import DeviceError

FOLDER = Path("build/running")


class Running(msgspec.Struct):
    """A running emulated board: its gdb port on this computer, and the port of its UART."""

    gdb: int
    uart: str


@contextmanager
def announced(board: Board, emulator: Emulator) -> Iterator[None]:
    """Let other commands find a board that has a gdb port, for as long as it runs."""
    if emulator.gdb_port is None:
        raise DeviceError("the emulator was started without a gdb port")
    path = FOLDER / f"{board.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.encode(Running(emulator.gdb_port, emulator.port))
    path.write_bytes(content)
    try:
        yield
    finally:
        if path.is_file() and path.read_bytes() == content:  # not of one that was started later
            path.unlink()


def find(board: Board, folders: Sequence[Path] = (FOLDER,)) -> Running:
    """Return where a board runs that was announced in `folders`; raise `DeviceError` if none is."""
    for path in (folder / f"{board.id}.json" for folder in folders):
        if path.is_file():
            return _read(path)
    raise DeviceError(
        f"no emulated {board.id} was started from this folder: './run emulate --board {board.id}' "
        "starts one; or name the gdb port that it printed elsewhere"
    )


def _read(path: Path) -> Running:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Running)
    except (msgspec.DecodeError, OSError) as error:
        raise DeviceError(f"{path}: {error}; delete it and start the board again") from error
