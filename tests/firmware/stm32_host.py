# SPDX-License-Identifier: Apache-2.0
"""A generated model, its store and the STM32F4 flash driver on a model of the controller."""

import tempfile
from pathlib import Path
from typing import Any

from store_host import DECLARATIONS, HEADER, NEVER, PREAMBLE, SIMULATOR, StoreBoard

from secondpass import resources
from secondpass.device.hostbuild import build_module
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass_codegen import write

_DECLARATIONS = (
    DECLARATIONS
    + """
typedef struct {
    uint8_t *memory;
    uint32_t address, first, sectors, sector_bytes, absent, hung, protected_at;
    uint32_t erase_polls, program_polls, erase_us, program_us;
    uint32_t cut_after, scattered, random, changed, erased, busy_us, misuse;
    uint32_t control, status, access, keys, polls;
    uint8_t *cache, *cached;
    ...;
} stm32_controller_t;
typedef struct {
    uint32_t address, sector_bytes, slot_bytes, first_sector, erase_polls, program_polls;
    ...;
} sp_stm32_flash_t;
void stm32_controller_reset(stm32_controller_t *controller);
int stm32_controller_locked(const stm32_controller_t *controller);
sp_flash_t sp_stm32_flash(sp_stm32_flash_t *area);
uint32_t sp_flash_get(uint32_t offset);
void sp_flash_set(uint32_t offset, uint32_t value);
void sp_flash_write_word(uint32_t address, uint32_t value);
void sp_flash_read(uint32_t address, uint8_t *data, uint32_t length);
"""
)
_INCLUDES = '#include "stm32_controller.h"\n#include "stm32_model_io.h"\n'


def build(network: Network, rule: Rule) -> Any:
    """Return the cffi module of a model, its store, the driver and the controller."""
    ports = resources.folder("firmware") / "ports"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(network, rule, folder)
        sources = [
            *(*library_sources(*MODEL_FREE), folder / "model.c", ports / "stm32_flash.c"),
            *(SIMULATOR / "simulator.c", SIMULATOR / "stm32_controller.c"),
        ]
        include = [folder, SIMULATOR, ports]
        flags = ('-DSP_STM32_FLASH_IO="stm32_model_io.h"',)
        return build_module(_DECLARATIONS, PREAMBLE + _INCLUDES, sources, include, flags)


class Stm32Board(StoreBoard):
    """A board whose slots are sectors `first` and on, of `sector` bytes, at the place they have."""

    def __init__(self, module: Any, network: Network, first: int, sector: int, per_slot: int = 1):
        self.ffi, self.lib, self.network = module.ffi, module.lib, network
        self.model = self.ffi.new("sp_model_t *")
        self._step = self.ffi.new("sp_step_t *")
        self.store = self.ffi.new("sp_store_t *")
        self.report = self.ffi.new("sp_save_report_t *")
        self.content = self.ffi.new("sp_checkpoint_t *", self.lib.sp_model_checkpoint(self.model))
        self.slot = sector * per_slot
        self.memory = bytearray(b"\xff" * 2 * self.slot)
        self._cache = bytearray(len(self.memory)), bytearray(len(self.memory) // 16)
        address = 0x08000000 + _offset(first)
        self.simulator = self.ffi.new(
            "stm32_controller_t *",
            {
                "memory": self.ffi.from_buffer("uint8_t[]", self.memory),
                "cache": self.ffi.from_buffer("uint8_t[]", self._cache[0]),
                "cached": self.ffi.from_buffer("uint8_t[]", self._cache[1]),
                "address": address,
                "first": first,
                "sectors": 2 * per_slot,
                "sector_bytes": sector,
                "protected_at": NEVER,
                "erase_polls": 9,
                "program_polls": 2,
            },
        )
        self.area = self.ffi.new(
            "sp_stm32_flash_t *", [address, sector, self.slot, first, 1000, 100]
        )
        self.flash = self.ffi.new("sp_flash_t *", self.lib.sp_stm32_flash(self.area))
        self.power_up()

    def power_up(self, cut_after: int = NEVER, scattered: int = 0, random: int = 0) -> None:
        """Start the board: the controller is as after a reset."""
        self.lib.stm32_controller_reset(self.simulator)
        super().power_up(cut_after, scattered, random)

    def check_use(self) -> None:
        """Assert that the controller was used as its manual says."""
        assert self.simulator.misuse == 0
        assert self.lib.stm32_controller_locked(self.simulator)


def _offset(sector: int) -> int:
    """Return where a sector of an STM32F405 begins."""
    sizes = [0x4000] * 4 + [0x10000] + [0x20000] * 7
    return sum(sizes[:sector])


def used(board: Stm32Board) -> int:
    """Return the bytes of a checkpoint with its header."""
    return int(HEADER + board.content.length)
