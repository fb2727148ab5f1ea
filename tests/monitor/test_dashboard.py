# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a terminal of its own, its keys pressed, an emulated board behind it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from conftest import BOARD, Board, Subject
from textual.pilot import Pilot
from textual.widgets import DataTable, ProgressBar, Static

from secondpass.errors import DeviceError
from secondpass.monitor.dashboard import Dashboard
from secondpass.monitor.events import AnyEvent, Evaluated, Paused, Rate, Saved, Step
from secondpass.monitor.runner import Runner

pytestmark = pytest.mark.emulated


def text_of(screen: Dashboard, name: str) -> str:
    return str(screen.query_one(name, Static).content)


async def until(pilot: Pilot, condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        await pilot.pause(0.05)
    pytest.fail("what was waited for did not happen within a minute")


def dashboard(subject: Subject, port: str, epochs: int) -> tuple[Dashboard, list[AnyEvent]]:
    events: list[AnyEvent] = []

    def make(show: Callable[[AnyEvent], None]) -> Runner:
        def emit(event: AnyEvent) -> None:
            events.append(event)
            show(event)

        plan = replace(subject.plan, epochs=epochs)
        return Runner(port, subject.network, subject.rule, plan, emit)

    return Dashboard(make), events


def test_keys_steer_the_session_and_the_screen_shows_it(subject: Subject, board: Board) -> None:
    screen, events = dashboard(subject, board.cable.port, epochs=60)

    def seen(kind: type) -> list[AnyEvent]:
        return [event for event in events if isinstance(event, kind)]

    async def press() -> None:
        async with screen.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: screen.query_one("#layers", DataTable).row_count == 2)
            assert BOARD in text_of(screen, "#top")
            assert "prequential accuracy" in text_of(screen, "#running")
            await pilot.press("space")
            await until(pilot, lambda: len(seen(Paused)) == 1)
            at = len(seen(Step))
            await pilot.press("plus", "s", "e")
            await until(pilot, lambda: "of 40" in text_of(screen, "#facts"))
            assert len(seen(Step)) == at  # it holds
            facts = text_of(screen, "#facts")
            assert f"step {at}" in facts
            assert "0.05" in facts  # 0.04 x 1.25
            assert "paused" in facts
            board.cable.pull()
            await until(pilot, lambda: "lost" in text_of(screen, "#facts"))
            board.cable.plug()
            await until(pilot, lambda: "connected" in text_of(screen, "#facts"))
            await pilot.press("space")
            await until(pilot, lambda: len(seen(Step)) > at)
            progress = screen.query_one("#progress", ProgressBar)
            assert progress.total == 60 * 150
            await pilot.press("q")
            await until(pilot, lambda: not screen.is_running)

    asyncio.run(press())
    assert screen.failed is None
    ended = screen.return_value
    assert ended is not None
    assert ended.reason == "stopped"
    assert ended.weights
    assert [len(seen(kind)) for kind in (Rate, Saved, Evaluated)] == [1, 1, 2]


def test_a_device_that_is_not_there_ends_the_dashboard(subject: Subject) -> None:
    screen, _ = dashboard(subject, "/dev/none", epochs=1)

    async def wait() -> None:
        async with screen.run_test() as pilot:
            await until(pilot, lambda: not screen.is_running)

    asyncio.run(wait())
    assert isinstance(screen.failed, DeviceError)
    assert "cannot open the port" in str(screen.failed)
