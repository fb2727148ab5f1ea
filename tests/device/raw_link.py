# SPDX-License-Identifier: Apache-2.0
"""Requests frame by frame, without the repeats that hide what a device answers."""

import struct
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cobs import cobs
from toy_networks import toy_network, toy_samples

from secondpass.device import protocol
from secondpass.device.interface import BIAS, WEIGHTS, Statistics
from secondpass.device.protocol import Reply, Status, Verb
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import Transport
from secondpass.network import Network
from secondpass.rules import Pepita

NETWORK = toy_network(21, 15, 5)
RULE = Pepita(projection_scale=2.0, modulation="add", learning_rate=0.2)
SAMPLES, LABELS = toy_samples(NETWORK, 300)
LARGEST_BODY = 136
PATIENCE = 20.0


def frame(content: bytes) -> bytes:
    """Encode bytes as they are, without adding a checksum."""
    return cobs.encode(content) + b"\0"


def labelled(index: int, label: int | None = None) -> bytes:
    """Return the body of `train` or `evaluate`."""
    chosen = LABELS[index] if label is None else label
    return struct.pack("<H", chosen) + SAMPLES[index].tobytes()


def read_whole(network: Network = NETWORK) -> list[bytes]:
    """Return the `read_tensor` bodies that cover every tensor."""
    bodies = []
    for index, layer in enumerate(network.layers):
        for kind, total, most in ((WEIGHTS, layer.weights.size, 64), (BIAS, layer.outputs, 32)):
            for offset in range(0, total, most):
                count = min(most, total - offset)
                bodies.append(protocol.TENSOR_HEADER.pack(index, kind, offset, count))
    return bodies


@dataclass
class RawLink:
    """A session on a transport: it counts sequence numbers and nothing else."""

    transport: Transport
    sequence: int = 100
    _buffer: bytes = field(default=b"")

    def send(self, data: bytes) -> None:
        """Put bytes on the wire."""
        self.transport.write(data)

    def receive_raw(self) -> bytes:
        """Return the next answer as it went over the wire, without its zero."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            assert time.monotonic() < deadline, "no answer"
            self._buffer += self.transport.read(0.05)
        answer, _, self._buffer = self._buffer.partition(b"\0")
        if answer.startswith(b"m-timestamp-mode-"):  # start-up lines of the text protocol
            return self.receive_raw()
        return answer

    def receive(self) -> Reply:
        """Return the next answer."""
        return protocol.decode(self.receive_raw())

    def exchange(self, data: bytes) -> Reply:
        """Send bytes and return the one answer to them."""
        self.send(data)
        return self.receive()

    def request(self, verb: int, body: bytes = b"") -> Reply:
        """Send the next request of the session and return its answer, whatever it is."""
        reply = self.exchange(protocol.encode(verb, self.sequence, body))
        assert (reply.verb, reply.sequence) == (verb & 0x7F, self.sequence & 0xFFFF)
        self.sequence += 1
        return reply

    def call(self, verb: int, body: bytes = b"") -> bytes:
        """Send the next request, which must be carried out."""
        reply = self.request(verb, body)
        assert reply.status is Status.OK, reply
        return reply.body

    def open(self) -> None:
        """Start a session on a device in its first state; drop what is left from before."""
        self.send(b"\0" + protocol.encode(Verb.HELLO, self.sequence))
        while (reply := self.receive()).verb != Verb.HELLO or reply.sequence != self.sequence:
            pass
        self.sequence += 1
        self.call(Verb.RESET)

    def expect_silence(self) -> None:
        """Assert that nothing is answered before the next request's answer."""
        self.call(Verb.INFER, SAMPLES[0].tobytes())
        assert self._buffer == b""

    def statistics(self) -> Statistics:
        """Return the device's counters."""
        return protocol.unpack_statistics(self.call(Verb.STATISTICS, b"\0"), 2)

    def weights(self) -> bytes:
        """Return every weight and bias as bytes."""
        return b"".join(self.call(Verb.READ_TENSOR, body) for body in read_whole())


def weights_of(device: Any) -> bytes:
    """Return every weight and bias of a device as `RawLink.weights` does."""
    return b"".join(
        np.ascontiguousarray(device.read_tensor(layer, kind)).tobytes()
        for layer in range(2)
        for kind in (WEIGHTS, BIAS)
    )


class Witness:
    """A device after one training step, with the reference beside it."""

    def __init__(self, link: RawLink) -> None:
        self.link = link
        self.reference = NumpyDevice(NETWORK, RULE)
        self._train(0)
        self._before = link.weights(), link.statistics().counters

    def assert_unchanged(self) -> None:
        """Assert that weights, counters and settings are as before and that training goes on."""
        assert (self.link.weights(), self.link.statistics().counters) == self._before
        self._train(1)
        assert self.link.weights() == weights_of(self.reference)

    def _train(self, index: int) -> None:
        body = self.link.call(Verb.TRAIN, labelled(index))
        got = protocol.unpack_train(body, LABELS[index], 15)
        wanted = self.reference.train(SAMPLES[index], LABELS[index])
        assert (got.predicted, got.label_probability, got.step, got.saturations) == (
            wanted.predicted,
            wanted.label_probability,
            wanted.step,
            wanted.saturations,
        )
