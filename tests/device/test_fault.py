# SPDX-License-Identifier: Apache-2.0
"""A device that crashes restarts, says so, and can tell what happened and where."""

import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from raw_link import LABELS, NETWORK, RULE, SAMPLES, RawLink

from secondpass import resources
from secondpass.boards import Board, load_board
from secondpass.device.crossbuild import build_image
from secondpass.device.emulator import Emulator
from secondpass.device.fault import FaultReport, ResetCause, Symbols
from secondpass.device.fault_reader import read_report
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.device.protocol import RefusedError, Status, Verb, decode, encode
from secondpass.device.text import FOLDER as TEXT_FOLDER
from secondpass.device.text import default_profile
from secondpass.device.transport import SerialTransport
from secondpass_codegen import write

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]

QUIET, UNDEFINED, BUS, OVERFLOW, RUNAWAY, HANG = range(6)
"""What the first byte of a sample makes of it: see fault/quantise.c."""
UNDEFINED_INSTRUCTION = 1 << 16
PRECISE_BUS_ERROR = 1 << 9 | 1 << 15
STACK_LIMIT = 1 << 20
FORCED = 1 << 30
WATCHDOG_MS = 3000
CORES = {
    "microbit": "M0",  # no fault registers, no checkpoint store, no watchdog driver
    "mps2-an385-m0plus": "M0+",  # M0+ code on the emulator's M3, which has fault registers
    "mps2-an385": "M3",
    "mps2-an386": "M4",
    "mps2-an500": "M7",
    "mps2-an505": "M33",
    "mps3-an547": "M55",
}
WITH_LIMIT = ("mps2-an505", "mps3-an547")
"""Armv8-M: the core itself keeps the stack above its limit."""


class Faulty:
    """A board whose inferences end as their sample says."""

    def __init__(self, board: Board, elf: Path) -> None:
        self.board, self.elf = board, elf
        monitor = elf.parent / "monitor"
        self.emulator = Emulator(board, elf, count_instructions=True, monitor=monitor)
        self.has_fault_status = board.core != "cortex-m0"
        self.transport = SerialTransport(self.emulator.port)
        self.symbols = Symbols(elf)

    def device(self) -> LinkDevice:
        return LinkDevice(self.transport, NETWORK, RULE, timeout=30.0)

    def crash(self, kind: int) -> FaultReport:
        """Crash a fresh session; check what the session says; return and clear the report."""
        device = self.device()
        device.fault_report(clear=True)
        with pytest.raises(RefusedError) as caught:
            device.infer(sample(kind))
        assert caught.value.status is Status.FAULT
        again = self.device()
        assert again.info.crash_pending
        report = again.fault_report(clear=True)
        assert report is not None
        assert f"since its last save is lost. {report.describe()}" in str(caught.value)
        assert again.statistics().reset_cause == report.cause
        assert again.statistics().counters.step == 0
        assert again.fault_report() is None
        assert not self.device().info.crash_pending
        return report

    def function(self, address: int) -> str:
        return self.symbols.place(address).partition("(")[2].partition(",")[0]


def sample(kind: int) -> np.ndarray:
    chosen = SAMPLES[0].copy()
    chosen[0] = kind
    return chosen


@pytest.fixture(scope="module", params=CORES)
def faulty(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faulty]:
    folder = tmp_path_factory.mktemp(request.param)
    board = load_board(request.param)
    if board.watchdog is not None:
        board.watchdog = msgspec.structs.replace(board.watchdog, timeout_ms=WATCHDOG_MS)
    write(NETWORK, RULE, folder / "model")
    sources = [
        *(
            path
            for path in library_sources(*MODEL_FREE, "trainer", TEXT_FOLDER)
            if path.name != "quantise.c"
        ),
        Path(__file__).parent / "fault" / "quantise.c",
        *sorted((resources.folder("firmware") / "apps" / "trainer").glob("*.c")),
        folder / "model" / "model.c",
    ]
    macros = default_profile(NETWORK).macros
    image = build_image(sources, board, folder / "firmware.elf", [folder / "model"], macros=macros)
    made = Faulty(board, image.elf)
    yield made
    made.transport.close()
    made.emulator.stop()


