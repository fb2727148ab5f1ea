# SPDX-License-Identifier: Apache-2.0
"""Measure on a core what the tables hold: pieces, code sizes, instructions, stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy.typing as npt

from secondpass import resources
from secondpass.bench.board_run import INFER, TRAIN, BoardRun, run_jobs, work
from secondpass.boards import Board
from secondpass.crosscompiler import COMPILERS
from secondpass.device.crossbuild import compiler_flags, definitions, link_flags, port_sources
from secondpass.device.objects import library_objects, library_sources
from secondpass.device.text import FOLDER as TEXT_FOLDER
from secondpass.device.text import TextProfile, profile_of
from secondpass.network import Network
from secondpass.plan.activity import Activity, watch_inference, watch_training
from secondpass.plan.cases import Case, records
from secondpass.plan.code import Code, code_of
from secondpass.plan.objects import SCRIPT, read_pieces
from secondpass.plan.pieces import Piece
from secondpass.plan.work import Program
from secondpass.rules import Rule
from secondpass.toolchain import CROSS_COMPILER, run_compiler
from secondpass_codegen import write

SAMPLES = 10
"""Samples of a case that are counted."""


class Generated(Protocol):
    """A network whose C is in a folder."""

    @property
    def network(self) -> Network:
        """The network."""

    @property
    def folder(self) -> Path:
        """Where its C is."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A case with its C, and what its samples make of it: the same on every core."""

    case: Case
    network: Network
    rule: Rule
    folder: Path
    raw: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    program: Program
    code: Code
    inferences: list[Activity]
    steps: list[Activity]

    @property
    def records(self) -> list[bytes]:
        """The samples as the bench application reads them."""
        return records(self.network, self.raw, self.targets)


def prepare(case: Case, folder: Path, samples: int = SAMPLES) -> Prepared:
    """Write the C of a case into `folder`; watch the reference infer and learn."""
    network, rule = case.network(), case.rule()
    raw, targets = case.samples(samples), case.targets(network, samples)
    write(network, rule, folder)
    return Prepared(
        case=case,
        network=network,
        rule=rule,
        folder=folder,
        raw=raw,
        targets=targets,
        program=Program(network, rule),
        code=code_of(network, rule),
        inferences=watch_inference(network, rule, raw),
        steps=watch_training(network, rule, raw, targets),
    )


class Bench:
    """Compiles and runs cases on a board; what does not depend on the case is compiled once."""

    def __init__(self, board: Board, scratch: Path) -> None:
        self.board, self.scratch = board, scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.firmware = resources.folder("firmware")
        self.flags = compiler_flags(board.core, compiler=COMPILERS["gcc"])
        self.compiler = CROSS_COMPILER.find()
        self.library = library_objects([self.compiler], self.flags)
        self._fixed: list[Path] = []
        self._ports: list[Path] = []

    def model_object(self, prepared: Generated) -> Path:
        """Return the compiled generated code of a case."""
        target = self.scratch / f"{prepared.folder.name}.o"
        self._compile(prepared.folder / "model.c", target, [prepared.folder])
        return target

    def code_bytes(self, model: Path) -> int:
        """Return the bytes of flash of an object."""
        return sum((piece.flash + 3) // 4 * 4 for piece in read_pieces(model).values())

    def run(self, prepared: Prepared, model: Path) -> BoardRun:
        """Count the inferences, then the training steps of a case; `compile_fixed` comes first."""
        elf = self.scratch / f"{prepared.folder.name}.elf"
        app = self.firmware / "apps" / "bench"
        subject = self.scratch / f"{prepared.folder.name}_subject.o"
        self._compile(app / "model_subject.c", subject, [app, prepared.folder])
        self._link([*self._fixed, subject, model, *self.library], elf)
        jobs = [work(INFER, prepared.records), work(TRAIN, prepared.records)]
        return run_jobs(self.board, elf, jobs)

    def trainer(self, prepared: Generated, model: Path, text: TextProfile | bool = True) -> Path:
        """Link the trainer firmware of a case; return the ELF file.

        `text`: as `build_firmware` takes it, which would ask the planner, whose
        tables may be missing or old.
        """
        elf = self.scratch / "trainer.elf"
        self._link([*self._trainer_objects(prepared, text), model, *self.library], elf)
        return elf

    def trainer_pieces(self, prepared: Prepared) -> dict[str, Piece]:
        """Return the pieces of the trainer firmware of a case, without its generated code.

        The text protocol is not in it.
        """
        return self.joined_pieces([*self.library, *self._trainer_objects(prepared, False)])

    def _trainer_objects(self, prepared: Generated, text: TextProfile | bool) -> list[Path]:
        profile = profile_of(prepared.network, text)
        if not self._ports:
            self._ports = self._port_objects()
        sources = [
            *library_sources("trainer", *([TEXT_FOLDER] if profile else [])),
            *sorted((self.firmware / "apps" / "trainer").glob("*.c")),
        ]
        objects = []
        for number, source in enumerate(sources):
            target = self.scratch / f"trainer{number}_{source.stem}.o"
            self._compile(source, target, [prepared.folder], profile.macros if profile else {})
            objects.append(target)
        return [*objects, *self._ports]

    def application_ram(self, prepared: Prepared) -> int:
        """Return the static RAM of the trainer's main file, which holds model and link buffers."""
        target = self.scratch / f"{prepared.folder.name}_main.o"
        source = self.firmware / "apps" / "trainer" / "main.c"
        self._compile(source, target, [prepared.folder])
        return sum(piece.ram for piece in read_pieces(target).values())

    def joined_pieces(self, objects: Sequence[Path]) -> dict[str, Piece]:
        """Join objects and the compiler's libraries without putting sections together."""
        script = self.scratch / "pieces.ld"
        script.write_text(SCRIPT)
        target = self.scratch / "pieces.o"
        libraries = ("-Wl,--start-group", "-lm", "-lc", "-lgcc", "-Wl,--end-group")
        command: list[str | Path] = [self.compiler, *self.flags, "-r", "-Wl,--unique"]
        command += [f"-Wl,-T,{script}", "-nostartfiles", "--specs=nano.specs"]
        command += ["--specs=nosys.specs", *objects, *libraries, "-o", target]
        run_compiler(command, f"the pieces for {self.board.core}")
        return read_pieces(target)

    def compile_fixed(self) -> None:
        """Compile what every case is linked with."""
        app = self.firmware / "apps" / "bench"
        target = self.scratch / "bench_main.o"
        self._compile(app / "main.c", target, [app])
        self._ports = self._port_objects()
        self._fixed = [target, *self._ports]

    def _port_objects(self) -> list[Path]:
        objects = []
        for name in port_sources(self.board):
            source = self.firmware / "ports" / name
            target = self.scratch / f"port_{source.stem}.o"
            self._compile(source, target, [])
            objects.append(target)
        return objects

    def _compile(
        self,
        source: Path,
        target: Path,
        include: Sequence[Path],
        macros: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        folders = [self.firmware / "include", self.firmware / "ports", *include]
        values = {**definitions(self.board), **macros}.items()
        command: list[str | Path] = [self.compiler, *self.flags, "-c", source, "-o", target]
        command += [f"-I{folder}" for folder in folders]
        command += [f"-D{name}={value}" for name, value in values]
        run_compiler(command, str(source))

    def _link(self, objects: Sequence[Path], elf: Path) -> None:
        command: list[str | Path] = [self.compiler, *self.flags, *objects]
        command += [*link_flags(self.board, self.firmware / "ports"), "-o", elf]
        run_compiler(command, str(elf))
