# SPDX-License-Identifier: Apache-2.0
"""A running emulated board is flashed over its gdb port while its UART stays open."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from toy_networks import toy_network, toy_samples

from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.gdb import GdbPort, load_firmware, port_number, stored_segments
from secondpass.device.link import LinkDevice
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport, Transport
from secondpass.errors import BuildError, DeviceError
from secondpass.network import Network
from secondpass.rules import Ftp, Pepita, Rule

FIRST: tuple[Network, Rule] = (toy_network(21, 15, 5), Pepita(projection_scale=2.0))
SECOND: tuple[Network, Rule] = (toy_network(9, 11, 7, 3, seed=4), Ftp(learning_rate=0.1))
BOARDS = [
    "mps2-an385-m0plus",
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps3-an547",
    "microbit",  # its flash is no RAM to the emulator
]
emulated = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]


def train_as_the_reference(transport: Transport, model: tuple[Network, Rule], steps: int) -> None:
    """Train a fresh device; every outcome and every weight equals the reference's."""
    network, rule = model
    device, reference = LinkDevice(transport, network, rule, 30.0), NumpyDevice(network, rule)
    samples, labels = toy_samples(network, steps)
    for sample, label, got in zip(
        samples, labels, device.train_stream(samples, labels), strict=True
    ):
        wanted = reference.train(sample, label)
        assert (got.step, got.predicted, got.label_probability, got.saturations) == (
            wanted.step,
            wanted.predicted,
            wanted.label_probability,
            wanted.saturations,
        )
    for layer in range(len(network.layers)):
        for kind in (0, 1):
            np.testing.assert_array_equal(
                device.read_tensor(layer, kind), reference.read_tensor(layer, kind)
            )


@pytest.mark.parametrize("board_id", BOARDS)
@pytest.mark.emulated
def test_the_uart_goes_on_with_another_model(
    cross_tools: None, board_id: str, tmp_path: Path
) -> None:
    """Flashed while it trains, and reset afterwards: the second model is in its flash."""
    board = load_board(board_id)
    first, second = (
        build_firmware(*model, board, tmp_path / str(index)).elf
        for index, model in enumerate((FIRST, SECOND))
    )
    monitor = tmp_path / "monitor"
    with (
        Emulator(board, first, monitor=monitor, gdb=True) as running,
        closing(SerialTransport(running.port)) as transport,
    ):
        assert running.gdb_port is not None
        train_as_the_reference(transport, FIRST, 30)
        stored = sum(len(data) for _, data in stored_segments(second, board))
        assert load_firmware(running.gdb_port, second, board) == stored
        train_as_the_reference(transport, SECOND, 30)
        running.reset()
        train_as_the_reference(transport, SECOND, 5)


@pytest.fixture(scope="module")
def first_elf(cross_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = load_board("mps2-an386")
    return build_firmware(*FIRST, board, tmp_path_factory.mktemp("gdb")).elf


@pytest.fixture
def board_and_elf(first_elf: Path) -> Iterator[tuple[Emulator, Path]]:
    """An empty board, and a firmware for it."""
    with Emulator(load_board("mps2-an386"), None, gdb=True) as running:
        yield running, first_elf


@pytest.mark.emulated
def test_an_empty_board_waits_for_its_first_firmware(
    board_and_elf: tuple[Emulator, Path], tmp_path: Path
) -> None:
    """What does not suit it is refused, and the board goes on as it was."""
    running, elf = board_and_elf
    port = running.gdb_port
    assert port is not None
    board = load_board("mps2-an386")
    with GdbPort(port) as core:
        assert core.read_memory(0, 64) == bytes(64)
    load_firmware(port, elf, board)
    with closing(SerialTransport(running.port)) as transport:
        device = LinkDevice(transport, *FIRST, 30.0)
        samples, labels = toy_samples(FIRST[0], 2)
        device.train(samples[0], labels[0])
        with pytest.raises(BuildError, match=r"not built for mps2-an505: .* outside its flash"):
            load_firmware(port, elf, load_board("mps2-an505"))
        (tmp_path / "text.elf").write_text("not a firmware")
        with pytest.raises(BuildError, match=r"text\.elf is not an ELF file"):
            load_firmware(port, tmp_path / "text.elf", board)
        with pytest.raises(DeviceError, match=r"none\.elf does not exist"):
            load_firmware(port, tmp_path / "none.elf", board)
        assert device.train(samples[1], labels[1]).step == 2


@pytest.mark.emulated
def test_memory_that_is_not_there(board_and_elf: tuple[Emulator, Path]) -> None:
    """The emulator says nothing of writing to it; what was written is read back."""
    port = board_and_elf[0].gdb_port
    assert port is not None
    with GdbPort(port) as core:
        core.write_memory(0xF0000000, b"data")
        with pytest.raises(DeviceError, match="cannot read 4 bytes at 0xf0000000"):
            core.read_memory(0xF0000000, 4)


@pytest.mark.emulated
def test_a_board_that_has_no_memory_there(
    board_and_elf: tuple[Emulator, Path], tmp_path: Path
) -> None:
    """The gdb port of one board, and a firmware for another: what was written is not there."""
    running, elf = board_and_elf
    assert running.gdb_port is not None
    moved = tmp_path / "moved.elf"
    command = ["arm-none-eabi-objcopy", "--change-addresses", "0x08000000", str(elf), str(moved)]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(DeviceError, match="does not hold what was written at 0x8000000"):
        load_firmware(running.gdb_port, moved, load_board("netduinoplus2"))


def test_a_gdb_port_that_nobody_listens_on(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DeviceError, match=f"gdb port 127.0.0.1:{port} .*is the emulated board"):
        GdbPort(port)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "no longer answers .it closed the connection"),
        (b"+$OK#00", "no longer answers .a packet was damaged"),
        (b"+$E22#a9", "refused 'D' .E22."),
        (b"+$#00", "refused 'D' .it is not known."),
        (b"+$O41#b4$T05#b9$OK#9a", None),  # output and a stop come before the answer
    ],
)
def test_what_a_gdb_port_may_answer(answer: bytes, message: str | None) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(100):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        with GdbPort(listener.getsockname()[1]) as core:
            if message is None:
                core.resume()
            else:
                with pytest.raises(DeviceError, match=message):
                    core.resume()
        server.join(10)


@pytest.mark.parametrize("text", ["", "gdb", "-1", "0", "65536", ":3333"])
def test_a_gdb_port_is_a_number(text: str) -> None:
    with pytest.raises(DeviceError, match="the gdb port is"):
        port_number(text)
    assert port_number("3333") == 3333
