# SPDX-License-Identifier: Apache-2.0
"""Emulated boards: QEMU with its UART on a pty or a TCP port."""

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from secondpass.boards import Board, load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.gdb import load_firmware
from secondpass.device.link import LinkDevice
from secondpass.device.text import TextProfile
from secondpass.device.transport import SerialTransport
from secondpass.errors import DeviceError, SecondpassError
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass.toolchain import EMULATOR

_HAS_PTY = hasattr(os, "openpty")
"""Whether this system has ptys: Windows has none, and a TCP port of this computer serves."""
_PTY = re.compile(rb"char device redirected to (\S+)")


class Emulator:
    """A running emulated board; a context manager that stops it.

    `port` is what `SerialTransport` opens. With `count_instructions` the board's timer advances
    by a fixed amount per instruction, so that ticks are exact and equal on every run. `reset`
    needs a `monitor`: the path of a socket that the emulator makes.

    A board with `gdb` keeps what is loaded over `gdb_port` when it is reset, as flash does; without
    an `elf` it starts empty and stands still until something is loaded.
    """

    def __init__(
        self,
        board: Board,
        elf: Path | None,
        count_instructions: bool = False,
        tcp_port: int | None = None,
        monitor: Path | None = None,
        gdb: bool = False,
    ) -> None:
        settings = board.require_emulator()
        if elf is not None and not elf.is_file():
            raise DeviceError(f"{elf} does not exist; make it with 'invoke build'")
        if tcp_port is None and not _HAS_PTY:
            tcp_port = _free_port()
        serial = (
            "pty" if tcp_port is None else f"tcp:127.0.0.1:{tcp_port},server=on,wait=off,nodelay=on"
        )
        command = [
            EMULATOR.find(),
            *("-M", settings.machine),
            *("-display", "none", "-serial", serial),
            *("-monitor", "none" if monitor is None else f"unix:{monitor},server=on,wait=off"),
        ]
        if count_instructions:
            command += ["-icount", f"shift={settings.icount_shift}"]
        self._monitor = monitor
        self.gdb_port: int | None = None
        with ExitStack() as start:
            handed: list[int] = []
            if gdb:
                listener = start.enter_context(_listen())
                self.gdb_port = int(listener.getsockname()[1])
                handed = [listener.fileno()]
                chardev = f"socket,id=gdb,fd={handed[0]},server=on,wait=off"
                command += ["-S", "-chardev", chardev, "-gdb", "chardev:gdb"]
            else:
                command += ["-kernel", str(elf)]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=handed,
            )
        self.port = self._find_pty() if tcp_port is None else self._check_tcp(tcp_port)
        if gdb and elf is not None:
            self._load(board, elf)

    def _load(self, board: Board, elf: Path) -> None:
        """Put the first firmware on; a board that it does not suit goes off again."""
        assert self.gdb_port is not None
        try:
            load_firmware(self.gdb_port, elf, board)
        except SecondpassError:
            self.stop()
            raise

    def _check_tcp(self, tcp_port: int) -> str:
        """Return the port's URL once QEMU has had time to refuse it."""
        try:
            printed, _ = self._process.communicate(timeout=0.5)
        except subprocess.TimeoutExpired:
            return f"socket://127.0.0.1:{tcp_port}"
        raise DeviceError(f"the emulator did not start: {printed.decode(errors='replace').strip()}")

    def _find_pty(self) -> str:
        assert self._process.stdout is not None
        printed = b""
        for line in self._process.stdout:
            printed += line
            if match := _PTY.search(line):
                return match.group(1).decode()
        self.stop()
        raise DeviceError(f"the emulator did not start: {printed.decode(errors='replace').strip()}")

    def reset(self) -> None:
        """Press the board's reset button: RAM stays, everything else starts anew."""
        if self._monitor is None:
            raise DeviceError("the emulator was started without a monitor and cannot be reset")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._monitor))
            _read_prompt(connection)
            connection.sendall(b"system_reset\n")
            _read_prompt(connection)

    @property
    def running(self) -> bool:
        """Whether the emulated board is powered."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until the emulator ends."""
        self._process.wait()

    def stop(self) -> None:
        """Switch the board off."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listen() -> socket.socket:
    """Return a socket that the emulator takes over, so that nobody else can take its port.

    What it accepts inherits that small packets are sent at once.
    """
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def _read_prompt(connection: socket.socket) -> None:
    """Read until the monitor waits for a command."""
    received = b""
    while not received.endswith(b"(qemu) "):
        part = connection.recv(4096)
        if not part:
            raise DeviceError("the emulator closed its monitor")
        received += part


@contextmanager
def emulated_device(
    network: Network,
    rule: Rule,
    board_id: str,
    count_instructions: bool = False,
    patience: float = 30.0,
    text: TextProfile | bool = True,
) -> Iterator[LinkDevice]:
    """Build the firmware of a model, run it on an emulated board and yield the device.

    After `patience` seconds without an answer the board counts as gone: this computer may be busy
    with other things. `text`: as `build_firmware` takes it.

    Raises `ToolMissingError`, `BuildError` or `DeviceError`.
    """
    board = load_board(board_id)
    with tempfile.TemporaryDirectory() as scratch:
        firmware = build_firmware(network, rule, board, Path(scratch), text)
        with Emulator(board, firmware.elf, count_instructions) as emulator:
            device = LinkDevice(SerialTransport(emulator.port), network, rule, patience)
            try:
                yield device
            finally:
                device.close()
