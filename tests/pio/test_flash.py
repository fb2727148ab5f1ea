# SPDX-License-Identifier: Apache-2.0
"""`flash`: into a running emulated board, and what it says before it touches a real one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from offline_pio import NETWORK, NOWHERE, ROOT, RULE
from rich.console import Console
from toy_networks import toy_network, toy_samples

from secondpass import modelfile
from secondpass.boards import BOARDS_VARIABLE, board_ids, load_board
from secondpass.device.link import LinkDevice
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport
from secondpass.errors import DeviceError, SecondpassError
from secondpass.pio import pyocd
from secondpass.pio.flash import flash
from secondpass.pio.monitor import port_of
from secondpass.rules import Ftp

MODELS = {"first": (NETWORK, RULE), "second": (toy_network(9, 7, 3), Ftp(learning_rate=0.1))}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a user's with two models."""
    monkeypatch.chdir(tmp_path)
    for name, model in MODELS.items():
        modelfile.save(tmp_path / f"{name}.spn", *model)
    return tmp_path


def task(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *arguments]


@contextmanager
def blank_board(folder: Path) -> Iterator[tuple[str, str]]:
    """Run `emulate --blank`; yield the ports of its UART and of gdb."""
    process = subprocess.Popen(
        task("emulate", "--blank"),
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if match := re.search(r"UART is at (\S+)\n.*gdb port is (\d+) ", printed):
                yield match.group(1), match.group(2)
                return
        pytest.fail(printed)
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


@pytest.mark.emulated
def test_a_running_board_is_flashed_from_another_terminal(cross_tools: None, folder: Path) -> None:
    """The UART is opened once; the board is found by the folder, or by its gdb port."""
    with blank_board(folder) as (uart, gdb), closing(SerialTransport(uart)) as transport:
        for name, where in (("first", []), ("second", ["--gdb", gdb])):
            done = subprocess.run(
                task("flash", "--board", "mps2-an386", "--model", f"{name}.spn", *where),
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
            assert f"Arm MPS2 AN386 runs {name}.spn" in done.stdout
            network, rule = MODELS[name]
            device, reference = LinkDevice(transport, network, rule, 30.0), None
            reference = NumpyDevice(network, rule)
            samples, labels = toy_samples(network, 20)
            for sample, label in zip(samples, labels, strict=True):
                got, wanted = device.train(sample, label), reference.train(sample, label)
                assert (got.predicted, got.label_probability) == (
                    wanted.predicted,
                    wanted.label_probability,
                )
        announced = folder / "build" / "running" / "mps2-an386.json"
        assert json.loads(announced.read_bytes()) == {"gdb": int(gdb), "uart": uart}
    assert not announced.exists()


def refusal(board: str, **options: str) -> str:
    chosen = {"probe": None, "port": None, "gdb": None, **options}
    with pytest.raises(SecondpassError) as caught:
        flash(board, Path("first.spn"), console=Console(quiet=True), **chosen)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("board", "options", "expected"),
    [
        ("mps2-an386", {}, ["no emulated mps2-an386", "./run emulate --board mps2-an386"]),
        ("mps2-an386", {"gdb": "many"}, ["the gdb port is 'many'"]),
        ("mps2-an386", {"probe": "pyocd"}, ["mps2-an386 is emulated", "--gdb"]),
        ("mps2-an386", {"port": "/dev/ttyACM0"}, ["mps2-an386 is emulated", "--gdb"]),
        ("pico", {"gdb": "3333"}, ["pico is not emulated"]),
        ("pico", {"probe": "jlink"}, ["--probe", "'jlink'", "accepted: pyocd"]),
        ("nosuch", {}, ["'nosuch'", "pico"]),
    ],
)
def test_what_cannot_be_flashed(
    folder: Path, board: str, options: dict[str, str], expected: list[str]
) -> None:
    said = refusal(board, **options)
    for part in expected:
        assert part in said
    assert not (folder / "build").exists()


def test_a_board_that_no_tool_knows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = folder / "boards" / "mine"
    own.mkdir(parents=True)
    text = (ROOT / "boards" / "pico" / "board.toml").read_text().split("[platformio]")[0]
    (own / "board.toml").write_text(text)
    monkeypatch.setenv(BOARDS_VARIABLE, str(own.parent))
    assert "no [platformio]" in refusal("mine")
    assert "no [pyocd]" in refusal("mine", probe="pyocd")


def test_platformio_that_cannot_download(folder: Path, project: Path) -> None:
    """Its own messages come first, then one line of ours."""
    done = subprocess.run(
        task("flash", "--board", "nucleo_f446re", "--model", "first.spn"),
        cwd=folder,
        env={
            **os.environ,
            "PLATFORMIO_CORE_DIR": str(folder / "empty"),
            **{f"{name}_PROXY": NOWHERE for name in ("HTTP", "HTTPS", "ALL")},
        },
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1
    assert "ststm32 @ 19.6.0" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("error: PlatformIO failed for nucleo_f446re")
    assert "Traceback" not in done.stderr


def test_monitor_wants_a_port_or_a_board_that_runs(folder: Path) -> None:
    for board, expected in (
        (None, "--port, or an emulated --board"),
        ("mps2-an386", "no emulated"),
    ):
        with pytest.raises(DeviceError, match=expected):
            port_of(None, board)


@pytest.fixture(scope="module")
def targets() -> set[str]:
    """What pyOCD knows."""
    pytest.importorskip("pyocd", reason="pip install 'secondpass[boards]'")
    return pyocd.target_names()


def test_pyocd_knows_every_target_or_has_a_pack_for_it(targets: set[str]) -> None:
    known = {name: load_board(name).pyocd for name in board_ids()}
    named = {name: target for name, target in known.items() if target is not None}
    assert len(named) == 8
    missing = {name for name, target in named.items() if target.target not in targets}
    assert missing <= {name for name, target in named.items() if target.pack}
    assert {"pico", "nano33ble", "nucleo_h743zi"} & missing == set()


def test_pyocd_without_the_pack(folder: Path, targets: set[str]) -> None:
    if "stm32f446retx" in targets:
        pytest.skip("the CMSIS pack of the STM32F446 is installed here")
    said = refusal("nucleo_f446re", probe="pyocd")
    assert "pyocd pack install stm32f446retx" in said


def test_pyocd_without_a_probe(folder: Path, targets: set[str]) -> None:
    """Told before anything is built; what pyOCD itself says to our command is one line, too."""
    said = refusal("pico", probe="pyocd")
    if "no debug probe" not in said:
        pytest.skip(f"a probe is connected here: {said}")
    assert not (folder / "build").exists()
    (folder / "some.elf").touch()
    with pytest.raises(DeviceError, match="could not load pico: No connected debug probes"):
        pyocd.load(load_board("pico"), folder / "some.elf")
