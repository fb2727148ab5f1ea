# SPDX-License-Identifier: Apache-2.0
"""A device at the other end of a byte stream: requests, answers, repeats and pipelining."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device import protocol
from secondpass.device.interface import (
    DeviceInfo,
    Inference,
    Sample,
    SaveReport,
    Statistics,
    Targets,
    TrainStep,
    label_of,
    require_labels,
    scored_targets,
    target_bytes,
    tensor_dtype,
    tensor_shape,
    tensor_values,
)
from secondpass.device.protocol import DamagedError, RefusedError, Reply, Status, Verb
from secondpass.device.transport import Transport
from secondpass.errors import DeviceError, NetworkError
from secondpass.integer.state import Target
from secondpass.learning import StepSettings
from secondpass.network import Network
from secondpass.rules import Rule

WINDOW = 2
"""Requests under way at once: one is answered while the next is received."""
_QUIET = 0.05
"""Seconds without an answer after which the line counts as quiet."""
MAX_TRIES = 5
"""How often a request is sent before the device counts as gone."""


class LinkDevice:
    """A device that runs the trainer firmware with the given network and rule.

    Raises `DeviceError` when nothing answers within `timeout` seconds or when the firmware was
    built for another model.
    """

    def __init__(
        self, transport: Transport, network: Network, rule: Rule, timeout: float = 10.0
    ) -> None:
        self.network = network
        self._transport = transport
        self._timeout = timeout
        self._buffer = b""
        self._sequence = int(time.time_ns() // 1000) & 0xFFFF
        self.repeats = 0
        self.info: DeviceInfo = self._hello()
        expected = network.hash_with(rule.describe())
        if self.info.model_hash != expected:
            raise DeviceError(
                f"the device runs model {self.info.model_hash:016x} ({self.info.board}), this "
                f"session expects {expected:016x} ({network.shape}): build and flash this model, "
                "or open the session with the device's"
            )

    def configure(self, settings: StepSettings) -> None:
        """Change scales and seeds of the learning step."""
        self.network.require_trainable()
        if len(settings.rates) != self.info.layers:
            raise NetworkError(f"{len(settings.rates)} rates for {self.info.layers} layers")
        self._call(Verb.CONFIGURE, protocol.pack_settings(settings))

    def infer(self, sample: Sample) -> Inference:
        """Return the logits of a raw sample (size,)."""
        body = self.network.sample.check_samples(sample[None])[0].tobytes()
        return protocol.unpack_infer(self._call(Verb.INFER, body), self.network.outputs)

    def train(self, sample: Sample, target: Target) -> TrainStep:
        """Predict, then learn one sample."""
        return next(self.train_stream(sample[None], np.asarray(target)[None]))

    def train_stream(self, samples: Sample, targets: Targets) -> Iterator[TrainStep]:
        """Train on samples (count, size) in order, one request ahead of the device."""
        self.network.require_trainable()
        checked, bodies = self._with_targets(samples, targets)
        frac = self.network.error_frac
        for target, body in zip(checked, self._stream(Verb.TRAIN, bodies), strict=True):
            yield protocol.unpack_train(body, label_of(self.network, target), frac)

    def evaluate(self, samples: Sample, labels: Targets) -> int:
        """Return how many samples (count, size) are predicted right."""
        require_labels(self.network)
        checked, bodies = self._with_targets(samples, labels)
        answers = self._stream(Verb.EVALUATE, bodies)
        return sum(
            protocol.unpack_evaluate(body, 0).predicted == label
            for label, body in zip(checked, answers, strict=True)
        )

    def scores(self, samples: Sample, targets: Targets | None = None) -> npt.NDArray[np.float64]:
        """Return the mean squared error (count,) of every sample, for heads without labels."""
        wanted = scored_targets(self.network, len(samples), targets)
        _, bodies = self._with_targets(samples, wanted)
        frac = self.network.error_frac
        answers = self._stream(Verb.EVALUATE, bodies)
        return np.array([protocol.unpack_evaluate(body, frac).score for body in answers])

    def statistics(self, clear: bool = False) -> Statistics:
        """Return the counters, and clear them afterwards when asked."""
        body = self._call(Verb.STATISTICS, bytes([clear]))
        return protocol.unpack_statistics(body, self.info.layers)

    def read_tensor(self, layer: int, kind: int) -> npt.NDArray[Any]:
        """Return a layer's weights or bias."""
        shape, dtype = tensor_shape(self.network, layer, kind), self._wire_type(layer, kind)
        headers = (header for header, _, _ in self._chunks(layer, kind, shape, dtype))
        parts = [
            protocol.unpack_tensor(body, dtype) for body in self._stream(Verb.READ_TENSOR, headers)
        ]
        native = np.dtype(dtype).newbyteorder("=")
        return np.concatenate(parts).reshape(shape).astype(native)

    def write_tensor(self, layer: int, kind: int, values: npt.NDArray[Any]) -> None:
        """Replace a layer's weights or bias; those in flash refuse it (`RefusedError`)."""
        shape, dtype = tensor_shape(self.network, layer, kind), self._wire_type(layer, kind)
        flat = tensor_values(self.network, layer, kind, values).astype(dtype).ravel()
        bodies = (
            header + flat[offset : offset + count].tobytes()
            for header, offset, count in self._chunks(layer, kind, shape, dtype)
        )
        try:
            for _ in self._stream(Verb.WRITE_TENSOR, bodies):
                pass
        except RefusedError as error:
            if error.status is Status.FROZEN:
                raise protocol.frozen_error(self.network, layer, kind) from None
            raise

    def reset(self) -> None:
        """Return to the first weights and settings; clear every counter."""
        self._call(Verb.RESET, b"")

    def save_checkpoint(self) -> SaveReport:
        """Save what was learned in the device's flash; a reset does not take it away.

        Raises `RefusedError`: the board has no checkpoint store, or its flash refused.
        """
        self.network.require_trainable()
        return protocol.unpack_save(self._call(Verb.SAVE, b""))

    def load_checkpoint(self) -> int:
        """Go back to the newest checkpoint; return the training steps it had seen.

        Raises `RefusedError` when there is none and says why; the model is unchanged then.
        """
        self.network.require_trainable()
        return protocol.unpack_load(self._call(Verb.LOAD, b""))

    def close(self) -> None:
        """Close the byte stream."""
        self._transport.close()

    def _with_targets(
        self, samples: Sample, targets: Targets
    ) -> tuple[npt.NDArray[Any], Iterator[bytes]]:
        """Return checked targets and the bodies of requests that carry samples with them."""
        checked = self.network.sample.check_samples(samples)
        listed = targets if isinstance(targets, np.ndarray) else np.array(list(targets))
        if len(listed) != len(checked):
            raise NetworkError(f"{len(checked)} samples with {len(listed)} labels")
        wanted = self.network.check_targets(listed)
        return wanted, (
            target_bytes(self.network, target) + sample.tobytes()
            for sample, target in zip(checked, wanted, strict=True)
        )

    def _wire_type(self, layer: int, kind: int) -> str:
        return tensor_dtype(self.network, layer, kind).newbyteorder("<").str

    def _chunks(
        self, layer: int, kind: int, shape: tuple[int, ...], dtype: str
    ) -> Iterator[tuple[bytes, int, int]]:
        total = int(np.prod(shape))
        size = self.info.tensor_chunk // np.dtype(dtype).itemsize
        for offset in range(0, total, size):
            count = min(size, total - offset)
            yield protocol.TENSOR_HEADER.pack(layer, kind, offset, count), offset, count

    def _hello(self) -> DeviceInfo:
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
                    return protocol.unpack_hello(reply.body)
        raise DeviceError(
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
        try:
            while True:
                while len(waiting) < WINDOW and (body := next(bodies, None)) is not None:
                    waiting.append((self._sequence, body))
                    self._sequence = (self._sequence + 1) & 0xFFFF
                    self._transport.write(protocol.encode(verb, *waiting[-1]))
                if not waiting:
                    return
                reply = self._next_reply(time.monotonic() + self._timeout / MAX_TRIES)
                if reply is None or self._was_damaged(reply, waiting):
                    tries += 1
                    if tries == MAX_TRIES:
                        raise DeviceError(
                            f"the device no longer answers '{verb.name.lower()}' ({tries} tries): "
                            "was it reset or unplugged?"
                        )
                    self._repeat(verb, waiting)
                elif reply.status is Status.FAULT:
                    waiting.clear()  # nothing more will be answered
                    raise RefusedError(reply.status, verb)
                elif reply.verb == verb and reply.sequence == waiting[0][0]:
                    waiting.popleft()
                    tries = 0
                    if reply.status is not Status.OK:
                        raise RefusedError(reply.status, verb)
                    yield reply.body
        except (GeneratorExit, RefusedError):
            self._drain(waiting)
            raise

    @staticmethod
    def _was_damaged(reply: Reply, waiting: deque[tuple[int, bytes]]) -> bool:
        """Whether an answer says that a request of ours did not get through."""
        sequences = [sequence for sequence, _ in waiting]
        if reply.status is Status.SEQUENCE:
            return reply.sequence in sequences
        if reply.verb == 0:  # the device could not read a request
            return reply.status is not Status.FAULT
        return reply.sequence in sequences[1:]  # the answer before this one was lost

    def _repeat(self, verb: Verb, waiting: deque[tuple[int, bytes]]) -> None:
        """Wait until the line is quiet, then send everything unanswered again.

        The zero ends what a lost terminator may have left unfinished on the device.
        """
        while (reply := self._next_reply(time.monotonic() + _QUIET)) is not None:
            if reply.status is Status.FAULT:
                waiting.clear()
                raise RefusedError(reply.status, verb)
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
