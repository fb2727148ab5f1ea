# SPDX-License-Identifier: Apache-2.0
"""NumPy = host twin = Cortex-M0, M0+, M3, M4, M7, M33 and M55 over the link, bit for bit."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from combinations import COMBINATIONS, OPTIONS, RULES
from models import (
    FRONT,
    FTP,
    LARGE,
    MATRIX,
    ODD,
    VARIANTS,
    Case,
    Outcome,
    assert_equal,
    exercise,
    reference,
    stream,
)

from secondpass.boards import emulated_boards, load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import emulated_device
from secondpass.device.link import LinkDevice
from secondpass.device.transport import TwinTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import BuildError, DeviceError
from secondpass.learning import Learning
from secondpass.network import ACTIVATIONS, FORMATS, HEADS
from secondpass.rules import RULES as ALL_RULES
from secondpass.rules import Backprop, Ftp, Mempepita, Pepita

SMALL = [
    Case(
        f"small-{rule.name}-{'-'.join(map(str, widths))}-{format}", widths, rule, 21, format=format
    )
    for widths, rule, format in (
        ((16, 8, 4), Pepita(learning_rate=0.05), "a8w8"),
        ((64, 10, 10), Pepita(learning_rate=0.05), "a8w8"),
        ((16, 8, 4), Ftp(learning_rate=0.05), "a16w16"),
        ((63, 10, 7, 5), Backprop(learning_rate=0.05), "a16w8"),
    )
]
"""What 8 KiB of RAM take."""
ALL = [*MATRIX, *VARIANTS, *FTP, ODD, LARGE, *SMALL, *FRONT, *COMBINATIONS]
MATRIX_RAM, LARGE_RAM = 64 * 1024, 256 * 1024
"""Bytes of RAM that take every case but the large one, and that one as well."""
BOARDS = [board.id for board in emulated_boards(MATRIX_RAM)]
SMALL_BOARDS = [board.id for board in emulated_boards() if board.memory.ram_bytes < MATRIX_RAM]
LARGE_BOARDS = [board.id for board in emulated_boards(LARGE_RAM)]
CORES = {load_board(board).core: board for board in reversed(BOARDS)}
"""One board for each core."""


def names(case: Case) -> str:
    return case.name


def exercise_board(board: str, case: Case) -> Outcome:
    """Exercise a case on an emulated board.

    About once in a thousand boots on a busy computer, the emulator's pty stops to answer at the
    beginning of a session; then the board is started once more. What is compared are bits.
    """
    network = stream(case)[0]
    for patience in (15.0, 60.0):
        with emulated_device(network, case.rule, board, patience=patience) as device:
            assert device.info.core == load_board(board).core
            try:
                device.reset()
            except DeviceError as error:
                warnings.warn(f"{board} did not answer its first request: {error}", stacklevel=1)
                continue
            return exercise(device, case)
    raise AssertionError(f"{board} answered no first request in two sessions")


@pytest.mark.parametrize("case", ALL, ids=names)
def test_host_twin(case: Case) -> None:
    assert_equal(exercise(HostTwin(stream(case)[0], case.rule), case), reference(case))


@pytest.mark.parametrize("case", [MATRIX[0], FTP[0], ODD, *FRONT, *OPTIONS[:5]], ids=names)
def test_twin_behind_the_firmwares_link(case: Case) -> None:
    network = stream(case)[0]
    device = LinkDevice(TwinTransport(network, case.rule), network, case.rule)
    assert_equal(exercise(device, case), reference(case))


@pytest.mark.parametrize("case", ALL, ids=names)
def test_the_comparison_sees_training(case: Case) -> None:
    """Equal outcomes mean something only if what learns moves, and nothing else does."""
    outcome = reference(case)
    network = stream(case)[0]
    learning = Learning(network, case.rule)
    for layer, (weights, bias), what in zip(
        network.layers, outcome.weights, learning.trainable, strict=True
    ):
        moved = np.count_nonzero(weights != layer.weights)
        assert (moved > weights.size // 20) == (what == "all"), layer.name
        assert (np.count_nonzero(bias != layer.bias) > 0) == (what != "none"), layer.name
    counters = outcome.statistics.counters
    assert counters.trained == counters.step == len(outcome.steps)
    for counted, what in zip(counters.layers, learning.trainable, strict=True):
        assert (counted.active_rows > 0) == (what != "none")
    if case is ODD:
        assert counters.input_saturations > 0
        assert sum(layer.activation_saturations for layer in counters.layers) > 0
        assert sum(layer.error_saturations for layer in counters.layers) > 0
        assert sum(layer.weight_saturations for layer in counters.layers) > 0
    if case.rule.gate:
        assert 0 < counters.skipped < counters.trained
    if case.rule.row_gate:
        whole = reference(replace(case, rule=replace(case.rule, row_gate=0.0)))
        layers = zip(counters.layers, whole.statistics.counters.layers, strict=True)
        assert all(few.active_rows < many.active_rows for few, many in layers)


def test_the_combinations_are_complete() -> None:
    """Every rule in every format, every head and activation in every format."""
    seen = {(case.format, case.head) for case in COMBINATIONS}
    assert seen == {(format, head) for format in FORMATS for head in HEADS}
    seen = {(case.format, case.activation) for case in COMBINATIONS}
    assert seen == {(format, kind) for format in FORMATS for kind in ACTIVATIONS}
    for rule in ALL_RULES:
        formats = {case.format for case in COMBINATIONS if case.rule.name == rule}
        assert formats == set(FORMATS) - ({"a8w8"} if rule in ("hebbian", "tl") else set())
    assert len(RULES) > len(ALL_RULES)


@pytest.mark.parametrize(
    ("format", "presynaptic"),
    [("a16w16", "first"), ("a16w16", "second"), ("a16w8", "second"), ("a8w8", "first")],
)
def test_mempepita_computes_what_pepita_computes(format: str, presynaptic: str) -> None:
    """The same weights and counters in C, from a first pass that is computed again."""
    options = {"presynaptic": presynaptic, "output_error": presynaptic, "learning_rate": 0.05}
    outcomes = []
    for rule in (Pepita(**options), Mempepita(**options)):
        case = Case("as-pepita", (64, 33, 17, 10), rule, 6, format=format, activation="tanh")
        outcomes.append(exercise(HostTwin(stream(case)[0], rule), case))
    assert_equal(*outcomes)


@pytest.mark.emulated
@pytest.mark.parametrize("case", [*MATRIX, *VARIANTS, *FTP, ODD], ids=names)
@pytest.mark.parametrize("board", BOARDS)
def test_emulated_board(board: str, case: Case, cross_tools: None) -> None:
    assert_equal(exercise_board(board, case), reference(case))


@pytest.mark.emulated
@pytest.mark.parametrize("case", [*FRONT, *COMBINATIONS], ids=names)
@pytest.mark.parametrize("core", CORES)
def test_every_combination_on_every_core(core: str, case: Case, cross_tools: None) -> None:
    assert_equal(exercise_board(CORES[core], case), reference(case))


@pytest.mark.emulated
@pytest.mark.parametrize("case", SMALL, ids=names)
@pytest.mark.parametrize("board", SMALL_BOARDS)
def test_emulated_board_with_little_memory(board: str, case: Case, cross_tools: None) -> None:
    """A model that fits learns over the link, and leaves a part of the stack."""
    outcome = exercise_board(board, case)
    assert_equal(outcome, reference(case))
    assert 0 < outcome.statistics.stack_used < load_board(board).memory.stack_bytes


@pytest.mark.emulated
def test_a_board_with_little_memory_refuses_what_does_not_fit(
    cross_tools: None, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match=r"does not fit .*: RAM"):
        build_firmware(stream(MATRIX[0])[0], MATRIX[0].rule, load_board(SMALL_BOARDS[-1]), tmp_path)


@pytest.mark.emulated
@pytest.mark.parametrize("board", LARGE_BOARDS)
def test_emulated_board_with_a_large_network(board: str, cross_tools: None) -> None:
    """784-100-10 needs 160 kB of RAM: boards with less are left out."""
    with emulated_device(stream(LARGE)[0], LARGE.rule, board) as device:
        assert_equal(exercise(device, LARGE), reference(LARGE))
        assert device.repeats == 0
