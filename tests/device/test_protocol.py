# SPDX-License-Identifier: Apache-2.0
"""Every way a request can be wrong has its own answer and changes nothing; docs/protocol.md."""

import struct
import zlib
from dataclasses import replace

import pytest
from cobs import cobs
from raw_link import (
    LABELS,
    LARGEST_BODY,
    NETWORK,
    RULE,
    SAMPLES,
    RawLink,
    Witness,
    frame,
    labelled,
    weights_of,
)

from secondpass.device import protocol
from secondpass.device.protocol import TENSOR_HEADER, Reply, Status, Verb, encode
from secondpass.device.reference import NumpyDevice
from secondpass.learning import step_settings

CLASSES = NETWORK.classes
SAMPLE = SAMPLES[0].tobytes()
SETTINGS = protocol.pack_settings(step_settings(NETWORK, RULE))
LARGEST_FRAME = LARGEST_BODY + 8


def with_scale(index: int, multiplier: int, shift: int) -> bytes:
    """Return settings with one scale replaced: 0 the projection's, then the rates."""
    at = 30 if index == 0 else 16 + 7 * (index - 1)
    return SETTINGS[:at] + struct.pack("<hB", multiplier, shift) + SETTINGS[at + 3 :]


def tensor(layer: int, kind: int, offset: int, count: int, data: int = 0) -> bytes:
    return TENSOR_HEADER.pack(layer, kind, offset, count) + b"\x55" * data


def assert_refused(link: RawLink, reply: Reply, status: Status) -> None:
    """A refusal of a frame whose header cannot be trusted names the expected number twice."""
    assert (reply.verb, reply.status) == (0, status)
    assert reply.sequence == link.sequence
    assert reply.body == struct.pack("<H", link.sequence)


def test_flipped_bits_are_found(link: RawLink) -> None:
    witness = Witness(link)
    content = cobs.decode(encode(Verb.RESET, link.sequence)[:-1])
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert_refused(link, link.exchange(frame(bytes(damaged))), Status.CRC)
    statistics = link.statistics()
    assert statistics.crc_errors >= 8 * len(content)
    witness.assert_unchanged()


@pytest.mark.parametrize(
    "garbage",
    [b"\x05\x01\x02\0", b"\x02\0", b"\xff" + b"\x01" * 100 + b"\0", b"\x03\x11\x22\x09\x01\0"],
    ids=["short block", "only a code", "full block", "second block"],
)
def test_incomplete_cobs(link: RawLink, garbage: bytes) -> None:
    witness = Witness(link)
    errors = link.statistics().frame_errors
    assert_refused(link, link.exchange(garbage), Status.FRAME)
    assert link.statistics().frame_errors == errors + 1
    witness.assert_unchanged()


@pytest.mark.parametrize("length", [1, 4, 7])
def test_frames_without_room_for_a_header(link: RawLink, length: int) -> None:
    witness = Witness(link)
    body = b"\x01" * max(length - 4, 0)
    content = (body + struct.pack("<I", zlib.crc32(body)))[-length:]
    assert_refused(link, link.exchange(frame(content)), Status.FRAME)
    witness.assert_unchanged()


@pytest.mark.parametrize("excess", [1, 2, 254, 5000])
@pytest.mark.parametrize("fill", [b"\0", b"\x01"])
def test_frames_that_are_too_long(link: RawLink, excess: int, fill: bytes) -> None:
    witness = Witness(link)
    data = encode(Verb.RESET, link.sequence, fill * (LARGEST_BODY + excess))
    assert_refused(link, link.exchange(data), Status.LENGTH)
    witness.assert_unchanged()


def test_the_longest_frame_fits(link: RawLink) -> None:
    witness = Witness(link)
    data = encode(Verb.RESET, link.sequence, b"\x01" * LARGEST_BODY)
    assert len(cobs.decode(data[:-1])) == LARGEST_FRAME
    reply = link.request(Verb.RESET, b"\x01" * LARGEST_BODY)
    assert (reply.status, reply.body) == (Status.LENGTH, b"")
    witness.assert_unchanged()


def test_empty_frames_are_ignored(link: RawLink) -> None:
    witness = Witness(link)
    errors = link.statistics().frame_errors
    link.send(b"\0" * 20)
    link.expect_silence()
    assert link.statistics().frame_errors == errors
    witness.assert_unchanged()


def test_noise_ends_at_the_next_zero(link: RawLink) -> None:
    """Half a frame, then an empty one: the request after it is not touched."""
    witness = Witness(link)
    link.send(encode(Verb.RESET, link.sequence)[:5])
    assert_refused(link, link.exchange(b"\0"), Status.FRAME)
    witness.assert_unchanged()


