# SPDX-License-Identifier: Apache-2.0
"""A host for devices that speak the serial protocol of MLCommons Tiny, from its description.

It knows the protocol and nothing of the firmware: commands end with '%', answers are lines, the
last of which holds "m-ready".
"""

import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import serial

BYTES_IN_COMMAND = 31
LINE_PATIENCE = 5.0
"""Seconds between two lines of an answer."""
INFER_PATIENCE = 30.0
START_PATIENCE = 5.0
SAMPLE_BYTES = {"ad01": 2560, "kws01": 490, "ic01": 3072, "ic02": 3072, "vww01": 27648}
AD_STRIDE = 512

_LAP = re.compile(r"^m-lap-us-(\d+)$")
_RESULTS = re.compile(r"^m-results-\[(.*)\]$")
_NAME = re.compile(r"^m-name-dut-\[([^\]]*)\]$")
_PROFILE = re.compile(r"^m-profile-\[([^\]]*)\]$")
_MODEL = re.compile(r"^m-model-\[([^\]]*)\]$")


class ProtocolError(Exception):
    """The device said something that the protocol does not allow, or nothing at all."""


@dataclass(frozen=True)
class Measurement:
    """What one `infer` command gave."""

    iterations: int
    microseconds: int
    results: list[float]

    @property
    def throughput(self) -> float:
        """Inferences a second; 0 when no time passed."""
        return self.iterations / self.microseconds * 1e6 if self.microseconds > 0 else 0.0


def numbers(line: str) -> list[float]:
    """Return the values of a result line; a comma at the end is tolerated."""
    found = _RESULTS.match(line)
    if found is None:
        raise ProtocolError(f"{line!r} is not a result line")
    return [float(part) for part in found.group(1).split(",") if part.strip()]


