# SPDX-License-Identifier: Apache-2.0
"""The connection of a session: opened, watched, and opened again when it breaks."""

import threading
import time
from collections.abc import Callable

from secondpass.device.transport import SerialTransport, Transport
from secondpass.errors import ConnectionLostError, DeviceError, SecondpassError

_RETRY = 0.2
"""Seconds between two attempts to open a port."""


class GivenUpError(SecondpassError):
    """The user ended the session while the device could not be reached."""


class Line:
    """Opens a port again and again until the device is back; a `LinkWatch`.

    `report(state, detail)` is called from the session's thread: "lost", "silent", "back".
    """

    def __init__(
        self, port: str, stop: threading.Event, report: Callable[[str, str], None]
    ) -> None:
        self._port = port
        self._stop = stop
        self._report = report
        self._down: float | None = None

    def open(self) -> Transport:
        """Open the port for the first time."""
        return SerialTransport(self._port)

    def lost(self, error: ConnectionLostError) -> Transport:
        """Open the port again, as soon as that works."""
        self._note("lost", str(error))
        while not self._stop.wait(_RETRY):
            try:
                return SerialTransport(self._port)
            except DeviceError:
                continue
        raise GivenUpError("stopped while the device was not connected")

    def silent(self) -> None:
        """Note an overdue answer."""
        self._note("silent", "no answer in time; the request is sent again")
        if self._stop.is_set():
            raise GivenUpError("stopped while the device did not answer")

    def answered(self) -> None:
        """Note that the device is back, if it was away."""
        if self._down is not None:
            away = time.monotonic() - self._down
            self._down = None
            self._report("back", f"after {away:.1f} s")

    def _note(self, state: str, detail: str) -> None:
        if self._down is None:
            self._down = time.monotonic()
            self._report(state, detail)
