# SPDX-License-Identifier: Apache-2.0
"""Every board counts instructions exactly and lets its core do what it can."""

from pathlib import Path

import pytest
from listen import listen, numbers

from secondpass.boards import Board, emulated_boards, load_board
from secondpass.device.crossbuild import build_image

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]

PROGRAM = Path(__file__).parent / "board" / "board.c"


def measured(board: Board, folder: Path) -> dict[str, str]:
    image = build_image([PROGRAM], board, folder / "board.elf")
    return numbers(listen(board, image.elf, count_instructions=True))


@pytest.mark.parametrize("board_id", [board.id for board in emulated_boards()])
def test_ticks_count_instructions(board_id: str, tmp_path: Path) -> None:
    """A loop of two instructions counts two a round, also for longer than a timer of 24 bits.

    Where the board has such a timer, it counts modulo its range.
    """
    board = load_board(board_id)
    assert board.ticks_per_instruction == 1 or board.ticks_per_instruction > 2
    ticks = {name: int(count) for name, count in measured(board, tmp_path).items()}
    wrapped = 2 * 6_001_000 * board.ticks_per_instruction - ticks["long"]
    turn = 2 ** board.require_port().timer_bits
    ticks["long"] += round(wrapped / turn) * turn
    counts = {
        name: round(ticks[name] / board.ticks_per_instruction)
        for name in ("short", "again", "long")
    }
    assert counts["short"] == counts["again"]
    assert counts["long"] - counts["short"] == 2 * 6_000_000
    assert 2 * 1000 < counts["short"] < 2 * 1000 + 20


def test_vector_unit_is_switched_on(tmp_path: Path) -> None:
    """A dot product of 37 bytes: two whole vectors and a part of one."""
    report = measured(load_board("mps3-an547"), tmp_path)
    assert int(report["dot"]) == 3 * sum(range(1, 38))
