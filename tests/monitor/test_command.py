# SPDX-License-Identifier: Apache-2.0
"""`secondpass monitor --headless` and `secondpass report` as a user runs them."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import BOARD, Subject, same

from secondpass import modelfile
from secondpass.boards import load_board
from secondpass.device.emulator import Emulator
from secondpass.device.interface import read_weights
from secondpass.device.link import LinkDevice
from secondpass.device.transport import SerialTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError
from secondpass.monitor.events import Ended, Evaluated, Started, Step, read_log
from secondpass.report import charts
from secondpass.report.session_report import facts, write_report

pytestmark = pytest.mark.emulated
RUN = [sys.executable, "-c", "from secondpass.cli import main; main()"]


def arguments(port: str, subject: Subject, out: Path, *more: str) -> list[str]:
    return [
        *(*RUN, "monitor", "--port", port, "--model", str(subject.file), "--headless"),
        *("--samples", "150", "--epochs", "2", "--seed", "5", "--out", str(out), *more),
    ]


def test_ctrl_c_leaves_a_known_state_from_which_the_session_is_resumed(
    subject: Subject, tmp_path: Path
) -> None:
    with Emulator(load_board(BOARD), subject.elf) as board:
        command = arguments(board.port, subject, tmp_path / "first", "--epochs", "20")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if '"position":120,' in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        process.stdout.close()
        stopped = read_log(tmp_path / "first")[-1]
        assert isinstance(stopped, Ended)
        assert stopped.reason == "stopped"

        device = LinkDevice(SerialTransport(board.port), subject.network, subject.rule)
        assert device.statistics().counters.step == stopped.step >= 120
        held = subject.network.with_weights(read_weights(device))
        assert modelfile.fingerprint(held) == stopped.weights
        device.close()

        rest = arguments(board.port, subject, tmp_path / "second", "--resume", "--epochs", "20")
        epochs = ["4" if argument == "20" else argument for argument in rest]
        subprocess.run(epochs, check=True, stdout=subprocess.DEVNULL, timeout=120)

    events = read_log(tmp_path / "first") + read_log(tmp_path / "second")
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.position for step in steps] == list(range(1, 601))
    plan = replace(subject.plan, epochs=4)
    assert [step.sample for step in steps] == plan.order().tolist()
    twin = HostTwin(subject.network, subject.rule)
    for index in plan.order():
        twin.train(plan.samples[index], int(plan.labels[index]))
    trained, _ = modelfile.load(tmp_path / "second" / "trained.spn")
    assert same(trained, read_weights(twin))
    check_report(tmp_path / "second")


def check_report(folder: Path) -> None:
    done = subprocess.run(
        [*RUN, "report", str(folder)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    page = (folder / "report.html").read_text(encoding="utf-8")
    started, *_, evaluated, _, _ = events = read_log(folder)
    assert isinstance(started, Started)
    assert isinstance(evaluated, Evaluated)
    for text in (BOARD, started.model, started.firmware, "the device rests at step 600"):
        assert text in page
    assert page.count("<svg") == 5
    assert sum(facts(events)["end"].count(word) for word in ("complete", "600")) == 2
    matrix = charts.confusion(evaluated)
    assert matrix.sum() == len(evaluated.labels)
    assert np.trace(matrix) / matrix.sum() == pytest.approx(evaluated.accuracy)
    assert evaluated.accuracy > 0.6
    picture = write_report(folder, folder / "report.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match=r"neither \.html nor \.png"):
        write_report(folder, folder / "report.pdf")
    again = [*RUN, "monitor", "--port", "x", "--model", str(folder / "network.spn")]
    done = subprocess.run(
        [*again, "--out", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "holds a session already" in done.stderr


def test_a_log_cut_short_is_read_and_a_damaged_one_is_refused(
    subject: Subject, tmp_path: Path
) -> None:
    with Emulator(load_board(BOARD), subject.elf) as board:
        command = arguments(board.port, subject, tmp_path / "s", "--samples", "20")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    log = tmp_path / "s" / "session.jsonl"
    whole = read_log(log)
    text = log.read_text()
    log.write_text(text[:-40])
    assert read_log(tmp_path / "s") == whole[:-1]
    lines = text.splitlines()
    lines[3] = lines[3].replace('"position"', '"place"')
    log.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"session\.jsonl, line 4: .*position"):
        read_log(log)
    log.write_text("\n".join(lines[1:3]))
    with pytest.raises(DataError, match="does not begin with the start"):
        read_log(log)
    with pytest.raises(DataError, match="name the folder of a session"):
        read_log(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--keep", "--resume"], "exclude each other"),
        (["--dataset", "mnits"], "accepted: digits"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--save-every", "-1"], "take 0 or more"),
        (["--port", "/dev/none"], "cannot open the port"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    subject: Subject, tmp_path: Path, options: list[str], said: str
) -> None:
    command = arguments("/dev/none", subject, tmp_path / "s", *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
