# SPDX-License-Identifier: Apache-2.0
"""Whole sessions as a user runs them: demo, emulate and train, benchmark."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Task
from rich.console import Console

from secondpass import demo, modelfile
from secondpass.bench.matrix import core_boards
from secondpass.crosscompiler import cross_compiler
from secondpass.errors import DataError
from secondpass.session import History, train

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]


@contextmanager
def emulated(folder: Path, *options: str) -> Iterator[str]:
    """Run the `emulate` task and yield the port it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "emulate", *options],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if match := re.search(r"UART is at (\S+)", line):
                yield match.group(1)
                return
        pytest.fail(printed)
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("rule", ["pepita", "ftp"])
def test_demo_learns_and_equals_the_twin(invoke: Task, tmp_path: Path, rule: str) -> None:
    done = invoke("demo", "--samples", "600", "--epochs", "2", "--seed", "3", "--rule", rule)
    assert done.returncode == 0, done.stderr
    assert "equal bit for bit" in done.stdout
    assert re.search(r"[\d,]{5,} instructions a training step, [\d,]{5,} an inference", done.stdout)
    folder = tmp_path / "build" / "demo"
    with (folder / "curve.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == list(range(1, 1201))
    assert float(rows[-1]["prequential_accuracy"]) > 0.8
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    first, _ = modelfile.load(folder / "network.spn")
    trained, _ = modelfile.load(folder / "trained.spn")
    assert (first.layers[0].weights != trained.layers[0].weights).any()
    after = re.search(r"accuracy after\s+\S\s+([\d.]+) %", done.stdout)
    assert after is not None
    assert float(after.group(1)) > 80


@pytest.mark.parametrize("kind", ["pty", "socket"])
def test_training_session_over_a_port(invoke: Task, tmp_path: Path, kind: str) -> None:
    assert invoke("generate", "--seed", "5").returncode == 0
    assert invoke("generate", "--seed", "6", "--out", "other").returncode == 0
    options = [] if kind == "pty" else ["--tcp", str(free_port())]
    with emulated(tmp_path, *options) as port:
        assert port.startswith("/dev/" if kind == "pty" else "socket://")
        time.sleep(0.5)
        session = ["train", "--port", port, "--samples", "150", "--epochs", "2"]

        refused = invoke(*session, "--model", "other/network.spn")
        assert refused.returncode == 1
        hashes = set(re.findall(r"\b[0-9a-f]{16}\b", refused.stderr))
        assert len(hashes) == 2

        done = invoke(*session)
        assert done.returncode == 0, done.stderr
        assert "0 repeated requests" in done.stdout
        assert re.search(r"[\d,]+ timer ticks a training step, [\d,]+ an inference", done.stdout)
        rows = (tmp_path / "build/session/curve.csv").read_text().splitlines()
        assert len(rows) == 301

        kept = invoke(*session, "--keep")
        assert kept.returncode == 0, kept.stderr
        last = (tmp_path / "build/session/curve.csv").read_text().splitlines()[-1]
        assert last.split(",")[0] == "600"  # the device went on where it was
        # while it is open the system gives a terminal's name to no other emulator
        held = os.open(port, os.O_RDWR | os.O_NOCTTY) if kind == "pty" else None

    gone = invoke("train", "--port", port)
    if held is not None:
        os.close(held)
    assert gone.returncode == 1  # the board went off with its task
    assert re.search("answered within|cannot open|broke", gone.stderr), gone.stderr


def test_a_tcp_port_that_cannot_be_opened(invoke: Task) -> None:
    assert invoke("generate").returncode == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = invoke("emulate", "--tcp", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "the emulator did not start" in done.stderr


def test_a_negative_seed_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(DataError, match="seed is -1"):
        train(None, np.zeros((2, 3)), np.zeros(2, int), seed=-1)  # there is no device to send to


def test_an_interrupted_demo_compares_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> History:
        return History(interrupted=True)

    monkeypatch.setattr("secondpass.session.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.run(demo.DemoOptions(folder=tmp_path), Console(quiet=True))
    assert not (tmp_path / "curve.csv").exists()


def test_a_port_without_a_device(invoke: Task) -> None:
    assert invoke("generate").returncode == 0
    done = invoke("train", "--port", "/dev/none")
    assert done.returncode == 1
    assert "/dev/none" in done.stderr
    assert "pty" in done.stderr


def test_bench_measures_what_is_selected(invoke: Task, tmp_path: Path) -> None:
    """On a board a core, against targets where there are some; the tables carry the figures."""
    selected = ("--network", "64-32-10", "--format", "a16w16", "--steps", "20")
    done = invoke("bench", *selected, "--rule", "ftp", "--out", "figures")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "figures" / "bench.json").read_text())
    assert [model["core"] for model in found["models"]] == list(core_boards())
    assert found["tools"]["compiler"] == cross_compiler().version()
    assert "QEMU" in found["tools"]["emulator"]
    table = (tmp_path / "figures" / "bench.md").read_text()
    for model in found["models"]:
        assert model["rule"] == "ftp"
        assert model["macs"] == 64 * 32 + 32 * 10
        assert model["macs"] < model["steady"]["inference"] < model["steady"]["step"]
        assert model["steady"]["step"] <= model["steady"]["worst"]
        assert 0 < model["stack"] < 2048
        assert f"| {model['steady']['step']:,} |" in table
