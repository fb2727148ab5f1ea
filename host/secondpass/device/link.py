# SPDX-License-Identifier: Apache-2.0
"""A device at the other end of a byte stream, which runs the trainer firmware."""

import struct
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device import protocol
from secondpass.device.fault import FaultReport, unpack_fault
from secondpass.device.interface import (
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
    RefusedError,
    Status,
    Verb,
)
from secondpass.device.requests import Requests
from secondpass.device.transport import Transport
from secondpass.device.watch import LinkWatch
from secondpass.errors import (
    ConnectionLostError,
    DeviceError,
    NetworkError,
    NoAnswerError,
)
from secondpass.integer.state import Target
from secondpass.learning import StepSettings
from secondpass.network import Network
from secondpass.rules import Rule


class LinkDevice(Requests):
    """A device that runs the trainer firmware with the given network and rule.

    With a `watch` a request outlives a broken connection: it is sent again when the device is
    back, which carries it out once, whether or not it had heard it before. A device that was reset
    meanwhile is a `DeviceRestartedError`.

    Raises `DeviceError` when nothing answers within `timeout` seconds or when the firmware was
    built for another model. `known_as`: further hashes of models that differ from the given one in
    their first weights only.
    """

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
