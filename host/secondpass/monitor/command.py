# SPDX-License-Identifier: Apache-2.0
"""`secondpass monitor`: a watched session into a folder of its own."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from secondpass import modelfile
from secondpass.errors import DataError
from secondpass.monitor.events import LOG_NAME, AnyEvent, Ended, SessionLog
from secondpass.monitor.runner import Command, Runner, SessionPlan
from secondpass.network import Network
from secondpass.rules import Rule

SESSIONS = Path("build/sessions")


def monitor(
    port: str,
    model: Path,
    plan_for: Callable[[Network], SessionPlan],
    folder: Path | None,
    headless: bool,
    console: Console,
) -> Ended:
    """Run a session; leave its log, the trained network and the model in `folder`.

    `plan_for` reads the data for the model. Headless, the log goes to standard output as well. An
    existing folder is never written into. Raises `SecondpassError` before anything is sent when
    data and model do not fit.
    """
    network, rule = modelfile.load(model)
    plan = plan_for(network)
    target = _new_folder(folder)
    modelfile.save(target / "network.spn", network, rule)
    with (target / LOG_NAME).open("w", encoding="utf-8") as stream:
        log = SessionLog(stream)
        run = _headless if headless else _dashboard
        runner, ended = run(port, network, rule, plan, log)
    if ended.weights:
        modelfile.save(target / "trained.spn", runner.trained, rule, runner.origin)
    if not headless:
        from secondpass.monitor.dashboard import describe

        console.print(describe(ended))
        console.print(f"{target}; a report of it: secondpass report {target}", soft_wrap=True)
    return ended


def _new_folder(folder: Path | None) -> Path:
    """Make the session's folder, named by the time unless the user names it."""
    target = folder or SESSIONS / time.strftime("%Y%m%d-%H%M%S")
    if (target / LOG_NAME).exists():
        raise DataError(f"{target} holds a session already; name another folder with --out")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{target} cannot be made ({error.strerror})") from error
    return target


def _headless(
    port: str, network: Network, rule: Rule, plan: SessionPlan, log: SessionLog
) -> tuple[Runner, Ended]:
    """Run without a screen; Ctrl-C stops between two steps, a second one waits for nothing."""
    printed = SessionLog(sys.stdout)

    def emit(event: AnyEvent) -> None:
        log(event)
        printed(event)

    runner = Runner(port, network, rule, plan, emit)

    def stop(_number: int, _frame: FrameType | None) -> None:
        runner.command(Command.STOP)

    before: dict[int, Any] = {
        number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        return runner, runner.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _dashboard(
    port: str, network: Network, rule: Rule, plan: SessionPlan, log: SessionLog
) -> tuple[Runner, Ended]:
    from secondpass.monitor.dashboard import Dashboard

    def make(show: Callable[[AnyEvent], None]) -> Runner:
        def emit(event: AnyEvent) -> None:
            log(event)
            show(event)

        return Runner(port, network, rule, plan, emit)

    screen = Dashboard(make)
    screen.run()
    if screen.failed is not None:
        raise screen.failed
    ended = screen.return_value
    if ended is None:
        raise DataError("the dashboard was closed before the session had ended")
    return screen.runner, ended
