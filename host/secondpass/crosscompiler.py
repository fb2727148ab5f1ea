# SPDX-License-Identifier: Apache-2.0
"""The compilers for Cortex-M, and how each is told what the other knows by itself.

GCC comes from the system's packages; Zig's clang comes from pip (`ziglang`) and brings no C
library for bare metal: headers are in `firmware/freestanding`, `memcpy` and division in its
compiler_rt (docs/compilers.md).
"""

import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from secondpass import resources
from secondpass.errors import BuildError, ToolMissingError, require_choice
from secondpass.toolchain import (
    CROSS_COMPILER,
    EMULATOR,
    ZIG,
    has_zig,
    host_compiler,
    program_version,
    require_module,
)

COMPILER_VARIABLE = "SECONDPASS_COMPILER"
"""Environment variable that names the compiler: gcc or zig."""


class CrossCompiler(Protocol):
    """A C compiler for Cortex-M."""

    @property
    def name(self) -> str:
        """What `SECONDPASS_COMPILER` calls it."""

    def command(self) -> list[str]:
        """Return what compiles and links; raise `ToolMissingError` where it is not installed."""

    def version(self) -> str:
        """Return one line with its version: other versions make other code."""

    def core_flags(self, core: str, float_unit: bool) -> list[str]:
        """Return the flags that choose a core, with its float unit where asked and it has one."""

    def include_flags(self) -> list[str]:
        """Return where headers are that the compiler lacks."""

    def link_flags(self, script: Path, symbols: Mapping[str, int], folder: Path) -> list[str]:
        """Return how to link with `script`, which needs `symbols`; files go into `folder`."""


@dataclass(frozen=True)
class Gcc:
    """arm-none-eabi-gcc with newlib."""

    name: str = "gcc"

    def command(self) -> list[str]:
        """Return the compiler's path."""
        return [CROSS_COMPILER.find()]

    def version(self) -> str:
        """Return the first line of what it says."""
        return program_version(self.command())

    def core_flags(self, core: str, float_unit: bool) -> list[str]:
        """GCC gives integer MVE only to an ABI with its registers."""
        unit = _GCC_FLOAT_UNITS.get(core) if float_unit else None
        if unit is not None:
            return [f"-mcpu={core}", "-mfloat-abi=hard", unit, "-mthumb"]
        if core == "cortex-m55":
            return ["-mcpu=cortex-m55+nofp", "-mfloat-abi=hard", "-mthumb"]
        return [f"-mcpu={core}", "-mfloat-abi=soft", "-mthumb"]

    def include_flags(self) -> list[str]:
        """Newlib has all headers."""
        return []

    def link_flags(self, script: Path, symbols: Mapping[str, int], folder: Path) -> list[str]:
        """Symbols arrive on the command line."""
        return [
            *("-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections"),
            *(f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items()),
            *(f"-T{script}", "-lm"),
        ]


@dataclass(frozen=True)
class Zig:
    """Clang and lld of the Python package `ziglang`."""

    name: str = "zig"

    def command(self) -> list[str]:
        """Return the compiler as a module of this Python."""
        require_module("ziglang", "zig")
        return list(ZIG)

    def version(self) -> str:
        """Return the versions of Zig and of its clang."""
        return f"zig {importlib.metadata.version('ziglang')}, {program_version(self.command())}"

    def core_flags(self, core: str, float_unit: bool) -> list[str]:
        """Zig computes in software unless a float unit is named, and says nothing of it.

        `-fhosted` undoes Zig's `-ffreestanding`, under which a 4-byte `memcpy` is a call and not a
        load. The Cortex-M55 takes the ABI with vector registers: without it nothing is vectorised.
        """
        unit = _ZIG_FLOAT_UNITS.get(core) if float_unit else None
        vectors = core == "cortex-m55"
        features = (unit or ("+mve" if vectors else "")) + _ZIG_LEFT_OUT.get(core, "")
        return [
            *("-target", f"thumb-freestanding-{'eabihf' if unit or vectors else 'eabi'}"),
            *(f"-mcpu={core.replace('-', '_')}{features}", "-fhosted", "-fomit-frame-pointer"),
            *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables"),
        ]

    def include_flags(self) -> list[str]:
        """Clang brings stdint.h, stddef.h, arm_acle.h and their like; the rest is ours."""
        return [f"-I{resources.folder('firmware') / 'freestanding'}"]

    def link_flags(self, script: Path, symbols: Mapping[str, int], folder: Path) -> list[str]:
        """Zig refuses --defsym: write a script that begins with the symbols.

        `-nostartfiles` and not `-nostdlib`, which would leave compiler_rt out.
        """
        whole = folder / "zig.ld"
        lines = [f"{name} = {value:#x};" for name, value in symbols.items()]
        whole.write_text("\n".join([*lines, script.read_text(encoding="utf-8")]), encoding="utf-8")
        return [
            *("-nostartfiles", "-Wl,--gc-sections", "-Wl,-e,Reset_Handler", f"-T{whole}"),
            "-Wno-unused-command-line-argument",  # these, where it compiles
        ]


_GCC_FLOAT_UNITS = {
    "cortex-m4": "-mfpu=fpv4-sp-d16",
    "cortex-m7": "-mfpu=fpv5-d16",
    "cortex-m33": "-mfpu=fpv5-sp-d16",
    "cortex-m55": "-mfpu=auto",
}
_ZIG_FLOAT_UNITS = {
    "cortex-m4": "+vfp4d16sp",
    "cortex-m7": "+fp_armv8d16",
    "cortex-m33": "+fp_armv8d16sp",
    "cortex-m55": "+mve_fp+fp_armv8d16",
}
_ZIG_LEFT_OUT = {"cortex-m33": "+dsp"}
"""What Zig takes for an option of a core that GCC, and all chips we describe, give it."""
FLOAT_CORES = tuple(_GCC_FLOAT_UNITS)
"""Cores with a float unit; all others compute in software."""

COMPILERS: dict[str, CrossCompiler] = {"gcc": Gcc(), "zig": Zig()}


def cross_compiler() -> CrossCompiler:
    """Return the compiler that `SECONDPASS_COMPILER` names, else GCC, else Zig, as installed.

    Raises `BuildError` for a name that is none, and `ToolMissingError` without a compiler.
    """
    name = os.environ.get(COMPILER_VARIABLE, "")
    if name and name not in COMPILERS:
        raise BuildError(f"{COMPILER_VARIABLE} is {name!r}; accepted: {', '.join(COMPILERS)}")
    if name:
        return COMPILERS[name]
    try:
        CROSS_COMPILER.find()
    except ToolMissingError as error:
        if has_zig():
            return COMPILERS["zig"]
        raise ToolMissingError(f"{error}; or, without root: pip install ziglang") from None
    return COMPILERS["gcc"]


def choose(name: str | None) -> None:
    """Choose the compiler of this process as `SECONDPASS_COMPILER` does; None changes nothing."""
    if name is not None:
        require_choice("compiler", name, COMPILERS)
        os.environ[COMPILER_VARIABLE] = name


def require_tools() -> None:
    """Raise `ToolMissingError` unless both compilers and the emulator are installed."""
    cross_compiler().command()
    EMULATOR.find()
    host_compiler()
