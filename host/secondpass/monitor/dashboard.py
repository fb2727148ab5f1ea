# SPDX-License-Identifier: Apache-2.0
"""The session as a live dashboard in the terminal, with keys to steer it."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, ProgressBar, RichLog, Sparkline, Static

from secondpass.errors import SecondpassError
from secondpass.monitor.events import (
    AnyEvent,
    Ended,
    Evaluated,
    Layer,
    Link,
    Look,
    Paused,
    Rate,
    Saved,
    Started,
    Step,
)
from secondpass.monitor.runner import Command, Runner

_POINTS = 400
_REFRESH = 0.2
_COLUMNS = ("layer", "rows updated", "update", "activations", "errors", "weights")


class Dashboard(App[Ended | None]):
    """Shows the events of a runner, which works in a thread of its own.

    `failed` holds the error that ended the session, if one did.
    """

    TITLE = "Secondpass"
    CSS = """
    Sparkline { height: 6; margin: 1 1; }
    #top, #bottom { height: auto; padding: 0 1; }
    #layers { width: 3fr; height: 1fr; }
    #facts { width: 2fr; padding: 0 2; }
    #events { height: 8; border-top: solid $primary; }
    ProgressBar { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("space", "ask('pause')", "pause / go on"),
        ("plus", "ask('faster')", "rate up"),
        ("minus", "ask('slower')", "rate down"),
        ("s", "ask('save')", "save"),
        ("e", "ask('evaluate')", "evaluate"),
        ("q", "ask('stop')", "stop"),
        ("ctrl+c", "ask('stop')", "stop"),
    ]

    def __init__(
        self, make: Callable[[Callable[[AnyEvent], None]], Runner], keep_open: bool = True
    ) -> None:
        super().__init__()
        self.failed: SecondpassError | None = None
        self.runner = make(self._from_runner)
        self._keep_open = keep_open
        self._lock = threading.Lock()
        self._waiting: deque[AnyEvent] = deque()
        self._curve: deque[float] = deque(maxlen=_POINTS)
        self._facts: dict[str, str] = {}
        self._scored = False
        self._step: Step | None = None
        self._over = False
        self._ended: Ended | None = None

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static("connecting ...", id="top")
        yield ProgressBar(id="progress", show_eta=True)
        yield Static("", id="running")
        yield Sparkline([0.0], id="curve")
        with Horizontal():
            yield DataTable(id="layers", cursor_type="none")
            with Vertical():
                yield Static("", id="facts")
        yield RichLog(id="events", wrap=True)
        yield Footer()

    def on_mount(self) -> None:
        """Start the session."""
        self.query_one("#layers", DataTable).add_columns(*_COLUMNS)
        self.set_interval(_REFRESH, self._show_waiting)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def action_ask(self, command: str) -> None:
        """Hand a key's wish to the runner; when the session is over, any stop closes."""
        if self._over and command == "stop":
            self.exit(self._ended)
            return
        self.runner.command(Command(command))

    def _run(self) -> None:
        try:
            self._ended = self.runner.run()
        except SecondpassError as error:
            self.failed = error
        self._over = True
        complete = self._ended is not None and self._ended.reason == "complete"
        if not (complete and self._keep_open):
            self.call_from_thread(self._close)

    def _close(self) -> None:
        self._show_waiting()
        self.exit(self._ended)

    def _from_runner(self, event: AnyEvent) -> None:
        """Take an event in the runner's thread; the screen looks for it a few times a second."""
        with self._lock:
            self._waiting.append(event)

    def _show_waiting(self) -> None:
        with self._lock:
            events = list(self._waiting)
            self._waiting.clear()
        for event in events:
            self._show(event)
        if self._step is not None:
            self._show_step(self._step)
        lines = (f"[b]{name}[/]  {value}" for name, value in self._facts.items())
        self.query_one("#facts", Static).update("\n".join(lines))

    def _show(self, event: AnyEvent) -> None:
        if isinstance(event, Step):
            self._step = event
            self._curve.append(event.running)
        elif isinstance(event, Look):
            self._show_look(event)
        elif isinstance(event, Started):
            self._show_start(event)
        else:
            self._facts |= _facts_of(event)
            self.query_one("#events", RichLog).write(
                f"{time.strftime('%H:%M:%S')} {describe(event)}"
            )

    def _show_start(self, event: Started) -> None:
        self._scored = event.head in ("reconstruction", "mse")
        self.query_one("#top", Static).update(
            f"[b]{event.board}[/] ({event.core}) at {event.port}, firmware {event.firmware}, model "
            f"{event.model}\n{event.shape} {event.format}, {event.rule}, {event.data}, seed "
            f"{event.seed}"
        )
        progress = self.query_one("#progress", ProgressBar)
        progress.update(total=event.samples * event.epochs, progress=event.position)
        self._facts = {
            "link": "connected",
            "rate": f"{event.learning_rate:g}",
            "checkpoint": "none saved in this session",
            "memory": f"model {event.model_bytes}, link {event.link_bytes}, stack "
            f"{event.stack_bytes} bytes",
        }

    def _show_step(self, step: Step) -> None:
        self.query_one("#progress", ProgressBar).update(progress=step.position)
        what = (
            f"anomaly score {step.score:.4g}, mean {step.running:.4g}"
            if self._scored
            else f"prequential accuracy {100 * step.running:.1f} %, loss {step.loss:.3f}"
        )
        text = f" step {step.step}: {what}, {step.saturations} saturations"
        self.query_one("#running", Static).update(text)
        self.query_one("#curve", Sparkline).data = list(self._curve)

    def _show_look(self, look: Look) -> None:
        table = self.query_one("#layers", DataTable)
        table.clear()
        for index, layer in enumerate(look.layers):
            table.add_row(*_layer_cells(index, layer))
        self._facts |= {
            "speed": f"{look.steps_per_second:.0f} steps/s",
            "link errors": f"{look.crc_errors} checksum, {look.frame_errors} frame, "
            f"{look.overruns} overrun, {look.repeats} repeated",
            "stack used": f"{look.stack_used} bytes",
            "skipped": f"{look.skipped} steps below the gate",
        }
        if look.alarms is not None:
            self._facts["threshold"] = describe_threshold(look)


