# SPDX-License-Identifier: Apache-2.0
"""A generated model and its checkpoint store on a simulated flash that power cuts can stop."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device.hostbuild import build_module
from secondpass.device.interface import target_bytes
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass_codegen import write

SIMULATOR = Path(__file__).parent / "flash"
NEVER = 2**32 - 1
HEADER = 32

DECLARATIONS = """
typedef enum { SP_OK, ... } sp_status_t;
typedef struct { uint32_t step; ...; } sp_counters_t;
typedef struct { sp_counters_t counters; ...; } sp_model_t;
typedef struct { ...; } sp_step_t;
typedef struct { uint32_t page_bytes, unit_bytes, slot_bytes; ...; } sp_flash_t;
typedef struct { uint64_t model; uint8_t *data; uint32_t length; ...; } sp_checkpoint_t;
typedef struct { sp_status_t slots[2]; uint32_t sequence; int8_t newest; ...; } sp_store_t;
typedef struct { uint32_t bytes_written, pages_erased; uint8_t skipped; ...; } sp_save_report_t;
typedef struct {
    uint8_t *memory;
    uint32_t page_bytes, unit_bytes, slot_bytes, cut_after, scattered, random;
    uint32_t refuse_from, refuse_bytes, lose_from, lose_bytes, unreadable;
    uint32_t changed, erased, bits_set, twice, misplaced, without_power;
    ...;
} flash_simulator_t;
void sp_model_reset(sp_model_t *m);
sp_checkpoint_t sp_model_checkpoint(sp_model_t *m);
sp_status_t sp_model_train(
    sp_model_t *m, const uint8_t *sample, const uint8_t *wanted, sp_step_t *step);
sp_flash_t flash_simulator(flash_simulator_t *simulator);
uint32_t sp_crc32_add(uint32_t crc, const uint8_t *data, uint32_t length);
sp_status_t sp_store_open(
    sp_store_t *store, const sp_flash_t *flash, const sp_checkpoint_t *content);
sp_status_t sp_store_save(sp_store_t *store, sp_save_report_t *report);
sp_status_t sp_store_load(sp_store_t *store);
int program_flash(const sp_flash_t *flash, uint32_t offset, const uint8_t *data, uint32_t length);
int erase_flash(const sp_flash_t *flash, uint32_t offset);
"""
PREAMBLE = """
#include "model.h"
#include "secondpass/link.h"
#include "simulator.h"

static int program_flash(const sp_flash_t *flash, uint32_t offset, const uint8_t *data,
                         uint32_t length)
{
    union { uint64_t alignment; uint8_t bytes[64]; } copy;

    for (uint32_t i = 0; i < length; ++i) {
        copy.bytes[i] = data[i];
    }
    return flash->program(flash->context, offset, copy.bytes, length);
}

static int erase_flash(const sp_flash_t *flash, uint32_t offset)
{
    return flash->erase(flash->context, offset);
}
"""


def build(network: Network, rule: Rule) -> Any:
    """Return the cffi module of a model, its store and the simulator."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(network, rule, folder)
        sources = [*library_sources(*MODEL_FREE), folder / "model.c", SIMULATOR / "simulator.c"]
        return build_module(DECLARATIONS, PREAMBLE, sources, [folder, SIMULATOR])


class StoreBoard:
    """A board: RAM that a power cut clears, and flash that it does not."""

    def __init__(self, module: Any, network: Network, page: int, unit: int) -> None:
        self.ffi, self.lib, self.network = module.ffi, module.lib, network
        self.model = self.ffi.new("sp_model_t *")
        self._step = self.ffi.new("sp_step_t *")
        self.store = self.ffi.new("sp_store_t *")
        self.report = self.ffi.new("sp_save_report_t *")
        self.content = self.ffi.new("sp_checkpoint_t *", self.lib.sp_model_checkpoint(self.model))
        self.slot = -(-(HEADER + self.content.length) // page) * page
        self.memory = bytearray(b"\xff" * 2 * self.slot)
        self.simulator = self.ffi.new("flash_simulator_t *")
        self.simulator.memory = self.ffi.from_buffer("uint8_t[]", self.memory)
        self.simulator.page_bytes, self.simulator.unit_bytes = page, unit
        self.simulator.slot_bytes = self.slot
        self.simulator.unreadable = NEVER
        self.flash = self.ffi.new("sp_flash_t *", self.lib.flash_simulator(self.simulator))
        self.power_up()

    def power_up(self, cut_after: int = NEVER, scattered: int = 0, random: int = 0) -> None:
        """Start the board; the power goes when so many bytes have changed."""
        self.simulator.cut_after, self.simulator.changed = cut_after, 0
        self.simulator.scattered, self.simulator.random = scattered, random
        self.simulator.erased = 0
        self.lib.sp_model_reset(self.model)
        assert self.open() == 0

    def open(self) -> int:
        return int(self.lib.sp_store_open(self.store, self.flash, self.content))

    def save(self) -> int:
        return int(self.lib.sp_store_save(self.store, self.report))

    def load(self) -> int:
        return int(self.lib.sp_store_load(self.store))

    def state(self) -> bytes:
        """What a checkpoint must bring back."""
        return bytes(self.ffi.buffer(self.content.data, self.content.length))

    def set_state(self, state: bytes) -> None:
        self.ffi.memmove(self.content.data, state, len(state))

    def train(self, samples: npt.NDArray[Any], targets: npt.NDArray[Any], until: int) -> None:
        """Go on from the step that the model is at, with the samples that belong to it."""
        while self.model.counters.step < until:
            step = self.model.counters.step % len(samples)
            wanted = target_bytes(self.network, targets[step])
            raw = samples[step].tobytes()
            assert self.lib.sp_model_train(self.model, raw, wanted, self._step) == 0

    def check_use(self) -> None:
        """Assert that the flash was used as flash allows."""
        misuse = self.simulator.bits_set, self.simulator.twice, self.simulator.misplaced
        assert misuse == (0, 0, 0)

    def write_header(self, slot: int, **fields: int) -> None:
        """Change fields of a slot's header behind the store's back, with a right CRC."""
        at = slot * self.slot
        header = np.frombuffer(self.memory, dtype="<u4", count=8, offset=at)
        places = {"magic": 0, "format": 1, "model": 2, "sequence": 4, "length": 5}
        for name, value in fields.items():
            header[places[name]] = value
        header[7] = self.lib.sp_crc32_add(0, header[:7].tobytes(), 28)
