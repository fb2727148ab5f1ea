# SPDX-License-Identifier: Apache-2.0
"""Byte streams that lose, damage and repeat frames, or carry nothing at all."""

import random
import time
from collections import Counter

from secondpass.device.transport import Transport

NOISE = ("drop", "flip", "repeat", "cut", "insert")


class NoisyTransport:
    """A transport with seeded accidents to whole frames, the same number of each kind."""

    def __init__(self, inner: Transport, seed: int) -> None:
        self._inner = inner
        self._random = random.Random(seed)
        self._rates = {"out": 0.0, "in": 0.0}
        self._pending = {"out": b"", "in": b""}
        self.accidents: Counter[tuple[str, str]] = Counter()

    def disturb(self, to_device: float, to_host: float) -> None:
        """From now on, damage these shares of the frames."""
        self._rates = {"out": to_device, "in": to_host}

    def write(self, data: bytes) -> None:
        """Send what is left of the frames in `data`."""
        if mangled := self._pass("out", data):
            self._inner.write(mangled)

    def read(self, timeout: float) -> bytes:
        """Return what is left of the frames that arrived."""
        return self._pass("in", self._inner.read(timeout))

    def close(self) -> None:
        """Close the stream below."""
        self._inner.close()

    def _pass(self, way: str, data: bytes) -> bytes:
        *frames, self._pending[way] = (self._pending[way] + data).split(b"\0")
        return b"".join(self._mangle(way, frame + b"\0") for frame in frames)

    def _mangle(self, way: str, frame: bytes) -> bytes:
        if self._random.random() >= self._rates[way]:
            return frame
        accident = self._random.choice(NOISE)
        self.accidents[way, accident] += 1
        position = self._random.randrange(len(frame))
        if accident == "drop":
            return b""
        if accident == "flip":  # the final zero too: then two frames become one
            flipped = frame[position] ^ 1 << self._random.randrange(8)
            return frame[:position] + bytes([flipped]) + frame[position + 1 :]
        if accident == "repeat":
            return frame + frame
        if accident == "cut":
            return frame[:position] + frame[position + 1 :]
        return frame[:position] + self._random.randbytes(3) + frame[position:]


class Silence:
    """Nothing is connected; with `inner`, that falls silent after `frames` written frames."""

    def __init__(self, inner: Transport | None = None, frames: int = 0) -> None:
        self._inner = inner
        self._left = frames

    def write(self, data: bytes) -> None:
        """Send nothing, or the first frames."""
        if self._inner is not None and self._left > 0:
            self._left -= 1
            self._inner.write(data)

    def read(self, timeout: float) -> bytes:
        """Return nothing after `timeout` seconds."""
        if self._inner is not None and (received := self._inner.read(0.0)):
            return received
        time.sleep(timeout)
        return b""

    def close(self) -> None:
        """Release nothing."""
