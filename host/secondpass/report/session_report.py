# SPDX-License-Identifier: Apache-2.0
"""The report of a session, made from its log: one HTML file, or one picture."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from secondpass import modelfile
from secondpass.boards import board_ids, load_board
from secondpass.errors import DataError
from secondpass.monitor.events import (
    AnyEvent,
    Ended,
    Evaluated,
    Look,
    Started,
    Step,
    read_log,
)
from secondpass.report import charts
from secondpass.toolchain import require_module
from secondpass_codegen.memory import plan

Chart = Callable[[Any], None]


def write_report(session: Path, out: Path | None = None) -> Path:
    """Write `out` (.html or .png; in the session's folder when None) and return it.

    Raises `DataError` when the log cannot be read, `ToolMissingError` without matplotlib.
    """
    require_module("matplotlib", "report")
    events = read_log(session)
    folder = session if session.is_dir() else session.parent
    target = out or folder / "report.html"
    writers = {".html": _write_html, ".png": _write_png}
    if target.suffix not in writers:
        raise DataError(f"{target} is neither .html nor .png")
    target.parent.mkdir(parents=True, exist_ok=True)
    writers[target.suffix](target, events, _charts(events, folder / "network.spn"))
    return target


def facts(events: list[AnyEvent]) -> dict[str, str]:
    """Return what the report says in words, by its heading."""
    started = _started(events)
    steps = [event for event in events if isinstance(event, Step)]
    looks = [event for event in events if isinstance(event, Look)]
    found = {
        "device": f"{started.board} ({started.core}), at {started.port}",
        "firmware": f"{started.firmware}, model {started.model}",
        "network": f"{started.shape}, {started.format}, {started.head}",
        "rule": f"{started.rule}, learning rate {started.learning_rate:g}",
        "data": f"{started.data}: {started.samples} samples, {started.epochs} epochs, order of "
        f"seed {started.seed}",
        "learned": f"{len(steps)} samples in {events[-1].time:.1f} s",
    }
    ticks = [step.ticks for step in steps if step.ticks]
    if ticks and started.ticks_hz:
        mean = sum(ticks) / len(ticks)
        unit = "cycles" if started.counts_cycles else "timer ticks"
        found["a step"] = f"{mean:,.0f} {unit}, {1000 * mean / started.ticks_hz:.2f} ms"
    if looks:
        last = looks[-1]
        found["stack"] = f"{last.stack_used} of {started.stack_bytes} bytes used at most"
        found["link errors"] = (
            f"{last.crc_errors} checksums, {last.frame_errors} frames, {last.overruns} overruns, "
            f"{last.repeats} requests repeated"
        )
    ends = [event for event in events if isinstance(event, Ended)]
    found["end"] = (
        f"{ends[-1].reason}; the device rests at step {ends[-1].step}, weights "
        f"{ends[-1].weights or 'not read'}"
        if ends
        else "the log ends without an end: the program was ended"
    )
    return found


def _started(events: list[AnyEvent]) -> Started:
    assert isinstance(events[0], Started)
    return events[0]


def memory_parts(started: Started, model: Path) -> dict[str, int]:
    """Return the device's RAM in bytes by part; with the session's model, its parts as well."""
    parts = {"model": started.model_bytes}
    if model.is_file():
        network, rule = modelfile.load(model)
        memory = plan(network, rule)
        parts = {f"weights of {name}": size for name, size in memory.weights.items() if size}
        parts |= {"Q": memory.folded} if memory.folded else {}
        parts |= {"vectors": memory.arena}
        parts["counters, settings"] = started.model_bytes - sum(parts.values())
    return {**parts, "link": started.link_bytes, "stack": started.stack_bytes}


def _charts(events: list[AnyEvent], model: Path) -> dict[str, Chart]:
    """Return the charts that a session has something for; `model` is its file, if still there."""
    started = _started(events)
    found: dict[str, Chart] = {"curve": lambda axes: charts.learning_curve(axes, started, events)}
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    if evaluations:
        found["held-out"] = lambda axes: charts.held_out(axes, evaluations[-1])
    if any(isinstance(event, Look) for event in events):
        found["layers"] = lambda axes: charts.layer_curves(axes, events)
        found["saturations"] = lambda axes: charts.saturation_curve(axes, events)
    known = started.board in board_ids()
    total = load_board(started.board).memory.ram_bytes if known else None
    parts = memory_parts(started, model)
    if started.model_bytes:
        found["memory"] = lambda axes: charts.memory_bar(axes, parts, total)
    return found


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _write_html(target: Path, events: list[AnyEvent], drawn: dict[str, Chart]) -> None:
    pictures = {}
    for name, draw in drawn.items():
        pyplot = _pyplot()
        size = (9, 1.6) if name == "memory" else (9, 4.5)
        figure, axes = pyplot.subplots(figsize=size, layout="constrained")
        draw(axes)
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        pyplot.close(figure)
        pictures[name] = buffer.getvalue().partition("<svg")[1:]
    environment = Environment(
        loader=PackageLoader("secondpass.report"), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("session.html.j2").render(
        title=f"{_started(events).data} on {_started(events).board}",
        facts=facts(events),
        pictures={name: "".join(parts) for name, parts in pictures.items()},
    )
    target.write_text(page, encoding="utf-8")


def _write_png(target: Path, events: list[AnyEvent], drawn: dict[str, Chart]) -> None:
    pyplot = _pyplot()
    heights = [1 if name == "memory" else 3 for name in drawn]
    figure, axes = pyplot.subplots(
        len(drawn),
        figsize=(9, 1.5 * sum(heights)),
        layout="constrained",
        height_ratios=heights,
        squeeze=False,
    )
    for draw, own in zip(drawn.values(), axes[:, 0], strict=True):
        draw(own)
    lines = "\n".join(f"{name}: {text}" for name, text in facts(events).items())
    figure.suptitle(lines, fontsize=9, ha="left", x=0.05)
    figure.savefig(target, dpi=100, metadata={"Software": None})
    pyplot.close(figure)