def _layer_cells(index: int, layer: Layer) -> tuple[str, ...]:
    update = "-" if layer.update is None else f"{layer.update:.2e}"
    saturations = (
        layer.activation_saturations,
        layer.error_saturations,
        layer.weight_saturations,
    )
    return (str(index), f"{100 * layer.active:.0f} %", update, *map(str, saturations))


def _facts_of(event: AnyEvent) -> dict[str, str]:
    """Return the lines beside the table that an event changes."""
    if isinstance(event, Link):
        working = event.state in ("back", "resumed")
        return {"link": "connected" if working else f"[red]{event.state}[/]"}
    if isinstance(event, Rate):
        return {"rate": f"{event.learning_rate:g}"}
    if isinstance(event, Saved):
        return {"checkpoint": event.error or f"step {event.step}"}
    if isinstance(event, Paused):
        return {"state": "paused" if event.paused else "learning"}
    if isinstance(event, Evaluated):
        return {"held out": event.describe()}
    return {}


def describe_threshold(look: Look) -> str:
    """Return a detector's threshold, and how many samples were above it."""
    above = "not known yet" if look.threshold is None else f"{look.threshold:.4g}"
    return f"{above}, {look.alarms} alarms"


def describe(event: AnyEvent) -> str:
    """Return an event in one line."""
    if isinstance(event, Link):
        return f"link {event.state}: {event.detail}"
    if isinstance(event, Rate):
        return f"learning rate {event.learning_rate:g}"
    if isinstance(event, Saved):
        if event.error:
            return f"not saved: {event.error}"
        if event.skipped:
            return f"saved already: nothing changed up to step {event.step}"
        return f"saved step {event.step}: {event.bytes_written} bytes, {event.pages_erased} pages"
    if isinstance(event, Paused):
        return "paused" if event.paused else "goes on"
    if isinstance(event, Evaluated):
        return f"step {event.step}: {event.describe()}"
    if isinstance(event, Ended):
        return (
            f"{event.reason} after {event.position} samples; the device rests at step "
            f"{event.step}, weights {event.weights or 'not read'}"
        )
    return type(event).__name__.lower()
