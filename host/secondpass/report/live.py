# SPDX-License-Identifier: Apache-2.0
"""The live display of a training session in a terminal."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from secondpass.session import CurvePoint

_REFRESH = 0.1


class LiveDisplay:
    """A progress bar with prequential accuracy, steps a second and saturations."""

    def __init__(self, total: int, title: str, console: Console | None = None) -> None:
        self._progress = Progress(
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
        now = time.perf_counter()
        if now - self._shown < _REFRESH and self._done < self._total:
            return
        self._shown = now
        self._progress.update(
            self._task,
            completed=self._done,
            accuracy=100 * point.prequential_accuracy,
            rate=self._done / max(now - self._started, 1e-9),
            saturations=point.saturations,
        )
