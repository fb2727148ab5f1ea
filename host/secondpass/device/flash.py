# SPDX-License-Identifier: Apache-2.0
"""A chip's flash as a place for checkpoints: where the slots are and how long a save takes."""

import math
from typing import Annotated

import msgspec

from secondpass.errors import BuildError

STORE_HEADER = 32
"""Bytes of a checkpoint's header (docs/checkpoints.md)."""

SAVE_INSTRUCTIONS = 120
"""Instructions of a save for each byte of a checkpoint, at most, on every emulated core."""

_Positive = Annotated[int, msgspec.Meta(gt=0, lt=2**32)]


class Flash(msgspec.Struct, forbid_unknown_fields=True):
    """Flash whose last sectors hold checkpoints.

    `sectors`: bytes of every sector from the beginning of the flash; each slot has `slot_sectors`
    of the last. Times are the longest of the data sheet: `erase_ms` for one of the slots' sectors,
    `program_us` for `unit_bytes`. `controller` is the address of the controller's registers.
    """

    controller: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    sectors: Annotated[list[_Positive], msgspec.Meta(min_length=3)]
    slot_sectors: _Positive
    unit_bytes: Annotated[int, msgspec.Meta(ge=4, le=4)]
    erase_ms: _Positive
    program_us: _Positive

    @property
    def page_bytes(self) -> int:
        """Bytes that one erase clears."""
        return self.sectors[-1]

    @property
    def slot_bytes(self) -> int:
        """Bytes of a slot."""
        return self.slot_sectors * self.page_bytes

    @property
    def first_sector(self) -> int:
        """Number of the first sector of slot 0."""
        return len(self.sectors) - 2 * self.slot_sectors

    def check(self, flash_bytes: int) -> None:
        """Raise `BuildError` unless the sectors fill the flash and the slots' are alike."""
        if sum(self.sectors) != flash_bytes:
            raise BuildError(
                f"[flash] sectors have {sum(self.sectors)} bytes, memory.flash_bytes is "
                f"{flash_bytes}: list every sector of the flash"
            )
        slots = self.sectors[-2 * self.slot_sectors :]
        if self.first_sector < 1 or set(slots) != {self.page_bytes}:
            raise BuildError(
                f"[flash] slot_sectors = {self.slot_sectors}: two slots need that many sectors of "
                f"one size at the end of the flash, and one before them for code; sectors are "
                f"{self.sectors}"
            )


def save_bound(checkpoint_bytes: int, flash: Flash) -> float:
    """Return the milliseconds that the flash is busy with one save, at most.

    Pages erased and units programmed, at the longest times of the data sheet. `checkpoint_bytes`:
    content without the store's header. A flash that takes longer ends the save with FLASH. The
    core's own work, reading and checksums, comes on top (docs/checkpoints.md).

    Raises `BuildError` when the checkpoint does not fit a slot.
    """
    used = STORE_HEADER + checkpoint_bytes
    if used > flash.slot_bytes:
        raise BuildError(
            f"a checkpoint of {checkpoint_bytes} bytes does not fit a slot of {flash.slot_bytes} "
            f"bytes with its header of {STORE_HEADER}: give slots more sectors (slot_sectors) or "
            "choose a smaller network"
        )
    pages = math.ceil(used / flash.page_bytes)
    units = math.ceil(used / flash.unit_bytes)
    return pages * flash.erase_ms + units * flash.program_us / 1000


def save_instructions(checkpoint_bytes: int) -> int:
    """Return how many instructions the core executes in one save, at most.

    For checksums and comparisons, both slots holding a checkpoint. Measured on emulated cores;
    instructions are not cycles.
    """
    return SAVE_INSTRUCTIONS * (STORE_HEADER + checkpoint_bytes)
