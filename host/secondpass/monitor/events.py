# SPDX-License-Identifier: Apache-2.0
"""What happens in a session, one object an event, and its log: JSON, one line an event.

`time` is seconds since the session began.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import msgspec

from secondpass.errors import DataError

LOG_NAME = "session.jsonl"


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=str.lower):
    """Base of all events."""

    time: float


class Started(Event, frozen=True, kw_only=True):
    """The device answered, and this is what will be done with it. Memory in bytes.

    `position` samples of the stream have been learned already; `step` is the device's own count.
    """

    port: str
    board: str
    core: str
    firmware: str
    model: str
    shape: str
    format: str
    head: str
    rule: str
    learning_rate: float
    data: str
    seed: int
    samples: int
    epochs: int
    position: int
    step: int
    outputs: list[int]
    model_bytes: int
    link_bytes: int
    stack_bytes: int
    ticks_hz: int
    counts_cycles: bool


class Step(Event, frozen=True, kw_only=True):
    """One learned sample: its place in the stream, its index in the data, and what came of it.

    `running` is the mean over the last samples: prequential accuracy, or the score of heads
    without labels. `saturations` counts all since the counters were cleared.
    """

    position: int
    sample: int
    step: int
    label: int
    predicted: int
    loss: float
    score: float
    running: float
    saturations: int
    ticks: int


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer since the look before: shares and sums of the steps between the two.

    `active`: share of rows that a step updated. `update`: root mean square change of the sampled
    weights, in real units; None where there is no earlier look.
    """

    active: float
    activation_saturations: int
    error_saturations: int
    weight_saturations: int
    update: float | None


class Look(Event, frozen=True, kw_only=True):
    """The device's statistics, read between two steps.

    `threshold`: score above which a sample is an alarm, None: no such head, or too few scores yet;
    `alarms`: samples above it since the counters were cleared, None: no such head.
    """

    step: int
    layers: list[Layer]
    input_saturations: int
    skipped: int
    crc_errors: int
    frame_errors: int
    overruns: int
    repeats: int
    stack_used: int
    steps_per_second: float
    threshold: float | None = None
    alarms: int | None = None


class Link(Event, frozen=True, kw_only=True):
    """The connection: lost, silent (an answer is overdue), back, or the device had restarted."""

    state: str
    detail: str = ""


class Paused(Event, frozen=True, kw_only=True):
    """The session holds between two steps, or goes on."""

    paused: bool


class Rate(Event, frozen=True, kw_only=True):
    """The learning rate was changed."""

    learning_rate: float


class Saved(Event, frozen=True, kw_only=True):
    """A checkpoint was saved, or why not."""

    step: int
    bytes_written: int = 0
    pages_erased: int = 0
    skipped: bool = False
    error: str = ""


class Evaluated(Event, frozen=True, kw_only=True):
    """Held-out samples: what they were and what the device said, or their scores.

    `threshold`: the device's, above which a score is an alarm; None: there is none. `abnormal`: 1
    for what should be an alarm, empty where nobody knows.
    """

    step: int
    labels: list[int]
    predicted: list[int]
    scores: list[float]
    threshold: float | None = None
    abnormal: list[int] = []

    @property
    def accuracy(self) -> float:
        """Share of right predictions."""
        right = sum(a == b for a, b in zip(self.labels, self.predicted, strict=True))
        return right / max(len(self.labels), 1)

    def describe(self) -> str:
        """Return the outcome in words."""
        if not self.scores:
            return f"accuracy {100 * self.accuracy:.1f} % of {len(self.labels)}"
        return ", ".join(
            f"mean {kind}score {sum(scores) / len(scores):.4g} of {len(scores)}"
            + ("" if self.threshold is None else f", {self.alarms(scores)} alarms")
            for kind, scores in self.kinds().items()
        )

    def alarms(self, scores: list[float]) -> int:
        """Return how many scores are above the threshold, 0 without one."""
        return 0 if self.threshold is None else sum(score > self.threshold for score in scores)

    def kinds(self) -> dict[str, list[float]]:
        """Return scores by "normal " and "abnormal ", or all by "" where nobody knows."""
        if not any(self.abnormal):
            return {"": self.scores}
        parts: dict[str, list[float]] = {"normal ": [], "abnormal ": []}
        for score, abnormal in zip(self.scores, self.abnormal, strict=True):
            parts["abnormal " if abnormal else "normal "].append(score)
        return {kind: scores for kind, scores in parts.items() if scores}


class Ended(Event, frozen=True, kw_only=True):
    """The session is over; the device rests behind `step` and holds weights of that fingerprint."""

    reason: str
    position: int
    step: int
    weights: str = ""


AnyEvent = Started | Step | Look | Link | Paused | Rate | Saved | Evaluated | Ended


class SessionLog:
    """Writes events as they happen; what was written survives whatever ends the session."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def __call__(self, event: AnyEvent) -> None:
        """Write one event."""
        self._stream.write(self._encoder.encode(event).decode() + "\n")
        if not isinstance(event, Step):
            self._stream.flush()


def read_log(path: Path) -> list[AnyEvent]:
    """Read a session's log: a file, or the folder that holds it.

    A last line that was cut short, as by a power cut, is left out. Raises `DataError` naming file
    and line for anything else that is no event.
    """
    file = path / LOG_NAME if path.is_dir() else path
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file} cannot be read ({error}); name the folder of a session, or its {LOG_NAME}"
        ) from error
    events = list(_decoded(file, lines))
    if not events or not isinstance(events[0], Started):
        raise DataError(f"{file} does not begin with the start of a session")
    return events


def _decoded(file: Path, lines: list[str]) -> Iterator[AnyEvent]:
    decoder = msgspec.json.Decoder(AnyEvent)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError as error:
            if number == len(lines):
                return
            raise DataError(f"{file}, line {number}: {error}") from error
