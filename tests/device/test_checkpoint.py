# SPDX-License-Identifier: Apache-2.0
"""Checkpoints over the link: what was saved outlives a reset, and training goes on from it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from raw_link import LABELS, NETWORK, RULE, SAMPLES

from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator, emulated_device
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import RefusedError, Status
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport, Transport, TwinTransport
from secondpass.errors import DeviceError

HEADER = 32


@dataclass
class Resettable:
    """A device and its reset button."""

    transport: Transport
    reset: Callable[[], None]
    page: int

    def open(self) -> LinkDevice:
        return LinkDevice(self.transport, NETWORK, RULE, 30.0)


BOARDS = ("mps2-an386", "mps2-an385-m0plus", "mps3-an547")


@pytest.fixture(
    params=["twin", *(pytest.param(board, marks=pytest.mark.emulated) for board in BOARDS)]
)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Resettable]:
    if request.param == "twin":
        twin = TwinTransport(NETWORK, RULE)
        yield Resettable(twin, twin.restart, 256)
        return
    request.getfixturevalue("cross_tools")
    chosen = load_board(request.param)
    firmware = build_firmware(NETWORK, RULE, chosen, tmp_path)
    with Emulator(chosen, firmware.elf, monitor=tmp_path / "monitor") as running:
        opened = SerialTransport(running.port)
        yield Resettable(opened, running.reset, 1024)
        opened.close()


def refused(device: LinkDevice) -> Status:
    with pytest.raises(RefusedError) as caught:
        device.load_checkpoint()
    return caught.value.status


def train(device: LinkDevice | NumpyDevice, first: int, last: int) -> None:
    assert all(device.train_stream(SAMPLES[first:last], LABELS[first:last]))


def test_training_goes_on_behind_a_reset(board: Resettable) -> None:
    device = board.open()
    assert refused(device) is Status.EMPTY
    train(device, 0, 20)
    first = device.save_checkpoint()
    assert not first.skipped
    assert first.bytes_written > HEADER + 2 * 21 * 15
    assert first.pages_erased == -(-first.bytes_written // board.page)
    train(device, 20, 33)
    assert device.save_checkpoint().bytes_written == first.bytes_written
    again = device.save_checkpoint()
    assert (again.skipped, again.bytes_written, again.pages_erased) == (True, 0, 0)
    train(device, 33, 40)  # lost

    board.reset()
    device = board.open()
    assert device.statistics().counters.step == 0
    assert same_weights(read_weights(device), read_weights(NumpyDevice(NETWORK, RULE)))
    assert device.load_checkpoint() == 33
    train(device, 33, 60)
    straight = NumpyDevice(NETWORK, RULE)
    train(straight, 0, 60)
    assert same_weights(read_weights(device), read_weights(straight))
    assert device.statistics().counters == straight.statistics().counters

    device.reset()  # the verb: checkpoints stay
    assert device.load_checkpoint() == 33


def test_a_damaged_flash_over_the_link() -> None:
    """The older checkpoint is used; without one the model stays as it is."""
    transport = TwinTransport(NETWORK, RULE)
    device = LinkDevice(transport, NETWORK, RULE)
    for steps in (5, 9):
        train(device, steps - 5, steps)
        device.save_checkpoint()
    slot = len(transport.flash) // 2
    transport.flash[slot + 50] ^= 1
    assert device.load_checkpoint() == 5
    transport.flash[50] ^= 1
    train(device, 5, 7)
    before = read_weights(device), device.statistics().counters
    assert refused(device) is Status.DAMAGED
    assert same_weights(before[0], read_weights(device))
    assert device.statistics().counters == before[1]


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
def test_a_board_without_a_store_says_so() -> None:
    with emulated_device(NETWORK, RULE, "microbit") as device:
        train(device, 0, 3)
        assert refused(device) is Status.STORE
        for request in (device.save_checkpoint, lambda: device.autosave(5)):
            with pytest.raises(RefusedError, match="no checkpoint store"):
                request()
        device.autosave(0)
        assert device.statistics().counters.step == 3


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
def test_a_flash_controller_that_does_not_answer() -> None:
    """The emulator has none: the driver finds out before it writes, and training goes on."""
    with emulated_device(NETWORK, RULE, "netduinoplus2") as device:
        train(device, 0, 3)
        assert refused(device) is Status.DAMAGED  # what the emulator has there is not erased
        with pytest.raises(RefusedError, match="the flash refused") as caught:
            device.save_checkpoint()
        assert caught.value.status is Status.FLASH
        device.autosave(2)
        train(device, 3, 8)
        autosave = device.statistics().autosave
        assert (autosave.every, autosave.saved, autosave.failed) == (2, 0, 3)
        assert autosave.status == Status.FLASH
        straight = NumpyDevice(NETWORK, RULE)
        train(straight, 0, 8)
        assert same_weights(read_weights(device), read_weights(straight))


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
def test_a_reset_needs_a_monitor(tmp_path: Path) -> None:
    chosen = load_board("mps2-an386")
    firmware = build_firmware(NETWORK, RULE, chosen, tmp_path)
    with Emulator(chosen, firmware.elf) as running, pytest.raises(DeviceError, match="monitor"):
        running.reset()
