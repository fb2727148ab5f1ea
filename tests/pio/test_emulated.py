# SPDX-License-Identifier: Apache-2.0
"""PlatformIO as users know it, on emulated boards and without a network: build, upload, monitor."""

import os
import pty
import re
import select
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from offline_pio import Pio, offline_environment
from toy_networks import toy_samples

from secondpass.boards import load_board
from secondpass.device import protocol
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import Verb
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport
from secondpass.network import Network
from secondpass.pio.monitor import raw_arguments
from secondpass.pio.project import write_project
from secondpass.rules import Rule

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]
PADDING = 16
"""Bytes by which .text may differ: the order of the objects moves what is aligned."""


def contents(elf: Path) -> tuple[dict[str, int], set[tuple[str, int]]]:
    """Return the sizes of what takes memory, and every function and object with its size."""
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        sizes = {s.name: s["sh_size"] for s in file.iter_sections() if s["sh_flags"] & 2}
        symbols = file.get_section_by_name(".symtab").iter_symbols()
        kinds = ("STT_FUNC", "STT_OBJECT")
        return sizes, {(s.name, s["st_size"]) for s in symbols if s["st_info"]["type"] in kinds}


@pytest.mark.parametrize("board_id", ["mps2-an386", "mps2-an385-m0plus"])
def test_a_build_is_that_of_the_build_command(
    pio: Pio,
    project: Path,
    without_network: tuple[str, ...],
    model: tuple[Network, Rule],
    board_id: str,
    tmp_path: Path,
) -> None:
    done = pio("run", "-e", board_id, board=board_id, prefix=without_network)
    assert done.returncode == 0, done.stdout + done.stderr
    board = load_board(board_id)
    ours = build_firmware(*model, board, tmp_path)
    sizes, symbols = contents(project / ".pio" / "build" / board_id / "firmware.elf")
    wanted_sizes, wanted_symbols = contents(ours.elf)
    assert len(wanted_symbols) > 80
    assert symbols == wanted_symbols
    assert sizes.pop(".text") == pytest.approx(wanted_sizes.pop(".text"), abs=PADDING)
    assert sizes == wanted_sizes
    used = {name: int(size) for name, size in re.findall(r"(RAM|Flash):.*used (\d+)", done.stdout)}
    assert used["RAM"] == ours.ram_bytes
    assert used["Flash"] == pytest.approx(ours.flash_bytes, abs=PADDING)


@pytest.fixture(scope="module")
def board() -> Iterator[Emulator]:
    """An empty emulated board with its UART on a TCP port, as a remote serial port is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        tcp = int(probe.getsockname()[1])
    with Emulator(load_board("mps2-an386"), None, tcp_port=tcp, gdb=True) as running:
        yield running


def test_upload_without_a_board_says_what_to_do(pio: Pio) -> None:
    done = pio("run", "-e", "mps2-an386", "-t", "upload")
    assert done.returncode == 1
    assert "error: no emulated mps2-an386 was started" in done.stdout + done.stderr


def upload(pio: Pio, board: Emulator) -> None:
    done = pio("run", "-e", "mps2-an386", "-t", "upload", "--upload-port", str(board.gdb_port))
    assert done.returncode == 0, done.stdout + done.stderr


def test_upload_and_train(pio: Pio, board: Emulator, model: tuple[Network, Rule]) -> None:
    upload(pio, board)
    samples, labels = toy_samples(model[0], 50)
    reference = NumpyDevice(*model)
    with closing(SerialTransport(board.port)) as transport:
        device = LinkDevice(transport, *model, 30.0)
        assert device.info.board == "mps2-an386"
        for step in device.train_stream(samples, labels):
            index = step.step - 1
            wanted = reference.train(samples[index], labels[index])
            assert (step.predicted, step.label_probability) == (
                wanted.predicted,
                wanted.label_probability,
            )
    assert step.step == 50


QUIT = 0x1D
"""Ctrl-]: the monitor's own Ctrl-C is in every frame, as the version of the protocol."""


def typed_hello() -> tuple[int, bytes]:
    """Return a hello that a terminal passes on unchanged, and its sequence number."""
    special = {0x0A, 0x0D, 0x11, 0x13, 0x14, QUIT, 0x7F}
    for sequence in range(1 << 16):
        frame = protocol.encode(Verb.HELLO, sequence)
        if all(byte < 0x80 and byte not in special for byte in frame):
            return sequence, frame
    raise AssertionError("every frame has a special character")


class Screen:
    """What a program shows on a terminal, read while it runs."""

    def __init__(self, terminal: int, process: subprocess.Popen[bytes]) -> None:
        self.terminal, self.process = terminal, process
        self.shown = b""

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            if select.select([self.terminal], [], [], 0.02)[0]:
                self.shown += os.read(self.terminal, 4096)
            elif self.process.poll() is not None:
                pytest.fail(f"the monitor ended:\n{self.shown.decode(errors='replace')}")
            if time.monotonic() > deadline:
                pytest.fail(f"nothing more came:\n{self.shown.decode(errors='replace')}")


def first_frame(shown: bytes) -> bytes:
    """Return the bytes of lines such as `0000 | 01 AB ...`, from the first frame on."""
    lines = re.findall(r"^[0-9A-F]{4} \| ((?:[0-9A-F]{2} ?)*)", shown.decode(), re.MULTILINE)
    return bytes.fromhex("".join(lines)).lstrip(b"\0")


@pytest.mark.parametrize("settings", ["project", "command"])
def test_monitor_shows_what_the_board_answers(
    pio: Pio,
    project: Path,
    board: Emulator,
    model: tuple[Network, Rule],
    settings: str,
    tmp_path: Path,
) -> None:
    """A hello is typed into `pio device monitor`; the answer it shows is the board's.

    Its settings are the project's, or those of `./run monitor --raw`, which asks nothing of
    the folder it is typed in: here a project of which nothing was built.
    """
    upload(pio, board)
    sequence, frame = typed_hello()
    arguments = ["device", "monitor", "-e", "mps2-an386", "--port", board.port]
    if settings == "command":
        arguments = raw_arguments(board.port)
        project = tmp_path
        write_project(*model, project)
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "platformio", *arguments, "--exit-char", str(QUIT)],
        cwd=project,
        env=offline_environment(project, "mps2-an386"),
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
    )
    screen = Screen(terminal, process)
    try:
        screen.wait_for(lambda: not termios.tcgetattr(side)[3] & termios.ICANON)  # reads every key
        os.write(terminal, b"\0" + frame)
        screen.wait_for(lambda: b"\0" in first_frame(screen.shown))
        os.write(terminal, bytes([QUIT]))
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(side)
    reply = protocol.decode(first_frame(screen.shown).partition(b"\0")[0])
    assert (reply.verb, reply.sequence) == (Verb.HELLO, sequence)
    info = protocol.unpack_hello(reply.body)
    assert (info.board, info.core) == ("mps2-an386", "cortex-m4")
