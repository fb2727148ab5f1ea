# SPDX-License-Identifier: Apache-2.0
"""No instruction is gained or lost unseen: counts must equal bench/instructions.json."""

from pathlib import Path

import pytest

from secondpass.bench import counts
from secondpass.bench.matrix import core_boards

FILE = Path(__file__).resolve().parents[2] / "bench" / "instructions.json"
BOARDS = core_boards()

pytestmark = pytest.mark.emulated


@pytest.mark.parametrize("core", BOARDS)
def test_instructions_are_as_committed(core: str, cross_tools: None) -> None:
    made_with, expected = counts.read(FILE)
    if made_with != counts.compiler():
        pytest.skip(f"counts were made with {made_with}, this is {counts.compiler()}")
    assert core in expected, f"no counts of {core} in {FILE.name}: run '{counts.COMMAND}'"
    moved = counts.difference(core, expected[core], counts.count(BOARDS[core]))
    assert not moved, moved


def test_every_committed_core_is_counted() -> None:
    assert set(counts.read(FILE)[1]) == set(BOARDS)


def test_a_difference_names_what_moved_and_the_command() -> None:
    text = counts.difference("cortex-m4", {"a": 200, "b": 1, "c": 7}, {"a": 210, "c": 7, "d": 3})
    assert "cortex-m4: a: 200 -> 210 (+10, +5.00 %)" in text
    assert "b: gone" in text
    assert "d: new" in text
    assert "c:" not in text
    assert counts.COMMAND in text
    assert counts.difference("cortex-m4", {"a": 1}, {"a": 1}) == ""
