# SPDX-License-Identifier: Apache-2.0
"""The two ends that speak the firmware's protocol: its code on this computer, and a real core."""

from collections.abc import Callable, Iterator

import pytest
from raw_link import NETWORK, RULE, RawLink

from secondpass.boards import load_board
from secondpass.device.crossbuild import Firmware, build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.transport import SerialTransport, Transport, TwinTransport

BOARD = "mps2-an386"
TWIN = pytest.param("twin")
EMULATED = pytest.param("emulated", marks=pytest.mark.emulated)


@pytest.fixture(scope="session")
def firmware(cross_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_firmware(NETWORK, RULE, load_board(BOARD), tmp_path_factory.mktemp(BOARD))


@pytest.fixture(scope="session")
def board_port(firmware: Firmware) -> Iterator[Transport]:
    """One open port for all tests: the emulator takes a second to notice that one was opened."""
    with Emulator(load_board(BOARD), firmware.elf) as running:
        opened = SerialTransport(running.port)
        yield opened
        opened.close()


@pytest.fixture(params=[TWIN, EMULATED])
def transport(request: pytest.FixtureRequest) -> Transport:
    """A device that other tests may have used."""
    if request.param == "twin":
        return TwinTransport(NETWORK, RULE)
    return request.getfixturevalue("board_port")


@pytest.fixture
def link(transport: Transport) -> RawLink:
    """A session that has just begun."""
    raw = RawLink(transport)
    raw.open()
    return raw


@pytest.fixture(params=[TWIN, EMULATED])
def just_started(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """A device that nobody has spoken to."""
    if request.param == "twin":
        yield TwinTransport(NETWORK, RULE)
        return
    firmware = request.getfixturevalue("firmware")
    with Emulator(load_board(BOARD), firmware.elf) as running:
        opened = SerialTransport(running.port)
        yield opened
        opened.close()


@pytest.fixture
def twin() -> Callable[[], TwinTransport]:
    return lambda: TwinTransport(NETWORK, RULE)
