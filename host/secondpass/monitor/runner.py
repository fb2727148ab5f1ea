# SPDX-License-Identifier: Apache-2.0
"""Runs a session against a device: learns sample by sample, obeys commands, survives the cable.

The order of samples depends on the seed alone, and the session begins with a reset of the model, so
the device's own step count says which sample is next. That is how a session goes on after the
cable was pulled, after a power cut and after this program was ended.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from secondpass.device.interface import Sample, TrainStep, read_weights
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import RefusedError
from secondpass.errors import DataError, DeviceError, DeviceRestartedError
from secondpass.learning import step_settings
from secondpass.modelfile import Origin, fingerprint
from secondpass.monitor.events import (
    AnyEvent,
    Ended,
    Evaluated,
    Link,
    Paused,
    Rate,
    Saved,
    Started,
    Step,
)
from secondpass.monitor.line import GivenUpError, Line
from secondpass.monitor.looks import Looks
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass.session import PrequentialAccuracy, curve_point, presentation_orders

ANSWER_SECONDS = 4.0
"""Five tries of 0.8 s: an answer that is overdue is noticed within a second."""
BLOCK_SECONDS = 0.25
"""Commands are obeyed between blocks of about this long."""
HEARTBEAT_SECONDS = 0.5
LOOK_SECONDS = 1.0
RATE_FACTOR = 1.25


class Command(Enum):
    """What a user may ask for while a session runs."""

    PAUSE = "pause"
    FASTER = "faster"
    SLOWER = "slower"
    SAVE = "save"
    EVALUATE = "evaluate"
    STOP = "stop"


class Begin(Enum):
    """Where a session begins.

    RESET: with the first weights. KEEP: with what the device holds, at the first sample. RESUME: at
    the sample behind the device's last step; a device that has made none loads its checkpoint.
    """

    RESET = "reset"
    KEEP = "keep"
    RESUME = "resume"


@dataclass(frozen=True)
class SessionPlan:
    """What is learned and in which order; the held-out part is evaluated at the end.

    Labels are those of classes, or targets (count, outputs) of a regression; an anomaly detector's
    are 0, and 1 for what is abnormal among the held-out samples.
    `save_every`: steps between checkpoints, 0: none are saved unasked.
    """

    name: str
    samples: Sample
    labels: npt.NDArray[np.integer]
    held_out: Sample
    held_out_labels: npt.NDArray[np.integer]
    epochs: int = 1
    seed: int = 1
    save_every: int = 0
    begin: Begin = Begin.RESET

    def __post_init__(self) -> None:
        if len(self.samples) != len(self.labels) or not len(self.samples):
            raise DataError(f"{len(self.samples)} samples with {len(self.labels)} labels")

    @property
    def total(self) -> int:
        """Steps of the whole session."""
        return len(self.samples) * self.epochs

    def order(self) -> npt.NDArray[np.int64]:
        """Return the index (total,) of the sample at every position."""
        orders = presentation_orders(len(self.samples), self.epochs, self.seed)
        return np.concatenate(list(orders))


class Runner:
    """One session. `run` works in the caller's thread; `command` may be called from any.

    Afterwards `trained` is the network with the device's weights and `origin` the device, if the
    session's end could read them.
    """

    def __init__(
        self,
        port: str,
        network: Network,
        rule: Rule,
        plan: SessionPlan,
        emit: Callable[[AnyEvent], None],
    ) -> None:
        self.network, self.rule, self.plan = network, rule, plan
        self._port = port
        self._emit = emit
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._give_up = threading.Event()
        self._line = Line(port, self._give_up, self._link)
        self._order = plan.order()
        self._position = 0
        self._first_step = 0
        self._scored = network.head in ("reconstruction", "mse")
        self._running = PrequentialAccuracy()
        self._rate = rule.learning_rate
        self._paused = False
        self._stopping = False
        self._block = 1
        self._began = time.monotonic()

    def command(self, command: Command) -> None:
        """Ask for something; a second STOP does not wait for a device that is away."""
        if command is Command.STOP:
            if self._stopping:
                self._give_up.set()
            self._stopping = True
        self._commands.put(command)

    def run(self) -> Ended:
        """Run to the end, or until STOP; return how it ended.

        Raises `DeviceError` when nothing answers at the beginning, or another model does.
        """
        self._began = time.monotonic()
        self._device = LinkDevice(
            self._line.open(), self.network, self.rule, ANSWER_SECONDS, self._line
        )
        try:
            self._looks = Looks(self._device, self.network)
            self._start()
            while True:
                try:
                    return self._end(self._to_the_end())
                except DeviceRestartedError as error:
                    self._recover(error)
        except GivenUpError as error:
            return self._ended(str(error))
        finally:
            self._device.close()

    def _now(self) -> float:
        return round(time.monotonic() - self._began, 4)

    @property
    def _step(self) -> int:
        """The device's step count behind the last learned sample."""
        return self._first_step + self._position

    def _link(self, state: str, detail: str) -> None:
        self._emit(Link(time=self._now(), state=state, detail=detail))

    def _start(self) -> None:
        """Bring the device to the session's beginning and say who it is."""
        device, plan = self._device, self.plan
        if plan.begin is Begin.RESET:
            device.reset()
        step = device.statistics().counters.step
        if plan.begin is Begin.KEEP:
            self._first_step = step
        elif plan.begin is Begin.RESUME:
            self._position = step or self._load()
            if self._position > plan.total:
                raise DataError(
                    f"the device is at step {self._position}, behind this session's last of "
                    f"{plan.total}: it belongs to another session"
                )
        info = device.info
        self._emit(
            Started(
                time=self._now(),
                port=self._port,
                board=info.board,
                core=info.core,
                firmware=info.firmware_version,
                model=f"{info.model_hash:016x}",
                shape=self.network.shape,
                format=self.network.format,
                head=self.network.head,
                rule=self.rule.name,
                learning_rate=self._rate,
                data=plan.name,
                seed=plan.seed,
                samples=len(plan.samples),
                epochs=plan.epochs,
                outputs=[layer.outputs for layer in self.network.layers],
                model_bytes=info.model_bytes,
                link_bytes=info.link_bytes,
                stack_bytes=info.stack_bytes,
                ticks_hz=info.ticks_hz,
                counts_cycles=info.counts_cycles,
                position=self._position,
                step=self._step,
            )
        )
        self._looks.first()

    def _load(self) -> int:
        """Load the device's checkpoint and return its step; 0: there is none, it begins anew."""
        try:
            return self._device.load_checkpoint()
        except RefusedError:
            self._device.reset()
            return 0

    def _to_the_end(self) -> str:
        looked = time.monotonic()
        while self._position < self.plan.total:
            self._obey()
            if self._stopping:
                return "stopped"
            if self._paused:
                self._wait_paused()
            else:
                self._learn_block()
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                self._look()
        self._obey()
        return "complete"

    def _wait_paused(self) -> None:
        """Wait for a command; it is put back for `_obey`."""
        try:
            self._commands.put(self._commands.get(timeout=HEARTBEAT_SECONDS))
        except queue.Empty:
            self._device.statistics()  # so that a pulled cable is noticed while nothing is sent

    def _look(self) -> None:
        self._emit(self._looks.look(self._now(), self._device.repeats))

    def _learn_block(self) -> None:
        """Learn a block of samples; its length follows the device's speed."""
        plan, first = self.plan, self._position
        length = min(self._block, plan.total - first, self._to_next_save(first))
        began = time.monotonic()
        for outcome in self._outcomes(self._order[first : first + length]):
            self._learned(outcome)
        if time.monotonic() - began < BLOCK_SECONDS / 2:
            self._block = min(2 * self._block, 1024)
        elif time.monotonic() - began > BLOCK_SECONDS:
            self._block = max(1, self._block // 2)
        if plan.save_every and self._step % plan.save_every == 0:
            self._save()

    def _to_next_save(self, position: int) -> int:
        every = self.plan.save_every
        return every - (self._first_step + position) % every if every else self.plan.total

    def _outcomes(self, indices: npt.NDArray[np.int64]) -> Iterator[TrainStep]:
        labels = self.plan.labels[indices]
        targets = labels.tolist() if labels.ndim == 1 else labels  # plain integers are logged
        return self._device.train_stream(self.plan.samples[indices], targets)

    def _learned(self, outcome: TrainStep) -> None:
        scored = self._scored
        running = self._running.add(outcome.score if scored else outcome.correct)
        point = curve_point(outcome, running)
        sample = int(self._order[self._position])
        self._position += 1
        self._emit(
            Step(
                time=self._now(),
                position=self._position,
                sample=sample,
                step=outcome.step,
                label=outcome.label,
                predicted=outcome.predicted,
                loss=0.0 if scored else round(point.loss, 5),
                score=outcome.score,
                running=round(running, 6),
                saturations=outcome.saturations,
                ticks=outcome.ticks,
            )
        )

    def _recover(self, error: DeviceRestartedError) -> None:
        """Open a new session with a device that was restarted, and go back to what it still knows.

        Samples behind its checkpoint are learned again, in their order: to the same bits.
        """
        self._link("restarted", str(error))
        self._device.open_session()
        step = self._device.statistics().counters.step
        loaded = step if step > self._first_step else self._load()
        if loaded < self._first_step:
            raise DeviceError(
                f"the device was restarted and is back at step {loaded}; this session began at "
                f"step {self._first_step}, which it has lost: begin again"
            )
        self._position = loaded - self._first_step
        if self._rate != self.rule.learning_rate:
            self._configure()
        self._looks.first()
        self._link("resumed", f"at step {loaded}")

    def _obey(self) -> None:
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            if command is Command.PAUSE:
                self._paused = not self._paused
                self._emit(Paused(time=self._now(), paused=self._paused))
            elif command in (Command.FASTER, Command.SLOWER):
                self._rate *= RATE_FACTOR if command is Command.FASTER else 1 / RATE_FACTOR
                self._configure()
            elif command is Command.SAVE:
                self._save()
            elif command is Command.EVALUATE:
                self._evaluate()

    def _configure(self) -> None:
        self._device.configure(step_settings(self.network, self.rule, self._rate))
        self._emit(Rate(time=self._now(), learning_rate=self._rate))

    def _save(self) -> None:
        step = self._step
        try:
            report = self._device.save_checkpoint()
        except RefusedError as error:
            self._emit(Saved(time=self._now(), step=step, error=str(error)))
            return
        self._emit(
            Saved(
                time=self._now(),
                step=step,
                bytes_written=report.bytes_written,
                pages_erased=report.pages_erased,
                skipped=report.skipped,
            )
        )

    def _evaluate(self) -> None:
        samples, wanted = self.plan.held_out, self.plan.held_out_labels
        if not len(samples):
            return
        scored, detector = self._scored, self.network.head == "reconstruction"
        outcomes = list(self._device.evaluations(samples, None if detector else wanted))
        self._emit(
            Evaluated(
                time=self._now(),
                step=self._step,
                labels=[] if scored else wanted.tolist(),
                predicted=[] if scored else [outcome.predicted for outcome in outcomes],
                scores=[outcome.score for outcome in outcomes] if scored else [],
                threshold=self._looks.threshold(),
                abnormal=wanted.tolist() if detector else [],
            )
        )

    def _end(self, reason: str) -> Ended:
        """Leave the device in a known state, and say which: its step and its weights."""
        self._evaluate()
        self._look()
        self.trained = self.network.with_weights(read_weights(self._device))
        info = self._device.info
        self.origin = Origin(info.model_hash, info.board, info.core, self._step)
        return self._ended(reason, fingerprint(self.trained))

    def _ended(self, reason: str, weights: str = "") -> Ended:
        event = Ended(
            time=self._now(),
            reason=reason,
            position=self._position,
            step=self._step,
            weights=weights,
        )
        self._emit(event)
        return event
