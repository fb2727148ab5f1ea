# SPDX-License-Identifier: Apache-2.0
"""Own data become a task: samples to learn and to test, and the recipe that made them.

A recipe lies beside the network as `task.json`. It turns further data of the same sensor into the
same raw samples, and names the outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from secondpass.datasets.csv_file import Table
from secondpass.datasets.dataset import LabelArray, SampleArray
from secondpass.datasets.digits import stratified_split
from secondpass.datasets.scaling import Scaling, fit_scaling
from secondpass.datasets.wav_folder import Clips
from secondpass.errors import DataError
from secondpass.features import mfcc

RECIPE_FILE = "task.json"

SPEECH_STEP = 1 / 16
"""Real value of one raw step of speech features for a network: they then deviate by about one."""

SampleType = Literal["uint8", "int8", "int16"]

SAMPLES: dict[str, tuple[SampleType, float, int]] = {
    "uint8": ("uint8", 1 / 32, 128),
    "int16": ("int16", 1 / 4096, 0),
}
"""Type, step in deviations and zero point of scaled features: to 4 deviations, or to 8."""

Goal = Literal["classify", "regression", "anomaly"]
Answers = npt.NDArray[Any]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How rows or clips become raw samples, and what outputs mean.

    A feature x becomes `round((x - centre) / scale / step) + zero_point`, clipped to the sample
    type; features of sounds are raw already and have no centre. A target of a regression t is
    learned as `(t - target_centre) / target_scale`.
    """

    goal: Goal
    source: Literal["csv", "wav"]
    label: str | None
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    normal: str | None
    sample_type: SampleType
    step: float
    zero_point: int
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    target_centre: float = 0.0
    target_scale: float = 1.0

    def samples(self, features: npt.NDArray[Any]) -> SampleArray:
        """Return raw samples (count, size) of features (count, size)."""
        if self.source == "wav":
            return features.astype(np.int8)
        limits = np.iinfo(self.sample_type)
        scaled = (features - np.array(self.centre)) / np.array(self.scale)
        raw = np.rint(scaled / self.step) + self.zero_point
        clipped: SampleArray = np.clip(raw, limits.min, limits.max).astype(self.sample_type)
        return clipped

    def answers(self, labels: Sequence[str]) -> Answers:
        """Return labels int64 (count,), scaled targets (count, 1), or 1 where a row is abnormal."""
        if self.goal == "regression":
            targets = np.array([float(text) for text in labels])[:, None]
            return (targets - self.target_centre) / self.target_scale
        if self.goal == "anomaly":
            return np.array([self.normal is not None and text != self.normal for text in labels])
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index[text] for text in labels], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Examples:
    """Features (count, size) with label and group of each, empty where there are none."""

    features: npt.NDArray[Any]
    labels: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class OwnTask:
    """Raw samples (count, size) with their answers, to learn and to test; how they were made."""

    recipe: Recipe
    train_samples: SampleArray
    train_answers: Answers
    test_samples: SampleArray
    test_answers: Answers

    @property
    def size(self) -> int:
        """Values of a sample."""
        return int(self.train_samples.shape[1])


def table_examples(table: Table) -> Examples:
    """Return the rows of a table."""
    return Examples(table.features, table.labels, table.groups)


def clip_examples(clips: Clips) -> Examples:
    """Return the speech features of clips."""
    return Examples(mfcc.mfcc(clips.sounds), clips.labels, clips.groups)


def make_task(
    examples: Examples,
    goal: Goal,
    test_share: float,
    seed: int,
    columns: tuple[str, ...] = (),
    label: str | None = None,
    normal: str | None = None,
    sample_type: str = "uint8",
) -> OwnTask:
    """Split examples, and scale them by what is to be learned.

    Without columns the features are those of sounds. Of every class a share is for testing; where
    there are groups, whole groups are. An anomaly detector learns from rows labelled `normal`, or
    from all; abnormal rows are for testing. Raises `DataError` when a part would lack something.
    """
    if not 0 < test_share < 1:
        raise DataError(f"--test-share is {test_share:g}; it takes a number between 0 and 1")
    classes = tuple(sorted(set(examples.labels))) if goal == "classify" else ()
    if goal == "classify" and len(classes) < 2:
        raise DataError(f"there is one class, {classes[0]!r}; a classifier takes two or more")
    train, test = split(examples, goal, normal, test_share, seed)
    recipe = _recipe(examples, train, goal, classes, columns, label, normal, sample_type)
    task = apply_recipe(recipe, examples, train, test)
    _require_every_class(task)
    return task


