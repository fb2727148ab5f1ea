# SPDX-License-Identifier: Apache-2.0
"""Recordings of one's own: a folder with one sub-folder a class, every file checked first."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass.datasets.audio import SUFFIXES, read_clip
from secondpass.datasets.csv_file import refuse
from secondpass.errors import DataError


@dataclass(frozen=True, eq=False)
class Clips:
    """Sounds of one second, (count, 16000) at 16 kHz, with class, group and file of each.

    Groups are empty where none were asked for.
    """

    sounds: npt.NDArray[np.float64]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    files: tuple[Path, ...]


def read_folder(
    folder: Path, labels: Collection[str] | None = None, separator: str | None = None
) -> Clips:
    """Read every sound of every sub-folder; the sub-folder's name is the class.

    `labels`: the only classes accepted, if given. `separator`: a file's group is its name up to it,
    so that `anna_3.wav` and `anna_4.wav` stay together.
    Raises `DataError` when there is nothing to read, or listing the files that cannot be used.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; it takes one with a sub-folder for each class")
    files = sorted(
        path
        for place in folder.iterdir()
        if place.is_dir()
        for path in place.iterdir()
        if path.suffix.lower() in SUFFIXES
    )
    if not files:
        raise DataError(
            f"{folder} has no {', '.join(SUFFIXES)} files in sub-folders; it takes a sub-folder "
            "for each class"
        )
    sounds, bad = [], []
    for path in files:
        problem = _name_problem(path, labels, separator)
        if problem is None:
            try:
                sounds.append(read_clip(path))
                continue
            except DataError as error:
                problem = str(error)
        bad.append(f"{path.parent.name}/{path.name}: {problem}")
    refuse(folder, "files", bad, len(files))
    return Clips(
        np.stack(sounds),
        tuple(path.parent.name for path in files),
        tuple(path.name.partition(separator)[0] if separator else "" for path in files),
        tuple(files),
    )


def _name_problem(path: Path, labels: Collection[str] | None, separator: str | None) -> str | None:
    """Return what is wrong with a file's class or name, if anything is."""
    if labels is not None and path.parent.name not in labels:
        return f"the class is none of {', '.join(labels)}"
    if separator and separator not in path.name:
        return f"no {separator!r} in the name to end the group"
    return None
