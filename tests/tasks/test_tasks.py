# SPDX-License-Identifier: Apache-2.0
"""The verbs of a checkout: what they print, what they refuse, and what they need."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from conftest import ROOT, Task

from secondpass import modelfile
from secondpass.boards import Board, Core, Family, Framework, load_catalogue, read_board
from secondpass.errors import BuildError

VERBS = (
    *("demo", "fan", "test", "generate", "cost", "build", "emulate", "train", "bench", "clean"),
    *("boards", "pull", "push", "export", "plan", "project", "flash", "monitor", "report"),
    *("import", "fault"),
)


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from secondpass.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_verb_is_listed_with_a_help_text(invoke: Task) -> None:
    listed = {
        line.split()[0]: line.split(maxsplit=1)[1:]
        for line in invoke("--list").stdout.splitlines()
        if line.startswith("  ") and line[2] != " "
    }
    assert set(listed) == set(VERBS)
    assert all(listed.values())


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("clean", "boards")])
def test_every_option_has_a_help_text(invoke: Task, verb: str) -> None:
    options = invoke("--help", verb).stdout.split("Options:")[1].strip().splitlines()
    described = [line for line in options if line.strip().startswith("-")]
    assert described
    for line in described:
        assert len(line.split("   ")[-1].strip()) > 5, line


def test_boards_lists_the_catalogue(invoke: Task) -> None:
    """Every fact of every board, on a screen of 80 columns."""
    lines = invoke("boards", COLUMNS="80").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    for board in load_catalogue():
        row = rows[board.id]
        core = board.core.removeprefix("cortex-").replace("plus", "+").upper()
        sizes = [str(size // 1024) for size in (board.memory.ram_bytes, board.memory.flash_bytes)]
        assert row[1:5] == [core, str(board.clock_hz // 10**6), *sizes]
        assert row[5] == (board.port.family if board.port else "none")
        assert ("PlatformIO" in " ".join(row)) == (board.platformio is not None)
        assert ("pyOCD" in row) == (board.pyocd is not None)
        assert ("QEMU" in row) == (board.emulator is not None)
        assert row[-1] == board.proven


def test_a_command_that_does_not_train_loads_nothing_heavy() -> None:
    heavy = {"tensorflow", "keras", "sklearn", "matplotlib", "numpy", "scipy"}
    code = (
        "import sys\n"
        "from invoke.main import program\n"
        f"program.run(['invoke', '--search-root', {str(ROOT)!r}, 'boards'], exit=False)\n"
        f"print('loaded', sorted({heavy!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "loaded []", done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["build", "--board", "nosuch"], ["'nosuch'", "mps2-an386", "netduinoplus2"]),
        (["fan", "--features", "cloud"], ["features", "'cloud'", "device", "host"]),
        (["fan", "--rule", "sgd"], ["'sgd'", "pepita", "bp"]),
        (["fan", "--passes", "0"], ["--passes", "1 or more"]),
        (["fan", "--board", "pico"], ["pico", "[emulator]"]),
        (["demo", "--board", "nosuch"], ["'nosuch'", "mps2-an386"]),
        (["demo", "--dataset", "cifar"], ["'cifar'", "digits", "mnist"]),
        (["demo", "--samples", "0"], ["--samples", "1 to 1438"]),
        (["demo", "--epochs", "0"], ["epochs", "1 or more"]),
        (["generate", "--dataset", "cifar"], ["'cifar'", "digits", "mnist"]),
        (["generate", "--setting", "projection=random"], ["'random'", "dense", "sign", "sparse"]),
        (["demo", "--rule", "backprop"], ["'backprop'", "pepita", "ftp", "bp"]),
        (["generate", "--setting", "gate"], ["'gate'", "NAME=VALUE", "gate"]),
        (["generate", "--setting", "g=1", "--rule", "bp"], ["'g=1'", "bp", "clip"]),
        (["generate", "--setting", "gate=low"], ["gate", "'low'", "numbers"]),
        (["generate", "--setting", "row_gate=-1"], ["row gate", "-1.0", "0 or more"]),
        (["generate", "--rule", "tl", "--setting", "gate=0.1"], ["tl", "no gate"]),
        (["generate", "--rule", "tl", "--format", "a8w8"], ["tl", "a8w8", "a16w8"]),
        (["generate", "--format", "a4w4"], ["'a4w4'", "a16w16", "a8w8"]),
        (["generate", "--activation", "gelu"], ["'gelu'", "relu", "tanh"]),
        (["cost", "nosuch"], ["'nosuch'", "784-128-10"]),
        (["cost", "8-4-2", "--rule", "adam"], ["'adam'", "pepita"]),
        (["generate", "--rule", "ftp", "--setting", "presynaptic=first"], ["presynaptic", "ftp"]),
        (["generate", "--setting", "presynaptic=third"], ["'third'", "first", "second"]),
        (["generate", "--setting", "learning_rate=fast"], ["learning_rate", "'fast'"]),
        (["generate", "--hidden", "64;32"], ["--hidden", "128,64"]),
        (["generate", "--keras", "missing.keras"], ["missing.keras", "model.save"]),
        (["bench", "--board", "nosuch"], ["'nosuch'", "mps2-an386"]),
        (["bench", "--network", "1-2-3"], ["'1-2-3'", "784-100-10", "128x128"]),
        (["bench", "--rule", "adam"], ["'adam'", "pepita-fast", "float"]),
        (["bench", "--format", "a4w4"], ["'a4w4'", "a8w8"]),
        (["bench", "--steps", "0"], ["--steps", "1 or more"]),
        (["bench", "--update-docs", "--rule", "bp"], ["--update-docs", "whole matrix"]),
        (["build", "--board", "pico"], ["pico", "[port]", "mps2-an386"]),
        (["emulate", "--board", "pico"], ["pico", "[emulator]", "mps2-an386"]),
        (["demo", "--board", "pico"], ["pico", "[emulator]", "mps2-an386"]),
        (["bench", "--board", "pico"], ["'pico'", "mps2-an386"]),
        (["boards", "--catalogue", "nosuch"], ["nosuch", "no such folder"]),
        (["build", "--model", "missing.spn"], ["missing.spn", "invoke generate"]),
        (["train", "--port", "/dev/none", "--model", "m.spn"], ["m.spn", "invoke generate"]),
    ],
)
def test_wrong_arguments_say_what_is_accepted(
    invoke: Task, arguments: list[str], expected: list[str]
) -> None:
    done = invoke(*arguments)
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()
    assert len(message) == 1, done.stderr
    assert message[0].startswith("error: ")
    for part in expected:
        assert part in message[0]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("demo --samples many", 2),
        ("generate --hidden 8 --rule tl --setting clip=1.5 --setting gate=0.1", 1),
        ("generate --hidden 8 --rule tl --setting clip=1.5 --setting learning_rate=0.25", 0),
        ("generate --hidden 8 --format a16w8 --seed 7 --inference-only", 0),
        ("plan 64-8-10 --rule tl --setting clip=1.5 --no-text --board microbit", 0),
        ("plan 784-1000-10 --board microbit", 1),
        ("cost 64-8-10 --rule ftp --rule bp", 0),
    ],
)
def test_a_verb_is_the_command(
    invoke: Task, tmp_path: Path, arguments: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values, repeated options, flags and positional ones reach it; the same comes of it."""
    written = []
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    for start in (invoke, run_command):
        done = start(*arguments.split())
        assert done.returncode == code, done.stderr
        files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        contents = {path.name: path.read_bytes() for path in files}
        message = done.stderr.strip().rpartition("Error")[2]  # below the line on usage
        written.append((done.stdout, message, contents))
        shutil.rmtree(tmp_path / "build", ignore_errors=True)
    assert written[0] == written[1]
    assert written[0][0] or written[0][1]