def apply_recipe(
    recipe: Recipe, examples: Examples, train: LabelArray, test: LabelArray
) -> OwnTask:
    """Return a task of examples by a recipe and the indices of its two parts."""
    samples, answers = recipe.samples(examples.features), recipe.answers(examples.labels)
    return OwnTask(recipe, samples[train], answers[train], samples[test], answers[test])


def split(
    examples: Examples, goal: Goal, normal: str | None, test_share: float, seed: int
) -> tuple[LabelArray, LabelArray]:
    """Return shuffled indices (train, test) of examples."""
    count = len(examples.features)
    kinds = np.zeros(count, dtype=np.int64)
    if goal == "classify":
        kinds = np.unique(examples.labels, return_inverse=True)[1].astype(np.int64)
    abnormal = np.zeros(count, dtype=bool)
    if goal == "anomaly" and normal is not None:
        abnormal = np.array([text != normal for text in examples.labels])
        if abnormal.all():
            raise DataError(f"no row is labelled {normal!r}: there is nothing normal to learn")
    usable = np.flatnonzero(~abnormal)
    if any(examples.groups):
        train, test = _split_groups(np.array(examples.groups)[usable], test_share, seed)
    else:
        train, test = stratified_split(kinds[usable], test_share, seed)
    if not len(train) or not len(test):
        raise DataError(
            f"{len(usable)} examples cannot be split: {len(train)} to learn, {len(test)} to test; "
            "give more, or another --test-share"
        )
    return usable[train], np.concatenate([usable[test], np.flatnonzero(abnormal)])


def _split_groups(
    groups: npt.NDArray[np.str_], test_share: float, seed: int
) -> tuple[LabelArray, LabelArray]:
    """Return shuffled indices (train, test) such that no group is in both."""
    rng = np.random.default_rng(seed)
    wanted = test_share * len(groups)
    chosen: list[str] = []
    covered = 0
    for name in rng.permutation(np.unique(groups)):
        size = int(np.count_nonzero(groups == name))
        # a group goes where it leaves the share nearer to what is wanted
        if abs(covered + size - wanted) < abs(covered - wanted):
            chosen.append(name)
            covered += size
    held_out = np.isin(groups, chosen)
    return rng.permutation(np.flatnonzero(~held_out)), rng.permutation(np.flatnonzero(held_out))


def _recipe(
    examples: Examples,
    train: LabelArray,
    goal: Goal,
    classes: tuple[str, ...],
    columns: tuple[str, ...],
    label: str | None,
    normal: str | None,
    sample_type: str,
) -> Recipe:
    shared: dict[str, Any] = {
        "goal": goal,
        "label": label,
        "columns": columns,
        "classes": classes,
        "normal": normal,
    }
    if not columns:
        return Recipe(
            **shared,
            source="wav",
            sample_type="int8",
            step=SPEECH_STEP,
            zero_point=mfcc.ZERO_POINT,
            centre=(),
            scale=(),
        )
    if sample_type not in SAMPLES:
        accepted = " or ".join(SAMPLES)
        raise DataError(f"--sample-type is {sample_type!r}; it takes {accepted}")
    dtype, step, zero_point = SAMPLES[sample_type]
    scaling: Scaling = fit_scaling(examples.features[train])
    if goal == "regression":
        targets = np.array([float(examples.labels[index]) for index in train])
        shared["target_centre"] = float(targets.mean())
        shared["target_scale"] = float(targets.std()) or 1.0
    return Recipe(
        **shared,
        source="csv",
        sample_type=dtype,
        step=step,
        zero_point=zero_point,
        centre=tuple(scaling.centre.tolist()),
        scale=tuple(scaling.scale.tolist()),
    )


def _require_every_class(task: OwnTask) -> None:
    """Raise `DataError` when the split left a class without anything to learn."""
    if task.recipe.goal != "classify":
        return
    counts = np.bincount(task.train_answers, minlength=len(task.recipe.classes))
    missing = [name for name, count in zip(task.recipe.classes, counts, strict=True) if count == 0]
    if missing:
        raise DataError(
            f"no example of {missing[0]!r} is left to learn from; give more, a smaller "
            "--test-share or another --seed"
        )


def save_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(recipe), indent=1) + b"\n")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raise `DataError` when the file is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recipe)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); it lies beside a network that was made "
            "from own data"
        ) from error
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is no recipe of own data ({error})") from error
