# SPDX-License-Identifier: Apache-2.0
"""Onto a board: through PlatformIO, through pyOCD, or into a running emulated board."""

from pathlib import Path

from rich.console import Console

from secondpass import modelfile
from secondpass.boards import Board, load_board
from secondpass.device import running
from secondpass.device.crossbuild import build_firmware
from secondpass.device.gdb import load_firmware, port_number
from secondpass.device.text import TextProfile
from secondpass.errors import BuildError, require_choice
from secondpass.pio import pyocd
from secondpass.pio.project import FOLDER, run_platformio, write_project

PROBES = ("pyocd",)


def flash(
    board_id: str,
    model: Path,
    probe: str | None,
    port: str | None,
    gdb: str | None,
    console: Console,
    text: TextProfile | bool = True,
) -> None:
    """Build a model's firmware for a board and put it on.

    `port` is where PlatformIO uploads to, `gdb` the gdb port of an emulated board that was started
    elsewhere, `text` is as `build_firmware` takes it. Everything that can be checked is checked
    before anything is built.
    """
    board = load_board(board_id)
    if probe is not None:
        require_choice("--probe", probe, PROBES)
    if board.emulator is not None:
        if probe or port:
            raise BuildError(
                f"{board.id} is emulated: it takes neither --probe nor --port, but --gdb"
            )
        _into_emulated(board, model, gdb, text, console)
    elif gdb:
        raise BuildError(f"{board.id} is not emulated: --gdb is for an emulated board")
    elif probe:
        _through_pyocd(board, model, text, console)
    else:
        _through_platformio(board, model, port, text, console)


def _into_emulated(
    board: Board, model: Path, gdb: str | None, text: TextProfile | bool, console: Console
) -> None:
    port = port_number(gdb) if gdb else running.find(board).gdb
    network, rule = modelfile.load(model)
    folder = Path("build") / "boards" / board.id
    firmware = build_firmware(network, rule, board, folder, text)
    count = load_firmware(port, firmware.elf, board)
    console.print(f"{count} bytes loaded; {board.name} runs {model}", soft_wrap=True)


def _through_platformio(
    board: Board, model: Path, port: str | None, text: TextProfile | bool, console: Console
) -> None:
    _require_platformio(board)
    network, rule = modelfile.load(model)
    write_project(network, rule, FOLDER, text)
    console.print(
        f"PlatformIO builds and uploads in {FOLDER}; it downloads what it lacks for {board.id}",
        soft_wrap=True,
    )
    where = ["--upload-port", port] if port else []
    run_platformio(FOLDER, ["run", "-e", board.id, "-t", "upload", *where], board)


def _through_pyocd(board: Board, model: Path, text: TextProfile | bool, console: Console) -> None:
    pyocd.require_target(board)
    pyocd.require_probe()
    network, rule = modelfile.load(model)
    if board.port is not None:
        folder = Path("build") / "boards" / board.id
        elf = build_firmware(network, rule, board, folder, text).elf
    else:
        _require_platformio(board)
        write_project(network, rule, FOLDER, text)
        run_platformio(FOLDER, ["run", "-e", board.id], board)
        elf = FOLDER / ".pio" / "build" / board.id / "firmware.elf"
    pyocd.load(board, elf)
    console.print(f"{board.name} runs {model}", soft_wrap=True)


def _require_platformio(board: Board) -> None:
    if board.platformio is None:
        raise BuildError(
            f"{board.id} has no [platformio] in its board.toml, so that PlatformIO cannot build "
            "for it (docs/platformio.md)"
        )