def test_an_empty_block_at_the_end_is_accepted(link: RawLink) -> None:
    """Some encoders end a full last block with an empty one."""
    for excess in (0, 1):
        body = b"\x01" * (254 - 8 + excess)
        data = encode(Verb.RESET, link.sequence, body)
        assert_refused(link, link.exchange(data), Status.LENGTH)
    data = encode(Verb.HELLO, 0x0101)
    reply = link.exchange(data)
    assert (reply.verb, reply.status) == (Verb.HELLO, Status.OK)


@pytest.mark.parametrize("version", [0, 1, 2, 255])
@pytest.mark.parametrize("verb", [Verb.HELLO, Verb.RESET, 0x7F])
def test_other_protocol_versions(link: RawLink, verb: int, version: int) -> None:
    witness = Witness(link)
    reply = link.exchange(encode(verb, 7, version=version))
    assert reply == Reply(verb, 7, Status.VERSION, struct.pack("<H", link.sequence))
    witness.assert_unchanged()


@pytest.mark.parametrize("verb", [0x00, 0x0F, 0x7F])
def test_unknown_verbs(link: RawLink, verb: int) -> None:
    witness = Witness(link)
    reply = link.request(verb, labelled(0))
    assert (reply.status, reply.body) == (Status.VERB, b"")
    witness.assert_unchanged()


@pytest.mark.parametrize("verb", [0x80, 0x81, 0x84, 0xFF])
@pytest.mark.parametrize("version", [1, 3])
def test_answers_that_come_back_are_not_answered(link: RawLink, verb: int, version: int) -> None:
    """A line that echoes must not keep a device talking to itself."""
    witness = Witness(link)
    link.send(encode(verb, link.sequence, labelled(0), version=version))
    link.expect_silence()
    witness.assert_unchanged()


WRONG_BODIES = [
    (Verb.HELLO, b"\0", Status.LENGTH),
    (Verb.CONFIGURE, b"", Status.LENGTH),
    (Verb.CONFIGURE, SETTINGS[:-1], Status.LENGTH),
    (Verb.CONFIGURE, SETTINGS + b"\0", Status.LENGTH),
    (Verb.INFER, b"", Status.SAMPLE),
    (Verb.INFER, SAMPLE[:-1], Status.SAMPLE),
    (Verb.INFER, SAMPLE + b"\0", Status.SAMPLE),
    (Verb.TRAIN, b"", Status.SAMPLE),
    (Verb.TRAIN, labelled(0)[:-1], Status.SAMPLE),
    (Verb.TRAIN, labelled(0) + b"\0", Status.SAMPLE),
    (Verb.TRAIN, SAMPLE, Status.SAMPLE),
    (Verb.EVALUATE, b"\0", Status.SAMPLE),
    (Verb.EVALUATE, labelled(0)[:-1], Status.SAMPLE),
    (Verb.EVALUATE, labelled(0) + b"\0", Status.SAMPLE),
    (Verb.STATISTICS, b"", Status.LENGTH),
    (Verb.STATISTICS, b"\1\0", Status.LENGTH),
    (Verb.READ_TENSOR, b"", Status.LENGTH),
    (Verb.READ_TENSOR, tensor(0, 0, 0, 1)[:-1], Status.LENGTH),
    (Verb.READ_TENSOR, tensor(0, 0, 0, 1, data=1), Status.LENGTH),
    (Verb.WRITE_TENSOR, b"", Status.LENGTH),
    (Verb.WRITE_TENSOR, tensor(0, 0, 0, 2), Status.LENGTH),
    (Verb.WRITE_TENSOR, tensor(0, 0, 0, 2, data=3), Status.LENGTH),
    (Verb.WRITE_TENSOR, tensor(0, 0, 0, 2, data=5), Status.LENGTH),
    (Verb.WRITE_TENSOR, tensor(0, 1, 0, 2, data=4), Status.LENGTH),
    (Verb.SAVE, b"\0", Status.LENGTH),
    (Verb.LOAD, b"\0", Status.LENGTH),
    (Verb.RESET, b"\0", Status.LENGTH),
    (Verb.FAULT, b"", Status.LENGTH),
    (Verb.FAULT, b"\0\0", Status.LENGTH),
    (Verb.AUTOSAVE, b"", Status.LENGTH),
    (Verb.AUTOSAVE, b"\1\0\0", Status.LENGTH),
    (Verb.AUTOSAVE, b"\1\0\0\0\0", Status.LENGTH),
    (Verb.THRESHOLD, protocol.READ_THRESHOLD, Status.VERB),  # a head with labels has none
    (Verb.THRESHOLD, b"", Status.VERB),
]
LABELS_OUTSIDE = [
    (verb, labelled(0, label), Status.LABEL)
    for verb in (Verb.TRAIN, Verb.EVALUATE)
    for label in (CLASSES, CLASSES + 1, 0x100, 0xFFFF)
]
RANGES = [  # layer, kind, offset, count; layer 0 is 15 x 21, layer 1 is 5 x 15
    *((2, 0, 0, 1), (255, 0, 0, 1), (0, 2, 0, 1), (0, 255, 0, 1)),
    *((0, 0, 0, 0), (0, 0, 0, 65), (0, 1, 0, 33), (0, 0, 0, 0xFFFF)),
    *((0, 0, 315, 1), (0, 0, 314, 2), (1, 0, 75, 1), (1, 1, 5, 1), (1, 1, 4, 2)),
    *((0, 0, 2**32 - 1, 1), (0, 0, 2**32 - 1, 2), (0, 0, 2**31, 64)),
]
RANGES_OUTSIDE = [
    *((Verb.READ_TENSOR, tensor(*wrong), Status.TENSOR) for wrong in RANGES),
    *(
        (Verb.WRITE_TENSOR, tensor(*wrong, data=min(wrong[3], 32) * size), Status.TENSOR)
        for wrong in RANGES
        for size in (2, 4)
    ),
]
SETTINGS_OUTSIDE = [
    (Verb.CONFIGURE, with_scale(index, multiplier, shift), Status.VALUE)
    for index in range(3)
    for multiplier, shift in (
        (1, 0),
        (0x3FFF, 5),
        (-0x3FFF, 5),
        (-0x8000, 5),
        (0x4000, 47),
        (0, 255),
    )
]
SETTINGS_OUTSIDE += [
    (Verb.CONFIGURE, SETTINGS[:at] + struct.pack("<H", value) + SETTINGS[at + 2 :], Status.VALUE)
    for at, values in (
        (12, (0, 0x3FFF, 0x8001)),  # decay factor
        (19, (0, 0x8000)),  # clips
        (26, (0, 0xFFFF)),
        (21, (0x8000,)),  # row gates
        (28, (0xFFFF,)),
    )
    for value in values
]
FLAGS = [
    (verb, bytes([flag]), Status.VALUE)
    for verb in (Verb.STATISTICS, Verb.FAULT)
    for flag in (2, 255)
]
WRONG = [
    *WRONG_BODIES,
    *LABELS_OUTSIDE,
    *RANGES_OUTSIDE,
    *SETTINGS_OUTSIDE,
    *FLAGS,
]


