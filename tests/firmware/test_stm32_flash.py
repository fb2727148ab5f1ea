# SPDX-License-Identifier: Apache-2.0
"""The STM32F4 flash driver on a model of its controller: right use, power cuts, time."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stm32_host import Stm32Board, build, used
from test_generated_models import MODELS
from test_store import END, SAVES, check_cuts
from toy_networks import toy_network

from secondpass.boards import load_board, read_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.flash import save_bound
from secondpass.device.protocol import Status
from secondpass.errors import BuildError
from secondpass.plan import refuse
from secondpass.rules import Pepita

GEOMETRIES = [(2, 0x4000, 1), (0, 0x4000, 2), (10, 0x20000, 1), (6, 0x20000, 3)]
"""First sector of the slots, bytes of a sector, sectors a slot."""
ERRORS = {"sequence": 1 << 7, "parallelism": 1 << 6, "protection": 1 << 4}
ERRORS_LEFT = 0xF3


@cache
def model() -> tuple[Any, Any, Any, Any]:
    chosen = MODELS[0]
    network = chosen.network()
    return build(network, chosen.rule), network, chosen.samples(), chosen.targets(network)


def board(first: int = 2, sector: int = 0x4000, per_slot: int = 1) -> Stm32Board:
    module, network, _, _ = model()
    return Stm32Board(module, network, first, sector, per_slot)


def train(made: Stm32Board, until: int) -> bytes:
    _, _, samples, targets = model()
    made.train(samples, targets, until)
    return made.state()


@pytest.mark.parametrize(("first", "sector", "per_slot"), GEOMETRIES)
def test_saves_and_loads(first: int, sector: int, per_slot: int) -> None:
    made = board(first, sector, per_slot)
    for step in (2, 5, 9):
        state = train(made, step)
        assert made.save() == Status.OK
        assert made.report.pages_erased == 1
        assert made.simulator.erased == 1
        made.check_use()
        made.power_up()
        assert made.load() == Status.OK
        assert made.state() == state
    made.check_use()


def test_cut_at_every_byte_programmed() -> None:
    """And at some of an erase, which leaves the sector half erased in order or all over."""
    _, _, samples, targets = model()
    made = board()

    def positions(total: int) -> list[int]:
        erase = [1, 2, 4095, 9000, 16383, 16384]
        return [*erase, *range(16385, total + 1)]

    for scattered, saves in ((0, SAVES[:2]), (1, SAVES[2:3])):
        made = board()
        cuts = check_cuts(made, samples, targets, saves, END, scattered, positions)
        assert cuts == len(saves) * (6 + -(-used(made) // 4) * 4)


@pytest.mark.parametrize(("first", "sector", "per_slot"), GEOMETRIES[1:])
def test_cuts_in_larger_sectors(first: int, sector: int, per_slot: int) -> None:
    _, _, samples, targets = model()
    made = board(first, sector, per_slot)
    check_cuts(
        made,
        samples,
        targets,
        SAVES[:2],
        END,
        1,
        lambda total: [1, sector // 3, sector, *range(sector + 1, total + 1, 97), total],
    )


def test_read_behind_the_cache() -> None:
    """What was read before an erase is not what is there after it."""
    made = board()
    lib, flash = made.lib, made.flash
    read = made.ffi.new("uint8_t[16]")
    address = made.simulator.address
    assert lib.program_flash(flash, 0, b"\x12\x34\x56\x78", 4) == 0
    lib.sp_flash_read(address, read, 16)
    assert bytes(read) == b"\x12\x34\x56\x78" + b"\xff" * 12
    assert lib.program_flash(flash, 8, b"abcd", 4) == 0
    lib.sp_flash_read(address, read, 16)
    assert bytes(read)[8:12] == b"abcd"
    assert lib.erase_flash(flash, 0) == 0
    lib.sp_flash_read(address, read, 16)
    assert bytes(read) == b"\xff" * 16
    assert made.simulator.access == 1 << 10  # the cache is on again
    made.simulator.access = 0
    assert lib.erase_flash(flash, 0) == 0
    assert made.simulator.access == 0  # and stays off where it was off
    made.check_use()


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_before_is_not_this_ones(name: str) -> None:
    made = board()
    made.simulator.status = ERRORS[name]
    train(made, 1)
    assert made.save() == Status.OK
    made.check_use()


def test_a_protected_sector_is_refused_and_the_older_checkpoint_stays() -> None:
    made = board()
    old = train(made, 2)
    assert made.save() == Status.OK
    made.simulator.protected_at = made.simulator.address + 0x4000 + 5
    train(made, 4)
    assert made.save() == Status.FLASH
    assert made.lib.stm32_controller_locked(made.simulator)
    made.power_up()
    assert made.load() == Status.OK
    assert made.state() == old


def test_a_controller_that_is_not_there() -> None:
    """As in the emulator: nothing is written."""
    made = board()
    made.simulator.absent = 1
    train(made, 1)
    assert made.save() == Status.FLASH
    assert made.simulator.changed == 0


def test_a_flash_that_never_ends_is_given_up() -> None:
    made = board()
    made.simulator.hung = 1
    train(made, 1)
    assert made.save() == Status.FLASH
    assert made.simulator.erased == 1


def test_a_controller_that_somebody_locked_for_good() -> None:
    made = board()
    made.lib.sp_flash_set(4, 0x12345678)  # a wrong key: no access until the next reset
    train(made, 1)
    assert made.save() == Status.FLASH
    assert made.simulator.changed == 0
    made.simulator.misuse = 0
    made.power_up()
    train(made, 1)
    assert made.save() == Status.OK
    made.check_use()


def test_the_model_minds_the_manual() -> None:
    """Each of these is counted; otherwise the tests above would prove nothing."""
    made = board()
    get, put, word = made.lib.sp_flash_get, made.lib.sp_flash_set, made.lib.sp_flash_write_word
    at = made.simulator.address

    def counted() -> int:
        count, made.simulator.misuse = made.simulator.misuse, 0
        return int(count)

    put(0x10, 1)
    assert (get(0x10), counted()) == (1 << 31, 1)  # locked
    word(at, 0)
    assert (counted(), made.memory[0], get(0x0C)) == (1, 0xFF, 1 << 7)
    put(4, 0x45670123)
    put(4, 0xCDEF89AB)
    assert (get(0x10), counted()) == (0, 0)
    put(0x10, 1)  # bytes, not words
    word(at, 0)
    assert (counted(), get(0x0C)) == (1, 1 << 7 | 1 << 6)
    put(0x10, 1 | 2 << 8)
    put(0x0C, ERRORS_LEFT)
    word(at, 0x01020304)
    word(at + 4, 0)  # while it is busy
    assert (counted(), made.memory[:4], made.memory[4]) == (1, b"\x04\x03\x02\x01", 0xFF)
    while get(0x0C):
        pass
    word(at, 0xFFFFFFF0)
    assert made.memory[:4] == b"\x00\x03\x02\x01"  # bits are cleared, never set
    while get(0x0C):
        pass
    put(0x10, 1 << 16 | 2 | 2 << 8 | 1 << 3)  # a sector with code in it
    put(0, 1 << 10 | 1 << 12)  # reset of a cache that is on
    assert counted() == 2


def flash_of_the_board() -> Any:
    flash = load_board("netduinoplus2").flash
    assert flash is not None
    return flash


def test_no_save_takes_longer_than_its_bound() -> None:
    """At the data sheet's longest times the flash is busy exactly as long as the bound says."""
    flash = flash_of_the_board()
    made = board(flash.first_sector, flash.page_bytes, flash.slot_sectors)
    made.simulator.erase_us = flash.erase_ms * 1000
    made.simulator.program_us = flash.program_us
    for step in (1, 2, 3):
        train(made, step)
        made.simulator.busy_us = 0
        assert made.save() == Status.OK
        bound = save_bound(made.content.length, flash)
        assert made.simulator.busy_us <= 1000 * bound < made.simulator.busy_us + flash.program_us
        assert made.report.pages_erased == 1
        made.simulator.busy_us = 0
        assert made.save() == Status.OK  # nothing has changed
        assert made.simulator.busy_us == 0


