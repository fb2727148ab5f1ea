# SPDX-License-Identifier: Apache-2.0
"""The port of a board, and PlatformIO's plain monitor on it."""

import os
import sys
from pathlib import Path

from secondpass.boards import load_board
from secondpass.device import running
from secondpass.device.transport import DEFAULT_BAUD
from secondpass.errors import DeviceError
from secondpass.toolchain import require_module


def port_of(port: str | None, board_id: str | None) -> str:
    """Return `port`, or that of the emulated board that was started in this folder."""
    if port is not None:
        return port
    if board_id is None:
        raise DeviceError("name the board's --port, or an emulated --board that runs")
    return running.find(load_board(board_id)).uart


def show_bytes(port: str) -> None:
    """Become `pio device monitor`, which shows every byte in hexadecimal."""
    require_module("platformio", "boards")
    command = [sys.executable, "-m", "platformio", *raw_arguments(port)]
    sys.stdout.flush()
    os.execv(command[0], command)


def raw_arguments(port: str) -> list[str]:
    """Return PlatformIO's arguments for a plain view of a port.

    It runs in a folder that is no project: one in the user's folder would bring its own settings,
    and fail as long as nothing was built in it.
    """
    shown = ["--filter", "hexlify", "--encoding", "latin-1"]
    if Path(port).exists():
        port = str(Path(port).absolute())
    nowhere = ["--project-dir", str(Path(__file__).parent)]
    return ["device", "monitor", *nowhere, "--port", port, "--baud", str(DEFAULT_BAUD), *shown]
