# SPDX-License-Identifier: Apache-2.0
"""Read the pieces of a program from a relocatable ELF file that keeps input sections apart."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from secondpass.plan.pieces import MODEL, Piece

START = ".vectors"
"""The piece that the linker always keeps."""

SCRIPT = "SECTIONS { /DISCARD/ : { *(.ARM.attributes) *(.comment) *(.debug*) } }\n"
"""Linker script of a relocatable file whose sections are not put together."""

_CODE = (".text", ".rodata", START, ".ARM.exidx")
_DATA, _ZERO = ".data", ".bss"
_GENERATED = "sp_model_"
_ALLOCATED = 2


def read_pieces(path: Path) -> dict[str, Piece]:
    """Return the pieces of a relocatable file by name.

    A piece is named after its first global symbol; one that has none, after its section, with a
    number where several have the name. References to the generated code become `MODEL`.
    """
    with path.open("rb") as stream:
        return _Reader(ELFFile(stream)).pieces()


class _Reader:
    """Names every allocated section, then turns its relocations into references."""

    def __init__(self, elf: Any) -> None:
        self.sections = list(elf.iter_sections())
        tables = [s for s in self.sections if isinstance(s, SymbolTableSection)]
        self.symbols = [symbol for table in tables for symbol in table.iter_symbols()]
        self.aliases: dict[str, int] = {}
        self.names = self._section_names()

    def pieces(self) -> dict[str, Piece]:
        refers: dict[int, set[str]] = defaultdict(set)
        for section in self.sections:
            if not isinstance(section, RelocationSection):
                continue
            owner = int(section["sh_info"])
            for relocation in section.iter_relocations():
                target = self._target(self.symbols[relocation["r_info_sym"]])
                if target and target != self.names.get(owner):
                    refers[owner].add(target)
        for index, section in enumerate(self.sections):
            if section.name.startswith(".ARM.exidx") and index in self.names:
                refers[int(section["sh_link"])].add(self.names[index])  # lives with its code
        found = {
            name: _piece(self.sections[index], refers[index]) for index, name in self.names.items()
        }
        for alias, index in self.aliases.items():
            found[alias] = Piece(0, 0, (self.names[index],))
        return found

    def _section_names(self) -> dict[int, str]:
        named: dict[int, str] = {}
        for symbol in self.symbols:
            where = symbol["st_shndx"]
            if not isinstance(where, int) or symbol["st_info"]["bind"] == "STB_LOCAL":
                continue
            if named.setdefault(where, symbol.name) != symbol.name:
                self.aliases[symbol.name] = where
        result: dict[int, str] = {}
        seen: Counter[str] = Counter()
        for index, section in enumerate(self.sections):
            if not (section["sh_flags"] & _ALLOCATED and section["sh_size"]):
                continue
            name = section.name if section.name == START else named.get(index)
            if name is None:
                seen[section.name] += 1
                number = seen[section.name]
                name = section.name if number == 1 else f"{section.name}#{number}"
            result[index] = name
        self.aliases = {name: at for name, at in self.aliases.items() if at in result}
        return result

    def _target(self, symbol: Any) -> str | None:
        where = symbol["st_shndx"]
        if isinstance(where, int):
            return self.names.get(where)
        return MODEL if symbol.name.startswith(_GENERATED) else symbol.name or None


def _piece(section: Any, refers: set[str]) -> Piece:
    size = int(section["sh_size"])
    code = section.name.startswith(_CODE)
    data = section.name.startswith(_DATA)
    zero = section.name.startswith(_ZERO)
    return Piece(
        flash=size if code or data else 0,
        ram=size if data or zero else 0,
        refers=tuple(sorted(refers)),
    )