@pytest.mark.tensorflow
def test_generate_reads_what_keras_saves(invoke: Task, tmp_path: Path) -> None:
    """A plain model, a whole trainer, and a file that is neither."""
    code = (
        "import keras\n"
        "from secondpass.floating import PepitaModel\n"
        "model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(24, 'relu'),"
        " keras.layers.Dense(10, 'softmax')])\n"
        "model.save('plain.keras')\n"
        "PepitaModel(model).save('trainer.keras')\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "broken.keras").write_bytes(b"not a model")
    for name in ("plain", "trainer"):
        done = invoke("generate", "--keras", f"{name}.keras", "--out", name)
        assert done.returncode == 0, done.stderr
    plain, _ = modelfile.load(tmp_path / "plain" / "network.spn")
    trainer, _ = modelfile.load(tmp_path / "trainer" / "network.spn")
    assert plain.shape == "64-24-10"
    assert all(
        (one.weights == other.weights).all()
        for one, other in zip(plain.layers, trainer.layers, strict=True)
    )
    refused = invoke("generate", "--keras", "broken.keras")
    assert refused.returncode == 1
    assert "broken.keras is not a Keras model" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_missing_cross_compiler(invoke: Task, bare_path: str) -> None:
    assert invoke("generate", PATH=bare_path).returncode == 0  # needs no tool
    done = invoke("build", PATH=bare_path, SECONDPASS_COMPILER="gcc")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "arm-none-eabi-gcc" in done.stderr
    assert "apt-get install" in done.stderr
    assert "gcc-arm-none-eabi libnewlib-arm-none-eabi" in done.stderr


def test_missing_emulator(invoke: Task, bare_path: str, cross_tools: None) -> None:
    for tool in ("arm-none-eabi-gcc", "arm-none-eabi-ld", "as"):
        found = subprocess.run(["which", tool], capture_output=True, text=True).stdout.strip()
        if found:
            os.symlink(found, Path(bare_path) / tool)
    assert invoke("generate", PATH=bare_path).returncode == 0
    assert invoke("build", PATH=bare_path).returncode == 0
    done = invoke("emulate", PATH=bare_path)
    assert done.returncode == 1
    assert "qemu-system-arm" in done.stderr
    assert "apt-get install" in done.stderr


def test_missing_host_compiler_is_told_before_anything_runs(
    invoke: Task, cross_tools: None
) -> None:
    done = invoke("demo", CC="no-such-compiler")
    assert done.returncode == 1
    assert "no-such-compiler" in done.stderr
    assert "apt-get install" in done.stderr
    assert "steps/s" not in done.stdout
    assert invoke("generate", CC="no-such-compiler").returncode == 0


def test_clean_deletes_what_generate_made(invoke: Task, tmp_path: Path) -> None:
    assert invoke("generate").returncode == 0
    assert (tmp_path / "build" / "model" / "model.c").is_file()
    assert invoke("clean").returncode == 0
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('core = "cortex-m4"', 'core = "cortex-m9"'), ["core", "cortex-m9", "cortex-m0plus"]),
        (('family = "cmsdk"', 'family = "avr"'), ["port.family", "avr", "stm32f4"]),
        (("clock_hz = 25000000", "clock_hz 25000000"), ["line 4"]),
        (("clock_hz = 25000000", ""), ["missing", "clock_hz"]),
        (("clock_hz = 25000000", "clock_hz = 1\nid = 3"), ["unknown", "id"]),
        (("machine", "model"), ["model", "emulator", "machine", "icount_shift"]),
        (("clock_hz = 25000000", "clock_hz = -1"), ["clock_hz", ">= 1"]),
        (("uart = 0x40004000", "uart = true"), ["port.uart", "int"]),
        (("[emulator]", "[simulator]"), ["simulator", "emulator", "platformio"]),
        (("flash_bytes", "flash_size"), ["flash_size", "memory", "flash_bytes"]),
    ],
)
def test_a_wrong_board_file_names_file_and_key(
    tmp_path: Path, change: tuple[str, str], expected: list[str]
) -> None:
    text = (ROOT / "boards" / "mps2-an386" / "board.toml").read_text()
    assert change[0] in text
    path = tmp_path / "board.toml"
    path.write_text(text.replace(*change))
    with pytest.raises(BuildError) as caught:
        read_board(path)
    for part in [str(path), *expected]:
        assert part in str(caught.value)


