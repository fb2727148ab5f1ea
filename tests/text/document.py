# SPDX-License-Identifier: Apache-2.0
"""What the protocol's description says a device answers, command by command.

Knows nothing of the firmware. Lines that depend on the model or the time are patterns.
"""

import re
from dataclasses import dataclass, field

LAP = r"m-lap-us-\d+"
START = ["m-timestamp-mode-performance", LAP, "m-init-done", "m-ready"]


def number(word: str) -> int:
    return int(word) if re.fullmatch(r"[+-]?\d+", word) else 0


@dataclass
class Document:
    """The device's side of the description, for a sample of `size` bytes."""

    size: int
    classes: int
    length: int = 0
    stored: int = 0
    label: bool = False
    results: bool = False
    buffer: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.buffer = bytearray(self.size)

    def answer(self, command: str) -> list[str]:
        """Return patterns of the lines that answer a command, with the closing one."""
        words = [word for word in command[:80].split(" ") if word]
        verb = words[0] if words else ""
        known = ("name", "timestamp", "profile", "help", "db", "infer", "results")
        known += ("label", "train", "save", "load", "reset", "stats")
        if verb in known:
            lines = getattr(self, f"_{verb}")(words)
        else:
            shown = re.sub(r"[^ -~]", "?", verb).replace("m-ready", "?-ready")
            lines = [re.escape(f"e-[Unknown command: {shown}]")]
        return [*lines, "m-ready"]

    def _name(self, _: list[str]) -> list[str]:
        return [r"m-name-dut-\[[^]]+\]"]

    def _timestamp(self, _: list[str]) -> list[str]:
        return [LAP]

    def _profile(self, _: list[str]) -> list[str]:
        return [r"m-profile-\[[^]]+\]", r"m-model-\[[a-z0-9]+\]"]

    def _help(self, _: list[str]) -> list[str]:
        return ["(?!m-|e-).+"] * 2

    def _db(self, words: list[str]) -> list[str]:
        if len(words) == 1:
            return [re.escape("e-[Command 'db' requires a subcommand]")]
        if words[1] == "load":
            return self._db_load(words)
        if words[1] == "print":
            shown = [
                "m-buffer" + "".join(f"-{byte:02x}" for byte in self.buffer[at : at + 8])
                for at in range(0, self.length - self.length % 8, 8)
            ]
            if rest := self.length % 8:
                last = self.buffer[self.length - rest : self.length]
                shown += ["m-buffer" + "".join(f"-{byte:02x}" for byte in last), ""]
            return shown
        return self._db_hex(words[1])

    def _db_load(self, words: list[str]) -> list[str]:
        if len(words) == 2:
            return [re.escape("e-[Command 'db load' requires the # of bytes]")]
        size = number(words[2])
        if size == 0:
            return [re.escape("e-[Command 'db load' must be >0 bytes]")]
        self.stored = 0
        if not 0 < size <= self.size:
            self.length = 0
            return [re.escape(f"Supplied buffer size {words[2]} exceeds maximum of {self.size}")]
        self.length = size
        return [re.escape(f"m-[Expecting {size} bytes]")]

    def _db_hex(self, digits: str) -> list[str]:
        if len(digits) % 2:
            return [re.escape("e-[Insufficent number of hex digits]")]
        for at in range(0, len(digits), 2):
            pair = digits[at : at + 2]
            if self.stored == self.length:
                return []
            if not re.fullmatch("[0-9a-fA-F]{2}", pair):
                shown = re.sub(r"[^ -~]", "?", pair)
                return [re.escape(f"e-[Invalid hex digit '{shown}']")]
            self.buffer[self.stored] = int(pair, 16)
            self.stored += 1
            if self.stored == self.length:
                return ["m-load-done"]
        return []

    def _infer(self, words: list[str]) -> list[str]:
        count = number(words[1]) if len(words) > 1 else 1
        warmup = number(words[2]) if len(words) > 2 else 10
        if count <= 0:
            return [re.escape("e-[Inference iterations must be >0]")]
        if warmup < 0:
            return [re.escape("e-[Inference warmup must be >=0]")]
        self.results = True
        missing = []
        if self.stored < self.size:
            missing = [rf"Input db has {self.stored} \w+, expected {self.size}"]
        return [
            *missing,
            f"m-warmup-start-{warmup}",
            "m-warmup-done",
            f"m-infer-start-{count}",
            *(LAP, LAP),
            "m-infer-done",
            *self._results([]),
        ]

    def _results(self, _: list[str]) -> list[str]:
        if not self.results:
            return [re.escape("e-[No results yet]")]
        return [r"m-results-\[" + ",".join([r"\d+\.\d{3}"] * self.classes) + r"\]"]

    def _label(self, words: list[str]) -> list[str]:
        word = words[1] if len(words) > 1 else ""
        if re.fullmatch(r"[+-]?\d+", word) and 0 <= int(word) < self.classes:
            self.label = True
            return [f"m-label-{int(word)}"]
        return [re.escape(f"e-[Label must be 0 to {self.classes - 1}]")]

    def _train(self, words: list[str]) -> list[str]:
        count = number(words[1]) if len(words) > 1 else 1
        if count <= 0:
            return [re.escape("e-[Training steps must be >0]")]
        if self.stored < self.size:
            text = f"e-[Training needs a whole sample: {self.stored} of {self.size} bytes]"
            return [re.escape(text)]
        if not self.label:
            return [re.escape("e-[Training needs a label]")]
        return [f"m-train-start-{count}", LAP, LAP, "m-train-done", r"m-trained-\[\d+,[\d.]+,\d+\]"]

    def _save(self, _: list[str]) -> list[str]:
        return [r"m-saved-\d+"]

    def _load(self, _: list[str]) -> list[str]:
        return [r"m-loaded-\d+|e-\[Command 'load' failed with status 17\]"]

    def _reset(self, _: list[str]) -> list[str]:
        return ["m-reset-done"]

    def _stats(self, _: list[str]) -> list[str]:
        return [r"m-stats-[a-z-]+-\d+"] * 7


def mismatch(said: list[str], patterns: list[str]) -> str:
    """Return where lines differ from what is expected, or an empty string."""
    for line, pattern in zip(said, patterns, strict=False):
        if not re.fullmatch(pattern, line):
            return f"{line!r} is not {pattern!r}"
    return "" if len(said) == len(patterns) else f"{said} is not {patterns}"
