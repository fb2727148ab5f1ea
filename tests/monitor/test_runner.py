# SPDX-License-Identifier: Apache-2.0
"""Sessions with an emulated board: pulled cables, resets and commands leave the learning exact."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from conftest import Board, Subject, same

from secondpass.device.interface import read_weights
from secondpass.device.requests import MAX_TRIES
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError
from secondpass.learning import step_settings
from secondpass.monitor import runner as module
from secondpass.monitor.events import (
    AnyEvent,
    Ended,
    Evaluated,
    Link,
    Look,
    Paused,
    Rate,
    Saved,
    Started,
    Step,
)
from secondpass.monitor.runner import Begin, Command, Runner, SessionPlan

pytestmark = pytest.mark.emulated


class Watched:
    """A runner whose events are kept and may trigger something."""

    def __init__(self, subject: Subject, board: Board, plan: SessionPlan | None = None) -> None:
        self.subject = subject
        self.plan = plan or subject.plan
        self.events: list[AnyEvent] = []
        self.triggers: list[tuple[Callable[[AnyEvent], bool], Callable[[], None]]] = []
        self.runner = Runner(board.cable.port, subject.network, subject.rule, self.plan, self._take)

    def _take(self, event: AnyEvent) -> None:
        self.events.append(event)
        for trigger in list(self.triggers):
            if trigger[0](event):
                self.triggers.remove(trigger)
                trigger[1]()

    def at(self, position: int, act: Callable[[], None]) -> None:
        """Act when the sample before `position` was learned."""
        self.triggers.append((lambda e: isinstance(e, Step) and e.position == position, act))

    def on_link(self, state: str, act: Callable[[], None]) -> None:
        self.triggers.append((lambda e: isinstance(e, Link) and e.state == state, act))

    def run(self) -> Ended:
        return self.runner.run()

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def positions(self) -> list[int]:
        return [event.position for event in self.of(Step)]


def learned_by_twin(subject: Subject, plan: SessionPlan, until: int | None = None) -> HostTwin:
    twin = HostTwin(subject.network, subject.rule)
    for index in plan.order()[:until]:
        twin.train(plan.samples[index], int(plan.labels[index]))
    return twin


def test_a_cable_pulled_at_any_byte_loses_and_repeats_nothing(
    subject: Subject, board: Board
) -> None:
    session = Watched(subject, board)
    # a training request takes 76 bytes: cuts fall into the middle, the end and between two
    board.cable.cut_after(700, 1500, 1501, 1503, 2600, 4000, 4076, 6007, 9000, 12345)
    ended = session.run()
    assert ended.reason == "complete"
    assert session.positions == list(range(1, session.plan.total + 1))
    assert [event.step for event in session.of(Step)] == session.positions
    states = [event.state for event in session.of(Link)]
    assert states.count("lost") == states.count("back") >= 7
    twin = learned_by_twin(subject, session.plan)
    assert same(session.runner.trained, read_weights(twin))


def test_a_cable_that_stays_out_is_waited_for(subject: Subject, board: Board) -> None:
    session = Watched(subject, board)
    session.at(60, board.cable.pull)
    session.on_link("lost", lambda: threading.Timer(1.0, board.cable.plug).start())
    assert session.run().reason == "complete"
    assert session.positions == list(range(1, session.plan.total + 1))
    assert same(session.runner.trained, read_weights(learned_by_twin(subject, session.plan)))


def test_silence_is_noticed_within_a_second(subject: Subject, board: Board) -> None:
    assert module.ANSWER_SECONDS / MAX_TRIES < 1
    assert module.HEARTBEAT_SECONDS + module.ANSWER_SECONDS / MAX_TRIES < 1.5
    session = Watched(subject, board)
    session.at(40, board.cable.stalled.set)
    session.on_link("silent", board.cable.stalled.clear)  # without the notice it hangs for ever
    assert session.run().reason == "complete"
    assert [event.state for event in session.of(Link)] == ["silent", "back"]
    assert session.positions == list(range(1, session.plan.total + 1))
    assert same(session.runner.trained, read_weights(learned_by_twin(subject, session.plan)))


def test_a_cable_pulled_while_paused_is_noticed(subject: Subject, board: Board) -> None:
    session = Watched(subject, board)
    session.at(30, lambda: session.runner.command(Command.PAUSE))
    paused = (lambda e: isinstance(e, Paused) and e.paused, board.cable.pull)
    session.triggers.append(paused)
    session.on_link("lost", board.cable.plug)
    session.on_link("back", lambda: session.runner.command(Command.PAUSE))
    assert session.run().reason == "complete"
    assert [event.paused for event in session.of(Paused)] == [True, False]
    assert session.positions == list(range(1, session.plan.total + 1))


def test_a_reset_board_goes_on_from_its_checkpoint_to_the_same_bits(
    subject: Subject, board: Board
) -> None:
    session = Watched(subject, board, replace(subject.plan, save_every=50))
    session.at(130, board.emulator.reset)
    assert session.run().reason == "complete"
    states = [event.state for event in session.of(Link)]
    assert states[-2:] == ["restarted", "resumed"] or "resumed" in states
    resumed = next(e for e in session.of(Link) if e.state == "resumed")
    assert resumed.detail == "at step 100"
    again = session.positions.index(101, session.positions.index(101) + 1)
    assert session.positions[again:] == list(range(101, session.plan.total + 1))
    assert same(session.runner.trained, read_weights(learned_by_twin(subject, session.plan)))


def test_a_reset_board_without_a_checkpoint_begins_again(subject: Subject, board: Board) -> None:
    session = Watched(subject, board)
    session.at(30, board.emulator.reset)
    assert session.run().reason == "complete"
    assert session.positions[-session.plan.total :] == list(range(1, session.plan.total + 1))
    assert same(session.runner.trained, read_weights(learned_by_twin(subject, session.plan)))


def test_commands_are_carried_out_between_steps(subject: Subject, board: Board) -> None:
    session = Watched(subject, board)
    ask = session.runner.command
    session.at(20, lambda: [ask(c) for c in (Command.SAVE, Command.EVALUATE, Command.FASTER)])
    session.at(200, lambda: ask(Command.STOP))
    ended = session.run()
    assert ended.reason == "stopped"
    assert 200 <= ended.position == session.positions[-1] < session.plan.total
    (saved,) = session.of(Saved)
    assert saved.bytes_written > 0
    assert not saved.error
    (rate,) = session.of(Rate)
    assert rate.learning_rate == pytest.approx(1.25 * subject.rule.learning_rate)
    first, last = session.of(Evaluated)
    assert len(first.predicted) == len(last.predicted) == len(session.plan.held_out)
    twin = learned_by_twin(subject, session.plan, saved.step)
    twin.configure(step_settings(subject.network, subject.rule, rate.learning_rate))
    assert twin.evaluate(session.plan.held_out, session.plan.held_out_labels) == round(
        first.accuracy * 40
    )
    for index in session.plan.order()[saved.step : ended.position]:
        twin.train(session.plan.samples[index], int(session.plan.labels[index]))
    assert same(session.runner.trained, read_weights(twin))
    look = session.of(Look)[-1]
    assert look.stack_used > 0
    assert all(layer.update is None or layer.update > 0 for layer in look.layers)


def test_a_stopped_session_is_resumed(subject: Subject, board: Board) -> None:
    first = Watched(subject, board)
    first.at(100, lambda: first.runner.command(Command.STOP))
    stopped = first.run()
    second = Watched(subject, board, replace(subject.plan, begin=Begin.RESUME))
    assert second.run().reason == "complete"
    assert second.of(Started)[0].position == stopped.position
    assert first.positions + second.positions == list(range(1, subject.plan.total + 1))
    assert same(second.runner.trained, read_weights(learned_by_twin(subject, subject.plan)))


def test_a_session_that_keeps_the_weights_goes_on_learning(subject: Subject, board: Board) -> None:
    short = replace(subject.plan, epochs=1)
    Watched(subject, board, short).run()
    kept = Watched(subject, board, replace(short, begin=Begin.KEEP))
    kept.run()
    assert kept.of(Started)[0].step == 150
    twin = learned_by_twin(subject, short)
    for index in short.order():
        twin.train(short.samples[index], int(short.labels[index]))
    assert same(kept.runner.trained, read_weights(twin))


def test_a_device_of_another_session_is_not_resumed(subject: Subject, board: Board) -> None:
    Watched(subject, board).run()
    shorter = replace(subject.plan, epochs=1, begin=Begin.RESUME)
    with pytest.raises(DataError, match="step 300, behind this session's last of 150"):
        Watched(subject, board, shorter).run()


def test_a_second_stop_does_not_wait_for_the_cable(subject: Subject, board: Board) -> None:
    session = Watched(subject, board)
    session.at(30, board.cable.pull)

    def stop_twice() -> None:
        session.runner.command(Command.STOP)
        session.runner.command(Command.STOP)

    session.on_link("lost", stop_twice)
    ended = session.run()
    assert ended.reason == "stopped while the device was not connected"
    assert ended.weights == ""
