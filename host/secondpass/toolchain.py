# SPDX-License-Identifier: Apache-2.0
"""The programs that building and emulating need, and how to get them."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from secondpass.errors import BuildError, ToolMissingError

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")


@dataclass(frozen=True)
class Tool:
    """A program, what it is for and the Debian packages that bring it."""

    program: str
    purpose: str
    packages: str

    def find(self) -> str:
        """Return the program's path, or raise `ToolMissingError` with the install command."""
        path = shutil.which(self.program)
        if path is None:
            raise ToolMissingError(
                f"{self.program} ({self.purpose}) is not installed: "
                f"sudo apt-get install --no-install-recommends {self.packages}"
            )
        return path


CROSS_COMPILER = Tool(
    "arm-none-eabi-gcc",
    "the Cortex-M compiler",
    "gcc-arm-none-eabi libnewlib-arm-none-eabi",
)
EMULATOR = Tool("qemu-system-arm", "the Cortex-M emulator", "qemu-system-arm")


def host_compiler() -> list[str]:
    """Return the host C compiler as a command (the variable CC, else `cc`)."""
    command = shlex.split(os.environ.get("CC", "cc"))
    Tool(command[0], "the host C compiler", "gcc libc6-dev python3-dev").find()
    return command


def run_compiler(command: Sequence[str | Path], what: str) -> None:
    """Run a compiler; raise `BuildError` with its first messages when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        messages = "\n".join(done.stderr.strip().splitlines()[:20])
        raise BuildError(f"building {what} failed:\n{messages}")


def require_tools() -> None:
    """Raise `ToolMissingError` unless both compilers and the emulator are installed."""
    CROSS_COMPILER.find()
    EMULATOR.find()
    host_compiler()
