# SPDX-License-Identifier: Apache-2.0
"""Devices that save by themselves learn the same bits, and go on from the last save."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from raw_link import LABELS, NETWORK, RULE, SAMPLES, RawLink, labelled

from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator, emulated_device
from secondpass.device.flash import STORE_HEADER, save_instructions
from secondpass.device.interface import Autosave, read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import Status, Verb, encode
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport, Transport, TwinTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import CheckpointError, NetworkError

EVERY, END = 7, 40


@dataclass
class Resettable:
    transport: Transport
    reset: Callable[[], None]


@pytest.fixture(
    params=[
        "twin",
        *(pytest.param(name, marks=pytest.mark.emulated) for name in ("mps2-an386", "mps3-an547")),
    ]
)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Resettable]:
    if request.param == "twin":
        twin = TwinTransport(NETWORK, RULE)
        yield Resettable(twin, twin.restart)
        return
    request.getfixturevalue("cross_tools")
    chosen = load_board(request.param)
    firmware = build_firmware(NETWORK, RULE, chosen, tmp_path)
    with Emulator(chosen, firmware.elf, monitor=tmp_path / "monitor") as running:
        opened = SerialTransport(running.port)
        yield Resettable(opened, running.reset)
        opened.close()


def train(device: Any, first: int, last: int) -> None:
    assert all(device.train_stream(SAMPLES[first:last], LABELS[first:last]))


def straight(last: int) -> NumpyDevice:
    device = NumpyDevice(NETWORK, RULE)
    train(device, 0, last)
    return device


def assert_same(device: Any, last: int) -> None:
    expected = straight(last)
    assert same_weights(read_weights(device), read_weights(expected))
    assert device.statistics().counters == expected.statistics().counters


def test_a_board_that_is_reset_goes_on(board: Resettable) -> None:
    device = LinkDevice(board.transport, NETWORK, RULE, 30.0)
    device.autosave(EVERY)
    train(device, 0, 3 * EVERY + 2)
    assert_same(device, 3 * EVERY + 2)
    autosave = device.statistics().autosave
    assert (autosave.every, autosave.saved, autosave.failed, autosave.status) == (EVERY, 3, 0, 0)
    assert autosave.longest > 0

    board.reset()
    device = LinkDevice(board.transport, NETWORK, RULE, 30.0)
    assert device.statistics().autosave == Autosave()
    assert device.load_checkpoint() == 3 * EVERY
    device.autosave(5)
    train(device, 3 * EVERY, END)
    assert_same(device, END)
    assert device.statistics().autosave.saved == 4  # steps 25, 30, 35 and 40
    device.autosave(0)
    device.reset()
    train(device, 0, 6)
    assert device.statistics().autosave.saved == 4
    assert device.load_checkpoint() == END


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
def test_a_save_takes_no_more_instructions_than_its_bound() -> None:
    """On the core with the most, from the third save on: both slots are checked then."""
    chosen = load_board("mps2-an385-m0plus")
    with emulated_device(NETWORK, RULE, chosen.id, count_instructions=True) as device:
        for step in range(3):
            train(device, step, step + 1)
            report = device.save_checkpoint()
        device.autosave(1)
        train(device, 3, 6)
        longest = device.statistics().autosave.longest
    bound = save_instructions(report.bytes_written - STORE_HEADER)
    for ticks in (report.ticks, longest):
        assert 0.7 * bound < ticks / chosen.ticks_per_instruction < bound


def test_the_save_is_between_the_answer_and_the_next_request() -> None:
    """Two steps are waiting: the first one's state is saved before the second is carried out."""
    twin = TwinTransport(NETWORK, RULE)
    link = RawLink(twin)
    link.open()
    link.call(Verb.AUTOSAVE, struct.pack("<I", 1))
    for index in range(2):
        twin.receive_only(encode(Verb.TRAIN, link.sequence + index, labelled(index)))
    twin.answer()
    assert [link.receive().status for _ in range(2)] == [Status.OK, Status.OK]
    link.sequence += 2
    slot = len(twin.flash) // 2
    assert struct.unpack("<I", link.call(Verb.LOAD)) == (2,)
    twin.flash[slot + 40] ^= 1  # the newest
    assert struct.unpack("<I", link.call(Verb.LOAD)) == (1,)
    assert link.statistics().counters == straight(1).statistics().counters


def test_a_repeated_step_is_not_saved_again() -> None:
    twin = TwinTransport(NETWORK, RULE)
    link = RawLink(twin)
    link.open()
    link.call(Verb.AUTOSAVE, struct.pack("<I", 1))
    request = encode(Verb.TRAIN, link.sequence, labelled(0))
    assert link.exchange(request) == link.exchange(request)
    link.sequence += 1
    assert link.statistics().autosave.saved == 1
    assert link.request(Verb.TRAIN, labelled(0)[:-1]).status is Status.SAMPLE
    assert link.statistics().autosave.saved == 1


def test_what_the_device_says_of_its_stack() -> None:
    twin = TwinTransport(NETWORK, RULE)
    device = LinkDevice(twin, NETWORK, RULE)
    assert device.statistics().stack_whole is None
    for whole in (0, 1):
        callback = twin._ffi.callback("int(void)", lambda whole=whole: whole)
        twin._platform.stack_whole = callback
        assert device.statistics().stack_whole is bool(whole)


def test_the_reference_saves_too() -> None:
    device = NumpyDevice(NETWORK, RULE)
    with pytest.raises(CheckpointError, match="no checkpoint was saved") as caught:
        device.load_checkpoint()
    assert caught.value.status == Status.EMPTY
    device.autosave(EVERY)
    train(device, 0, 3 * EVERY + 2)
    for _ in range(2):  # going on does not change what was saved
        assert device.load_checkpoint() == 3 * EVERY
        train(device, 3 * EVERY, 4 * EVERY - 1)
        assert_same(device, 4 * EVERY - 1)


@pytest.mark.parametrize("batch", [True, False])
def test_the_twin_saves_into_a_file(batch: bool, tmp_path: Path) -> None:
    path = tmp_path / "state.spc"
    twin = HostTwin(NETWORK, RULE)
    twin.autosave(EVERY, path)
    if batch:
        predicted = twin.train_all(SAMPLES[: 3 * EVERY + 2], LABELS[: 3 * EVERY + 2])
        expected = HostTwin(NETWORK, RULE).train_all(
            SAMPLES[: len(predicted)], LABELS[: len(predicted)]
        )
        assert np.array_equal(predicted, expected)
    else:
        train(twin, 0, 3 * EVERY + 2)
    resumed = HostTwin(NETWORK, RULE)
    resumed.load(path)
    assert_same(resumed, 3 * EVERY)
    image = bytearray(path.read_bytes())
    image[50] ^= 1  # the third save went into slot 0
    path.write_bytes(image)
    resumed.load(path)
    assert_same(resumed, 2 * EVERY)
    train(resumed, 2 * EVERY, END)
    assert_same(resumed, END)


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="name its path"):
        HostTwin(NETWORK, RULE).autosave(3)
    devices = (
        HostTwin(NETWORK, RULE),
        NumpyDevice(NETWORK, RULE),
        LinkDevice(TwinTransport(NETWORK, RULE), NETWORK, RULE),
    )
    devices[0].autosave(0, tmp_path / "file")
    for device in devices:
        for wrong in (-1, 2**32):
            with pytest.raises(NetworkError, match="it takes 0"):
                device.autosave(wrong)
