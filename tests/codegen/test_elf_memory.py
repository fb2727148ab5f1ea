# SPDX-License-Identifier: Apache-2.0
"""What the planner says a model takes is what the linked firmware takes."""

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from toy_networks import toy_network

from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.rules import Mempepita, Pepita, Rule, make_rule
from secondpass_codegen.memory import plan

NETWORK = toy_network(16, 40, 40, 40, 40, 4)
BOARD = "mps2-an386"


def ram_bytes(rule: Rule, folder: Path) -> int:
    return build_firmware(NETWORK, rule, load_board(BOARD), folder).ram_bytes


def model_bytes(rule: Rule, folder: Path) -> int:
    """Return the size of the model in the linked firmware."""
    elf = build_firmware(NETWORK, rule, load_board(BOARD), folder).elf
    with elf.open("rb") as stream:
        tables = [s for s in ELFFile(stream).iter_sections() if isinstance(s, SymbolTableSection)]
        sizes = [symbol["st_size"] for t in tables for symbol in t.get_symbol_by_name("model")]
    assert len(sizes) == 1
    return int(sizes[0])


@pytest.mark.emulated
def test_mempepita_saves_in_the_elf_what_the_planner_promises(
    cross_tools: None, tmp_path: Path
) -> None:
    saved = model_bytes(Pepita(), tmp_path / "a") - model_bytes(Mempepita(), tmp_path / "b")
    promised = plan(NETWORK, Pepita()).arena - plan(NETWORK, Mempepita()).arena
    assert saved == promised >= 2 * 2 * 40


@pytest.mark.emulated
@pytest.mark.parametrize("name", ["hebbian", "ftp", "bp", "last"])
def test_rules_differ_in_the_elf_as_planned(name: str, cross_tools: None, tmp_path: Path) -> None:
    """But for the trainer's request buffer, which holds a scale for every projection."""
    rule = make_rule(name, {})
    difference = ram_bytes(rule, tmp_path / "a") - ram_bytes(Pepita(), tmp_path / "b")
    planned = plan(NETWORK, rule).total - plan(NETWORK, Pepita()).total
    assert abs(difference - planned) <= 8
