# SPDX-License-Identifier: Apache-2.0
"""pyOCD as a second way onto a real board, through its debug probe."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from secondpass.boards import Board, PyOcd
from secondpass.errors import BuildError, DeviceError, ToolMissingError
from secondpass.toolchain import require_module


def require_target(board: Board) -> PyOcd:
    """Return how pyOCD knows a board.

    Raises `BuildError` when the board's description does not say it, and `ToolMissingError` without
    pyOCD or without the CMSIS pack of the chip.
    """
    known = board.pyocd
    if known is None:
        raise BuildError(
            f"{board.id} has no [pyocd] in its board.toml, so that pyOCD has no target"
        )
    require_module("pyocd", "boards")
    if known.target not in target_names():
        raise ToolMissingError(
            f"pyOCD does not know {known.target} yet; its CMSIS pack brings it: "
            f"pyocd pack install {known.target}"
        )
    return known


def require_probe() -> None:
    """Raise `DeviceError` unless pyOCD sees a debug probe."""
    require_module("pyocd", "boards")
    if not _ask("--probes")["boards"]:
        raise DeviceError(
            "pyOCD sees no debug probe: connect the board with a cable that carries data, and see "
            "'pyocd list' (Linux needs pyOCD's udev rules)"
        )


def target_names() -> set[str]:
    """Return the targets that pyOCD knows, with those of installed packs."""
    return {target["name"] for target in _ask("--targets")["targets"]}


def load(board: Board, elf: Path) -> None:
    """Write a firmware into a board through its probe and reset it.

    Raises `DeviceError` with what pyOCD printed last, or logged last, when it fails.
    """
    known = require_target(board)
    done = _run(["load", "-t", known.target, "--no-wait", str(elf)])
    if done.returncode != 0:
        said = (done.stdout.strip() or done.stderr.strip() or "it said nothing").splitlines()
        raise DeviceError(f"pyOCD could not load {board.id}: {said[-1].strip()}")


def _ask(what: str) -> dict[str, Any]:
    done = _run(["json", what])
    try:
        return dict(json.loads(done.stdout))
    except ValueError as error:
        raise DeviceError(f"'pyocd json {what}' failed: {done.stderr.strip()[-300:]}") from error


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyocd", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
