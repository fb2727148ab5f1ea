# SPDX-License-Identifier: Apache-2.0
"""What the tables rest on: reachable pieces, macros of the headers, the tables themselves."""

import subprocess
from pathlib import Path

import pytest

from secondpass import resources
from secondpass.boards import load_catalogue
from secondpass.errors import BuildError
from secondpass.learning import Learning
from secondpass.plan import macros, tables
from secondpass.plan.cases import Case
from secondpass.plan.pieces import MODEL, Piece, reachable, taken
from secondpass.plan.tables import load_table, save_table
from secondpass.toolchain import host_compiler
from secondpass_codegen import write


def test_only_what_is_referred_to_is_kept() -> None:
    pieces = {
        "start": Piece(10, 0, ("main",)),
        "main": Piece(6, 3, (MODEL, "main")),
        "layer": Piece(100, 0, ("sum",)),
        "sum": Piece(7, 0, ("layer",)),
        "unused": Piece(1000, 1000, ("sum",)),
    }
    without = reachable(pieces, ["start"])
    assert without == {"start", "main", MODEL}
    kept = reachable({**pieces, MODEL: Piece(0, 0, ("layer",))}, ["start"])
    assert kept == {"start", "main", MODEL, "layer", "sum"}
    assert taken(pieces, kept).flash == 12 + 8 + 100 + 8
    assert taken(pieces, kept).ram == 4


@pytest.mark.parametrize(
    "case",
    [
        Case((20, 5, 3), "bp"),
        Case((900, 8, 4), "pepita", dtype="int16"),
        Case((30, 8, 4, 6, 300), "ftp", head="mse"),
    ],
    ids=lambda case: case.title,
)
def test_macros_are_what_a_compiler_makes_of_them(case: Case, tmp_path: Path) -> None:
    network, rule = case.network(), case.rule()
    write(network, rule, tmp_path)
    names = (*macros.FRAMES, "SP_REPLY_ENCODED", "SP_SETTINGS_BODY", "SP_STORE_HEADER")
    prints = "".join(f'printf("%u\\n", (unsigned)({name}));' for name in names)
    program = f"#include <stdio.h>\n#include <secondpass/trainer.h>\nint main(void){{{prints}}}"
    (tmp_path / "probe.c").write_text(program)
    include = resources.folder("firmware") / "include"
    probe = tmp_path / "probe"
    subprocess.run(
        [*host_compiler(), f"-I{include}", f"-I{tmp_path}", tmp_path / "probe.c", "-o", probe],
        check=True,
    )
    printed = subprocess.run([probe], capture_output=True, text=True, check=True).stdout.split()
    values = macros.model_values(Learning(network, rule))
    assert [macros.evaluate(name, values) for name in names] == [int(text) for text in printed]


def test_a_macro_that_is_gone_is_named() -> None:
    with pytest.raises(BuildError, match="have no macro SP_GONE"):
        macros.evaluate("SP_GONE", {})


def test_every_board_has_a_table_with_its_port() -> None:
    for board in load_catalogue():
        table = load_table(board.core)
        assert board.port is None or table.firmware(board.port.family)


def test_a_core_and_a_port_that_were_never_measured_are_named() -> None:
    with pytest.raises(BuildError, match=r"no table of cortex-m99.*--update-tables"):
        load_table("cortex-m99")
    with pytest.raises(BuildError, match=r"knows no port 'abacus'.*--update-tables"):
        load_table("cortex-m4").firmware("abacus")


def test_a_table_is_written_as_it_was_read(tmp_path: Path) -> None:
    for path in tables.FOLDER.glob("*.json"):
        assert save_table(load_table(path.stem), tmp_path).read_bytes() == path.read_bytes()


def test_the_tables_stay_small() -> None:
    assert sum(path.stat().st_size for path in tables.FOLDER.glob("*.json")) < 200_000