def test_a_board_without_port_and_emulator_is_complete(tmp_path: Path) -> None:
    """What is emulated must first be built."""
    board = read_board(ROOT / "boards" / "pico" / "board.toml")
    assert (board.port, board.emulator, board.proven) == (None, None, "compiled")
    assert board.platformio is not None
    text = (ROOT / "boards" / "mps2-an386" / "board.toml").read_text()
    path = tmp_path / "board.toml"
    before, rest = text.split("[port]")
    path.write_text(before + "[emulator]" + rest.split("[emulator]")[1])
    with pytest.raises(BuildError, match=r"board.toml: \[emulator\] needs a \[port\]"):
        read_board(path)


@pytest.fixture
def own_board(tmp_path: Path) -> Path:
    """A catalogue with one board of a user, a copy of one of ours."""
    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "boards" / "mps2-an385", folder / "my_board")
    return folder


def test_a_users_own_board_is_listed_but_not_proven(invoke: Task, own_board: Path) -> None:
    def row(*arguments: str, **environment: str) -> list[str]:
        lines = invoke("boards", *arguments, **environment).stdout.splitlines()
        return next((line.split() for line in lines if line.startswith("my_board")), [])

    assert row() == []
    assert row("--catalogue", str(own_board))[-1] == "neither"
    both = f"{own_board.parent}{os.pathsep}{own_board}"
    assert row(SECONDPASS_BOARDS=both)[-1] == "neither"
    assert row("--catalogue", str(own_board), SECONDPASS_BOARDS=str(own_board))  # named twice


