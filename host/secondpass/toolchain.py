# SPDX-License-Identifier: Apache-2.0
"""The programs that building and emulating need, and how to get them."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

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
ZIG = (sys.executable, "-m", "ziglang", "cc")
"""The C compiler that `pip install ziglang` brings, for this computer and for Cortex-M."""


def has_zig() -> bool:
    """Tell whether the Python package `ziglang` is installed."""
    return importlib.util.find_spec("ziglang") is not None


def host_compiler() -> list[str]:
    """Return the host C compiler as a command: the variable CC, else `cc`, else Zig's.

    Zig compiles for every processor of this kind, as `cc` does, not only for this computer's.
    """
    named = os.environ.get("CC")
    if named is None and shutil.which("cc") is None and has_zig():
        return [*ZIG, "-mcpu=baseline"]
    command = shlex.split(named or "cc")
    Tool(command[0], "the host C compiler", "gcc libc6-dev python3-dev").find()
    return command


def run_compiler(command: Sequence[str | Path], what: str) -> None:
    """Run a compiler; raise `BuildError` with its first messages when it fails."""
    parts = [str(part) for part in command]
    with _environment(parts) as environment:
        done = subprocess.run(parts, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        messages = "\n".join(done.stderr.strip().splitlines()[:20])
        raise BuildError(f"building {what} failed:\n{messages}")


@contextmanager
def _environment(command: Sequence[str]) -> Iterator[dict[str, str] | None]:
    """Give Zig its caches: what it builds of its own is kept, what it is given is not.

    Our objects have a cache already (device/objects.py), and models never come twice.
    """
    if tuple(command[: len(ZIG)]) != ZIG:
        yield None
        return
    kept = str(Path(platformdirs.user_cache_dir("secondpass")) / "zig")
    with tempfile.TemporaryDirectory() as scratch:
        yield {"ZIG_GLOBAL_CACHE_DIR": kept, **os.environ, "ZIG_LOCAL_CACHE_DIR": scratch}


def program_version(command: Sequence[str]) -> str:
    """Return the first line of what a program says of its version, or its name."""
    with _environment(command) as environment:
        done = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, env=environment
        )
    return done.stdout.splitlines()[0] if done.stdout else command[0]


def require_module(module: str, extra: str) -> None:
    """Raise `ToolMissingError` unless an optional Python package is installed."""
    if importlib.util.find_spec(module) is None:
        raise ToolMissingError(f"{module} is not installed: pip install 'secondpass[{extra}]'")
