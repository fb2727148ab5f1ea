# SPDX-License-Identifier: Apache-2.0
"""The arena: nothing that is alive is shared, and the compiler checks its size."""

import subprocess
from pathlib import Path

import pytest

from secondpass import resources
from secondpass.plan.cases import Case, reference_cases
from secondpass.toolchain import host_compiler
from secondpass_codegen import write
from secondpass_codegen.learn import build
from secondpass_codegen.memory import plan
from secondpass_codegen.program import ELEMENT_BYTES, Names, Vector

ALL = reference_cases()


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_no_two_vectors_that_are_alive_overlap(case: Case) -> None:
    """Lives are found here anew, from the statements in the order in which they run."""
    network, rule = case.network(), case.rule()
    memory = plan(network, rule)
    functions = build(Names(network, rule))
    runs = [functions.infer, *functions.training] if functions.time_local else functions.training
    lives: dict[Vector, list[int]] = {}
    for time, statement in enumerate(s for block in runs for s in block.statements):
        for vector in statement.uses:
            if not vector.kept:
                lives.setdefault(vector, []).append(time)
    where = {entry.vector: (entry.offset, entry.end) for entry in memory.placed}
    assert set(where) == set(lives)
    for one, (start, end) in where.items():
        assert start >= 0
        assert start % 4 == 0
        assert end <= memory.arena
        assert end - start >= one.length * ELEMENT_BYTES[one.ctype]
        for other, (other_start, other_end) in where.items():
            apart = max(lives[one]) < min(lives[other]) or max(lives[other]) < min(lives[one])
            assert one == other or apart or end <= other_start or other_end <= start


def compiled(folder: Path) -> subprocess.CompletedProcess[str]:
    include = resources.folder("firmware") / "include"
    options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    command = [*host_compiler(), *options, f"-I{include}", f"-I{folder}", str(folder / "model.c")]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("part", ["arena", "logits"])
def test_the_compiler_refuses_a_model_of_another_size_than_planned(
    part: str, tmp_path: Path
) -> None:
    case = ALL[0]
    write(case.network(), case.rule(), tmp_path)
    assert compiled(tmp_path).returncode == 0
    header = tmp_path / "model.h"
    text = header.read_text()
    assert f"int16_t {part}[" in text
    header.write_text(text.replace(f"int16_t {part}[", f"int16_t {part}[2 + "))
    refused = compiled(tmp_path)
    assert refused.returncode != 0
    assert "is_as_planned" in refused.stderr
