# SPDX-License-Identifier: Apache-2.0
"""What checkpoints in flash and a watchdog add to a firmware build."""

from secondpass.boards import Board, Watchdog
from secondpass.errors import BuildError

_WATCHDOGS = {
    "cmsdk": "cmsdk_watchdog.c",
    "sse300": "cmsdk_watchdog.c",
    "stm32f1": "stm32_watchdog.c",
    "stm32f4": "stm32_watchdog.c",
}


def code_bytes(board: Board) -> int:
    """Return the bytes of flash that code may take: slots for checkpoints are not for it."""
    slots = 2 * board.flash.slot_bytes if board.flash is not None else 0
    return board.memory.flash_bytes - slots


def sources(board: Board) -> list[str]:
    """Return the files of `firmware/ports` that a board's slots and watchdog need.

    Raises `BuildError` for a watchdog without a driver, or a time that it cannot keep.
    """
    names = ["stm32_flash.c", "stm32_slots.c"] if board.flash is not None else []
    if board.watchdog is not None and board.watchdog.timeout_ms:
        _check_watchdog(board, board.watchdog)
        names += [_WATCHDOGS[board.require_port().family], "wake.c"]
    return names


def _check_watchdog(board: Board, watchdog: Watchdog) -> None:
    """Raise `BuildError` unless there is a driver and the time suits it.

    An idle board wakes every 2^24 cycles and must not be late.
    """
    family = board.require_port().family
    if family not in _WATCHDOGS:
        raise BuildError(
            f"{board.id}: there is no watchdog driver for the family {family}; set "
            f"watchdog.timeout_ms to 0. Families with one: {', '.join(_WATCHDOGS)}"
        )
    least = 2 * 2**24 * 1000 // board.clock_hz + 1
    most = (0xFFF * 256 if family.startswith("stm32") else 2**32 - 1) * 1000 // watchdog.hz
    if not least <= watchdog.timeout_ms <= most:
        raise BuildError(
            f"{board.id}: watchdog.timeout_ms is {watchdog.timeout_ms}; this board takes 0 (off) "
            f"or {least} to {most}"
        )


def definitions(board: Board) -> dict[str, str]:
    """Return macros for the slots and for a watchdog that is to be started."""
    made: dict[str, int] = {}
    if (flash := board.flash) is not None:
        made |= {
            "SP_PORT_HAS_FLASH": 1,
            "SP_FLASH_CONTROLLER": flash.controller,
            "SP_FLASH_SLOTS": board.memory.flash_origin + code_bytes(board),
            "SP_FLASH_PAGE_BYTES": flash.page_bytes,
            "SP_FLASH_SLOT_BYTES": flash.slot_bytes,
            "SP_FLASH_FIRST_SECTOR": flash.first_sector,
            "SP_FLASH_ERASE_US": flash.erase_ms * 1000,
            "SP_FLASH_PROGRAM_US": flash.program_us,
        }
    if (watchdog := board.watchdog) is not None and watchdog.timeout_ms:
        made |= {
            "SP_PORT_WATCHDOG": watchdog.address,
            "SP_PORT_WATCHDOG_HZ": watchdog.hz,
            "SP_PORT_RESET_FLAGS": watchdog.reset_flags,
            "SP_WATCHDOG_MS": watchdog.timeout_ms,
        }
    return {name: f"{value:#x}u" for name, value in made.items()}
