# SPDX-License-Identifier: Apache-2.0
"""The parser, under the sanitizers, against what the protocol's description says."""

import random
import re
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import fuzz
import numpy as np
import pytest
from cobs import cobs
from document import START, Document, mismatch

from secondpass.device import protocol
from secondpass.device.protocol import Verb
from secondpass.device.reference import NumpyDevice
from secondpass.integer.heads import probabilities
from secondpass.rules import Pepita

SIZE, CLASSES = 9, 3
TICK_US = 0x01234567 / 25
"""Microseconds between two readings of the clock on the host."""


def split(said: bytes) -> list[list[str]]:
    """Return the lines of each answer; the first is the start-up text."""
    assert said.endswith(b"m-ready\r\n")
    answers: list[list[str]] = [[]]
    for line in said.decode("ascii").split("\r\n")[:-1]:
        answers[-1].append(line)
        if line == "m-ready":
            answers.append([])
    return answers[:-1]


def check(said: bytes, commands: list[str]) -> None:
    answers = split(said)
    assert mismatch(answers[0], START) == ""
    assert len(answers) == 1 + len(commands)
    device = Document(SIZE, CLASSES)
    for command, answer in zip(commands, answers[1:], strict=True):
        assert mismatch(answer, device.answer(command)) == "", command


EVERYTHING = """
name|timestamp|profile|help|  name  |name x y z|NAME|nam|names||   |db|db load|db load 0|db load x
db load -1|db load +4|db load 10|db load 99999999999999999999|db load 9 9
db load 2147483648|label 2147483648|label -2147483649|db load 5x|db 00
db load 9|db 0|db 001|db 0102|db zz|db 03zz04|db 0g|db 05|db print|db print 3|db aAbB  c|db DEADBEEF
db 11|db print|db 22|db print|db load 3|db 010203|db print|db load 8|db print|db 01|infer|infer 2 1
results|results now|infer 0|infer -1|infer x|infer 1 -1|infer 1 x|infer 3 0 junk|infer 2 99
label|label 3|label -1|label x|train|label 2|train|db load 9|db 000102030405060708|train|train 0
train -5|train x|train 4|label 0|train 2|infer 1 0|save|stats|reset|stats|load|m-ready|xm-readyx
db m-|db load m-ready|a\r\nb|\tname|\x7f|\xff\xfe|db \xff\xff|xxxxxxxxxx load
"""


def test_every_command_and_error(talk: Callable[..., bytes]) -> None:
    commands = [part for line in EVERYTHING.strip("\n").split("\n") for part in line.split("|")]
    data = b"".join(command.encode("latin-1") + b"%" for command in commands)
    check(talk(data), commands)


def test_of_a_long_command_80_characters_are_kept(talk: Callable[..., bytes]) -> None:
    commands = ["db load 9", "db print" + " " * 72 + "junk", "name" + " " * 77 + "x"]
    commands += ["x" * 80, "x" * 81, "x" * 5000, " " * 80 + "name", "db " + "0" * 78]
    check(talk("%".join([*commands, ""]).encode()), commands)


def test_samples_cannot_leave_their_buffer(talk: Callable[..., bytes]) -> None:
    commands = ["db 0102030405060708090a0b0c", "db print", "db load 10", "db " + "ff" * 38]
    commands += ["db print", "infer 1 0", "db load 9", "db " + "0a" * 38, "db " + "0b" * 38]
    commands += ["db print", "db load 1", "db 7777", "db print", "db load 9", "db print"]
    check(talk("%".join([*commands, ""]).encode()), commands)


WORDS = ["name", "db", "load", "print", "infer", "results", "label", "train", "stats", "reset"]
WORDS += ["0", "1", "2", "9", "8", "10", "-1", "x", "00", "0a0B", "zz", "000102030405060708", ""]


@pytest.mark.parametrize("seed", range(4))
def test_random_commands(talk: Callable[..., bytes], seed: int) -> None:
    source = random.Random(seed)
    commands = [" ".join(source.choices(WORDS, k=source.randrange(1, 5))) for _ in range(800)]
    commands = [command for command in commands if "infer 00" not in command]
    check(talk("%".join([*commands, ""]).encode()), commands)


