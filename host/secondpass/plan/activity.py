# SPDX-License-Identifier: Apache-2.0
"""What samples make a model do: which inputs are zero, which rows learn, what the gate skips.

Kernels skip zeros and rows without an error, so that the instructions of a step depend on these.
The NumPy reference takes the steps and is watched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.integer.kernels import Activation
from secondpass.integer.reference import ReferenceModel
from secondpass.integer.state import Response, Target
from secondpass.network import Int16Array, Network
from secondpass.rules import Rule
from secondpass.spectral import SpectralNetwork

STEPS = 1000
"""Steps that a typical step is the mean of: those behind the first weights."""


@dataclass(frozen=True)
class Vector:
    """How many groups of so many neighbours are not all zero, by the size of the group.

    `listed`: groups in the list that the kernels skip zeros with; None: they visit all, as more
    than half of them are not zero. `scanned`: groups that were looked at for it.
    """

    length: int
    occupied: dict[int, int]
    listed: int | None
    scanned: int


@dataclass(frozen=True)
class Rows:
    """Rows that an update touches, and those for which the row gate throws its dice."""

    active: int
    thinned: int


@dataclass(frozen=True)
class Activity:
    """One sample: what every layer reads, and by layer and `second` update its rows."""

    vectors: tuple[Vector, ...]
    rows: dict[tuple[int, bool], Rows] = field(default_factory=dict)
    skipped: bool = False


def group_size(format: str) -> int:
    """Return how many neighbours a list of a format takes together: pairs or quads."""
    return 2 if format == "a16w16" else 4


def vector_of(values: Activation, group: int) -> Vector:
    """Look at a vector (length,) as the kernels do."""
    length = len(values)
    occupied = {size: int(_groups(values, size).sum()) for size in (1, 2, 4, 8)}
    whole = values if group == 2 else values[: length // 4 * 4]  # no quad for what is left
    present = np.flatnonzero(_groups(whole, group))
    count = -(-len(whole) // group)
    held = count // 2
    if len(present) > held:
        return Vector(length, occupied, None, int(present[held]) + 1)
    return Vector(length, occupied, len(present), count)


def full_vector(length: int, group: int, listed: bool) -> Vector:
    """Return a vector without a zero, or one that just has a list: the dearest there are."""
    occupied = {size: -(-length // size) for size in (1, 2, 4, 8)}
    count = -(-length // group) if group == 2 else length // 4
    return Vector(length, occupied, count // 2 if listed else None, count)


def _groups(values: Activation, size: int) -> npt.NDArray[np.bool_]:
    padded = np.pad(values, (0, -len(values) % size))
    return np.asarray(padded.reshape(-1, size).any(axis=1))


class _Watched(ReferenceModel):
    """The reference, noting what the first pass reads and what updates touch."""

    def __init__(self, network: Network, rule: Rule) -> None:
        super().__init__(network, rule)
        self.read: dict[int, Activation] = {}
        self.rows: dict[tuple[int, bool], Rows] = {}

    def respond(self, index: int, inputs: Activation, part: str = "forward") -> Response:
        self.read.setdefault(index, inputs)
        return super().respond(index, inputs, part)

    def update(
        self, index: int, delta: Int16Array, presynaptic: Activation, second: bool = False
    ) -> Int16Array:
        gate = self.settings.row_gates[index]
        magnitude = np.abs(delta.astype(np.int64))
        thinned = int(((magnitude > 0) & (magnitude < gate)).sum())
        errors = super().update(index, delta, presynaptic, second)
        self.rows[index, second] = Rows(int(np.count_nonzero(errors)), thinned)
        return errors

    def seen(self, skipped: bool = False) -> Activity:
        """Return what was noted, and forget it."""
        group = group_size(self.network.format)
        vectors = tuple(vector_of(values, group) for _, values in sorted(self.read.items()))
        activity = Activity(vectors, self.rows, skipped)
        self.read, self.rows = {}, {}
        return activity


def _behind_features(network: Network, raw: npt.NDArray[Any]) -> tuple[Network, npt.NDArray[Any]]:
    """Return what reads features, and them: making them takes the same whatever they are."""
    if isinstance(network, SpectralNetwork):
        return network.upper, network.front.features(raw)
    return network, raw


def watch_inference(network: Network, rule: Rule, raw: npt.NDArray[Any]) -> list[Activity]:
    """Return what inferences of raw samples (count, size) with the first weights do."""
    network, raw = _behind_features(network, raw)
    model = _Watched(network, rule)
    found = []
    for sample in raw:
        model.infer(sample)
        found.append(model.seen())
    return found


def watch_training(
    network: Network, rule: Rule, raw: npt.NDArray[Any], targets: Sequence[Target] | Iterable[Any]
) -> list[Activity]:
    """Return what steps from the first weights on do: raw samples (count, size), targets."""
    network, raw = _behind_features(network, raw)
    model = _Watched(network, rule)
    found = []
    for sample, target in zip(raw, targets, strict=True):
        before = model.counters.skipped
        model.train(sample, target)
        found.append(model.seen(skipped=model.counters.skipped > before))
    return found
