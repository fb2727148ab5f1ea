# SPDX-License-Identifier: Apache-2.0
"""Where a system has no ptys, the emulated board's UART is a TCP port of this computer."""

import pytest
from raw_link import LABELS, NETWORK, RULE, SAMPLES

from secondpass.device import emulator
from secondpass.device.crossbuild import Firmware
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport


@pytest.mark.emulated
def test_a_session_over_tcp(firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "_HAS_PTY", False)
    board = emulator.load_board("mps2-an386")
    reference = NumpyDevice(NETWORK, RULE)
    reference.reset()
    with emulator.Emulator(board, firmware.elf) as running:
        assert running.port.startswith("socket://127.0.0.1:")
        device = LinkDevice(SerialTransport(running.port), NETWORK, RULE)
        device.reset()
        steps = list(device.train_stream(SAMPLES, LABELS))
        weights = read_weights(device)
        device.close()
    expected = list(reference.train_stream(SAMPLES, LABELS))
    assert [step.predicted for step in steps] == [step.predicted for step in expected]
    assert same_weights(weights, read_weights(reference))
