# SPDX-License-Identifier: Apache-2.0
"""Sequence numbers: what is repeated is answered again and carried out once."""

import struct
from collections.abc import Callable

import pytest
from cobs import cobs
from raw_link import LABELS, SAMPLES, RawLink, Witness, labelled

from secondpass.device.protocol import REPLY, Reply, Status, Verb, encode, unpack_train
from secondpass.device.transport import Transport, TwinTransport


def refusal(link: RawLink, verb: int, sequence: int) -> Reply:
    return Reply(verb, sequence, Status.SEQUENCE, struct.pack("<H", link.sequence))


def exchange_raw(link: RawLink, data: bytes) -> bytes:
    link.send(data)
    return link.receive_raw()


def test_a_repeat_is_answered_again_and_not_carried_out(link: RawLink) -> None:
    request = encode(Verb.TRAIN, link.sequence, labelled(0))
    first = exchange_raw(link, request)
    for _ in range(3):
        assert exchange_raw(link, request) == first
    link.sequence += 1
    weights_after_one = link.weights()
    assert link.statistics().counters.trained == 1
    body = link.call(Verb.TRAIN, labelled(1))
    assert unpack_train(body, LABELS[1], 15).step == 2
    assert link.weights() != weights_after_one


def test_both_requests_of_a_window_can_be_repeated(link: RawLink) -> None:
    requests = [encode(Verb.TRAIN, link.sequence + i, labelled(i)) for i in range(2)]
    answers = [exchange_raw(link, request) for request in requests]
    assert answers[0] != answers[1]
    for index in (0, 1, 0, 0, 1):
        assert exchange_raw(link, requests[index]) == answers[index]
    link.sequence += 2
    assert link.statistics().counters.trained == 2


def test_an_error_is_repeated_like_any_answer(link: RawLink) -> None:
    request = encode(Verb.TRAIN, link.sequence, labelled(0, label=99))
    first = exchange_raw(link, request)
    assert exchange_raw(link, request) == first
    link.sequence += 1
    assert link.request(Verb.TRAIN, labelled(0)).status is Status.OK


@pytest.mark.parametrize("distance", [-3, -100, 1, 2, 32768])
def test_numbers_out_of_order_are_refused(link: RawLink, distance: int) -> None:
    witness = Witness(link)
    sequence = (link.sequence + distance) & 0xFFFF
    reply = link.exchange(encode(Verb.RESET, sequence))
    assert reply == refusal(link, Verb.RESET, sequence)
    witness.assert_unchanged()


def test_another_verb_is_no_repeat(link: RawLink) -> None:
    witness = Witness(link)
    reply = link.exchange(encode(Verb.RESET, link.sequence - 1))
    assert reply == refusal(link, Verb.RESET, link.sequence - 1)
    witness.assert_unchanged()


def test_numbers_wrap(link: RawLink) -> None:
    link.sequence = 0xFFFE
    link.open()  # reset is 0xFFFF
    request = encode(Verb.TRAIN, 0x10000, labelled(0))
    first = link.exchange(request)
    assert (first.sequence, first.status) == (0, Status.OK)
    assert link.exchange(encode(Verb.RESET, 0xFFFF)).status is Status.OK  # a repeat
    assert link.exchange(request) == first
    link.sequence = 1
    assert link.statistics().counters.trained == 1


def test_hello_forgets_kept_answers(link: RawLink) -> None:
    link.call(Verb.TRAIN, labelled(0))
    old = link.sequence - 1
    reply = link.exchange(encode(Verb.HELLO, 5000))
    assert reply.status is Status.OK
    link.sequence = 5001
    assert link.exchange(encode(Verb.TRAIN, old, labelled(0))) == refusal(link, Verb.TRAIN, old)
    assert link.statistics().counters.trained == 1


def test_hello_is_never_a_repeat(link: RawLink) -> None:
    """Its number may be any; a second one starts the session again."""
    for sequence in (7, 7, 0, 0xFFFF):
        reply = link.exchange(encode(Verb.HELLO, sequence))
        assert (reply.verb, reply.sequence, reply.status) == (Verb.HELLO, sequence, Status.OK)
    link.sequence = 0
    assert link.request(Verb.TRAIN, labelled(0)).status is Status.OK


@pytest.mark.parametrize("sequence", [0, 77])
def test_no_request_before_hello(just_started: Transport, sequence: int) -> None:
    link = RawLink(just_started, sequence=0)
    link.send(b"\0")
    for verb in Verb:
        if verb is not Verb.HELLO:
            reply = link.exchange(encode(verb, sequence, labelled(0)))
            assert reply == refusal(link, verb, sequence)
    link.sequence = 100
    hello = link.request(Verb.HELLO)
    assert hello.status is Status.OK
    counters = link.statistics().counters
    assert (counters.step, counters.trained, counters.evaluated) == (0, 0, 0)


def test_third_frame_overruns(twin: Callable[[], TwinTransport]) -> None:
    """Two requests wait while the device is busy; the third is lost, and the device says so."""
    transport = twin()
    link = RawLink(transport)
    link.open()
    start = link.sequence
    for index in range(3):
        transport.receive_only(encode(Verb.TRAIN, start + index, labelled(index)))
    transport.answer()
    replies = [link.receive() for _ in range(3)]
    assert [(r.verb, r.sequence, r.status) for r in replies] == [
        (Verb.TRAIN, start, Status.OK),
        (Verb.TRAIN, start + 1, Status.OK),
        (0, start + 2, Status.OVERRUN),
    ]
    link.sequence = start + 2
    assert link.statistics().overruns == 1
    body = link.call(Verb.TRAIN, labelled(2))
    assert unpack_train(body, LABELS[2], 15).step == 3
    assert link.statistics().counters.trained == 3


def test_a_frame_that_begins_while_both_slots_are_taken_is_lost_whole(
    twin: Callable[[], TwinTransport],
) -> None:
    transport = twin()
    link = RawLink(transport)
    link.open()
    start = link.sequence
    for index in range(2):
        transport.receive_only(encode(Verb.TRAIN, start + index, labelled(index)))
    late = encode(Verb.TRAIN, start + 2, labelled(2))
    transport.receive_only(late[:20])
    transport.answer()  # frees both slots in the middle of the third frame
    transport.receive_only(late[20:])
    transport.answer()
    statuses = [link.receive().status for _ in range(3)]
    assert statuses == [Status.OK, Status.OK, Status.OVERRUN]
    link.sequence = start + 2
    link.expect_silence()
    assert link.statistics().counters.trained == 2


def test_answers_carry_the_reply_bit(link: RawLink) -> None:
    for verb in (Verb.INFER, Verb.RESET):
        body = SAMPLES[0].tobytes() if verb is Verb.INFER else b""
        raw = cobs.decode(exchange_raw(link, encode(verb, link.sequence, body)))
        assert raw[:4] == struct.pack("<BBH", 3, verb | REPLY, link.sequence)
        link.sequence += 1
