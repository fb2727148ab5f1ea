# SPDX-License-Identifier: Apache-2.0
"""PlatformIO's upload to an emulated board: `python -m secondpass.pio.upload BOARD ELF [PORT]`."""

import sys
from pathlib import Path

from secondpass.boards import load_board
from secondpass.device.gdb import load_firmware, port_number
from secondpass.device.running import FOLDER, find
from secondpass.errors import SecondpassError


def upload(board_id: str, elf: Path, port: str = "") -> int:
    """Load a firmware into a running emulated board; return the bytes written.

    `port` is its gdb port; without it the board must have been started with the project's folder
    below the `build` of the folder it was started in.
    """
    board = load_board(board_id)
    number = port_number(port) if port else find(board, [FOLDER, Path("../running")]).gdb
    return load_firmware(number, elf, board)


if __name__ == "__main__":
    try:
        print(f"{upload(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])} bytes loaded; it runs")
    except SecondpassError as error:
        sys.exit(f"error: {error}")
