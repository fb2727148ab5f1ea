# SPDX-License-Identifier: Apache-2.0
"""Run the bench application on an emulated board and count its instructions.

The emulator advances the board's timer by a fixed time per instruction, so that ticks give the
number of instructions exactly, on every run: at one tick an instruction, or more than two, it makes
no difference where in a tick a count began.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass import resources
from secondpass.boards import Board
from secondpass.device.crossbuild import Firmware, build_image
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.errors import DeviceError
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass.toolchain import EMULATOR
from secondpass_codegen import write

LOAD, INFER, TRAIN = 0, 1, 2
"""Kinds of job, as in firmware/apps/bench/main.c."""

_EXITS = {
    2: "it could not read its jobs",
    3: "it could not write its results",
    4: "the state has another size than the model's",
    5: "it ran into a fault",
}
_PATIENCE = 1800.0
"""Seconds after which the emulator counts as stuck."""


@dataclass(frozen=True)
class Job:
    """What the board does: load a state, or infer or train on records."""

    kind: int
    data: bytes
    count: int

    def packed(self) -> bytes:
        """Return the job as it stands in the file."""
        return np.array([self.kind, self.count], dtype="<u4").tobytes() + self.data


def load(state: bytes) -> Job:
    """Return the job that replaces the subject's state."""
    return Job(LOAD, state, len(state))


def work(kind: int, records: Sequence[bytes]) -> Job:
    """Return the job that infers or trains on records."""
    return Job(kind, b"".join(records), len(records))


@dataclass(frozen=True)
class Done:
    """What a job took: instructions of every record, and the subject's check behind it."""

    instructions: npt.NDArray[np.int64]
    check: int


@dataclass(frozen=True)
class BoardRun:
    """What came back: one entry a job, and the stack's high-water mark in bytes."""

    jobs: list[Done]
    stack_used: int


def build_model(network: Network, rule: Rule, board: Board, folder: Path) -> Firmware:
    """Build the bench application around a generated model."""
    generated = folder / "model"
    write(network, rule, generated)
    sources = [*library_sources(*MODEL_FREE), generated / "model.c"]
    return _build("model_subject.c", sources, board, folder, [generated])


def build_layer(inputs: int, outputs: int, format: str, board: Board, folder: Path) -> Firmware:
    """Build the bench application around the kernels of one layer."""
    config = {"SP_LAYER_INPUTS": inputs, "SP_LAYER_OUTPUTS": outputs, "SP_LAYER_FORMAT": format}
    include = [_configure(folder, config)]
    return _build("layer_subject.c", library_sources(*MODEL_FREE), board, folder, include)


def build_subject(
    sources: Sequence[Path],
    config: Mapping[str, object],
    board: Board,
    folder: Path,
) -> Firmware:
    """Build the bench application around another subject, which computes in floating point."""
    include = [*sorted({source.parent for source in sources}), _configure(folder, config)]
    return _build(None, sources, board, folder, include, float_unit=True)


def _configure(folder: Path, config: Mapping[str, object]) -> Path:
    """Write what a subject is made for into a header; return its folder."""
    target = folder / "config"
    target.mkdir(parents=True, exist_ok=True)
    lines = [f"#define {name} {value}" for name, value in config.items()]
    (target / "subject_config.h").write_text("\n".join(lines) + "\n")
    return target


def _build(
    subject: str | None,
    sources: Sequence[Path],
    board: Board,
    folder: Path,
    include: Sequence[Path] = (),
    float_unit: bool = False,
) -> Firmware:
    app = resources.folder("firmware") / "apps" / "bench"
    own = [app / "main.c", *([app / subject] if subject else [])]
    return build_image([*own, *sources], board, folder / "bench.elf", [app, *include], float_unit)


def run_jobs(
    board: Board, elf: Path, jobs: Sequence[Job], emulator_options: Sequence[str] = ()
) -> BoardRun:
    """Run jobs on an emulated board.

    Raises `DeviceError` when the application does not come to its end.
    """
    settings = board.require_emulator()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "jobs.bin").write_bytes(b"".join(job.packed() for job in jobs))
        command = [
            EMULATOR.find(),
            *("-M", settings.machine, "-kernel", str(elf.resolve())),
            *("-display", "none", "-monitor", "none", "-serial", "null"),
            *("-icount", f"shift={settings.icount_shift}"),
            *("-semihosting-config", "enable=on,target=native"),
            *emulator_options,
        ]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE
            )
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"the bench on {board.id} did not end within {_PATIENCE:.0f} s"
            ) from None
        if done.returncode != 0:
            reason = _EXITS.get(done.returncode, done.stderr.strip() or "no reason given")
            raise DeviceError(f"the bench on {board.id} failed: {reason}")
        words = np.fromfile(folder / "ticks.bin", dtype="<u4").astype(np.int64)
    return _parse(board, jobs, words)


def _parse(board: Board, jobs: Sequence[Job], words: npt.NDArray[np.int64]) -> BoardRun:
    counts = [0 if job.kind == LOAD else job.count for job in jobs]
    if len(words) != 2 + sum(counts) + len(counts):
        raise DeviceError(f"the bench on {board.id} wrote {len(words)} results: not all of them")
    nothing = _instructions(board, words[:1])[0]
    done, at = [], 1
    for count in counts:
        instructions = _instructions(board, words[at : at + count]) - nothing
        done.append(Done(instructions, int(words[at + count])))
        at += count + 1
    return BoardRun(done, int(words[-1]))


def _instructions(board: Board, ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.rint(ticks / board.ticks_per_instruction).astype(np.int64)
