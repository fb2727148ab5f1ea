# SPDX-License-Identifier: Apache-2.0
"""Running invoke tasks as a user does: in a process, in a folder of one's own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Task = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def invoke(tmp_path: Path) -> Task:
    """Run `invoke ARGUMENTS` in an empty folder; keyword arguments change the environment."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH without any compiler or emulator."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return str(folder)
