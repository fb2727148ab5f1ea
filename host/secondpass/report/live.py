# SPDX-License-Identifier: Apache-2.0
"""The live display of a training session in a terminal."""

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from secondpass.session import CurvePoint
from secondpass.work import Work

_REFRESH = 0.1


class _Bar(Progress):
    """A progress bar with a line of text under it, for what does not fit beside it."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.below:
            yield Text(self.below, style="dim")


class LiveDisplay:
    """A progress bar with prequential accuracy, steps a second, their work and saturations.

    `work` says what the device's ticks are; without it the device counts none.
    """

    def __init__(
        self, total: int, title: str, console: Console | None = None, work: Work | None = None
    ) -> None:
        self._progress = _Bar(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("prequential {task.fields[accuracy]:5.1f} %"),
            TextColumn("{task.fields[rate]:4.0f} steps/s"),
            TextColumn("{task.fields[saturations]} saturations"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task(
            "train", total=total, accuracy=0.0, rate=0.0, saturations=0
        )
        self._work = work
        self._ticks = 0
        self._started = time.perf_counter()
        self._total = total
        self._done = 0
        self._shown = 0.0

    def __enter__(self) -> "LiveDisplay":
        self._progress.start()
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, point: CurvePoint) -> None:
        """Show a step; the screen is refreshed ten times a second at most."""
        self._done += 1
        self._ticks += point.ticks
        now = time.perf_counter()
        if now - self._shown < _REFRESH and self._done < self._total:
            return
        self._shown = now
        if self._work is not None:
            self._progress.below = self._work.describe(self._ticks / self._done)
        self._progress.update(
            self._task,
            completed=self._done,
            accuracy=100 * point.prequential_accuracy,
            rate=self._done / max(now - self._started, 1e-9),
            saturations=point.saturations,
        )
