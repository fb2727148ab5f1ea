# SPDX-License-Identifier: Apache-2.0
"""Put a firmware onto a running emulated board over the gdb port of its emulator.

A probe does the same on a real board: the core halts, its flash is written, the core is reset. The
board's UART stays open. The packets are those of the gdb remote serial protocol.
"""

import socket
from pathlib import Path
from types import TracebackType

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from secondpass.boards import Board
from secondpass.errors import BuildError, DeviceError

_CHUNK = 1024
"""Bytes of memory in one packet: twice as many digits, below QEMU's 4096."""
_PATIENCE = 10.0
"""Seconds after which a gdb port counts as dead."""

Segment = tuple[int, bytes]
"""Bytes of an ELF file and the address they are stored at."""


class GdbPort:
    """A connection to an emulator's gdb port; the core stands still while it is open."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._name = f"{host}:{port}"
        self._buffer = b""
        try:
            self._socket = socket.create_connection((host, port), timeout=_PATIENCE)
        except OSError as error:
            raise DeviceError(
                f"nothing answers at the gdb port {self._name} ({error.strerror or error}): is the "
                "emulated board running? './run emulate' starts one and prints its gdb port"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write memory, flash as well; where there is none, only reading it back tells."""
        for at in range(0, len(data), _CHUNK):
            part = data[at : at + _CHUNK]
            self._expect_ok(f"M{address + at:x},{len(part):x}:{part.hex()}")

    def read_memory(self, address: int, length: int) -> bytes:
        """Return `length` bytes of memory."""
        data = b""
        while len(data) < length:
            count = min(_CHUNK, length - len(data))
            answer = self._request(f"m{address + len(data):x},{count:x}")
            if len(answer) != 2 * count:
                raise DeviceError(f"{self._name} cannot read {count} bytes at {address:#x}")
            data += bytes.fromhex(answer)
        return data

    def reset(self) -> None:
        """Press the reset button: peripherals and core begin anew, memory stays; it stands still.

        The core takes its stack and its first instruction from the vector table.
        """
        self._expect_ok("qRcmd," + b"system_reset".hex())

    def resume(self) -> None:
        """Let the core run, and leave it."""
        self._expect_ok("D")
        self.close()

    def close(self) -> None:
        """End the connection; without `resume` the core stays as it is."""
        self._socket.close()

    def __enter__(self) -> "GdbPort":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _expect_ok(self, packet: str) -> None:
        if (answer := self._request(packet)) != "OK":
            raise DeviceError(
                f"{self._name} refused '{packet[:24]}' ({answer or 'it is not known'}): is that "
                "the gdb port of the right emulated board?"
            )

    def _request(self, packet: str) -> str:
        """Send a packet and return its answer.

        Left out: what the emulator's monitor prints (O), and that the core has stopped (T), which
        a running one tells when the connection opens.
        """
        content = packet.encode()
        try:
            self._socket.sendall(b"$" + content + b"#%02x" % (sum(content) & 0xFF))
            while (answer := self._receive()).startswith(("O", "T")) and answer != "OK":
                pass
        except OSError as error:
            raise DeviceError(f"the gdb port {self._name} no longer answers ({error})") from error
        return answer

    def _receive(self) -> str:
        """Return the content of the next packet."""
        while True:
            _, start, rest = self._buffer.partition(b"$")
            content, end, checksum = rest.partition(b"#")
            if start and end and len(checksum) >= 2:
                break
            if not (received := self._socket.recv(65536)):
                raise OSError("it closed the connection")
            self._buffer += received
        self._buffer = checksum[2:]
        if int(checksum[:2], 16) != sum(content) & 0xFF:
            raise OSError("a packet was damaged")
        self._socket.sendall(b"+")
        return content.decode()


def stored_segments(elf: Path, board: Board) -> list[Segment]:
    """Return what an ELF file puts into flash.

    Raises `DeviceError` without the file, `BuildError` for what is not a firmware of `board`.
    """
    if not elf.is_file():
        raise DeviceError(f"{elf} does not exist; make it with './run build'")
    try:
        with elf.open("rb") as stream:
            headers = [s for s in ELFFile(stream).iter_segments() if s["p_filesz"]]
            found = [
                (int(s["p_paddr"]), bytes(s.data())) for s in headers if s["p_type"] == "PT_LOAD"
            ]
    except ELFError as error:
        raise BuildError(f"{elf} is not an ELF file ({error})") from error
    memory = board.memory
    end = memory.flash_origin + memory.flash_bytes
    if not found:
        raise BuildError(f"{elf} holds nothing that could be written into flash")
    for address, data in found:
        if address < memory.flash_origin or address + len(data) > end:
            raise BuildError(
                f"{elf} was not built for {board.id}: {len(data)} bytes at {address:#x} are "
                f"outside its flash, {memory.flash_origin:#x} to {end - 1:#x}"
            )
    return found


def load_firmware(port: int, elf: Path, board: Board) -> int:
    """Write a firmware into a running board, reset it and let it run; return the bytes written.

    Nothing is changed when the file does not suit the board. Raises `DeviceError` when the gdb
    port does not answer, or when the memory does not hold what was written: the core stands still
    then.
    """
    segments = stored_segments(elf, board)
    with GdbPort(port) as core:
        for address, data in segments:
            core.write_memory(address, data)
            if core.read_memory(address, len(data)) != data:
                raise DeviceError(f"{board.id} does not hold what was written at {address:#x}")
        core.reset()
        core.resume()
    return sum(len(data) for _, data in segments)


def port_number(text: str) -> int:
    """Read a gdb port of this computer, such as `3333`."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise DeviceError(
            f"the gdb port is {text!r}; it takes the number that './run emulate' prints"
        )
    return int(text)