def test_undefined_instruction(faulty: Faulty) -> None:
    report = faulty.crash(UNDEFINED)
    assert (report.cause, report.count, report.exception) == (ResetCause.FAULT, 1, 3)
    expected = (UNDEFINED_INSTRUCTION, FORCED) if faulty.has_fault_status else (0, 0)
    assert (report.cfsr, report.hfsr & FORCED) == expected
    assert (report.registers, report.stack_overflow, report.address) == (True, False, None)
    assert faulty.function(report.pc) == "fault_by_instruction"
    assert faulty.function(report.lr & ~1) == "sp_quantise_i16"
    text = report.describe(faulty.symbols)
    source = Path(__file__).with_name("fault") / "quantise.c"
    line = source.read_text().split("\n").index('    __asm__ volatile("udf #0");') + 1
    place = f"{report.pc:#010x} (fault_by_instruction, quantise.c:{line})"
    reason = " (undefined instruction)" if faulty.has_fault_status else ""
    assert f"hard fault{reason} at {place}" in text


def test_bus_fault(faulty: Faulty) -> None:
    if faulty.board.id == "microbit":
        pytest.skip("the emulated chip answers at every address")
    report = faulty.crash(BUS)
    assert report.cause == ResetCause.FAULT
    assert (report.cfsr, report.address) == (PRECISE_BUS_ERROR, 0xF0000000)
    assert faulty.function(report.pc) == "fault_by_address"


def test_stack_overflow(faulty: Faulty) -> None:
    """The core notices at once or, on older cores, the main loop before the answer leaves."""
    report = faulty.crash(OVERFLOW)
    assert report.stack_overflow
    if faulty.board.id in WITH_LIMIT:
        assert (report.cause, report.cfsr) == (ResetCause.FAULT, STACK_LIMIT)
        assert not report.registers or faulty.function(report.pc) == "fault_by_stack"
    else:
        assert (report.cause, report.cfsr, report.registers) == (ResetCause.STACK, 0, False)


def test_runaway_recursion(faulty: Faulty) -> None:
    """The stack runs through all of the RAM; the report is above it."""
    report = faulty.crash(RUNAWAY)
    assert (report.cause, report.stack_overflow) == (ResetCause.FAULT, True)


def test_a_hung_main_loop(faulty: Faulty) -> None:
    if faulty.board.watchdog is None:
        pytest.skip("there is no watchdog driver for this board")
    report = faulty.crash(HANG)
    assert (report.cause, report.exception) == (ResetCause.WATCHDOG, 2)
    assert faulty.function(report.pc) == "fault_by_hanging"
    assert "the watchdog fired at" in report.describe()


def test_an_idle_board_is_not_hung(faulty: Faulty) -> None:
    if faulty.board.id not in ("mps2-an386", "mps3-an547"):
        pytest.skip("one board of each kind of timer is enough")
    device = faulty.device()
    device.fault_report(clear=True)
    assert all(device.train_stream(SAMPLES[:3] & -256, LABELS[:3]))
    time.sleep(WATCHDOG_MS / 1000 + 1)
    assert device.statistics().counters.step == 3
    assert device.fault_report() is None
    assert device.statistics().stack_whole is True


def say(faulty: Faulty, command: str) -> bytes:
    """Send a command of the text protocol and return its answer."""
    faulty.transport.write(command.encode() + b"%")
    return heard(faulty, b"m-ready\r\n")


def heard(faulty: Faulty, end: bytes) -> bytes:
    """Return what the device says up to `end`."""
    said, deadline = b"", time.monotonic() + 60
    while end not in said:
        assert time.monotonic() < deadline, said
        said += faulty.transport.read(0.05)
    return said


def load_in_text(faulty: Faulty, content: np.ndarray) -> None:
    data = content.tobytes()
    say(faulty, f"db load {len(data)}")
    for at in range(0, len(data), 20):
        said = say(faulty, f"db {data[at : at + 20].hex()}")
    assert b"m-load-done" in said


def test_a_command_that_hangs(faulty: Faulty) -> None:
    """The first that is heard of the restarted device is the frame, then its start-up lines."""
    if faulty.board.watchdog is None:
        pytest.skip("there is no watchdog driver for this board")
    faulty.device().fault_report(clear=True)
    load_in_text(faulty, sample(HANG))
    faulty.transport.write(b"infer 1 0%")
    begun = heard(faulty, b"m-ready\r\n").partition(b"\0")
    assert begun[0].endswith(b"m-infer-start-1\r\n" + begun[0].split(b"\r\n")[-2] + b"\r\n")
    frame, end, text = begun[2].partition(b"\0")
    assert end
    assert decode(frame).status is Status.FAULT
    assert text.startswith(b"m-timestamp-mode-performance\r\n")
    report = faulty.device().fault_report(clear=True)
    assert report is not None
    assert report.cause == ResetCause.WATCHDOG


