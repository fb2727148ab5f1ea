# SPDX-License-Identifier: Apache-2.0
"""Whatever arrives, the firmware's link and trainer survive it and answer the next hello."""

import os
import random

import pytest
from raw_link import LABELS, NETWORK, RULE, SAMPLES, RawLink, weights_of

from secondpass.device.protocol import Verb, encode
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import TwinTransport

BYTES = int(os.environ.get("SECONDPASS_TEST_FUZZ_BYTES", "60000"))
"""Bytes of each kind of noise."""


def any_bytes(source: random.Random) -> bytes:
    return source.randbytes(source.randrange(1, 400))


def many_zeros(source: random.Random) -> bytes:
    return bytes(source.choice((0, 0, 1, 2, 3, 255)) for _ in range(source.randrange(1, 60)))


def valid_frames(source: random.Random) -> bytes:
    """Requests with a right checksum and the right number, and any verb and body."""
    verb = source.choice([*Verb, source.randrange(256)])
    body = source.randbytes(source.choice([0, 1, 8, 8, 10, 12, 17, 42, 44, 44, 136, 137, 200]))
    if verb in (Verb.READ_TENSOR, Verb.WRITE_TENSOR):
        body = bytes(
            [source.randrange(3), source.randrange(3), source.randrange(90), 0, 0, 0, *body]
        )
    return encode(verb, 0, body)


def damaged_frames(source: random.Random) -> bytes:
    data = bytearray(valid_frames(source))
    for _ in range(source.randrange(3)):
        data[source.randrange(len(data))] = source.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("noise", [any_bytes, many_zeros, valid_frames, damaged_frames])
def test_noise(noise, seed: int) -> None:
    source = random.Random(seed)
    transport = TwinTransport(NETWORK, RULE)
    sent = 0
    while sent < BYTES:
        # A hello with the number before 0, so that requests with the number 0 are carried out.
        hello = encode(Verb.HELLO, 0xFFFF) if source.random() < 0.7 else b""
        data = hello + noise(source)
        sent += len(data)
        if source.random() < 0.5:
            transport.receive_only(data)
            transport.answer()
        else:
            transport.write(data)
    answers = transport.read(0.0)
    assert answers.count(b"\0") > 20
    link = RawLink(transport)
    link.open()
    reference = NumpyDevice(NETWORK, RULE)
    for index in range(3):
        link.call(Verb.TRAIN, LABELS[index].to_bytes(2, "little") + SAMPLES[index].tobytes())
        reference.train(SAMPLES[index], LABELS[index])
    assert link.weights() == weights_of(reference)
