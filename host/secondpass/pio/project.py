# SPDX-License-Identifier: Apache-2.0
"""A PlatformIO project of a model, and PlatformIO run in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from secondpass import boards, modelfile, resources
from secondpass.boards import Board
from secondpass.device.text import TextProfile, profile_of
from secondpass.errors import BuildError
from secondpass.network import Network
from secondpass.pio.ini import has_environment, write_ini
from secondpass.pio.offline import CORE, write_offline
from secondpass.rules import Rule
from secondpass.toolchain import require_module
from secondpass_codegen import write

FOLDER = Path("build/platformio")


def write_project(
    network: Network, rule: Rule, folder: Path, text: TextProfile | bool = True
) -> list[Board]:
    """Write the project of a model into `folder`; return the boards that have an environment.

    `text`: as `build_firmware` takes it. What an earlier call wrote is replaced; a `lib` folder
    keeps other libraries. Raises `ToolMissingError` without PlatformIO, before anything is written.
    """
    require_module("platformio", "boards")
    known = [board for board in boards.load_catalogue() if has_environment(board)]
    known.sort(key=lambda board: (board.id != "mps2-an386", board.id))  # the default comes first
    firmware = resources.folder("firmware")
    write_offline(folder, [board for board in known if board.emulator])
    for part in ("src/apps", "src/ports", "src/model", "lib/secondpass"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for name in ("apps/trainer", "apps/arduino", "ports"):
        shutil.copytree(firmware / name, folder / "src" / name)
    library = folder / "lib" / "secondpass"
    for name in ("include", "src"):
        shutil.copytree(firmware / name, library / name)
    shutil.copy2(firmware / "library.json", library / "library.json")
    write(network, rule, folder / "src" / "model")
    modelfile.save(folder / "network.spn", network, rule)
    (folder / "platformio.ini").write_text(
        write_ini(network, known, profile_of(network, text)), encoding="utf-8"
    )
    return known


def run_platformio(
    folder: Path, arguments: Sequence[str], board: Board, quiet: bool = False
) -> None:
    """Run PlatformIO in a project, with its registry left alone for an emulated board.

    Its output goes to the terminal, or with `quiet` only into the error. Raises `BuildError` when
    it fails.
    """
    command = [sys.executable, "-m", "platformio", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=platformio_environment(folder, board),
        capture_output=quiet,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        said = f":\n{(done.stderr + done.stdout)[-2000:].strip()}" if quiet else ""
        raise BuildError(f"PlatformIO failed for {board.id}{said or '; its messages are above'}")


def platformio_environment(folder: Path, board: Board) -> dict[str, str]:
    """Return the environment variables that PlatformIO runs with for a board.

    Other boards keep the user's own core folder, with what was downloaded before.
    """
    silent = {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    if board.emulator is not None:
        silent["PLATFORMIO_CORE_DIR"] = str((folder / CORE).resolve())
    return {**os.environ, **silent}
