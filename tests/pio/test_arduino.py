# SPDX-License-Identifier: Apache-2.0
"""The Arduino port: it compiles for every real board, and trains on a small core of the tests."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from offline_pio import ROOT
from toy_networks import toy_network, toy_samples

from secondpass.boards import Board, board_ids, load_board
from secondpass.crosscompiler import COMPILERS
from secondpass.device.crossbuild import compiler_flags, definitions, link_flags
from secondpass.device.emulator import Emulator
from secondpass.device.interface import BIAS, WEIGHTS
from secondpass.device.link import LinkDevice
from secondpass.device.objects import library_objects, library_sources
from secondpass.device.reference import NumpyDevice
from secondpass.device.text import FOLDER, TextProfile
from secondpass.device.transport import SerialTransport
from secondpass.integer.heads import probabilities
from secondpass.network import Network
from secondpass.pio.ini import arduino_flags, arduino_sources, receive_buffer
from secondpass.pio.project import write_project
from secondpass.rules import Pepita, Rule
from secondpass.toolchain import CROSS_COMPILER, run_compiler

sys.path.append(str(Path(__file__).resolve().parents[1] / "text"))

from tiny_client import TinyDevice

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]

HERE = Path(__file__).parent
FPU = {
    "cortex-m4": ("-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    "cortex-m7": ("-mfpu=fpv5-d16", "-mfloat-abi=hard"),
}
"""What the Arduino cores of the real boards compile with; the others have no float unit."""
CXX = ("-std=gnu++14", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
REAL = [name for name in board_ids() if load_board(name).platformio is not None]
MODEL: tuple[Network, Rule] = (toy_network(300, 15, 5), Pepita(projection_scale=2.0))


def core_flags(core: str) -> list[str]:
    """Return the flags of a core with those of its float unit instead of ours."""
    ours = COMPILERS["gcc"].core_flags(core, False)
    rest = [f for f in compiler_flags(core, compiler=COMPILERS["gcc"]) if f not in ours]
    return [f"-mcpu={core}", "-mthumb", *FPU.get(core, ("-mfloat-abi=soft",)), *rest]


def build_sketch(board: Board, source: Path, flags: Sequence[str], folder: Path) -> Path:
    """Compile what an environment names with its flags; link it with the core of the tests."""
    compiler = CROSS_COMPILER.find()
    core = core_flags(board.core)
    emulated = definitions(load_board("mps2-an386"))  # of the UART and the timer of that core
    own = [
        f"-D{n}={v}" for n, v in emulated.items() if n.startswith("SP_PORT_") and "CLOCK" not in n
    ]
    include = [f"-I{ROOT / 'firmware' / 'include'}", f"-I{HERE / 'arduino'}"]
    objects = library_objects([compiler], core)
    trainer = library_sources("trainer", FOLDER)
    parts = [*(source / "src" / name for name in arduino_sources()), *trainer]
    start = ("startup.c", "fault.c")
    parts += [HERE / "arduino" / "core.cpp", *(source / "src" / "ports" / n for n in start)]
    for index, part in enumerate(parts):
        macros = own if part.parent == HERE / "arduino" else []
        language = (
            [f for f in core if f != "-std=gnu99"] + [*CXX] if part.suffix == ".cpp" else core
        )
        command = [compiler, *language, *WARNINGS, *flags, *include, *macros]
        objects.append(folder / f"{index}_{part.stem}.o")
        done = [*command, f"-I{source / 'src' / 'ports'}", "-c", part, "-o", objects[-1]]
        run_compiler(done, str(part))
    elf = folder / "sketch.elf"
    linked = [*objects, *link_flags(board, source / "src" / "ports"), "-o", elf]
    run_compiler([compiler, *core, *linked], board.id)
    return elf


@pytest.fixture(scope="module")
def sketch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the model, for its sources."""
    pytest.importorskip("platformio", reason="pip install 'secondpass[boards]'")
    folder = tmp_path_factory.mktemp("sketch")
    write_project(*MODEL, folder)
    return folder


def emitted_flags(project: Path, board_id: str) -> list[str]:
    """Return the flags that the emitted environment of a board adds, with whole paths."""
    from platformio.project.config import ProjectConfig

    config = ProjectConfig(str(project / "platformio.ini"))
    lines = config.get(f"env:{board_id}", "build_flags")
    flags = [flag for line in lines for flag in shlex.split(line)]
    return [flag.replace("-Isrc/", f"-I{project}/src/") for flag in flags]


