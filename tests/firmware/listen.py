# SPDX-License-Identifier: Apache-2.0
"""Listen to a program on an emulated board that prints lines and then `end`."""

import time
from pathlib import Path

from secondpass.boards import Board
from secondpass.device.emulator import Emulator
from secondpass.device.transport import SerialTransport

PATIENCE = 60.0


def listen(board: Board, elf: Path, count_instructions: bool = False) -> str:
    """Run a program that waits for a byte; return what it prints."""
    received = b""
    deadline = time.monotonic() + PATIENCE
    with Emulator(board, elf, count_instructions) as emulator:
        transport = SerialTransport(emulator.port)
        while not received.endswith(b"end\n") and time.monotonic() < deadline:
            if not received:
                transport.write(b"\n")  # again: a board that is still starting misses it
            received += transport.read(1.0)
        transport.close()
    return received.decode("ascii")


def numbers(text: str) -> dict[str, str]:
    """Return what each line of a complete report says: its first word names it."""
    lines = text.split("\n")
    assert lines[-2:] == ["end", ""], f"the program did not end: {text!r}"
    return dict(line.split(" ") for line in lines[:-2])
