# SPDX-License-Identifier: Apache-2.0
"""Where a board keeps checkpoints, and whether a model's fit."""

from dataclasses import dataclass

from secondpass.boards import Board
from secondpass.device.crossbuild import has_kept_ram
from secondpass.device.flash import save_bound
from secondpass.plan.macros import evaluate

PAGE_BYTES = 1024
"""Of the RAM that the port of MPS2 and MPS3 keeps checkpoints in."""


@dataclass(frozen=True)
class Slots:
    """The two checkpoint slots: where they are, flash that they take, and what is saved."""

    where: str
    flash_bytes: int
    slot_bytes: int
    content_bytes: int

    @property
    def fit(self) -> bool:
        """Whether the board can save this model."""
        return self.slot_bytes >= self.content_bytes + evaluate("SP_STORE_HEADER", {})

    def save_milliseconds(self, board: Board) -> float:
        """Return how long the flash is busy with a save at most; 0 where that is unknown."""
        known = board.flash is not None and self.fit
        return save_bound(self.content_bytes, board.flash) if known and board.flash else 0.0


def checkpoint_slots(board: Board, content_bytes: int, free_ram: int) -> Slots:
    """Return a board's slots for a checkpoint of `content_bytes`.

    In flash where its board.toml has a [flash]; MPS2 and MPS3 ports keep them in the RAM that is
    left; other boards have none.
    """
    if board.flash is not None:
        size = board.flash.slot_bytes
        return Slots("flash", 2 * size, size, content_bytes)
    if not has_kept_ram(board):
        return Slots("none", 0, 0, content_bytes)
    pages = max(0, free_ram // PAGE_BYTES - 1)
    return Slots("RAM that is left", 0, pages // 2 * PAGE_BYTES, content_bytes)
