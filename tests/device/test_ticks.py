# SPDX-License-Identifier: Apache-2.0
"""A session knows what the ticks of its device are, and shows the work of a step."""

import io

import numpy as np
import pytest
from raw_link import LABELS, NETWORK, RULE, SAMPLES, RawLink
from rich.console import Console

from secondpass.boards import emulated_boards, load_board
from secondpass.device import protocol
from secondpass.device.emulator import emulated_device
from secondpass.device.link import LinkDevice
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import TwinTransport
from secondpass.report.live import LiveDisplay
from secondpass.session import train
from secondpass.work import Work, measure_inference


def twin(counts_cycles: int) -> TwinTransport:
    """The firmware's link and trainer on a platform that counts cycles, or says so."""
    transport = TwinTransport(NETWORK, RULE)
    transport._platform.counts_cycles = counts_cycles
    return transport


@pytest.mark.parametrize(
    ("counts_cycles", "per_instruction", "unit"),
    [(1, None, "cycles"), (1, 3.2, "cycles"), (0, 3.2, "instructions"), (0, None, "timer ticks")],
)
def test_unit(counts_cycles: int, per_instruction: float | None, unit: str) -> None:
    device = LinkDevice(twin(counts_cycles), NETWORK, RULE)
    assert device.info.counts_cycles == bool(counts_cycles)
    work = measure_inference(device, SAMPLES, per_instruction)
    assert work is not None
    assert work.unit == unit
    assert work.ticks_per_unit == (3.2 if unit == "instructions" else 1.0)
    assert work.inference > 0


def test_a_device_without_a_clock_has_no_work_to_show() -> None:
    assert measure_inference(NumpyDevice(NETWORK, RULE), SAMPLES) is None


def test_firmware_that_does_not_say_counts_with_a_timer() -> None:
    """The field came to the end of the answer within version 2 of the protocol."""
    link = RawLink(twin(1))
    link.send(protocol.encode(protocol.Verb.HELLO, 7))
    body = link.receive().body
    assert len(body) == 82
    assert protocol.unpack_hello(body).counts_cycles
    assert protocol.unpack_hello(body + b"\x02").counts_cycles
    for length in (80, 81):  # what firmware knew before each field
        old = protocol.unpack_hello(body[:length])
        assert (old.counts_cycles, old.crash_pending) == (length == 81, False)


@pytest.mark.parametrize("width", [80, 140])
def test_the_display_shows_the_mean_of_the_steps(width: int) -> None:
    device = LinkDevice(twin(1), NETWORK, RULE)
    work = Work("cycles", 1.0, 1234.0)
    screen = io.StringIO()
    console = Console(file=screen, width=width)
    with LiveDisplay(len(LABELS), "host", console, work) as display:
        history = train(device, SAMPLES, np.array(LABELS), on_step=display)
    mean = sum(point.ticks for point in history.points) / len(LABELS)
    shown = f"{mean:,.0f} cycles a training step, 1,234 an inference"
    assert screen.getvalue().splitlines()[-1].strip() == shown
    assert work.describe(history.ticks_per_step) == shown


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
@pytest.mark.parametrize("board_id", [board.id for board in emulated_boards()])
def test_emulated_cores_fall_back_to_the_timer(board_id: str) -> None:
    """The emulator has no cycle counter, on any core: the firmware must find that out."""
    board = load_board(board_id)
    with emulated_device(NETWORK, RULE, board_id, count_instructions=True) as device:
        assert not device.info.counts_cycles
        assert device.info.ticks_hz == board.require_port().timer_hz
        ticks = {device.infer(SAMPLES[0]).ticks for _ in range(3)}
    assert len({round(count / board.ticks_per_instruction) for count in ticks}) == 1
    assert min(ticks) / board.ticks_per_instruction > NETWORK.macs
