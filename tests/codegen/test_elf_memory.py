# SPDX-License-Identifier: Apache-2.0
"""What the planner says a model takes is what the linked firmware takes."""

from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from toy_networks import toy_network

from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.network import Network
from secondpass.rules import Mempepita, Pepita, Rule, make_rule
from secondpass_codegen.memory import plan

NETWORK = toy_network(16, 40, 40, 40, 40, 4)
BOARD = "mps2-an386"


def ram_bytes(rule: Rule, folder: Path) -> int:
    return build_firmware(NETWORK, rule, load_board(BOARD), folder).ram_bytes


def model_bytes(rule: Rule, folder: Path, network: Network = NETWORK, board: str = BOARD) -> int:
    """Return the size of the model in the linked firmware."""
    elf = build_firmware(network, rule, load_board(board), folder).elf
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


FROZEN_FIRST = [
    (Pepita(), 2 * 64 * 100 + 4 * 64),
    (Pepita(second_pass="short"), 2 * 64 * 100 + 4 * 64),
    (make_rule("ftp", {}), 2 * 64 * 100 + 4 * 64),
]
"""Rules, and the bytes of weights and bias in the first layer of 100-64-32-10."""


@pytest.mark.emulated
@pytest.mark.parametrize("board", ["mps2-an386", "mps2-an385-m0plus"])
@pytest.mark.parametrize(("rule", "in_flash"), FROZEN_FIRST)
def test_a_frozen_first_layer_takes_no_ram(
    rule: Rule, in_flash: int, board: str, cross_tools: None, tmp_path: Path
) -> None:
    """Its weights and bias stay in flash; so does what would bound its updates."""
    network = toy_network(100, 64, 32, 10)
    frozen = replace(rule, trainable=("none", "all", "all"))
    sizes = [
        model_bytes(chosen, tmp_path / name, network, board)
        for chosen, name in ((rule, "all"), (frozen, "frozen"))
    ]
    assert sizes == [plan(network, rule).total, plan(network, frozen).total]
    room = 2 * 64
    arenas = plan(network, rule).arena - plan(network, frozen).arena
    assert sizes[0] - sizes[1] == in_flash + room + arenas
    kept = plan(network, frozen, frozen_in_flash=False)
    assert kept.total - sizes[1] == in_flash


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("trainable", "kept"), [("none", 0), ("bias", 4 * (64 + 32 + 10))], ids=["none", "bias"]
)
def test_no_weights_are_in_ram_where_none_learn(
    trainable: str, kept: int, cross_tools: None, tmp_path: Path
) -> None:
    network = toy_network(100, 64, 32, 10)
    rule = make_rule("bias", {"trainable": (trainable,) * 3})
    planned = plan(network, rule)
    assert sum(planned.weights.values()) == kept
    assert model_bytes(rule, tmp_path, network) == planned.total
