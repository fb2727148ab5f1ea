# SPDX-License-Identifier: Apache-2.0
"""One program with every kernel gives the same results on this computer and on every core."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from listen import listen, numbers

from secondpass import resources
from secondpass.boards import emulated_boards, load_board
from secondpass.crosscompiler import COMPILER_VARIABLE
from secondpass.device.crossbuild import build_image
from secondpass.device.hostbuild import CFLAGS_VARIABLE
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.toolchain import WARNINGS, host_compiler, run_compiler

FOLDER = Path(__file__).parent / "sweep"
SOURCES = [*sorted(FOLDER.glob("*.c")), *library_sources(*MODEL_FREE)]
SWEEP_RAM = 64 * 1024
"""Bytes of RAM that take the data of the sweep; boards with less run only small models."""
CORES = {board.core: board for board in reversed(emulated_boards(SWEEP_RAM))}
KERNELS = {
    *("fc_a16w16", "fc_a16w8", "fc_a8w8", "fc_affine8", "backward_w16", "backward_w8"),
    *(
        "row_errors",
        "thin_rows",
        "update_bias",
        "learn_a16w16",
        "learn_a16w8",
        "learn_a8w8",
        "learn_bias",
        "finish_step",
    ),
    *("quantise", "activations", "slopes", "sums", "measures", "softmax", "targets", "crc32"),
    *("sign", "dense", "sparse", "stored", "signals", "modulation", "follow_update"),
}


def parse(text: str) -> dict[str, str]:
    """Return the CRC of each kernel of a complete report."""
    results = numbers(text)
    assert results.keys() == KERNELS
    return results


def run_on_host(folder: Path, *flags: str) -> dict[str, str]:
    program = folder / "sweep"
    include = resources.folder("firmware") / "include"
    sanitizers = shlex.split(os.environ.get(CFLAGS_VARIABLE, ""))
    run_compiler(
        [
            *host_compiler(),
            *("-std=c99", "-O2", *WARNINGS, f"-I{include}", *flags, *sanitizers),
            *SOURCES,
            *("-o", program),
        ],
        "the sweep",
    )
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    done = subprocess.run([program], capture_output=True, text=True, check=True, env=environment)
    return parse(done.stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run_on_host(tmp_path_factory.mktemp("plain"))


def test_dsp_form_on_this_computer(plain: dict[str, str], tmp_path: Path) -> None:
    assert run_on_host(tmp_path, "-DSP_EMULATE_DSP") == plain


def test_split_form_on_this_computer(plain: dict[str, str], tmp_path: Path) -> None:
    """What cores without a long multiplication run."""
    assert run_on_host(tmp_path, "-DSP_NO_LONG_MULTIPLY") == plain


def test_results_depend_on_the_data(plain: dict[str, str]) -> None:
    assert len(set(plain.values())) == len(KERNELS)


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
@pytest.mark.parametrize("board_id", [board.id for board in emulated_boards(SWEEP_RAM)])
def test_emulated_cores(board_id: str, plain: dict[str, str], tmp_path: Path) -> None:
    board = load_board(board_id)
    image = build_image(SOURCES, board, tmp_path / "sweep.elf")
    assert parse(listen(board, image.elf)) == plain


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
@pytest.mark.parametrize("core", CORES)
def test_cores_compiled_by_zig(
    core: str, plain: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other compiler: every kernel in the form of every core."""
    pytest.importorskip("ziglang", reason="pip install ziglang")
    monkeypatch.setenv(COMPILER_VARIABLE, "zig")
    board = CORES[core]
    image = build_image(SOURCES, board, tmp_path / "sweep.elf")
    assert parse(listen(board, image.elf)) == plain