@pytest.mark.parametrize("board_id", REAL)
def test_it_compiles_for_every_real_board(sketch: Path, board_id: str, tmp_path: Path) -> None:
    """With the emitted flags and those of the core; it fits where the board's memory is."""
    board = load_board(board_id)
    flags = emitted_flags(sketch, board_id)
    assert f'-DSP_BOARD_NAME="{board_id}"' in flags
    elf = build_sketch(board, sketch, flags, tmp_path)
    assert elf.is_file()
    assert board.proven == "compiled"


def test_what_is_proven_is_what_is_compiled_here() -> None:
    """No board claims more, and none of another way in is left out."""
    compiled = [name for name in board_ids() if load_board(name).proven == "compiled"]
    assert compiled == REAL
    unknown = msgspec.structs.replace(load_board("pico"), platformio=None)
    assert unknown.proven == "neither"


@pytest.mark.parametrize("text", [None, TextProfile("kws01")], ids=["without text", "text"])
@pytest.mark.parametrize("board_id", ["mps2-an386", "mps2-an385-m0plus"])
def test_it_trains_as_the_reference(
    sketch: Path, board_id: str, text: TextProfile | None, tmp_path: Path
) -> None:
    """Requests are longer than the receive buffer of a core that was told nothing, and none is
    lost while the device works."""
    board = load_board(board_id)
    network, rule = MODEL
    given = arduino_flags(network, board, text)
    flags = [flag.replace("-Isrc/", f"-I{sketch}/src/") for flag in given]
    elf = build_sketch(board, sketch, flags, tmp_path)
    samples, labels = toy_samples(network, 150)
    reference = NumpyDevice(network, rule)
    with (
        Emulator(board, elf) as running,
        closing(SerialTransport(running.port)) as transport,
    ):
        device = LinkDevice(transport, network, rule, 30.0)
        assert (device.info.board, device.info.core) == (board.id, board.core)
        assert (device.info.ticks_hz, device.info.stack_bytes) == (1_000_000, 0)
        for sample, label, step in zip(
            samples, labels, device.train_stream(samples, labels), strict=True
        ):
            wanted = reference.train(sample, label)
            assert (step.step, step.predicted, step.label_probability) == (
                wanted.step,
                wanted.predicted,
                wanted.label_probability,
            )
        assert device.repeats == 0
        for layer in range(2):
            for kind in (WEIGHTS, BIAS):
                ours, theirs = (d.read_tensor(layer, kind) for d in (device, reference))
                assert (ours == theirs).all()
        with pytest.raises(Exception, match=r"SPACE|store|checkpoint"):
            device.save_checkpoint()
        if text is not None:
            scored_in_text(running.port, reference, samples[0])


def scored_in_text(port: str, reference: NumpyDevice, sample: np.ndarray) -> None:
    """Time and results of the model that the link has taught; a zero byte ends what is too long."""
    with TinyDevice(port) as client:
        assert client.connect().startswith("secondpass/mps2-")
        client.load(sample.tobytes())
        measured = client.infer(20, 1)
        assert measured.microseconds > 0
        wanted = probabilities(reference.infer(sample).logits, reference.network.result_frac(1))
        assert measured.results == [int(p) * 1000 // 2**15 / 1000 for p in wanted.clip(0, 32767)]
        client.send(b"infer 2000000000 0%")
        assert len([next(client.lines()) for _ in range(4)]) == 4
        client.send(b"\0")
        assert list(client.lines()) == ["e-[Stopped]"]
        assert client.command("save")[0].endswith("status 13]")


def test_a_receive_buffer_that_is_too_small_does_not_compile(sketch: Path, tmp_path: Path) -> None:
    flags = [
        "-DSERIAL_RX_BUFFER_SIZE=512" if flag.startswith("-DSERIAL_RX") else flag
        for flag in emitted_flags(sketch, "nucleo_f446re")
    ]
    assert receive_buffer(MODEL[0]) == 2048
    with pytest.raises(Exception, match="a whole request arrives while"):
        build_sketch(load_board("nucleo_f446re"), sketch, flags, tmp_path)


def test_a_cpp_compiler_is_there() -> None:
    """The Arduino port is the only C++; the Debian package of the C compiler brings it."""
    compiler = CROSS_COMPILER.find()
    done = subprocess.run(
        [compiler, "-print-prog-name=cc1plus"], capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_file()
