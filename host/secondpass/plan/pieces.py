# SPDX-License-Identifier: Apache-2.0
"""Pieces of a program: what the linker keeps or drops as a whole, and what each one refers to.

With `-ffunction-sections` a function or an object is a section of its own. `--gc-sections` keeps
what can be reached from the start; `reachable` does the same on a table, without a linker.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MODEL = "model"
"""Stands for the generated code: what refers to it, and what it refers to, depends on the model."""

_WORD = 4


@dataclass(frozen=True)
class Piece:
    """Bytes of flash and RAM of a section, and the names of the pieces that it refers to."""

    flash: int
    ram: int
    refers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taken:
    """Bytes that pieces take together."""

    flash: int
    ram: int


def reachable(pieces: Mapping[str, Piece], start: Iterable[str]) -> set[str]:
    """Return the names of the pieces that the linker keeps, with `MODEL` when it is reached."""
    kept: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += pieces[name].refers if name in pieces else ()
    return kept


def taken(pieces: Mapping[str, Piece], names: Iterable[str]) -> Taken:
    """Return the bytes of some pieces, each at a word boundary; names without a piece take none."""
    found = [pieces[name] for name in names if name in pieces]
    return Taken(
        flash=sum(_aligned(piece.flash) for piece in found),
        ram=sum(_aligned(piece.ram) for piece in found),
    )


def _aligned(size: int) -> int:
    return (size + _WORD - 1) // _WORD * _WORD
