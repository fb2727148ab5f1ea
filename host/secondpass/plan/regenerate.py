# SPDX-License-Identifier: Apache-2.0
"""Measure all tables anew: `./run plan --update-tables`. Same compiler and sources, same bytes."""

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np

from secondpass.bench.matrix import core_boards
from secondpass.boards import Board, Core, Family, emulated_boards
from secondpass.device.crossbuild import measure
from secondpass.device.emulator import Emulator
from secondpass.device.link import LinkDevice
from secondpass.device.text import TextProfile
from secondpass.device.transport import SerialTransport
from secondpass.errors import BuildError, DeviceError
from secondpass.network import HEADS
from secondpass.plan.cases import reference_cases
from secondpass.plan.fit import apply, fit_counts, fit_sizes
from secondpass.plan.frozen_measure import FrozenCase, frozen_cases, measure_frozen
from secondpass.plan.macros import FRAMES, link_frames
from secondpass.plan.measure import Bench, Prepared, prepare
from secondpass.plan.objects import START
from secondpass.plan.pieces import MODEL, Piece, reachable, taken
from secondpass.plan.tables import FOLDER, FrozenSizes, Table, save_table
from secondpass.plan.text import FLOAT, TextSizes, buffers
from secondpass.plan.work import Amounts, form_of
from secondpass.toolchain import CROSS_COMPILER, program_version
from secondpass_codegen.memory import plan

WORKERS = 2
FREE = ("model", "layer", "call", "argument", "counted", "weights in RAM", "bias in RAM", "room")
"""Features of generated code that every case has."""

SAME_CODE = {"cortex-m0": "cortex-m0plus"}
"""Cores without an emulated board that holds the cases: they run another one's instructions."""

_RAW, _FLOAT = TextProfile("kws01"), TextProfile("ad01")
_ALIGNMENT = 8
_BUFFER_TOLERANCE = 48
"""Bytes that the formula of the link's buffers may be off: alignment, and the code of frames."""

Progress = Callable[[str], None]


@dataclass
class _Measured:
    """Code sizes, work with its counts, and stack of all cases on a core."""

    sizes: list[int]
    amounts: list[Amounts]
    counts: list[int]
    stack: dict[str, int]


def update_tables(progress: Progress, folder: Path = FOLDER) -> None:
    """Measure every core and write its table.

    Raises `BuildError` with the figures when a formula does not describe what was measured.
    """
    with tempfile.TemporaryDirectory() as scratch:
        cases = [
            prepare(case, Path(scratch) / f"case{number:02d}")
            for number, case in enumerate(reference_cases())
        ]
        frozen = frozen_cases(Path(scratch))
        progress(f"{len(cases)} networks that learn and {len(frozen)} frozen ones prepared")
        made: dict[str, Table] = {}
        for core, board in core_boards().items():
            folder_of_core = Path(scratch) / core
            made[core] = _core_table(core, board, cases, folder_of_core, progress)
            made[core] = _with_frozen(made[core], board, frozen, folder_of_core, progress)
            save_table(made[core], folder)
        for core in get_args(Core):
            if core not in made:
                other = made[SAME_CODE[core]]
                board = replace_core(core_boards()[other.core], core)
                table = _sibling(core, board, other, cases, Path(scratch) / core)
                save_table(_with_frozen(table, board, frozen, Path(scratch) / core), folder)


def replace_core(board: Board, core: str) -> Board:
    """Return a board that has another core: only to compile for it."""
    return msgspec.structs.replace(board, core=core)


def _core_table(
    core: str, board: Board, cases: Sequence[Prepared], scratch: Path, progress: Progress
) -> Table:
    bench = Bench(board, scratch)
    measured = _measure(bench, cases, run=True)
    instructions = fit_counts(measured.amounts, measured.counts)
    errors = [
        apply(instructions, amounts) / count - 1
        for amounts, count in zip(measured.amounts, measured.counts, strict=True)
    ]
    progress(
        f"{core}: instructions of {len(errors)} inferences and steps, error "
        f"{100 * float(np.std(errors)):.1f} % (rms), {100 * max(map(abs, errors)):.1f} % (most)"
    )
    table = Table(
        core=core,
        compiler=program_version([CROSS_COMPILER.find()]),
        pieces={},
        ports={},
        code={},
        instructions=instructions,
        stack=measured.stack,
        link_stack=_link_stack(bench, cases[0], measured.stack),
        fixed_ram={},
        buffers=(0, 0),
        text=TextSizes(0, {}),
        frozen=FrozenSizes({}, {}, {}, TextSizes(0, {}), {}, {}, 0),
    )
    return _with_code(table, board, cases, measured.sizes, scratch, progress)


