# SPDX-License-Identifier: Apache-2.0
"""Byte streams to a device: a serial port, a pty, a socket, or the twin's trainer in memory."""

import time
from typing import Any, Protocol

import serial

from secondpass.affine import AFFINE8
from secondpass.device import checkpoint
from secondpass.device.twin import build_twin
from secondpass.errors import ConnectionLostError, DeviceError
from secondpass.network import Network
from secondpass.rules import Rule

DEFAULT_BAUD = 115200
_POLL = 0.05
"""Seconds that one read of a port waits."""


class Transport(Protocol):
    """A byte stream."""

    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived, waiting up to `timeout` seconds for the first."""

    def close(self) -> None:
        """Release the stream."""


class SerialTransport:
    """Anything that pyserial opens: `/dev/ttyACM0`, `/dev/pts/3`, `socket://host:port`, `COM3`."""

    def __init__(self, port: str, baud: int = DEFAULT_BAUD) -> None:
        try:
            self._serial = serial.serial_for_url(port, baudrate=baud, timeout=_POLL)
        except (serial.SerialException, ValueError, OSError) as error:
            raise DeviceError(
                f"cannot open the port {port!r} ({error}); name a serial device, a pty or a "
                "socket://host:port"
            ) from error
        self._port = port

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            raise ConnectionLostError(self._port, error) from error

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived, waiting up to `timeout` seconds for the first."""
        try:
            deadline = time.monotonic() + timeout
            while not (received := bytes(self._serial.read(max(1, self._serial.in_waiting)))):
                if time.monotonic() >= deadline:
                    break
            return received
        except (serial.SerialException, OSError) as error:
            raise ConnectionLostError(self._port, error) from error

    def close(self) -> None:
        """Release the port."""
        self._serial.close()


class TwinTransport:
    """The firmware's own link and trainer code, compiled for this computer."""

    def __init__(self, network: Network, rule: Rule, flags: tuple[str, ...] = ()) -> None:
        module = build_twin(network, rule, flags)
        self._ffi, self._lib = module.ffi, module.lib
        ffi = self._ffi
        self._model = ffi.new("sp_model_t *")
        self._trainer = ffi.new("sp_trainer_t *")
        self._names = [ffi.new("char[]", name) for name in (b"twin", b"host")]
        self._clock = ffi.callback("uint32_t(void)", lambda: time.perf_counter_ns() & 0xFFFFFFFF)
        learns = network.format != AFFINE8
        slot = self._lib.slot_bytes(checkpoint.PAGE_BYTES) if learns else checkpoint.PAGE_BYTES
        self.flash = bytearray(b"\xff" * 2 * slot)
        self._memory = ffi.from_buffer("uint8_t[]", self.flash)
        self._sizes = slot, checkpoint.PAGE_BYTES, checkpoint.UNIT_BYTES
        self._store = (
            ffi.callback("sp_status_t(sp_model_t *, sp_save_report_t *)", self._save),
            ffi.callback("sp_status_t(sp_model_t *)", self._load),
        )
        self._platform = ffi.new(
            "sp_platform_t *",
            {
                "ticks": self._clock,
                "ticks_hz": 1_000_000_000,
                "board": self._names[0],
                "core": self._names[1],
                "save": self._store[0],
                "load": self._store[1],
            },
        )
        self.restart()

    def restart(self) -> None:
        """Begin anew as after a reset: only what was saved is left."""
        self._lib.sp_trainer_init(self._trainer, self._model, self._platform)
        self._answers = b""

    def _save(self, model: Any, report: Any) -> int:
        return int(self._lib.save_image(model, self._memory, *self._sizes, report))

    def _load(self, model: Any) -> int:
        return int(self._lib.load_image(model, self._memory, *self._sizes))

    def write(self, data: bytes) -> None:
        """Hand every byte to the receiver, answering after each frame as a free device would."""
        for byte in data:
            self._lib.sp_trainer_receive(self._trainer, byte)
            if byte == 0:
                self.answer()

    def receive_only(self, data: bytes) -> None:
        """Hand bytes to the receiver while the device is busy: nothing is answered."""
        for byte in data:
            self._lib.sp_trainer_receive(self._trainer, byte)

    def answer(self) -> None:
        """Answer everything that is pending."""
        while self._lib.sp_trainer_pending(self._trainer):
            answer = self._lib.sp_trainer_answer(self._trainer)
            if answer.length:
                self._answers += bytes(self._ffi.buffer(answer.data, answer.length))

    def read(self, timeout: float) -> bytes:
        """Return the answers so far."""
        del timeout  # nothing more can arrive by waiting
        answers, self._answers = self._answers, b""
        return answers

    def close(self) -> None:
        """Nothing to release."""
