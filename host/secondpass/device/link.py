# SPDX-License-Identifier: Apache-2.0
"""A device at the other end of a byte stream: requests, answers, repeats and pipelining."""

import struct
import time
from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device import protocol
from secondpass.device.fault import FaultReport, unpack_fault
from secondpass.device.interface import (
    DeviceInfo,
    Evaluation,
    Inference,
    Sample,
    SaveReport,
    Statistics,
    Targets,
    Threshold,
    TrainStep,
    check_every,
    label_of,
    require_labels,
    require_threshold,
    scored_targets,
    target_bytes,
    tensor_dtype,
    tensor_shape,
    tensor_values,
)
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
    NetworkError,
    NoAnswerError,
)
from secondpass.integer.state import Target
from secondpass.learning import StepSettings
from secondpass.network import Network
from secondpass.rules import Rule

_QUIET = 0.05
"""Seconds without an answer after which the line counts as quiet."""
MAX_TRIES = 5
"""How often a request is sent before the device counts as gone."""


class LinkDevice:
    """A device that runs the trainer firmware with the given network and rule.

    With a `watch` a request outlives a broken connection: it is sent again when the device is
    back, which carries it out once, whether or not it had heard it before. A device that was reset
    meanwhile is a `DeviceRestartedError`.

    Raises `DeviceError` when nothing answers within `timeout` seconds or when the firmware was
    built for another model. `known_as`: further hashes of models that differ from the given one in
    their first weights only.
    """

    _watch: LinkWatch | None = None

    def __init__(
        self,
        transport: Transport,
        network: Network,
        rule: Rule,
        timeout: float = 10.0,
        watch: LinkWatch | None = None,
        known_as: Collection[int] = (),
    ) -> None:
        self.network = network
        self._watch = watch
        self._accepted = (network.hash_with(rule.describe()), *known_as)
        self.connect(transport, timeout)
        self._check_model()

    def open_session(self) -> None:
        """Begin a new session with a device that was restarted; a watch waits until it answers."""
        while True:
            try:
                self._hello()
                self._check_model()
                return
            except ConnectionLostError as error:
                self._reconnect(error)
            except NoAnswerError:
                if self._watch is None:
                    raise
                self._watch.silent()

    def _check_model(self) -> None:
        info = self.info
        if info.model_hash not in self._accepted:
            raise DeviceError(
                f"the device runs model {info.model_hash:016x} ({info.board}), this session "
                f"expects {self._accepted[0]:016x} ({self.network.shape}): build and flash this "
                "model, or open the session with the device's"
            )

    def connect(self, transport: Transport, timeout: float) -> None:
        """Open a session with whatever firmware answers."""
        self._transport = transport
        self._timeout = timeout
        self._buffer = b""
        self._sequence = int(time.time_ns() // 1000) & 0xFFFF
        self.repeats = 0
        self._hello()

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
        checked = self.network.check_targets(np.asarray(list(labels)))
        outcomes = self.evaluations(samples, checked)
        return sum(
            outcome.predicted == label for label, outcome in zip(checked, outcomes, strict=True)
        )

    def evaluations(self, samples: Sample, targets: Targets | None = None) -> Iterator[Evaluation]:
        """Yield what the device makes of each sample (count, size), without learning it."""
        wanted = targets
        if wanted is None:
            wanted = scored_targets(self.network, len(samples), None)
        _, bodies = self._with_targets(samples, wanted)
        for body in self._stream(Verb.EVALUATE, bodies):
            yield protocol.unpack_evaluate(body, self.network.error_frac)

    def scores(self, samples: Sample, targets: Targets | None = None) -> npt.NDArray[np.float64]:
        """Return the mean squared error (count,) of every sample, for heads without labels."""
        wanted = scored_targets(self.network, len(samples), targets)
        return np.array([outcome.score for outcome in self.evaluations(samples, wanted)])

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

    def read_elements(self, layer: int, kind: int, offset: int, count: int) -> npt.NDArray[Any]:
        """Return `count` elements of a layer's weights or bias, row after row from `offset`.

        No more than `info.tensor_chunk` bytes: one request, where a whole tensor would take long.
        """
        body = protocol.TENSOR_HEADER.pack(layer, kind, offset, count)
        answer = self._call(Verb.READ_TENSOR, body)
        return protocol.unpack_tensor(answer, self._wire_type(layer, kind))

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

    def threshold(self) -> Threshold:
        """Return the anomaly threshold."""
        return self._threshold(protocol.READ_THRESHOLD)

    def set_threshold(
        self, quantile: float, calibrate: bool = False, restart: bool = False
    ) -> Threshold:
        """Choose the share of normal samples that are no alarm; see `Device`."""
        return self._threshold(protocol.pack_threshold(quantile, calibrate, restart))

    def _threshold(self, body: bytes) -> Threshold:
        require_threshold(self.network)
        answer = self._call(Verb.THRESHOLD, body)
        return protocol.unpack_threshold(answer, self.network.error_frac)

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

    def autosave(self, every: int) -> None:
        """Save a checkpoint after every training step whose number `every` divides; 0: never.

        The device saves behind the step's answer; `statistics` counts and says how it went.
        Raises `RefusedError`: the board has no checkpoint store.
        """
        self._call(Verb.AUTOSAVE, struct.pack("<I", check_every(every)))

    def fault_report(self, clear: bool = False) -> FaultReport | None:
        """Return why the firmware crashed, None: it did not; and clear the report when asked."""
        return unpack_fault(self._call(Verb.FAULT, bytes([clear])))

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
                report = self.fault_report()
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