@pytest.mark.parametrize("verb", list(Verb), ids=lambda verb: verb.name.lower())
def test_wrong_bodies(link: RawLink, verb: Verb) -> None:
    cases = [(body, status) for v, body, status in WRONG if v == verb]
    assert cases
    witness = Witness(link)
    for body, status in cases:
        reply = link.request(verb, body)
        assert (reply.status, reply.body) == (status, b""), body.hex()
    witness.assert_unchanged()


def test_limits_of_settings_are_accepted(link: RawLink) -> None:
    for index in range(3):
        for multiplier, shift in ((0x7FFF, 46), (-0x7FFF, 0), (0x4000, 46), (-0x4000, 1), (0, 0)):
            link.call(Verb.CONFIGURE, with_scale(index, multiplier, shift))
    for at in (21, 28):
        for value in (0, 1, 0x7FFF):
            body = SETTINGS[:at] + struct.pack("<H", value) + SETTINGS[at + 2 :]
            link.call(Verb.CONFIGURE, body)


def test_settings_arrive(link: RawLink) -> None:
    """Every field that a device takes acts as it does in the reference."""
    settings = replace(
        step_settings(NETWORK, replace(RULE, dither_seed=9, projection_seed=8), 0.1, (1.0, 0.5)),
        clips=(900, 1500),
        row_gates=(300, 4000),
        gate=3000,
        decay_steps=3,
        decay_factor=30000,
    )
    reference = NumpyDevice(NETWORK, RULE)
    reference.configure(settings)
    link.call(Verb.CONFIGURE, protocol.pack_settings(settings))
    for index in range(20):
        link.call(Verb.TRAIN, labelled(index))
        reference.train(SAMPLES[index], LABELS[index])
    assert link.weights() == weights_of(reference)
    assert link.statistics().counters == reference.statistics().counters


def test_limits_of_ranges_are_accepted(link: RawLink) -> None:
    for body, size in (
        (tensor(0, 0, 314, 1), 2),
        (tensor(0, 0, 251, 64), 128),
        (tensor(0, 1, 0, 15), 60),
        (tensor(1, 0, 74, 1), 2),
        (tensor(1, 1, 4, 1), 4),
    ):
        assert len(link.call(Verb.READ_TENSOR, body)) == size
        link.call(Verb.WRITE_TENSOR, body + bytes(range(size)))
        assert link.call(Verb.READ_TENSOR, body) == bytes(range(size))


def test_a_write_changes_its_range_only(link: RawLink) -> None:
    """Rows of 21 weights are padded in memory; the range runs over a row's end."""
    before = link.weights()
    link.call(Verb.WRITE_TENSOR, tensor(0, 0, 20, 2, data=4))
    after = link.weights()
    assert after[40:44] == b"\x55" * 4
    assert (after[:40], after[44:]) == (before[:40], before[44:])