def _with_frozen(
    table: Table,
    board: Board,
    cases: Sequence[FrozenCase],
    scratch: Path,
    progress: Progress = lambda _: None,
) -> Table:
    """Add what frozen networks take; a sibling's instructions are those of the other core."""
    counted = (table.frozen.instructions, table.frozen.stack) if table.frozen.stack else None
    bench = Bench(board, scratch)
    ports = _family_boards(table.core)
    sizes, off = measure_frozen(bench, ports, cases, table.buffers, counted)
    progress(f"{table.core}: instructions of frozen networks, error {100 * off:.1f} % (most)")
    return replace(table, frozen=sizes)


def _sibling(
    core: str, board: Board, other: Table, cases: Sequence[Prepared], scratch: Path
) -> Table:
    """Return the table of a core that executes what `other` does."""
    sizes = _measure(Bench(board, scratch), cases, run=False).sizes
    return _with_code(replace(other, core=core), board, cases, sizes, scratch, lambda _: None)


def _measure(bench: Bench, cases: Sequence[Prepared], run: bool) -> _Measured:
    form = form_of(bench.board.core)
    if run:
        bench.compile_fixed()

    def one(prepared: Prepared) -> tuple[int, list[Amounts], list[int], int]:
        model = bench.model_object(prepared)
        size = bench.code_bytes(model) - prepared.code.constants
        if not run:
            return size, [], [], 0
        done = bench.run(prepared, model)
        counts = [int(n) for job in done.jobs for n in job.instructions]
        amounts = [prepared.program.inference(a, form) for a in prepared.inferences]
        amounts += [prepared.program.step(a, form) for a in prepared.steps]
        return size, amounts, counts, done.stack_used

    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(one, cases))
    stack: dict[str, int] = {}
    for prepared, result in zip(cases, results, strict=True):
        format = prepared.network.format
        stack[format] = max(stack.get(format, 0), result[3])
    return _Measured(
        sizes=[result[0] for result in results],
        amounts=[amounts for result in results for amounts in result[1]],
        counts=[count for result in results for count in result[2]],
        stack=stack,
    )


def _link_stack(bench: Bench, prepared: Prepared, stack: dict[str, int]) -> int:
    """Return what the trainer's stack has beyond the most that inference and step use."""
    elf = bench.trainer(prepared, bench.model_object(prepared))
    with Emulator(bench.board, elf) as emulator:
        transport = SerialTransport(emulator.port)
        device = LinkDevice(transport, prepared.network, prepared.rule)
        try:
            for sample, target in zip(prepared.raw, prepared.targets, strict=True):
                device.infer(sample)
                device.train(sample, target)
            _converse(transport, prepared.raw[0].tobytes())
            used = device.statistics().stack_used
        finally:
            device.close()
    return max(0, used - stack[prepared.network.format])


def _converse(transport: SerialTransport, sample: bytes) -> None:
    """Load, infer and learn a sample over the text protocol."""
    pieces = [sample[at : at + 31].hex() for at in range(0, len(sample), 31)]
    commands = [f"db load {len(sample)}", *(f"db {piece}" for piece in pieces)]
    for command in (*commands, "db print", "infer 2 1", "label 1", "train 2", "save", "stats"):
        transport.write(command.encode() + b"%")
        said, deadline = b"", time.monotonic() + 30
        while b"m-ready" not in said:
            said += transport.read(0.05)
            if b"e-[" in said or time.monotonic() > deadline:
                raise DeviceError(f"the trainer answered {command!r} with {said!r}")


def _with_code(
    table: Table,
    board: Board,
    cases: Sequence[Prepared],
    sizes: Sequence[int],
    scratch: Path,
    progress: Progress,
) -> Table:
    """Add what was linked: pieces, size of generated code, fixed RAM, link buffers."""
    features = [prepared.code.features for prepared in cases]
    code = fit_sizes(features, sizes, FREE)
    errors = [apply(code, f) - size for f, size in zip(features, sizes, strict=True)]
    progress(f"{table.core}: generated code, error at most {max(map(abs, errors)):.0f} bytes")
    buffers = _buffers(Bench(board, scratch), cases)
    pieces, ports = _pieces(table.core, cases[0], scratch)
    memory = plan(cases[0].network, cases[0].rule).total + link_bytes(cases[0], buffers)
    fixed = {}
    for family, found in ports.items():
        kept = reachable({**pieces, **found}, [START])
        fixed[family] = taken({**pieces, **found}, kept).ram - memory
    return replace(
        table,
        code=code,
        buffers=buffers,
        pieces=pieces,
        ports=ports,
        fixed_ram=fixed,
        text=_text_sizes(Bench(board, scratch), cases),
    )


