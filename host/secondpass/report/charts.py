# SPDX-License-Identifier: Apache-2.0
"""Charts of a session, drawn into axes that the caller owns."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from secondpass.monitor.events import (
    AnyEvent,
    Evaluated,
    Link,
    Look,
    Paused,
    Rate,
    Saved,
    Started,
    Step,
)

_MARKS = {
    Saved: ("checkpoint", "tab:green"),
    Rate: ("learning rate changed", "tab:purple"),
    Link: ("link", "tab:red"),
    Paused: ("pause", "tab:gray"),
}
_POINTS = 4000
_MOST_FREE = 10
"""Free memory is drawn up to so many times the used one: beyond, nothing else could be seen."""


def is_scored(started: Started) -> bool:
    """Whether the session has scores instead of right and wrong predictions."""
    return started.head in ("reconstruction", "mse")


def learning_curve(axes: Any, started: Started, events: list[AnyEvent]) -> None:
    """Draw prequential accuracy or mean score over the steps, and what happened on the way."""
    steps = [event for event in events if isinstance(event, Step)]
    shown = steps[:: max(len(steps) // _POINTS, 1)]
    factor = 1.0 if is_scored(started) else 100.0
    for part in _unbroken(shown):
        axes.plot([s.step for s in part], [factor * s.running for s in part], color="tab:blue")
    at, named = started.step, set()
    for event in events:
        if isinstance(event, Step):
            at = event.step
        elif type(event) in _MARKS and not (isinstance(event, Link) and event.state == "back"):
            name, colour = _MARKS[type(event)]
            label = None if name in named else name
            named.add(name)
            axes.axvline(at, color=colour, alpha=0.5, linestyle=":", label=label)
    held = [event for event in events if isinstance(event, Evaluated) and event.labels]
    if held:
        points = [event.step for event in held], [100 * event.accuracy for event in held]
        axes.plot(*points, "o", color="tab:orange", label="held-out samples")
    axes.set(
        title="What the device made of each sample before it learned it",
        xlabel="training steps on the device",
        ylabel="mean score" if is_scored(started) else "accuracy in %",
    )
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def _unbroken(steps: list[Step]) -> list[list[Step]]:
    """Cut the curve where a device went back to its checkpoint."""
    parts = [steps[:1]]
    for before, step in pairwise(steps):
        if step.step <= before.step:
            parts.append([])
        parts[-1].append(step)
    return parts


def layer_curves(axes: Any, events: list[AnyEvent]) -> None:
    """Draw the share of rows that a step updated, a line a layer."""
    looks = [event for event in events if isinstance(event, Look) and event.layers]
    layers = len(looks[0].layers) if looks else 0
    for index in range(layers):
        shares = [100 * look.layers[index].active for look in looks]
        axes.plot([look.step for look in looks], shares, marker=".", label=f"layer {index}")
    axes.set(title="Rows that learn", xlabel="training steps", ylabel="% of a layer's rows")
    axes.grid(alpha=0.3)
    if layers:
        axes.legend(loc="best")


def saturation_curve(axes: Any, events: list[AnyEvent]) -> None:
    """Draw saturations a look, by what saturated."""
    looks = [event for event in events if isinstance(event, Look)]
    for kind in ("activation", "error", "weight"):
        sums = [sum(getattr(layer, f"{kind}_saturations") for layer in k.layers) for k in looks]
        axes.plot([look.step for look in looks], sums, marker=".", label=f"{kind}s")
    axes.set(title="Saturations between two looks", xlabel="training steps", ylabel="count")
    axes.grid(alpha=0.3)
    axes.legend(loc="best")


def held_out(axes: Any, evaluated: Evaluated) -> None:
    """Draw the confusion matrix of an evaluation, or the histogram of its scores."""
    if not evaluated.labels:
        _histogram(axes, evaluated)
        return
    matrix = confusion(evaluated)
    axes.imshow(matrix, cmap="Blues")
    middle = matrix.max() / 2
    for (row, column), count in np.ndenumerate(matrix):
        if count and len(matrix) <= 12:
            colour = "white" if count > middle else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    ticks = range(len(matrix))
    axes.set(
        title=f"Held-out samples: {evaluated.describe()}",
        xlabel="predicted",
        ylabel="label",
        xticks=ticks,
        yticks=ticks,
    )


def _histogram(axes: Any, evaluated: Evaluated) -> None:
    """Draw how many scores lie where, and the threshold."""
    kinds = evaluated.kinds()
    axes.hist(
        list(kinds.values()),
        bins=40,
        color=["tab:blue", "tab:orange"][: len(kinds)],
        label=[kind.strip() or "all" for kind in kinds],
        stacked=True,
    )
    if evaluated.threshold is not None:
        above = " and ".join(
            f"{evaluated.alarms(scores)} of {len(scores)} {kind}".rstrip()
            for kind, scores in kinds.items()
        )
        label = f"the device's threshold: {above} above"
        axes.axvline(evaluated.threshold, color="tab:red", linestyle="--", label=label)
    if evaluated.threshold is not None or len(kinds) > 1:
        axes.legend(loc="best")
    axes.set(title="Scores of held-out samples", xlabel="mean squared error", ylabel="samples")


def confusion(evaluated: Evaluated) -> Any:
    """Return counts int (classes, classes): rows are labels, columns predictions."""
    classes = 1 + max([*evaluated.labels, *evaluated.predicted])
    matrix = np.zeros((classes, classes), dtype=int)
    pairs = Counter(zip(evaluated.labels, evaluated.predicted, strict=True))
    for (label, predicted), count in pairs.items():
        matrix[label, predicted] = count
    return matrix


def memory_bar(axes: Any, parts: dict[str, int], total: int | None) -> None:
    """Draw the parts of the device's RAM in bytes beside each other, and what is free."""
    left, used = 0, sum(parts.values())
    rest = 0 if total is None else max(total - used, 0)
    free = {"free": rest} if 0 < rest < _MOST_FREE * used else {}
    for name, size in {**parts, **free}.items():
        colour = "whitesmoke" if name == "free" else None
        axes.barh(0, size, left=left, label=f"{name}: {size:,}", color=colour, edgecolor="gray")
        left += size
    of = "" if total is None else f" of {total:,}"
    axes.set(title=f"RAM: {used:,} bytes{of}", yticks=[], xlim=(0, max(left, 1)))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=3, fontsize=8)
