# SPDX-License-Identifier: Apache-2.0
"""What lets PlatformIO build for emulated boards without its registry.

A development platform of our own with a board file for each emulated board, and a core folder in
which SCons, PlatformIO's build tool, is the one that pip installed.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from secondpass.boards import Board
from secondpass.crosscompiler import COMPILERS
from secondpass.device.crossbuild import compiler_flags, link_flags
from secondpass.errors import ToolMissingError
from secondpass.toolchain import CROSS_COMPILER, require_module

CORE = "offline/core"
"""Folder in a project for the variable PLATFORMIO_CORE_DIR."""
_SCONS = "tool-scons"
_TEMPLATE = Path(__file__).with_name("platform")


def write_offline(folder: Path, boards: list[Board]) -> None:
    """Write `offline/platform` and `offline/core` of the project in `folder`.

    Raises `ToolMissingError` without PlatformIO or SCons.
    """
    require_module("platformio", "boards")
    require_module("SCons", "boards")
    platform = folder / "offline" / "platform"
    shutil.rmtree(platform, ignore_errors=True)
    shutil.copytree(_TEMPLATE, platform, ignore=shutil.ignore_patterns("__pycache__"))
    for board in boards:
        _write_json(platform / "boards" / f"{board.id}.json", board_manifest(board))
    tool = folder / CORE / "packages" / _SCONS
    _write_json(tool / ".piopm", _scons_manifest())
    (tool / "scons.py").write_text("import SCons.Script\n\nSCons.Script.main()\n")


def board_manifest(board: Board) -> dict[str, Any]:
    """Return what PlatformIO's board file says of an emulated board."""
    memory = board.memory
    return {
        "name": board.name,
        "vendor": "Secondpass",
        "url": "https://www.qemu.org",
        "build": {
            "mcu": board.core,
            "f_cpu": f"{board.clock_hz}L",
            "compiler": CROSS_COMPILER.program,
            "flags": compiler_flags(board.core, compiler=COMPILERS["gcc"]),
            "link_flags": link_flags(board, Path("src/ports")),
        },
        "upload": {
            "maximum_size": memory.flash_bytes,
            "maximum_ram_size": memory.ram_bytes - memory.stack_bytes,
            "python": sys.executable,
        },
    }


def _scons_manifest() -> dict[str, Any]:
    """Return what makes PlatformIO take the shim for the package that it asks for."""
    from platformio.dependencies import get_core_dependencies

    wanted = get_core_dependencies().get(_SCONS)
    if wanted is None:
        raise ToolMissingError(
            "this PlatformIO has no tool-scons; pip install 'platformio>=6.1,<7'"
        )
    spec = {"owner": "platformio", "id": None, "name": _SCONS, "requirements": None, "uri": None}
    return {"type": "tool", "name": _SCONS, "version": wanted.lstrip("~^=<> "), "spec": spec}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
