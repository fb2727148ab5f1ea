# SPDX-License-Identifier: Apache-2.0
"""A session on a board's port: training with a live display, or PlatformIO's plain monitor."""

import os
import sys
from pathlib import Path

from rich.console import Console

from secondpass import commands
from secondpass.boards import load_board
from secondpass.device import running
from secondpass.device.transport import DEFAULT_BAUD
from secondpass.errors import DeviceError
from secondpass.toolchain import require_module


def monitor(
    port: str | None, board_id: str | None, model: Path, dataset: str, raw: bool, console: Console
) -> None:
    """Open a port; without one, that of the emulated board that was started in this folder.

    The device keeps what it has learned. With `raw` this process becomes `pio device monitor`,
    which shows every byte in hexadecimal.
    """
    if port is None:
        if board_id is None:
            raise DeviceError("name the board's --port, or an emulated --board that runs")
        port = running.find(load_board(board_id)).uart
    if not raw:
        return commands.train(port, model, dataset, None, None, 0, False, console)
    require_module("platformio", "boards")
    command = [sys.executable, "-m", "platformio", *raw_arguments(port)]
    sys.stdout.flush()
    os.execv(command[0], command)


def raw_arguments(port: str) -> list[str]:
    """Return PlatformIO's arguments for a plain view of a port."""
    shown = ["--filter", "hexlify", "--encoding", "latin-1"]
    return ["device", "monitor", "--port", port, "--baud", str(DEFAULT_BAUD), *shown]
