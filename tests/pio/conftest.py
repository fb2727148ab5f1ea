# SPDX-License-Identifier: Apache-2.0
"""A project of a small model, and PlatformIO in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from offline_pio import NETWORK, RULE, Pio, offline_environment

from secondpass.errors import ToolMissingError
from secondpass.network import Network
from secondpass.pio.project import write_project
from secondpass.rules import Rule
from secondpass.toolchain import require_module


@pytest.fixture(scope="session")
def model() -> tuple[Network, Rule]:
    return NETWORK, RULE


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `./run project` writes it."""
    try:
        require_module("platformio", "boards")
        require_module("SCons", "boards")
    except ToolMissingError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("project")
    write_project(NETWORK, RULE, folder)
    return folder


@pytest.fixture(scope="session")
def pio(project: Path) -> Pio:
    """Run `pio ARGUMENTS` in the project."""

    def run(
        *arguments: str, board: str = "mps2-an386", prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, sys.executable, "-m", "platformio", *arguments],
            cwd=project,
            env=offline_environment(project, board),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def without_network() -> tuple[str, ...]:
    """What runs a command without any network, where the system lets us; otherwise nothing."""
    command = ("unshare", "--user", "--map-root-user", "--net")
    if shutil.which("unshare") is None:
        return ()
    tried = subprocess.run([*command, "true"], capture_output=True, env=os.environ)
    return command if tried.returncode == 0 else ()
