# SPDX-License-Identifier: Apache-2.0
"""The checkpoint store: a power cut at any byte leaves the old or the new checkpoint, whole."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pytest
from store_host import HEADER, StoreBoard, build
from test_generated_models import MODELS, Model

from secondpass.device.protocol import Status
from secondpass.quantise import choose_input, quantise, random_layers
from secondpass.rules import Pepita

END = 26
SAVES = (4, 9, 15, 20)
"""Steps after which a run saves; each of them is cut once, and END is reached all the same."""


@cache
def small(index: int) -> tuple[Any, Any, Any, Any]:
    """Return module, network, samples and targets of a small model."""
    model: Model = MODELS[index]
    network = model.network()
    return build(network, model.rule), network, model.samples(), model.targets(network)


def small_board(page: int = 128, unit: int = 8, index: int = 0) -> StoreBoard:
    module, network, _, _ = small(index)
    return StoreBoard(module, network, page, unit)


def check_cuts(
    board: StoreBoard,
    samples: Any,
    targets: Any,
    saves: Iterable[int],
    end: int,
    scattered: int,
    positions: Any,
) -> int:
    """Cut every save at `positions(bytes it changes)`; return how many cuts there were."""
    board.train(samples, targets, end)
    expected = board.state()
    board.power_up()
    old, cuts = b"", 0
    for step in saves:
        board.train(samples, targets, step)
        new, before = board.state(), bytes(board.memory)
        board.simulator.changed = 0
        assert board.save() == Status.OK
        total, after = board.simulator.changed, bytes(board.memory)
        outcomes = set()
        for cut in positions(total):
            board.memory[:] = before
            board.power_up(cut, scattered, cut)
            board.set_state(new)
            assert board.save() == Status.FLASH
            assert board.simulator.changed == cut
            board.power_up()
            first = board.state()
            status = board.load()
            found = board.state()
            outcomes.add(found == new)
            if not old and found != new:
                assert status in (Status.EMPTY, Status.DAMAGED)
                assert found == first
            else:
                assert status == Status.OK
                assert found in (old, new)
            board.train(samples, targets, end)
            assert board.state() == expected
            cuts += 1
        assert False in outcomes
        # After the last cut: the next save is not in the way of anything that was left behind.
        assert board.save() == Status.OK
        board.power_up()
        assert board.load() == Status.OK
        assert board.state() == expected
        board.memory[:] = after
        board.power_up()
        assert board.load() == Status.OK
        assert board.state() == new
        old = new
    board.check_use()
    return cuts


@pytest.mark.parametrize(
    ("page", "unit", "scattered"), [(64, 1, 0), (128, 2, 1), (256, 4, 0), (128, 8, 1)]
)
def test_every_cut_of_a_save(page: int, unit: int, scattered: int) -> None:
    _, _, samples, targets = small(0)
    board = small_board(page, unit)
    cuts = check_cuts(
        board, samples, targets, SAVES, END, scattered, lambda total: range(1, total + 1)
    )
    assert cuts >= len(SAVES) * (board.slot - page + HEADER + board.content.length)


@pytest.mark.parametrize("index", range(1, len(MODELS)), ids=lambda i: MODELS[i].name)
def test_cuts_of_every_rule(index: int) -> None:
    _, _, samples, targets = small(index)
    board = small_board(index=index)
    check_cuts(board, samples, targets, SAVES, END, 1, lambda total: range(1, total + 1, 7))


def test_cuts_of_a_large_network() -> None:
    random = np.random.default_rng(5)
    samples = random.integers(0, 255, (6, 784)).astype(np.uint8)
    targets = random.integers(0, 10, 6)
    spec = choose_input(784, "uint8", 0, 1 / 256, format="a16w16")
    layers = random_layers((784, 100, 10), 1, "relu")
    network = quantise(layers, spec, samples, 2.0, 1.0, "a16w16", "softmax")
    board = StoreBoard(build(network, Pepita(projection="sign")), network, 2048, 8)
    assert board.content.length > 784 * 100 * 2

    def positions(total: int) -> list[int]:
        erased = board.slot
        edges = [1, 2048, 2049, erased - 1, erased, erased + 1, total - HEADER, total - HEADER + 1]
        return sorted({*edges, total - 1, total, *random.integers(1, total, 8).tolist()})

    assert check_cuts(board, samples, targets, (1, 2, 3), 6, 0, positions) >= 3 * 16


def test_one_cut_after_another() -> None:
    """Cuts that find what earlier cuts left; whatever was reported as saved stays."""
    _, _, samples, targets = small(0)
    board = small_board()
    random = np.random.default_rng(9)
    saved, complete = None, 0
    for _ in range(400):
        cut = int(random.integers(1, 4 * board.slot))
        board.power_up(cut, int(random.integers(2)), int(random.integers(2**32)))
        status = board.load()
        if saved is None:
            assert status in (Status.EMPTY, Status.DAMAGED, Status.OK)
        else:
            assert status == Status.OK
            assert board.state() in saved
        held = board.state()
        board.train(samples, targets, board.model.counters.step + 1)
        done = board.save() == Status.OK
        complete += done
        saved = (board.state(),) if done else (held, board.state()) if saved else None
    assert 50 < complete < 350
    board.check_use()


def test_nothing_is_written_when_nothing_changed() -> None:
    _, _, samples, targets = small(0)
    board = small_board(page=128, unit=4)
    padded = -(-board.content.length // 4) * 4
    for step in (2, 3, 4):
        board.train(samples, targets, step)
        assert board.save() == Status.OK
        assert board.report.bytes_written == HEADER + padded
        assert board.report.pages_erased == board.slot // 128
        assert board.simulator.changed == board.slot + board.report.bytes_written
        board.simulator.changed = 0
        assert not board.report.skipped
        before = bytes(board.memory)
        assert board.save() == Status.OK
        assert board.report.skipped
        board.power_up()
        assert board.load() == Status.OK
        assert board.save() == Status.OK
        assert board.report.skipped
        assert (board.report.bytes_written, board.report.pages_erased) == (0, 0)
        assert (board.simulator.changed, bytes(board.memory)) == (0, before)


def test_the_header_comes_last() -> None:
    """Until the content is whole, the slot does not even claim to hold a checkpoint."""
    _, _, samples, targets = small(0)
    for cut in (0, 1, 70, 71, 10**6):  # bytes of content before the cut
        board = small_board(unit=1)
        board.train(samples, targets, 1)
        written = min(cut, board.content.length - 1)
        state = board.state()
        board.power_up(board.slot + written + 1)
        board.set_state(state)
        assert board.save() == Status.FLASH
        assert board.memory[:HEADER] == b"\xff" * HEADER
        assert board.memory[HEADER : HEADER + written] == state[:written]


def test_the_rest_of_a_slot_stays_erased() -> None:
    lengths = set()
    for index in range(len(MODELS)):
        _, _, samples, targets = small(index)
        board = small_board(index=index)
        board.train(samples, targets, 1)
        assert board.save() == Status.OK
        end = HEADER + board.content.length
        assert board.memory[HEADER:end] == board.state()
        assert set(board.memory[end:]) == {0xFF}
        lengths.add(board.content.length % 8)
    assert lengths - {0}  # units were filled up


def saved_twice() -> tuple[StoreBoard, bytes, bytes]:
    """Return a board with the checkpoints of steps 3 (slot 0) and 5 (slot 1), started anew."""
    _, _, samples, targets = small(0)
    board = small_board()
    states = []
    for step in (3, 5):
        board.train(samples, targets, step)
        assert board.save() == Status.OK
        states.append(board.state())
    board.power_up()
    return board, states[0], states[1]


def refused(board: StoreBoard, status: Status) -> None:
    """Load finds nothing, says why and leaves the model alone."""
    board.power_up()
    before = board.state()
    assert board.load() == status
    assert board.state() == before


def test_empty_slots() -> None:
    refused(small_board(), Status.EMPTY)


@pytest.mark.parametrize("at", [0, 5, 12, 17, 22, 24, 31, HEADER, HEADER + 100, -1])
def test_damage_falls_back_to_the_older_checkpoint(at: int) -> None:
    board, old, new = saved_twice()
    end = HEADER + board.content.length
    assert board.load() == Status.OK
    assert board.state() == new
    board.memory[board.slot + at % end] ^= 0x10
    board.power_up()
    assert board.store.slots[1] == Status.DAMAGED
    assert board.load() == Status.OK
    assert board.state() == old
    board.memory[at % end] ^= 0x10
    refused(board, Status.DAMAGED)


def test_an_unreadable_unit_is_damage() -> None:
    board, old, _ = saved_twice()
    board.simulator.unreadable = board.slot + HEADER + 70
    board.power_up()
    assert board.load() == Status.OK
    assert board.state() == old


@pytest.mark.parametrize(
    "field", [{"model": 0x1234}, {"length": 4}, {"format": 2 | HEADER << 16}], ids=str
)
def test_another_model(field: dict[str, int]) -> None:
    board, _, _ = saved_twice()
    for slot in (0, 1):
        board.write_header(slot, **field)
    refused(board, Status.MODEL)
    board.memory[HEADER - 1] ^= 1
    refused(board, Status.DAMAGED)


def test_another_model_is_spared_while_there_is_room() -> None:
    _, _, samples, targets = small(0)
    board, _, _ = saved_twice()
    board.write_header(0, model=0x1234)
    board.memory[board.slot :] = b"\xff" * board.slot
    foreign = bytes(board.memory[: board.slot])
    board.power_up()
    board.train(samples, targets, 2)
    assert board.save() == Status.OK
    assert board.memory[: board.slot] == foreign
    assert board.store.newest == 1


@pytest.mark.parametrize("first", [0xFFFFFFFE, 0x7FFFFFFE, 0xFFFFFFFF])
def test_sequence_numbers_wrap(first: int) -> None:
    _, _, samples, targets = small(0)
    board, _, _ = saved_twice()
    board.write_header(0, sequence=(first - 1) % 2**32)
    board.write_header(1, sequence=first)
    for ahead in (1, 2, 3, 4):
        board.power_up()
        assert board.store.sequence == (first + ahead - 1) % 2**32
        assert board.load() == Status.OK
        board.train(samples, targets, board.model.counters.step + 1)
        saved = board.state()
        assert board.save() == Status.OK
        board.power_up()
        assert board.store.newest == (ahead + 1) % 2
        assert board.load() == Status.OK
        assert board.state() == saved


@pytest.mark.parametrize("kind", ["refuse", "lose"])
@pytest.mark.parametrize("at", [3, HEADER, HEADER + 200])
def test_flash_that_does_not_keep_what_is_written(kind: str, at: int) -> None:
    """The save fails, the newest checkpoint stays, and says so again until it works."""
    _, _, samples, targets = small(0)
    board, _, new = saved_twice()
    assert board.load() == Status.OK
    board.train(samples, targets, 8)
    newer = board.state()
    setattr(board.simulator, f"{kind}_from", at)
    setattr(board.simulator, f"{kind}_bytes", 8)
    for _ in range(2):
        assert board.save() == Status.FLASH
        if at >= HEADER:  # found before the header went in
            assert board.memory[:HEADER] == b"\xff" * HEADER
    board.power_up()
    assert board.load() == Status.OK
    assert board.state() == new
    setattr(board.simulator, f"{kind}_bytes", 0)
    board.set_state(newer)
    assert board.save() == Status.OK
    board.power_up()
    assert board.load() == Status.OK
    assert board.state() == newer


@pytest.mark.parametrize(
    "sizes",
    [
        {"unit_bytes": 16},
        {"unit_bytes": 0},
        {"unit_bytes": 8, "page_bytes": 100},
        {"page_bytes": 0},
        {"page_bytes": 4096},
        {"slot_bytes": 0},
        {"slot_bytes": 1024},
    ],
    ids=str,
)
def test_sizes_that_do_not_go_together(sizes: dict[str, int]) -> None:
    board = small_board()
    assert board.content.length > 1024
    for name, value in sizes.items():
        setattr(board.flash, name, value)
    assert board.open() == Status.SPACE


def test_the_simulator_is_flash() -> None:
    """It sees a bit set, a unit programmed twice and a call beside units, and stops at a cut."""
    board = small_board(page=128, unit=4)
    simulator, flash, lib = board.simulator, board.flash, board.lib
    assert lib.program_flash(flash, 0, b"\x0f\xff\xff\xff", 4) == 0
    assert simulator.twice == 0
    assert lib.program_flash(flash, 0, b"\x0e\xff\xff\xff", 4) == 0
    assert (simulator.twice, simulator.bits_set) == (1, 0)
    assert lib.program_flash(flash, 0, b"\x1e\xff\xff\xff", 4) != 0
    assert simulator.bits_set == 1
    assert board.memory[0] == 0x0E
    assert lib.program_flash(flash, 2, b"\xff\xff\xff\xff", 4) != 0
    assert lib.program_flash(flash, 4, b"\xff\xff", 2) != 0
    assert lib.program_flash(flash, 2 * board.slot, b"\xff\xff\xff\xff", 4) != 0
    assert lib.erase_flash(flash, 64) != 0
    assert simulator.misplaced == 4
    assert lib.erase_flash(flash, 0) == 0
    assert board.memory[0] == 0xFF
    simulator.changed, simulator.cut_after = 0, 2
    assert lib.program_flash(flash, 8, b"\x01\x02\x03\x04", 4) != 0
    assert board.memory[8] == 1
    assert board.memory[10:12] == b"\xff\xff"
    assert lib.erase_flash(flash, 0) != 0
    assert simulator.without_power == 1
    assert board.memory[8] == 1
