# SPDX-License-Identifier: Apache-2.0
"""A cable that can be pulled: a TCP relay between a session and an emulated board."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType


class Cable:
    """Relays bytes both ways on `port`; pulls itself after so many bytes to the board.

    While it is out nobody can connect. `stalled` it is in, but nothing gets through.
    """

    def __init__(self, board_port: int) -> None:
        self._board_port = board_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._cuts: list[int] = []
        self._passed = 0
        self.out = threading.Event()
        self.stalled = threading.Event()
        self._closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_after(self, *counts: int) -> None:
        """Pull the cable after each number of bytes that went to the board, for a moment."""
        self._cuts = sorted(self._passed + count for count in counts)

    def pull(self) -> None:
        """Pull the cable until `plug`."""
        self.out.set()
        self._drop()

    def plug(self) -> None:
        """Put the cable back in."""
        self.out.clear()

    def _drop(self) -> None:
        for connection in self._open:
            _shut(connection)
        self._open = []

    def _serve(self) -> None:
        while not self._closed:
            try:
                ours, _ = self._server.accept()
            except OSError:
                return
            if self.out.is_set():
                ours.close()
                continue
            board = socket.create_connection(("127.0.0.1", self._board_port))
            for end in (ours, board):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open = [ours, board]
            for source, sink, counted in ((ours, board, True), (board, ours, False)):
                threading.Thread(
                    target=self._relay, args=(source, sink, counted), daemon=True
                ).start()

    def _relay(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while part := source.recv(4096):
                while self.stalled.is_set() and not self._closed:
                    time.sleep(0.01)
                if counted and self._cuts and self._passed + len(part) >= self._cuts[0]:
                    sink.sendall(part[: self._cuts[0] - self._passed])
                    self._passed = self._cuts.pop(0)
                    self._drop()
                    return
                sink.sendall(part)
                self._passed += len(part) if counted else 0
        except OSError:
            pass
        for end in (source, sink):
            _shut(end)

    def __enter__(self) -> "Cable":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        self._server.close()
        self._drop()


def _shut(connection: socket.socket) -> None:
    """Shut down before closing: a thread that waits in `recv` keeps a closed socket alive."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