def test_a_long_command_is_not_hung(faulty: Faulty) -> None:
    if faulty.board.id not in ("mps2-an386", "mps3-an547"):
        pytest.skip("one board of each kind of timer is enough")
    faulty.device().fault_report(clear=True)
    load_in_text(faulty, sample(QUIET))
    for seconds in (4, 8, 16, 32, 64):
        faulty.transport.write(b"infer 2000000000 0%")
        time.sleep(seconds)
        faulty.transport.write(b"\0")
        said = heard(faulty, b"m-ready\r\n")
        assert b"e-[Stopped]" in said
        first, last = (
            int(text.partition(b"-us-")[2].split()[0]) for text in (said, say(faulty, "timestamp"))
        )
        if last - first > 1300 * WATCHDOG_MS:
            break
    else:
        pytest.fail("the emulator is too slow")
    device = faulty.device()
    assert device.fault_report() is None
    assert device.statistics().stack_whole is True


def test_training_goes_on_behind_a_crash(faulty: Faulty) -> None:
    """The device saves by itself, crashes, restarts by itself, loads, and learns the same bits."""
    if faulty.board.id == "microbit":
        pytest.skip("this board has no checkpoint store")
    samples = SAMPLES[:9] & -256  # none of them is a crash
    device = faulty.device()
    device.reset()
    assert all(device.train_stream(samples, LABELS[:9]))
    expected = read_weights(device), device.statistics().counters
    device.reset()
    device.autosave(2)
    assert all(device.train_stream(samples[:5], LABELS[:5]))
    with pytest.raises(RefusedError, match="crashed and restarted"):
        device.infer(sample(UNDEFINED))
    again = faulty.device()
    assert again.statistics().counters.step == 0
    assert again.load_checkpoint() == 4
    assert all(again.train_stream(samples[4:], LABELS[4:9]))
    assert same_weights(read_weights(again), expected[0])
    assert again.statistics().counters == expected[1]


def test_the_frame_of_a_restarted_device(faulty: Faulty) -> None:
    link = RawLink(faulty.transport)
    link.open()
    link.call(Verb.FAULT, b"\1")
    for count in (1, 2):
        link.send(encode(Verb.INFER, link.sequence, sample(UNDEFINED).tobytes()))
        assert link.receive_raw() == b""  # ends an answer that the crash may have cut short
        reply = link.receive()
        assert (reply.verb, reply.sequence, reply.status) == (0, 0, Status.FAULT)
        status = UNDEFINED_INSTRUCTION if faulty.has_fault_status else 0
        assert struct.unpack("<I", reply.body) == (status,)
        link.open()
        assert link.call(Verb.FAULT, b"\0")[3] == count


def test_the_reset_button_is_no_crash(faulty: Faulty) -> None:
    """It leaves the report of an earlier crash, and does not tell it again."""
    read_report(faulty.transport, clear=True)
    with pytest.raises(RefusedError):
        faulty.device().infer(sample(UNDEFINED))
    faulty.emulator.reset()
    device = faulty.device()
    assert device.statistics().reset_cause == ResetCause.OTHER
    report = device.fault_report(clear=True)
    assert report is not None
    assert (report.cause, report.count) == (ResetCause.FAULT, 1)
    faulty.emulator.reset()
    device = faulty.device()
    assert not device.info.crash_pending
    assert device.fault_report() is None


def test_the_command(faulty: Faulty) -> None:
    if faulty.board.id != "mps2-an386":
        pytest.skip("one board is enough")
    faulty.device().fault_report(clear=True)
    with pytest.raises(RefusedError):
        faulty.device().infer(sample(UNDEFINED))
    report = read_report(faulty.transport)
    assert report is not None
    faulty.transport.close()
    shown = []
    for _ in range(2):
        command = [
            sys.executable,
            "-c",
            "from secondpass.cli import main; main()",
            "fault",
            "--port",
            faulty.emulator.port,
            "--elf",
            str(faulty.elf),
            "--clear",
        ]
        shown.append(
            subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        )
    assert shown == [report.describe(faulty.symbols) + "\n", "no crash was recorded\n"]
    faulty.transport = SerialTransport(faulty.emulator.port)
