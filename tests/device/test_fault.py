# SPDX-License-Identifier: Apache-2.0
"""A processor fault is reported, not mistaken for silence."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_link import NETWORK, RULE, SAMPLES, RawLink

from secondpass import resources
from secondpass.boards import load_board
from secondpass.device.crossbuild import build_image
from secondpass.device.emulator import Emulator
from secondpass.device.link import LinkDevice
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.device.protocol import RefusedError, Status, Verb, encode
from secondpass.device.transport import SerialTransport
from secondpass_codegen import write

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]

UNDEFINED_INSTRUCTION = 1 << 16
"""UFSR.UNDEFINSTR in the configurable fault status; the emulator runs M0+ code on an M3."""


@pytest.fixture(params=["mps2-an386", "mps2-an385-m0plus", "mps2-an505", "mps3-an547"])
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SerialTransport]:
    """A board whose first inference runs into an undefined instruction."""
    board = load_board(request.param)
    write(NETWORK, RULE, tmp_path / "model")
    sources = [
        *(path for path in library_sources(*MODEL_FREE, "trainer") if path.name != "quantise.c"),
        Path(__file__).parent / "fault" / "quantise.c",
        *sorted((resources.folder("firmware") / "apps" / "trainer").glob("*.c")),
        tmp_path / "model" / "model.c",
    ]
    image = build_image(sources, board, tmp_path / "firmware.elf", [tmp_path / "model"])
    with Emulator(board, image.elf) as emulator:
        transport = SerialTransport(emulator.port)
        yield transport
        transport.close()


def test_fault_is_answered_with_its_status(faulty: SerialTransport) -> None:
    link = RawLink(faulty)
    link.open()
    link.send(encode(Verb.INFER, link.sequence, SAMPLES[0].tobytes()))
    assert link.receive_raw() == b""  # ends an answer that the fault may have cut short
    reply = link.receive()
    assert (reply.verb, reply.sequence) == (0, link.sequence)
    assert reply.status is Status.FAULT
    assert struct.unpack("<I", reply.body) == (UNDEFINED_INSTRUCTION,)


def test_session_raises_at_once(faulty: SerialTransport) -> None:
    device = LinkDevice(faulty, NETWORK, RULE, timeout=20.0)
    start = time.monotonic()
    with pytest.raises(RefusedError, match="restart the device") as caught:
        device.infer(SAMPLES[0])
    assert caught.value.status is Status.FAULT
    assert time.monotonic() - start < 5.0
