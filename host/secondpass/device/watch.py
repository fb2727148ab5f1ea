# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on a link: who bridges it, and what an answer says of it."""

from collections import deque
from typing import Protocol

from secondpass.device.protocol import Reply, Status
from secondpass.device.transport import Transport
from secondpass.errors import ConnectionLostError

WINDOW = 2
"""Requests under way at once: one is answered while the next is received."""


class LinkWatch(Protocol):
    """Somebody who bridges a broken connection instead of ending the session."""

    def lost(self, error: ConnectionLostError) -> Transport:
        """Return a new connection to the same device, however long it takes; raise to give up."""

    def silent(self) -> None:
        """Learn that an answer is overdue; the request is sent again. Raise to give up."""

    def answered(self) -> None:
        """Learn that the device has answered."""


def was_damaged(reply: Reply, waiting: deque[tuple[int, bytes]]) -> bool:
    """Whether an answer says that a request of ours did not get through."""
    sequences = [sequence for sequence, _ in waiting]
    if reply.status is Status.SEQUENCE:
        return reply.sequence in sequences
    if reply.verb == 0:  # the device could not read a request
        return reply.status is not Status.FAULT
    return reply.sequence in sequences[1:]  # the answer before this one was lost


def was_restarted(reply: Reply, sequence: int) -> bool:
    """Whether a device that refuses the oldest request expects one far from it.

    A device in session has answered or expects that request; a restarted one begins at zero.
    """
    if reply.status is not Status.SEQUENCE or reply.sequence != sequence or len(reply.body) < 2:
        return False
    ahead = (int.from_bytes(reply.body[:2], "little") - sequence) & 0xFFFF
    return WINDOW < ahead < 0x10000 - WINDOW
