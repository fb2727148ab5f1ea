# SPDX-License-Identifier: Apache-2.0
"""The bytes in docs/protocol-example.md are those of the host tool and of the firmware."""

import re
from pathlib import Path

from numerics_example import SETTINGS, example_network, example_rule

from secondpass.device import protocol
from secondpass.device.transport import TwinTransport

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol-example.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```\n(.*?)```", DOCUMENT, re.DOTALL)


def spelled(text: str) -> bytes:
    """The bytes of a block, without the words beside them."""
    pairs = []
    for line in text.splitlines():
        for word in line.split():
            if not re.fullmatch("[0-9a-f]{2}", word):
                break
            pairs.append(word)
    return bytes.fromhex("".join(pairs))


def twin() -> TwinTransport:
    heading = next(heading for heading in SETTINGS if "Setting B" in heading)
    return TwinTransport(example_network(), example_rule(heading))


def test_hello() -> None:
    request = protocol.encode(protocol.Verb.HELLO, 0x1234)
    assert spelled(BLOCKS[0].splitlines()[1]) == request
    device = twin()
    device.write(request)
    answer = device.read(0)
    assert spelled(BLOCKS[2]) == answer
    assert protocol.cobs.decode(answer[:-1]) == spelled(BLOCKS[1])


def test_train_and_a_refusal() -> None:
    device = twin()
    device.write(protocol.encode(protocol.Verb.HELLO, 0x1234))
    device.read(0)
    lines = BLOCKS[3].splitlines()
    request = spelled(lines[1])
    assert protocol.encode(protocol.Verb.TRAIN, 0x1235, bytes([1, 0, 200, 24, 90])) == request
    device.write(request)
    expected = protocol.decode(spelled("\n".join(lines[-2:]))[:-1])
    actual = protocol.decode(device.read(0)[:-1])
    assert (actual.verb, actual.sequence, actual.status) == (
        expected.verb,
        expected.sequence,
        expected.status,
    )
    assert actual.body[:12] == expected.body[:12]  # the ticks behind them differ

    refused, answer = (spelled(line) for line in BLOCKS[4].splitlines())
    sent = protocol.encode(protocol.Verb.RESET, 0x1240)
    assert protocol.cobs.decode(sent[:-1]) == refused
    device.write(sent)
    assert protocol.cobs.decode(device.read(0)[:-1]) == answer
