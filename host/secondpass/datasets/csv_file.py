# SPDX-License-Identifier: Apache-2.0
"""A table of one's own: a CSV file with a header, every row checked before anything is used."""

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError

LISTED = 10
"""Bad rows that an error lists; it counts the others."""

LARGEST = 1e30
"""Largest magnitude of a number: squares of larger ones leave no room for sums."""

LabelKind = Literal["class", "number", "text"]

_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Columns:
    """Which columns of a file mean what; all that are not named are features.

    `label`: the column to learn. `group`: rows with the same text here are never torn apart.
    `ignored`: columns that are left out. `features`: the features that must be there, in the order
    that a network takes them; None: whatever is left.
    """

    label: str | None = None
    group: str | None = None
    ignored: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of a file: features (rows, columns), and the text of label and group of each row.

    Labels and groups are empty where no column was named. `lines`: the line of each row.
    """

    columns: tuple[str, ...]
    features: npt.NDArray[np.float64]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    lines: tuple[int, ...]


def read_table(
    path: Path,
    columns: Columns,
    labels: Collection[str] | None = None,
    label_kind: LabelKind = "class",
) -> Table:
    """Read a CSV file with a header; commas, semicolons or tabs separate values.

    `labels`: the only ones accepted, if given. A `class` occurs in two rows at least, or it cannot
    be both learned and tested; a `number` is finite; a `text` is anything.
    Raises `DataError` when the file cannot be read or a column is missing, and one that lists the
    bad rows by line: wrong width, missing or unreadable values, unknown labels.
    """
    text = _text(path)
    delimiter = _delimiter(text)
    records = _records(path, text, delimiter)
    header = [name.strip() for name in next(records)[1]]
    rows = _Rows(path, header, columns, labels, label_kind)
    for line, values in records:
        rows.add(line, values)
    return rows.table()


def refuse(path: Path, unit: str, bad: Sequence[str], total: int) -> None:
    """Raise `DataError` listing what is bad in a file or folder, if anything is."""
    if not bad:
        return
    listed = "".join(f"\n  {line}" for line in bad[:LISTED])
    rest = f"\n  and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
    raise DataError(
        f"{path}: {len(bad)} of {total} {unit} cannot be used; mend or delete them "
        f"(nothing was started){listed}{rest}"
    )


def read_number(text: str) -> float | str:
    """Return the finite number that a text holds, or what is wrong with it."""
    stripped = text.strip()
    if not stripped:
        return "is empty"
    try:
        value = float("" if "_" in stripped else stripped)
    except ValueError:
        return f"is {_short(stripped)}, which is no number"
    if not abs(value) <= LARGEST:  # nan too
        return f"is {_short(stripped)}, which is no number to learn from"
    return value


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name a CSV file") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from error
    if not text.strip():
        raise DataError(f"{path} is empty; it takes a header and rows")
    return text


def _delimiter(text: str) -> str:
    """Return the separator that the header has most often."""
    header = text.lstrip().split("\n", 1)[0]
    return max(_DELIMITERS, key=header.count)


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield first line and values of every row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for values in reader:
            if any(value.strip() for value in values):
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: not CSV ({error}); mend the quotes") from error


@dataclass
class _Rows:
    """Collects rows, and what is wrong with them."""

    path: Path
    header: list[str]
    columns: Columns
    labels: Collection[str] | None
    label_kind: LabelKind
    features: list[tuple[int, str]] = field(init=False)
    bad: list[str] = field(default_factory=list)
    total: int = 0
    unread: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_header()
        named = self.columns
        special = {named.label, named.group, *named.ignored}
        wanted = named.features or tuple(name for name in self.header if name not in special)
        if not wanted:
            raise DataError(f"{self.path} has no columns of features beside {_listed(special)}")
        self.features = [(self.header.index(name), name) for name in wanted]
        self._label = None if named.label is None else self.header.index(named.label)
        self._group = None if named.group is None else self.header.index(named.group)
        self._values: list[list[float]] = []
        self._answers: list[str] = []
        self._groups: list[str] = []
        self._lines: list[int] = []

    def _check_header(self) -> None:
        repeated = [name for name in set(self.header) if self.header.count(name) > 1]
        if repeated:
            raise DataError(f"{self.path}, line 1: the column {_short(repeated[0])} occurs twice")
        if "" in self.header:
            number = self.header.index("") + 1
            raise DataError(f"{self.path}, line 1: column {number} has no name; give it one")
        named = self.columns
        for name in (named.label, named.group, *named.ignored, *(named.features or ())):
            if name is not None and name not in self.header:
                raise DataError(
                    f"{self.path} has no column {_short(name)}; it has {_listed(self.header)}"
                )
        if all(isinstance(read_number(name), float) for name in self.header):
            raise DataError(
                f"{self.path}, line 1: a row of numbers; the first line must name the columns"
            )

    def add(self, line: int, values: list[str]) -> None:
        """Take a row, or note what is wrong with it."""
        self.total += 1
        problem = self._problem(values)
        if problem:
            self.bad.append(f"line {line}: {problem}")
            return
        self._values.append([float(values[index]) for index, _ in self.features])
        self._answers.append("" if self._label is None else values[self._label].strip())
        self._groups.append("" if self._group is None else values[self._group].strip())
        self._lines.append(line)

    def _problem(self, values: list[str]) -> str | None:
        if len(values) != len(self.header):
            return f"{len(values)} values, the header has {len(self.header)}"
        problems = []
        for index, name in self.features:
            read = read_number(values[index])
            if isinstance(read, str):
                problems.append(f"{name} {read}")
                self.unread[name] = self.unread.get(name, 0) + 1
        if self._label is not None:
            problems.extend(self._label_problem(values[self._label].strip()))
        if self._group is not None and not values[self._group].strip():
            problems.append(f"{self.columns.group} is empty")
        return _first(problems)

    def _label_problem(self, text: str) -> list[str]:
        name = self.columns.label
        if not text:
            return [f"{name} is empty"]
        if self.label_kind == "number":
            read = read_number(text)
            return [f"{name} {read}"] if isinstance(read, str) else []
        if self.labels is not None and text not in self.labels:
            return [f"{name} is {_short(text)}, which is none of {_listed(self.labels)}"]
        return []

    def _find_lone_labels(self) -> None:
        """Note rows whose label no other row has: often a slip of the pen."""
        counts = Counter(self._answers)
        for line, text in zip(self._lines, self._answers, strict=True):
            if counts[text] == 1:
                name = self.columns.label
                self.bad.append(f"line {line}: {name} is {_short(text)} in no other row")

    def table(self) -> Table:
        """Return the rows; raise `DataError` unless all of them can be used."""
        if not self.total:
            raise DataError(f"{self.path} has a header and no rows")
        for name, count in self.unread.items():
            if count == self.total:
                raise DataError(
                    f"{self.path}: the column {_short(name)} holds no numbers; leave it out "
                    f"with --ignore {name}, or name it as the label"
                )
        if self.label_kind == "class" and self.labels is None and self._label is not None:
            self._find_lone_labels()
        refuse(self.path, "rows", self.bad, self.total)
        return Table(
            tuple(name for _, name in self.features),
            np.array(self._values, dtype=np.float64),
            tuple(self._answers),
            tuple(self._groups),
            tuple(self._lines),
        )


def _first(problems: list[str]) -> str | None:
    if len(problems) > 2:
        return f"{problems[0]}, and {len(problems) - 1} values more"
    return " and ".join(problems) or None


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _listed(names: Collection[str | None]) -> str:
    """Return names as text, the first dozen of many."""
    chosen = [name for name in names if name is not None]
    rest = f" and {len(chosen) - 12} more" if len(chosen) > 12 else ""
    return ", ".join(chosen[:12]) + rest