def _text_sizes(bench: Bench, cases: Sequence[Prepared]) -> TextSizes:
    """Return what the text protocol adds to the trainer of a case of each head."""
    flash: dict[str, int] = {}
    ram: dict[str, int] = {}
    for head in HEADS:
        prepared = next(p for p in cases if p.network.head == head)
        model = bench.model_object(prepared)
        without, raw, real = (
            measure(bench.trainer(prepared, model, text), bench.board)
            for text in (False, _RAW, _FLOAT)
        )
        flash[head] = raw.flash_bytes - without.flash_bytes
        flash[FLOAT] = real.flash_bytes - raw.flash_bytes
        ram[head] = raw.ram_bytes - without.ram_bytes - buffers(prepared.network, _RAW)
    if max(ram.values()) - min(ram.values()) > _ALIGNMENT:
        raise BuildError(f"the RAM of the text protocol is not as plan/text.py says: {ram}")
    return TextSizes(max(ram.values()), flash)


def link_bytes(prepared: Prepared, buffers: tuple[int, int]) -> int:
    """Return the bytes of the link's buffers for a case."""
    frames = link_frames(prepared.program.learning)
    return sum(count * frame for count, frame in zip(buffers, frames, strict=True))


def _buffers(bench: Bench, cases: Sequence[Prepared]) -> tuple[int, int]:
    """Return how often request and reply frames are in the application's RAM."""
    rows, rest = [], []
    for prepared in _with_different_frames(cases):
        rows.append([1, *link_frames(prepared.program.learning)])
        rest.append(bench.application_ram(prepared) - plan(prepared.network, prepared.rule).total)
    matrix, measured = np.array(rows, dtype=float), np.array(rest, dtype=float)
    solution, *_ = np.linalg.lstsq(matrix, measured, rcond=None)
    counts = (round(float(solution[1])), round(float(solution[2])))
    left = measured - matrix[:, 1:] @ np.array(counts, dtype=float)
    if float(np.ptp(left)) > _BUFFER_TOLERANCE:
        raise BuildError(
            f"the RAM of the trainer is not {counts[0]} x {FRAMES[0]} + {counts[1]} x {FRAMES[1]} "
            f"and a constant: it differs by {[int(v) for v in left - left.min()]} bytes between "
            f"networks with frames of {[row[1:] for row in rows]}; a buffer follows another macro"
        )
    return counts


def _with_different_frames(cases: Sequence[Prepared]) -> list[Prepared]:
    """Return the cases with the longest and the shortest samples and answers, and some between."""
    by_input = sorted(cases, key=lambda p: p.network.sample.sample_bytes)
    by_output = sorted(cases, key=lambda p: p.network.outputs)
    by_layers = sorted(cases, key=lambda p: len(p.network.layers))
    return [by_input[0], by_input[-1], by_input[-4], *by_output[-3:], by_layers[-1], cases[0]]


def _pieces(
    core: str, prepared: Prepared, scratch: Path
) -> tuple[dict[str, Piece], dict[str, dict[str, Piece]]]:
    """Return the pieces that all families have, and those of every family."""
    found: dict[str, dict[str, Piece]] = {}
    for family, board in _family_boards(core).items():
        all_pieces = Bench(board, scratch / family).trainer_pieces(prepared)
        all_pieces[MODEL] = Piece(0, 0, tuple(sorted(_interface(all_pieces))))
        kept = reachable(all_pieces, [START])
        found[family] = {name: piece for name, piece in all_pieces.items() if name in kept}
        del found[family][MODEL]
    first, *others = found.values()
    common = {
        name: piece
        for name, piece in first.items()
        if all(other.get(name) == piece for other in others)
    }
    ports = {
        family: {name: piece for name, piece in pieces.items() if name not in common}
        for family, pieces in found.items()
    }
    return common, ports


def _family_boards(core: str) -> dict[str, Board]:
    """Return a board of each chip family that has one here, with this core."""
    found: dict[str, Board] = {}
    for board in emulated_boards():
        if board.port and board.port.family not in found:
            found[board.port.family] = replace_core(board, core)
    return {family: found[family] for family in get_args(Family) if family in found}


def _interface(pieces: dict[str, Piece]) -> set[str]:
    """Return what generated code may refer to: everything with a name of its own."""
    return {name for name in pieces if not name.startswith(".")}
