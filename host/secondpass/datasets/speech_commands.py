# SPDX-License-Identifier: Apache-2.0
"""Spoken words of many people: a subset of the test part of Speech Commands v0.02.

200 clips of one second at 16 kHz of each of 12 classes: ten words, silence, and other words. Part
of a *test* set: accuracies are not comparable with published ones.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass.datasets.dataset import Dataset, LabelArray
from secondpass.datasets.local import DATA_VARIABLE
from secondpass.datasets.own import SPEECH_STEP
from secondpass.errors import DataError
from secondpass.features import mfcc
from secondpass.toolchain import require_module

NAME = "speech-commands"
FOLDER = "speech-commands-v0.02-test-subset"
SHA256 = "c91e31565f3fd765df50c60c3473ccb9e04f438cd2f24499ea6b015c48bead8c"
ORIGIN = "Google's Speech Commands v0.02 (CC BY 4.0), 200 clips a class of its test set as FLAC"

WORDS = (
    "down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "_silence_", "_unknown_",
)  # fmt: skip
"""Name of each label, in the order of the MLCommons Tiny benchmark."""
SILENCE = WORDS.index("_silence_")

PARTS = 3
"""Parts that people are dealt into; the first is the test part of `load_speech_commands`."""
_DEAL_SEED = 0


@dataclass(frozen=True, eq=False)
class Recordings:
    """Clips int16 (count, 16000), labels and speakers int64 (count,).

    A speaker is the number in the file's name; every clip of silence counts as one of its own,
    negative.
    """

    sounds: npt.NDArray[np.int16]
    labels: LabelArray
    speakers: LabelArray


def missing_reason() -> str | None:
    """Return what is missing and what to do about it, or None when the set is there."""
    if _folder() is not None:
        return None
    folder = os.environ.get(DATA_VARIABLE)
    looked = f" (now {folder})" if folder else ""
    return (
        f"{NAME} is not on this computer and has no download: set {DATA_VARIABLE}{looked} to a "
        f"folder that holds {FOLDER}/; the data come from {ORIGIN}"
    )


def load_recordings() -> Recordings:
    """Return all clips, sorted by class and file.

    Raises `DataError` when the folder is missing or is not the one this loader was made for.
    """
    folder = _folder()
    if folder is None:
        raise DataError(str(missing_reason()))
    require_module("soundfile", "audio")
    files = [(path, label) for label, word in enumerate(WORDS) for path in _clips(folder / word)]
    found = digest([path for path, _ in files])
    if found != SHA256:
        raise DataError(
            f"{folder} is not the folder this loader was made for: the SHA-256 of its {len(files)} "
            f"clips is {found}, not {SHA256}; replace it (the data come from {ORIGIN})"
        )
    return read_recordings(files)


def read_recordings(files: list[tuple[Path, int]]) -> Recordings:
    """Return the clips of files with their labels."""
    import soundfile

    sounds, speakers = [], []
    for number, (path, label) in enumerate(files):
        sounds.append(soundfile.read(path, dtype="int16")[0])
        speakers.append(-1 - number if label == SILENCE else speaker(path.name))
    labels = np.array([label for _, label in files], dtype=np.int64)
    return Recordings(np.stack(sounds), labels, np.array(speakers, dtype=np.int64))


def load_speech_commands() -> Dataset:
    """Return speech features int8 (count, 490); groups are speakers, and none is in both parts.

    A third of the speakers make the test part. Raises `DataError` as `load_recordings` does.
    """
    recordings = load_recordings()
    features = mfcc.mfcc(recordings.sounds)
    held_out = deal(recordings.speakers) == 0
    rng = np.random.default_rng(_DEAL_SEED)
    train = rng.permutation(np.flatnonzero(~held_out))
    test = rng.permutation(np.flatnonzero(held_out))
    return Dataset(
        NAME,
        features[train],
        recordings.labels[train],
        features[test],
        recordings.labels[test],
        len(WORDS),
        SPEECH_STEP,
        mfcc.ZERO_POINT,
        recordings.speakers[train],
        recordings.speakers[test],
    )


def deal(speakers: LabelArray) -> LabelArray:
    """Return the part, 0 to 2, of every clip: a speaker is in one, parts have about equal clips.

    People and clips of silence are dealt apart, so that every part has its share of silence.
    """
    rng = np.random.default_rng(_DEAL_SEED)
    parts = np.zeros(len(speakers), dtype=np.int64)
    for kind in (speakers >= 0, speakers < 0):
        sizes = np.zeros(PARTS, dtype=np.int64)
        for person in rng.permutation(np.unique(speakers[kind])):
            own = speakers == person
            smallest = int(sizes.argmin())
            parts[own] = smallest
            sizes[smallest] += int(own.sum())
    return parts


def speaker(name: str) -> int:
    """Return the number of the speaker from a file's name: hexadecimal, ahead of `_nohash_`."""
    return int(name.split("_nohash_")[0].rpartition("_")[2], 16)


def digest(paths: list[Path]) -> str:
    """Return the SHA-256 of names and contents of files, in order."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.parent.name}/{path.name}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _clips(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.flac"))


def _folder() -> Path | None:
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        return None
    path = Path(folder) / FOLDER
    return path if path.is_dir() else None
