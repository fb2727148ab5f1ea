# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the host twin: the firmware's store on a file that stands for a flash memory."""

from pathlib import Path
from typing import Any

from secondpass.device.interface import SaveReport
from secondpass.device.protocol import MEANING, Status
from secondpass.errors import CheckpointError

PAGE_BYTES = 256
"""Pages of a file; a file is two slots of whole pages."""
UNIT_BYTES = 8

DECLARATIONS = """
typedef struct { uint32_t bytes_written, pages_erased; uint8_t skipped; ...; } sp_save_report_t;
uint32_t slot_bytes(uint32_t page);
sp_status_t save_image(
    sp_model_t *m, uint8_t *memory, uint32_t slot, uint32_t page, uint32_t unit,
    sp_save_report_t *report);
sp_status_t load_image(
    sp_model_t *m, uint8_t *memory, uint32_t slot, uint32_t page, uint32_t unit);
"""

PREAMBLE = """
#include "secondpass/ram_flash.h"

static uint32_t slot_bytes(uint32_t page)
{
    return SP_STORE_SLOT(sp_model_checkpoint(NULL).length, page);
}

static sp_status_t save_image(sp_model_t *m, uint8_t *memory, uint32_t slot, uint32_t page,
                              uint32_t unit, sp_save_report_t *report)
{
    sp_ram_flash_t ram = {memory, page, slot};
    const sp_flash_t flash = sp_ram_flash(&ram, unit);
    const sp_checkpoint_t content = sp_model_checkpoint(m);
    sp_store_t store;
    sp_status_t status = sp_store_open(&store, &flash, &content);

    if (status == SP_OK &&
        (store.slots[0] == SP_ERROR_MODEL || store.slots[1] == SP_ERROR_MODEL)) {
        status = SP_ERROR_MODEL; /* a file is not given to another model by mistake */
    }
    return status == SP_OK ? sp_store_save(&store, report) : status;
}

static sp_status_t load_image(sp_model_t *m, uint8_t *memory, uint32_t slot, uint32_t page,
                              uint32_t unit)
{
    sp_ram_flash_t ram = {memory, page, slot};
    const sp_flash_t flash = sp_ram_flash(&ram, unit);
    const sp_checkpoint_t content = sp_model_checkpoint(m);
    sp_store_t store;
    const sp_status_t status = sp_store_open(&store, &flash, &content);

    return status == SP_OK ? sp_store_load(&store) : status;
}
"""


def save(module: Any, model: Any, path: Path) -> SaveReport:
    """Save a model of a twin's cffi module into a file, which is made when missing.

    Raises `CheckpointError` when the file holds something else; then it is unchanged.
    """
    slot = int(module.lib.slot_bytes(PAGE_BYTES))
    image = _read(path) if path.exists() else bytearray(b"\xff" * 2 * slot)
    report = module.ffi.new("sp_save_report_t *")
    memory = module.ffi.from_buffer("uint8_t[]", image)
    _check(
        module.lib.save_image(model, memory, len(image) // 2, PAGE_BYTES, UNIT_BYTES, report), path
    )
    if not report.skipped:
        scratch = path.with_name(path.name + ".new")
        scratch.write_bytes(image)
        scratch.replace(path)
    return SaveReport(report.bytes_written, report.pages_erased, bool(report.skipped))


def load(module: Any, model: Any, path: Path) -> None:
    """Load the newest whole checkpoint of a file.

    Raises `CheckpointError` when there is none of this model; then the model is unchanged.
    """
    if not path.exists():
        raise CheckpointError(f"{path} does not exist: save a checkpoint first", Status.EMPTY)
    image = _read(path)
    memory = module.ffi.from_buffer("uint8_t[]", image)
    _check(module.lib.load_image(model, memory, len(image) // 2, PAGE_BYTES, UNIT_BYTES), path)


def _read(path: Path) -> bytearray:
    image = bytearray(path.read_bytes())
    if not image or len(image) % (2 * PAGE_BYTES):
        raise CheckpointError(
            f"{path} is no checkpoint file ({len(image)} bytes, not two slots of {PAGE_BYTES}-byte "
            "pages)",
            Status.DAMAGED,
        )
    return image


def _check(status: int, path: Path) -> None:
    if status != Status.OK:
        # a slot that is too small was made for a smaller model
        found = Status.MODEL if status == Status.SPACE else Status(status)
        raise CheckpointError(f"{path}: {MEANING[found]}", found)
