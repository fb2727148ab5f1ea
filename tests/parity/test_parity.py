# SPDX-License-Identifier: Apache-2.0
"""NumPy = host twin = Cortex-M0+ = M3 = M4 = M7, over the real link, bit for bit."""

import numpy as np
import pytest
from models import (
    FTP,
    LARGE,
    MATRIX,
    ODD,
    VARIANTS,
    Case,
    assert_equal,
    exercise,
    reference,
    stream,
)

from secondpass.boards import board_ids, load_board
from secondpass.device.emulator import emulated_device
from secondpass.device.link import LinkDevice
from secondpass.device.transport import TwinTransport
from secondpass.device.twin import HostTwin

ALL = [*MATRIX, *VARIANTS, *FTP, ODD, LARGE]
BOARDS = board_ids()


def names(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", ALL, ids=names)
def test_host_twin(case: Case) -> None:
    assert_equal(exercise(HostTwin(stream(case)[0], case.rule), case), reference(case))


@pytest.mark.parametrize("case", [MATRIX[0], FTP[0], ODD], ids=names)
def test_twin_behind_the_firmwares_link(case: Case) -> None:
    network = stream(case)[0]
    device = LinkDevice(TwinTransport(network, case.rule), network, case.rule)
    assert_equal(exercise(device, case), reference(case))


@pytest.mark.parametrize("case", ALL, ids=names)
def test_the_comparison_sees_training(case: Case) -> None:
    """Equal outcomes mean something only if weights move, and every counter of a case counts."""
    outcome = reference(case)
    network = stream(case)[0]
    for layer, (weights, bias) in zip(network.layers, outcome.weights, strict=True):
        assert np.count_nonzero(weights != layer.weights) > weights.size // 10
        assert np.count_nonzero(bias != layer.bias) > 0
    counters = outcome.statistics.counters
    assert counters.trained == counters.step == len(outcome.steps)
    assert all(layer.active_rows > 0 for layer in counters.layers)
    if case is ODD:
        assert counters.input_saturations > 0
        assert sum(layer.activation_saturations for layer in counters.layers) > 0
        assert sum(layer.error_saturations for layer in counters.layers) > 0
        assert sum(layer.weight_saturations for layer in counters.layers) > 0


@pytest.mark.emulated
@pytest.mark.parametrize("case", [*MATRIX, *VARIANTS, *FTP, ODD], ids=names)
@pytest.mark.parametrize("board", BOARDS)
def test_emulated_board(board: str, case: Case, cross_tools: None) -> None:
    with emulated_device(stream(case)[0], case.rule, board) as device:
        assert device.info.core == load_board(board).core
        assert_equal(exercise(device, case), reference(case))
        assert device.repeats == 0


@pytest.mark.emulated
@pytest.mark.parametrize("board", [board for board in BOARDS if board != "netduinoplus2"])
def test_emulated_board_with_a_large_network(board: str, cross_tools: None) -> None:
    """784-100-10 needs 160 kB of RAM: every core, but not the board with 128 kB."""
    with emulated_device(stream(LARGE)[0], LARGE.rule, board) as device:
        assert_equal(exercise(device, LARGE), reference(LARGE))