def one(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    """Return the group of the only line that matches."""
    found = [match.group(1) for line in lines if (match := pattern.match(line))]
    if len(found) != 1:
        raise ProtocolError(f"{len(found)} lines match {pattern.pattern} in {lines}")
    return found[0]


class TinyDevice:
    """A device on a serial port; a context manager that closes it."""

    def __init__(self, port: str, baud: int = 115200) -> None:
        self._serial = serial.Serial(port, baud, timeout=0.05)
        self._buffer = b""

    def __enter__(self) -> "TinyDevice":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._serial.close()

    def settle(self, quiet: float = 0.3) -> bytes:
        """Drop what the device said before it was asked; return it."""
        said, self._buffer = self._buffer, b""
        deadline = time.monotonic() + quiet
        while time.monotonic() < deadline:
            if received := self._serial.read(4096):
                said += received
                deadline = time.monotonic() + quiet
        return said

    def send(self, data: bytes) -> None:
        """Put bytes on the wire as they are."""
        self._serial.write(data)

    def lines(self, patience: float = LINE_PATIENCE) -> Iterator[str]:
        """Yield lines up to the one that holds "m-ready"."""
        while True:
            line = self._line(patience)
            if "m-ready" in line:
                if line != "m-ready":
                    raise ProtocolError(f"{line!r} holds m-ready and more")
                return
            yield line

    def command(self, text: str, patience: float = LINE_PATIENCE) -> list[str]:
        """Send one command and return the lines before "m-ready"."""
        self.send(text.encode("ascii") + b"%")
        return list(self.lines(patience))

    def connect(self, patience: float = 30.0) -> str:
        """Wait until the device answers, drop what it said before, and return its name.

        An emulated port may take a while to open. A word that was never sent before tells its
        answer from late ones to earlier words.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            word = f"sync{time.monotonic_ns()}"
            self.send(word.encode() + b"%")
            if self._answered(word, min(deadline, time.monotonic() + 2.0)):
                return self.name()
        raise ProtocolError(f"the device answered nothing within {patience:g} s")

    def _answered(self, word: str, deadline: float) -> bool:
        """Read up to the end of the answer to an unknown word; False when it does not come."""
        wanted = re.compile(rb"e-\[Unknown command: " + word.encode() + rb"\]\r?\nm-ready\r?\n")
        while time.monotonic() < deadline:
            self._buffer += self._serial.read(max(1, self._serial.in_waiting))
            if found := wanted.search(self._buffer):
                self._buffer = self._buffer[found.end() :]
                return True
        return False

    def name(self) -> str:
        """Return vendor and name."""
        return one(_NAME, self.command("name"))

    def profile(self) -> tuple[str, str]:
        """Return the firmware and the id of the benchmark."""
        lines = self.command("profile")
        return one(_PROFILE, lines), one(_MODEL, lines)

    def timestamp(self) -> int:
        """Return the device's time in microseconds."""
        return int(one(_LAP, self.command("timestamp")))

    def load(self, sample: bytes) -> None:
        """Put a sample into the device's buffer; raise `ProtocolError` unless it is whole."""
        said = self.command(f"db load {len(sample)}")
        if said != [f"m-[Expecting {len(sample)} bytes]"]:
            raise ProtocolError(f"the device does not take {len(sample)} bytes: {said}")
        for start in range(0, len(sample), BYTES_IN_COMMAND):
            said = self.command(f"db {sample[start : start + BYTES_IN_COMMAND].hex()}")
        if said != ["m-load-done"]:
            raise ProtocolError(f"the sample is not whole: {said}")

    def stored(self) -> bytes:
        """Return the buffer as `db print` shows it."""
        lines = [line for line in self.command("db print") if line]
        if any(not line.startswith("m-buffer-") for line in lines):
            raise ProtocolError(f"db print said {lines}")
        return bytes.fromhex(
            "".join(line.removeprefix("m-buffer").replace("-", "") for line in lines)
        )

    def infer(self, iterations: int = 1, warmup: int = 0) -> Measurement:
        """Run inferences on the loaded sample and check the order of what the device says."""
        lines = self.command(f"infer {iterations} {warmup}", INFER_PATIENCE)
        said = [line for line in lines if line.startswith(("m-", "e-"))]
        stamps = [int(match.group(1)) for line in said if (match := _LAP.match(line))]
        fixed = [re.sub(r"^m-results-\[.*\]$", "results", _LAP.sub("lap", line)) for line in said]
        expected = [f"m-warmup-start-{warmup}", "m-warmup-done", f"m-infer-start-{iterations}"]
        expected += ["lap", "lap", "m-infer-done", "results"]
        if fixed != expected:
            raise ProtocolError(f"infer said {lines}")
        return Measurement(iterations, stamps[1] - stamps[0], numbers(said[-1]))

    def classify(self, sample: bytes) -> list[float]:
        """Return the results of one sample, normalised to a sum of 1 when there is a sum."""
        self.load(sample)
        values = self.infer().results
        total = sum(values)
        return [value / total for value in values] if total > 0 else values

    def anomaly(
        self, clip: bytes, window: int = SAMPLE_BYTES["ad01"], stride: int = AD_STRIDE
    ) -> float:
        """Return the mean score of all windows of a clip."""
        scores = []
        for start in range(0, len(clip) - window + 1, stride):
            self.load(clip[start : start + window])
            scores += self.infer().results
        return sum(scores) / len(scores)

    def window(self, least_seconds: float, warmup: int = 10) -> Measurement:
        """Run so many inferences that they take at least `least_seconds`; at least 10.

        At most four times as many as before: the rate of a short run says little.
        """
        iterations = 10
        while True:
            measured = self.infer(iterations, warmup)
            if measured.microseconds >= 1e6 * least_seconds:
                return measured
            wanted = math.ceil(1.1 * least_seconds * measured.throughput)
            iterations = min(4 * iterations, max(wanted, iterations + 1))

    def _line(self, patience: float) -> str:
        deadline = time.monotonic() + patience
        while b"\n" not in self._buffer:
            if received := self._serial.read(max(1, self._serial.in_waiting)):
                self._buffer += received
                deadline = time.monotonic() + patience
            elif time.monotonic() > deadline:
                raise ProtocolError(f"no line within {patience:g} s, only {self._buffer!r}")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.replace(b"\r", b"").replace(b"\0", b"").decode("ascii")


def top_1(outputs: Sequence[Sequence[float]], labels: Sequence[int]) -> float:
    """Return the share of outputs whose largest value is at the label."""
    right = sum(
        max(range(len(values)), key=values.__getitem__) == label
        for values, label in zip(outputs, labels, strict=True)
    )
    return right / len(labels)


def auc(scores: Sequence[float], anomalous: Sequence[bool]) -> float:
    """Return the area under the ROC curve: how often an anomaly scores above a normal clip."""
    anomalies = [score for score, is_one in zip(scores, anomalous, strict=True) if is_one]
    normals = [score for score, is_one in zip(scores, anomalous, strict=True) if not is_one]
    wins = sum((a > n) + 0.5 * (a == n) for a in anomalies for n in normals)
    return wins / (len(anomalies) * len(normals))
