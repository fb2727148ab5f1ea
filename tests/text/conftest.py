# SPDX-License-Identifier: Apache-2.0
"""The two protocols on this computer, under the sanitizers, and on emulated boards."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from text_boards import KEYWORDS, RULE, Board

from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.toolchain import host_compiler

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench" / "fuzz"))

import fuzz


@pytest.fixture(scope="session")
def host_programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the fuzzed program of a profile, for single inputs and for conversations."""
    built: dict[str, Path] = {}

    def program(profile: str) -> Path:
        if profile not in built:
            folder = tmp_path_factory.mktemp(profile)
            flags = (*fuzz.SANITIZERS, "-O1", "-DSP_FUZZ_MAIN")
            model = fuzz.network(profile)
            built[profile] = fuzz.build(profile, folder, host_compiler(), flags, model)
        return built[profile]

    return program


@pytest.fixture(scope="session")
def talk(host_programs: Callable[[str], Path]) -> Callable[..., bytes]:
    """Return what a device on this computer says to bytes from its start on."""

    def say(data: bytes, profile: str = "kws01") -> bytes:
        done = subprocess.run(
            [host_programs(profile), "-"], input=data, capture_output=True, timeout=120
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    return say


@pytest.fixture(scope="module")
def board(cross_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A running board with the keyword network, its port open."""
    folder = tmp_path_factory.mktemp("text")
    chosen = load_board("mps2-an386")
    elf = build_firmware(KEYWORDS, RULE, chosen, folder).elf
    with (
        Emulator(chosen, elf, monitor=folder / "monitor") as running,
        Board.open(running) as opened,
    ):
        yield opened
