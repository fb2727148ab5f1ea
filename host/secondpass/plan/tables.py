# SPDX-License-Identifier: Apache-2.0
"""The measured tables, a file a core: pieces of code, generated code, instructions, stack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from secondpass.errors import BuildError
from secondpass.plan.pieces import Piece
from secondpass.plan.text import TextSizes

FOLDER = Path(__file__).resolve().parent / "tables"
UPDATE = "./run plan --update-tables"


class UnmeasuredError(BuildError):
    """A core or a port that no table knows: it can be built for, but not planned."""


@dataclass(frozen=True)
class FrozenSizes:
    """What was measured of frozen int8 networks (`secondpass.plan.frozen`).

    `ram` and `flash`: by chip family, bytes beside the model and link buffers; `head`: flash that
    a head takes more than the first of them. `code`: bytes of generated code for each of its
    features. `instructions` for each amount of work. `stack`: bytes that the trainer uses at most.
    """

    ram: dict[str, int]
    flash: dict[str, int]
    head: dict[str, int]
    text: TextSizes
    code: dict[str, float]
    instructions: dict[str, float]
    stack: int


@dataclass(frozen=True)
class Table:
    """What was measured for a core.

    `pieces`: what every firmware without the text protocol can have; `ports`: by chip family, what
    is different there; `text`: what the protocol takes.
    `code`: bytes of generated code for each of its features. `instructions` for each amount of
    work. `stack`: by format, bytes that inference and step use at most; `link_stack`: more than
    that in the trainer. `fixed_ram`: by family, static RAM beside model and link buffers.
    `buffers`: how often a request and a reply frame are in the link's buffers. `frozen`: the same
    for frozen int8 networks.
    """

    core: str
    compiler: str
    pieces: dict[str, Piece]
    ports: dict[str, dict[str, Piece]]
    code: dict[str, float]
    instructions: dict[str, float]
    stack: dict[str, int]
    link_stack: int
    fixed_ram: dict[str, int]
    buffers: tuple[int, int]
    text: TextSizes
    frozen: FrozenSizes

    def firmware(self, family: str) -> dict[str, Piece]:
        """Return the pieces of a firmware for a chip family."""
        if family not in self.ports:
            raise UnmeasuredError(
                f"the planner's table of {self.core} knows no port {family!r}; measure it: {UPDATE}"
            )
        return {**self.pieces, **self.ports[family]}


@cache
def load_table(core: str) -> Table:
    """Read the table of a core; raise `UnmeasuredError` when there is none."""
    path = FOLDER / f"{core}.json"
    if not path.exists():
        raise UnmeasuredError(f"the planner has no table of {core}; measure it: {UPDATE}")
    content = json.loads(path.read_text(encoding="utf-8"))
    return Table(
        core=core,
        compiler=content["compiler"],
        pieces=_pieces(content["pieces"]),
        ports={family: _pieces(pieces) for family, pieces in content["ports"].items()},
        code=content["code"],
        instructions=content["instructions"],
        stack=content["stack"],
        link_stack=content["link_stack"],
        fixed_ram=content["fixed_ram"],
        buffers=(content["buffers"][0], content["buffers"][1]),
        text=TextSizes(**content["text"]),
        frozen=_frozen(content["frozen"]),
    )


def save_table(table: Table, folder: Path = FOLDER) -> Path:
    """Write a table, an entry a line."""
    content: dict[str, Any] = {
        "compiler": table.compiler,
        "buffers": list(table.buffers),
        "fixed_ram": table.fixed_ram,
        "link_stack": table.link_stack,
        "stack": table.stack,
        "text": {"ram": table.text.ram, "flash": table.text.flash},
        "code": _code(table.code),
        "instructions": _instructions(table.instructions),
        "frozen": _plain_frozen(table.frozen),
        "pieces": _plain(table.pieces),
        "ports": {family: _plain(pieces) for family, pieces in sorted(table.ports.items())},
    }
    path = folder / f"{table.core}.json"
    path.write_text(_lines(content, 0) + "\n", encoding="utf-8")
    return path


def _frozen(content: Mapping[str, Any]) -> FrozenSizes:
    return FrozenSizes(**{**content, "text": TextSizes(**content["text"])})


def _plain_frozen(sizes: FrozenSizes) -> dict[str, Any]:
    return {
        "stack": sizes.stack,
        "ram": sizes.ram,
        "flash": sizes.flash,
        "head": sizes.head,
        "text": {"ram": sizes.text.ram, "flash": sizes.text.flash},
        "code": _code(sizes.code),
        "instructions": _instructions(sizes.instructions),
    }


def _code(table: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in sorted(table.items())}


def _instructions(table: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in sorted(table.items())}


def _pieces(content: Mapping[str, Any]) -> dict[str, Piece]:
    return {
        name: Piece(flash, ram, tuple(refers)) for name, (flash, ram, *refers) in content.items()
    }


def _plain(pieces: Mapping[str, Piece]) -> dict[str, Any]:
    return {name: [p.flash, p.ram, *p.refers] for name, p in sorted(pieces.items())}


def _lines(value: Any, depth: int) -> str:
    """Return JSON with one entry of a table a line."""
    if not isinstance(value, dict):
        return json.dumps(value)
    indent = " " * (depth + 1)
    entries = [
        f"{indent}{json.dumps(key)}: {_lines(item, depth + 1)}" for key, item in value.items()
    ]
    return "{\n" + ",\n".join(entries) + "\n" + " " * depth + "}"