def test_a_firmware_is_built_for_a_users_own_board(
    invoke: Task, own_board: Path, cross_tools: None
) -> None:
    assert invoke("generate").returncode == 0
    assert "accepted:" in invoke("build", "--board", "my_board").stderr
    done = invoke("build", "--board", "my_board", SECONDPASS_BOARDS=str(own_board))
    assert done.returncode == 0, done.stderr


def test_a_users_own_catalogue_that_is_wrong(invoke: Task, own_board: Path) -> None:
    done = invoke("boards", SECONDPASS_BOARDS="/no/such/folder")
    assert done.returncode == 1
    assert "SECONDPASS_BOARDS names /no/such/folder" in done.stderr
    (own_board / "my_board").rename(own_board / "pico")
    done = invoke("boards", SECONDPASS_BOARDS=str(own_board))
    assert done.returncode == 1
    assert str(own_board / "pico" / "board.toml") in done.stderr
    assert "rename the folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_lists_what_the_task_lists(invoke: Task, own_board: Path) -> None:
    """And loads nothing heavy for it."""
    heavy = {"tensorflow", "keras", "sklearn", "matplotlib", "numpy", "scipy"}
    code = (
        "import sys\n"
        "from secondpass.cli import app\n"
        f"app(['boards', '--catalogue', {str(own_board)!r}], standalone_mode=False)\n"
        f"print('loaded', sorted({heavy!r} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    *printed, loaded = done.stdout.splitlines()
    assert loaded == "loaded []", done.stderr
    listed = invoke("boards", "--catalogue", str(own_board), COLUMNS="80").stdout
    assert printed == listed.splitlines()


def test_the_page_on_boards_names_every_key_and_every_accepted_value() -> None:
    """What it shows as a whole file is one."""
    page = (ROOT / "docs" / "boards.md").read_text()
    table = page.split("### Every key")[1].split("###")[0]
    for field in msgspec.structs.fields(Board):
        if field.name in ("id", "own"):
            continue
        kinds = [kind for kind in (field.type, *get_args(field.type)) if isinstance(kind, type)]
        structs = [kind for kind in kinds if issubclass(kind, msgspec.Struct)]
        assert f"| `[{field.name}]` |" in table or f"| `{field.name}` |" in table
        for key in (key for kind in structs for key in msgspec.structs.fields(kind)):
            assert f"`{field.name}.{key.name}`" in table
    for value in (*get_args(Core), *get_args(Family), *get_args(Framework)):
        assert f"`{value}`" in table
    shown = page.split("```toml\n")[1].split("```")[0]
    assert shown in (ROOT / "boards" / "netduinoplus2" / "board.toml").read_text()