@pytest.mark.parametrize(
    ("content", "pages", "words"),
    [(0, 1, 8), (1, 1, 9), (0x20000 - 32, 1, 0x8000), (0x20000 - 31, 2, 0x8001)],
)
def test_the_bound(content: int, pages: int, words: int) -> None:
    flash = msgspec.structs.replace(flash_of_the_board(), slot_sectors=2)
    assert save_bound(content, flash) == pytest.approx(pages * 2000 + words * 0.1)


def test_a_checkpoint_without_room_has_no_bound() -> None:
    with pytest.raises(BuildError, match="131041 bytes does not fit a slot of 131072"):
        save_bound(0x20000 - 31, flash_of_the_board())


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("0x4000, 0x4000, 0x4000, 0x4000, ", "0x4000, ", "memory.flash_bytes is 1048576"),
        ("slot_sectors = 1", "slot_sectors = 4", "sectors of one size"),
        ("slot_sectors = 1", "slot_sectors = 6", "one before them for code"),
        ("unit_bytes = 4", "unit_bytes = 8", "unit_bytes"),
        ('family = "stm32f4"', 'family = "stm32f1"', "family stm32f4"),
        ("program_us = 100", "program_us = 100\nbank = 2", "accepted: controller, sectors"),
    ],
)
def test_wrong_slots_are_refused(before: str, after: str, message: str, tmp_path: Path) -> None:
    text = Path("boards/netduinoplus2/board.toml").read_text()
    assert before in text
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "board.toml"
    path.write_text(text.replace(before, after))
    with pytest.raises(BuildError, match=message):
        read_board(path)


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
def test_code_cannot_reach_the_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refuse, "refuse_what_cannot_fit", lambda *_: None)  # the linker's turn
    board = load_board("netduinoplus2")
    assert board.flash is not None
    board.flash.sectors, board.flash.slot_sectors = [0x1000] * 16, 7
    board.memory.flash_bytes = 0x10000
    with pytest.raises(BuildError, match=r"FLASH.*overflow"):
        build_firmware(toy_network(21, 15, 5), Pepita(), board, tmp_path)
