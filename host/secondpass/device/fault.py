# SPDX-License-Identifier: Apache-2.0
"""Why a device restarted: the report that its firmware kept through the reset (docs/safety.md)."""

import struct
from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from secondpass.errors import DeviceError

_REPORT = struct.Struct("<4B7I")
_STACK, _ADDRESS, _REGISTERS = 1, 2, 4
_EXCEPTIONS = {
    **{2: "NMI", 3: "hard fault", 4: "memory fault", 5: "bus fault", 6: "usage fault"},
    **{7: "secure fault", 11: "SVC", 12: "debug monitor", 14: "PendSV", 15: "SysTick"},
}
_CFSR = {
    **{0: "instruction access violation", 1: "data access violation"},
    **{3: "memory fault on exception return", 4: "memory fault on exception entry"},
    **{8: "instruction bus error", 9: "data bus error", 10: "imprecise data bus error"},
    **{11: "bus error on exception return", 12: "bus error on exception entry"},
    **{16: "undefined instruction", 17: "invalid state", 18: "invalid PC load"},
    **{19: "no coprocessor", 20: "stack limit passed", 24: "unaligned access"},
    **{25: "division by zero"},
}
"""Bits of the configurable fault status register and what they mean."""


class ResetCause(IntEnum):
    """What made a device start."""

    OTHER = 0
    FAULT = 1
    STACK = 2
    WATCHDOG = 3


@dataclass(frozen=True)
class FaultReport:
    """What a firmware recorded before it restarted itself.

    `count` restarts of this kind since the report was cleared; the report is of the last one.
    Registers are 0 without `registers`: the core could not save them. `address` is that of the
    refused access, None: not known. `stack_overflow`: the stack ran over its end.
    """

    cause: ResetCause
    stack_overflow: bool
    registers: bool
    exception: int
    count: int
    pc: int
    lr: int
    xpsr: int
    sp: int
    cfsr: int
    hfsr: int
    address: int | None

    @property
    def reasons(self) -> list[str]:
        """What the fault status says, in words; empty on a core without that register."""
        return [text for bit, text in _CFSR.items() if self.cfsr >> bit & 1]

    def describe(self, symbols: "Symbols | None" = None) -> str:
        """Return one line; with symbols it names the functions."""
        place = symbols.place if symbols is not None else "{:#010x}".format
        what = {
            ResetCause.STACK: "the guard at the stack's end was overwritten",
            ResetCause.WATCHDOG: "the main loop hung and the watchdog fired",
        }.get(self.cause, f"{_EXCEPTIONS.get(self.exception, f'exception {self.exception}')}")
        if self.cause == ResetCause.FAULT and self.reasons:
            what += f" ({', '.join(self.reasons)})"
        parts = [what]
        if self.registers:
            parts[0] += f" at {place(self.pc)}, return address {place(self.lr & ~1)}"
        elif self.cause != ResetCause.STACK:
            parts.append("place not known: the stack had no room for the registers")
        if self.address is not None:
            parts.append(f"address {self.address:#010x}")
        if self.stack_overflow and self.cause != ResetCause.STACK:
            parts.append("the stack ran over its end")
        parts.append(f"SP {self.sp:#010x}, CFSR {self.cfsr:#010x}, HFSR {self.hfsr:#010x}")
        parts.append(f"{self.count} restart{'s' if self.count != 1 else ''} so far")
        return "; ".join(parts)


def unpack_fault(body: bytes) -> FaultReport | None:
    """Read the answer to `fault`; None: nothing was recorded."""
    try:
        cause, flags, exception, count, *registers = _REPORT.unpack_from(body)
        known = ResetCause(cause)
    except (struct.error, ValueError) as error:
        raise DeviceError(f"the device's fault report cannot be read ({error})") from error
    if known is ResetCause.OTHER:
        return None
    pc, lr, xpsr, sp, cfsr, hfsr, address = registers
    return FaultReport(
        cause=known,
        stack_overflow=bool(flags & _STACK),
        registers=bool(flags & _REGISTERS),
        exception=exception,
        count=count,
        pc=pc,
        lr=lr,
        xpsr=xpsr,
        sp=sp,
        cfsr=cfsr,
        hfsr=hfsr,
        address=address if flags & _ADDRESS else None,
    )


class Symbols:
    """Functions and source lines of a firmware's ELF file.

    Raises `DeviceError` when the file cannot be read.
    """

    def __init__(self, elf: Path) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        try:
            with elf.open("rb") as stream:
                file = ELFFile(stream)
                self._functions = sorted(_functions(file))
                self._lines = sorted(_lines(file))
        except (OSError, ELFError) as error:
            raise DeviceError(f"cannot read symbols from {elf} ({error})") from error

    def place(self, address: int) -> str:
        """Return an address with the function and the line it is in."""
        text = f"{address:#010x}"
        at = bisect_right(self._functions, (address, 2**32, "")) - 1
        if at < 0 or address >= self._functions[at][0] + self._functions[at][1]:
            return text
        line = bisect_right(self._lines, (address, "\U0010ffff", 0)) - 1
        where = f", {self._lines[line][1]}:{self._lines[line][2]}" if line >= 0 else ""
        return f"{text} ({self._functions[at][2]}{where})"


def _functions(file: Any) -> list[tuple[int, int, str]]:
    """Return address, size and name of every function."""
    table = file.get_section_by_name(".symtab")
    return [
        (symbol["st_value"] & ~1, symbol["st_size"], symbol.name)
        for symbol in (table.iter_symbols() if table is not None else ())
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]
    ]


def _lines(file: Any) -> list[tuple[int, str, int]]:
    """Return where the code of every source line begins: address, file, line."""
    found: list[tuple[int, str, int]] = []
    if not file.has_dwarf_info():
        return found
    dwarf = file.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        first = 0 if program["version"] >= 5 else 1
        names = [entry.name.decode() for entry in program["file_entry"]]
        for entry in program.get_entries():
            if (state := entry.state) is not None and not state.end_sequence and state.line:
                found.append((state.address, names[state.file - first], state.line))
    return found