def test_the_clock_outlives_its_counter(talk: Callable[..., bytes]) -> None:
    """1001 readings of a 32-bit counter that goes round every 225."""
    said = talk(b"infer 1000 0%").decode()
    first, last = (int(stamp) for stamp in re.findall(r"m-lap-us-(\d+)", said)[1:])
    assert last - first == pytest.approx(1001 * TICK_US, abs=1)
    assert 1001 * TICK_US > 2**32 / 25


def frames(data: bytes) -> list[protocol.Reply]:
    return [protocol.decode(part) for part in data.split(b"\0")[:-1]]


def test_frames_between_commands(talk: Callable[..., bytes]) -> None:
    begun = talk(b"")
    hello, reset = protocol.encode(Verb.HELLO, 7), protocol.encode(Verb.RESET, 8)
    said = talk(b"\0" + hello + b"name%" + reset + b"name%").removeprefix(begun)
    text = b"m-name-dut-[secondpass/host]\r\nm-ready\r\n"
    assert said.count(text) == 2
    assert [(reply.verb, reply.sequence) for reply in frames(said.replace(text, b""))] == [
        (Verb.HELLO, 7),
        (Verb.RESET, 8),
    ]


def held_frame() -> bytes:
    """A frame whose first byte is '%': its first zero is the 37th byte; too long for this model."""
    content = bytes([protocol.VERSION, Verb.INFER]) + b"\x01\x01" + b"%" * 32 + b"\0" * 3
    whole = content + zlib.crc32(content).to_bytes(4, "little")
    encoded = cobs.encode(whole) + b"\0"
    assert encoded[:1] == b"%"
    return encoded


def test_a_frame_may_begin_like_an_empty_command(talk: Callable[..., bytes]) -> None:
    begun = talk(b"")
    hello = protocol.encode(Verb.HELLO, 0x0100)
    said = talk(b"\0" + hello + held_frame()).removeprefix(begun)
    assert b"m-ready" not in said
    answers = frames(said)
    assert [(reply.verb, reply.sequence) for reply in answers] == [
        (Verb.HELLO, 0x0100),
        (Verb.INFER, 0x0101),
    ]


def test_an_empty_command_behind_a_zero_is_answered_with_the_next(
    talk: Callable[..., bytes],
) -> None:
    begun = talk(b"")
    assert talk(b"\0%") == begun
    answers = split(talk(b"\0%%\0%name%").removeprefix(begun))
    assert [answer[0] for answer in answers] == [
        "e-[Unknown command: ]",
        "e-[Unknown command: ]",
        "e-[Unknown command: ]",
        "m-name-dut-[secondpass/host]",
    ]


def test_a_zero_forgets_half_a_command(talk: Callable[..., bytes]) -> None:
    begun = talk(b"")
    said = talk(b"\0\0na\0name%").removeprefix(begun)
    refusal, _, text = said.partition(b"\0")
    assert protocol.decode(refusal).status is protocol.Status.FRAME  # as without text
    assert text == b"m-name-dut-[secondpass/host]\r\nm-ready\r\n"


@pytest.mark.parametrize("noise", [b"\xff", b"\x00\xff\x80", b"\r\n", b"\x05", b"\x00\xf8"])
def test_noise_costs_one_command(talk: Callable[..., bytes], noise: bytes) -> None:
    """A host that knows nothing of frames never sends a zero: it must not be locked out."""
    begun = talk(b"")
    answers = split(talk(noise + b"name%name%").removeprefix(begun))
    assert answers[0][0].startswith("e-[Unknown command: ")
    assert answers[1] == ["m-name-dut-[secondpass/host]", "m-ready"]


def floats(values: list[float]) -> str:
    return struct.pack(f"<{len(values)}f", *values).hex()


