# SPDX-License-Identifier: Apache-2.0
"""Requests and answers over a byte stream: sequence numbers, repeats, pipelining."""

import time
from collections import deque
from collections.abc import Iterator

from secondpass.device import protocol
from secondpass.device.fault import unpack_fault
from secondpass.device.interface import DeviceInfo
from secondpass.device.protocol import (
    MEANING,
    DamagedError,
    RefusedError,
    Reply,
    Status,
    Verb,
)
from secondpass.device.transport import Transport
from secondpass.device.watch import WINDOW, LinkWatch, was_damaged, was_restarted
from secondpass.errors import (
    ConnectionLostError,
    DeviceError,
    DeviceRestartedError,
    NoAnswerError,
)

_QUIET = 0.05
"""Seconds without an answer after which the line counts as quiet."""
MAX_TRIES = 5
"""How often a request is sent before the device counts as gone."""


class Requests:
    """A session with a device (docs/protocol.md, sections 2 and 3), whatever it runs.

    With a `_watch` a request outlives a broken connection. Raises `NoAnswerError` when nothing
    answers within the timeout.
    """

    _watch: LinkWatch | None = None

    def connect(self, transport: Transport, timeout: float) -> None:
        """Open a session with whatever firmware answers."""
        self._transport = transport
        self._timeout = timeout
        self._buffer = b""
        self._sequence = int(time.time_ns() // 1000) & 0xFFFF
        self.repeats = 0
        self._hello()

    def close(self) -> None:
        """Close the byte stream."""
        self._transport.close()

    def _hello(self) -> None:
        """Open the session; bytes left over from an earlier one are thrown away."""
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            self._transport.write(b"\0" + protocol.encode(Verb.HELLO, self._sequence))
            wait_until = min(deadline, time.monotonic() + 1.0)
            while (reply := self._next_reply(wait_until)) is not None:
                if reply.verb == Verb.HELLO and reply.sequence == self._sequence:
                    if reply.status is not Status.OK:
                        raise RefusedError(reply.status, reply.verb)
                    self._sequence = (self._sequence + 1) & 0xFFFF
                    self.info: DeviceInfo = protocol.unpack_hello(reply.body)
                    return
        raise NoAnswerError(
            f"no Secondpass firmware answered within {self._timeout:g} s: is it flashed, running "
            "and on this port?"
        )

    def _next_reply(self, deadline: float) -> Reply | None:
        """Return the next intact answer, or None at the deadline; damaged ones are dropped."""
        while True:
            encoded, separator, rest = self._buffer.partition(b"\0")
            if separator:
                self._buffer = rest
                try:
                    return protocol.decode(encoded)
                except DamagedError:
                    continue
            remaining = deadline - time.monotonic()
            received = self._transport.read(max(remaining, 0.0))
            if not received and remaining <= 0:
                return None
            self._buffer += received

    def _call(self, verb: Verb, body: bytes) -> bytes:
        return next(self._stream(verb, iter([body])))

    def _stream(self, verb: Verb, bodies: Iterator[bytes]) -> Iterator[bytes]:
        """Send requests in order, a window at a time, and yield their answers in order.

        A request that was damaged on the way is sent again with all that followed it; the device
        answers only the next in sequence, so none is carried out twice.
        """
        waiting: deque[tuple[int, bytes]] = deque()
        tries = 0
        again = False
        try:
            while True:
                try:
                    if again:
                        again = False
                        self._repeat(verb, waiting)
                    self._fill(verb, bodies, waiting)
                    if not waiting:
                        return
                    reply = self._next_reply(time.monotonic() + self._timeout / MAX_TRIES)
                except ConnectionLostError as error:
                    self._reconnect(error)
                    again = True
                    continue
                if reply is None or was_damaged(reply, waiting):
                    tries += 1
                    again = True
                    self._check_tries(verb, reply, waiting, tries)
                elif reply.status is Status.FAULT:
                    waiting.clear()  # nothing more will be answered
                    raise self._crash(verb)
                elif reply.verb == verb and reply.sequence == waiting[0][0]:
                    waiting.popleft()
                    tries = 0
                    if self._watch is not None:
                        self._watch.answered()
                    if reply.status is not Status.OK:
                        raise RefusedError(reply.status, verb)
                    yield reply.body
        except (GeneratorExit, RefusedError):
            self._drain(waiting)
            raise

    def _fill(self, verb: Verb, bodies: Iterator[bytes], waiting: deque[tuple[int, bytes]]) -> None:
        """Send requests until a window is under way."""
        while len(waiting) < WINDOW and (body := next(bodies, None)) is not None:
            waiting.append((self._sequence, body))
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._transport.write(protocol.encode(verb, *waiting[-1]))

    def _reconnect(self, error: ConnectionLostError) -> None:
        """Let the watch restore a broken connection; what was half received is thrown away."""
        self._transport.close()
        if self._watch is None:
            raise error
        self._buffer = b""
        self._transport = self._watch.lost(error)

    def _check_tries(
        self, verb: Verb, reply: Reply | None, waiting: deque[tuple[int, bytes]], tries: int
    ) -> None:
        """Raise `DeviceError` when sending again has no point."""
        if reply is not None and was_restarted(reply, waiting[0][0]):
            raise DeviceRestartedError(
                f"the device does not know this session's '{verb.name.lower()}': it was reset, or "
                "somebody else has opened a session with it"
            )
        if reply is None and self._watch is not None:
            self._watch.silent()
        elif tries == MAX_TRIES:
            raise DeviceError(
                f"the device no longer answers '{verb.name.lower()}' ({tries} tries): "
                "was it reset or unplugged?"
            )

    def _crash(self, verb: Verb) -> RefusedError:
        """Return the error of a request that the firmware crashed at, with its report."""
        detail = MEANING[Status.FAULT]
        if verb is not Verb.FAULT:  # a firmware that crashes at this too has no more to say
            try:
                self._hello()
                report = unpack_fault(self._call(Verb.FAULT, bytes([0])))
                detail += f". {report.describe()}" if report is not None else ""
            except DeviceError:
                pass
        return RefusedError(Status.FAULT, verb, detail)

    def _repeat(self, verb: Verb, waiting: deque[tuple[int, bytes]]) -> None:
        """Wait until the line is quiet, then send everything unanswered again.

        The zero ends what a lost terminator may have left unfinished on the device.
        """
        while (reply := self._next_reply(time.monotonic() + _QUIET)) is not None:
            if reply.status is Status.FAULT:
                waiting.clear()
                raise self._crash(verb)
        self.repeats += 1
        self._transport.write(b"\0")
        for sequence, body in waiting:
            self._transport.write(protocol.encode(verb, sequence, body))

    def _drain(self, waiting: deque[tuple[int, bytes]]) -> None:
        """Wait for the answers of requests that nobody wants any more."""
        left = {sequence for sequence, _ in waiting}
        deadline = time.monotonic() + self._timeout
        while left and (reply := self._next_reply(deadline)) is not None:
            left.discard(reply.sequence)