def test_float_samples_are_quantised_as_the_host_does(talk: Callable[..., bytes]) -> None:
    """Scores of float32 samples equal those of a reconstruction of the rounded values."""
    network = fuzz.network("ad01")
    source = np.random.default_rng(5)
    samples = source.normal(0.4, 0.6, (40, 9)).astype(np.float32)
    samples[0] = [0, 1, -1, 3e38, -3e38, 1e-40, np.inf, -np.inf, np.nan]
    samples[1] = [0.5 / 255, 1.5 / 255, 254.4 / 255, 254.6 / 255, 1e-9, 2, 0.25, 0.125, 1 / 255]
    commands = []
    for sample in samples:
        data = floats(sample.tolist())
        commands += ["db load 36", f"db {data[:40]}", f"db {data[40:]}", "infer 1 0"]
    said = talk("%".join([*commands, ""]).encode(), "ad01").decode()
    got = re.findall(r"m-results-\[(\d+\.\d{3})\]", said)
    steps = np.nan_to_num(samples, nan=0.0, posinf=9, neginf=-9).clip(-9, 9) * np.float64(255)
    raw = np.trunc(steps + np.copysign(0.5, steps)).clip(0, 255).astype(np.uint8)
    wanted = NumpyDevice(network, Pepita()).scores(raw)
    assert got == [f"{score:.3f}" for score in wanted]
    assert len(set(got)) > 20


def test_stats_of_a_detector(talk: Callable[..., bytes]) -> None:
    """No threshold before one alarm is expected; then the reference's, and its alarms."""
    samples = np.array([[255] * 9, [0] * 9], np.uint8)
    commands = []
    for sample, steps in zip(samples, (99, 5), strict=True):
        data = floats((sample / np.float32(255)).tolist())
        commands += ["db load 36", f"db {data[:40]}", f"db {data[40:]}", f"train {steps}", "stats"]
    said = talk("%".join([*commands, ""]).encode(), "ad01").decode()
    device = NumpyDevice(fuzz.network("ad01"), Pepita())
    for sample, steps in zip(samples, (99, 5), strict=True):
        for _ in range(steps):
            device.train(sample, 0)
    alarms = device.statistics().counters.alarms
    assert alarms > 0
    assert re.findall(r"m-stats-threshold-(.*)\r", said) == [f"{device.threshold().score:.3f}"]
    assert re.findall(r"m-stats-alarms-(.*)\r", said) == ["0", str(alarms)]


LOADED = "db load 9%db 00ff8020406001c0e0%infer 1 0%"


def test_results_of_a_sigmoid(talk: Callable[..., bytes]) -> None:
    """Two classes, and a comma behind the last."""
    said = talk((LOADED + "label 1%train%label 2%").encode(), "vww01").decode()
    network = fuzz.network("vww01")
    sample = np.frombuffer(bytes.fromhex("00ff8020406001c0e0"), np.uint8)
    device = NumpyDevice(network, Pepita())
    logits = np.array([0, device.infer(sample).logits[0]], np.int16)
    both = probabilities(logits, network.result_frac(1)) / 2**15
    assert f"m-results-[{both[0]:.3f},{both[1]:.3f},]" in said
    step = device.train(sample, 1)
    assert f"m-trained-[{step.predicted},{step.label_probability:.3f},1]" in said
    assert "e-[Label must be 0 to 1]" in said


def test_results_of_a_regression(talk: Callable[..., bytes]) -> None:
    """Outputs, also below zero; a target does not come as text."""
    said = talk((LOADED + "label 1%train%").encode(), "reg01").decode()
    network = fuzz.network("reg01")
    sample = np.frombuffer(bytes.fromhex("00ff8020406001c0e0"), np.uint8)
    outputs = NumpyDevice(network, Pepita()).infer(sample).logits / 2.0 ** network.result_frac(1)
    assert outputs.min() < 0 < outputs.max()
    assert "m-results-[" + ",".join(f"{value:.3f}" for value in outputs) + "]" in said
    assert "e-[This model takes no label]" in said
    assert "e-[This model learns over the binary link only]" in said


@pytest.mark.parametrize("profile", fuzz.PROFILES)
def test_corpus(host_programs: Callable[[str], Path], profile: str, tmp_path: Path) -> None:
    """Every input that fuzzing found worth keeping."""
    paths = fuzz.unpack(tmp_path / "corpus")
    done = subprocess.run([host_programs(profile), *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(paths)} inputs\n"
    assert len(paths) >= 8
