# SPDX-License-Identifier: Apache-2.0
"""Measure on a core what the planner has to know of frozen int8 networks."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass.affine import Affine, AffineDense, AffineNetwork
from secondpass.boards import Board
from secondpass.device.crossbuild import measure
from secondpass.device.emulator import Emulator
from secondpass.device.link import LinkDevice
from secondpass.device.text import TextProfile
from secondpass.device.transport import SerialTransport
from secondpass.errors import BuildError
from secondpass.network import HEADS, Input
from secondpass.plan.fit import apply, fit_counts, fit_sizes
from secondpass.plan.frozen import FrozenSource, inference_work, source_of
from secondpass.plan.macros import frames_of, network_values
from secondpass.plan.measure import Bench
from secondpass.plan.tables import FrozenSizes
from secondpass.plan.text import FLOAT, TextSizes, buffers
from secondpass.plan.work import form_of
from secondpass.rules import NoRule
from secondpass_codegen import write

SAMPLES = 4
_RAW, _FLOAT = TextProfile("kws01"), TextProfile("ad01")
_TOLERANCE = 16
"""Bytes of RAM that the formulas may be off; compilers round code more coarsely."""
_WIDTHS = (
    (64, 32, 10),
    (640, 40, 12),
    (100, 90, 33, 6),
    (210, 128, 5),
    (33, 21, 50, 9),
    (150, 128, 128, 4),
    (300, 6),
    (17, 7, 3),
    (48, 20, 1),
    (75, 30, 30, 14),
    (96, 24, 8, 24, 96),
    (243, 31, 243),
)


@dataclass(frozen=True, eq=False)
class FrozenCase:
    """A network of random weights with its C."""

    network: AffineNetwork
    folder: Path

    @property
    def source(self) -> FrozenSource:
        """What the generated C is made of."""
        return source_of(self.network)

    def samples(self, count: int) -> npt.NDArray[np.int8]:
        """Return raw samples (count, inputs)."""
        random = np.random.default_rng(5)
        return random.integers(-128, 128, (count, self.network.input.size)).astype(np.int8)


def frozen_network(
    widths: Sequence[int], head: str, per_row: bool = False, seed: int = 1
) -> AffineNetwork:
    """Return a network of random weights; hidden layers are ReLU."""
    random = np.random.default_rng(seed)
    below = Affine(0.05, 3)
    layers: list[AffineDense] = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        last = index == len(widths) - 2
        result = Affine(0.3, 11 if last else -128)
        layer = AffineDense(
            name=f"dense_{index}",
            weights=random.integers(-127, 128, (outputs, inputs)).astype(np.int8),
            bias=random.integers(-2000, 2000, outputs).astype(np.int32),
            activation="identity" if last else "relu",
            source=below,
            result=result,
            weight_steps=tuple(random.uniform(0.002, 0.006, outputs if per_row else 1).tolist()),
        )
        layers.append(layer)
        below = result
    first = layers[0].source
    spec = Input(widths[0], "int8", first.zero_point, first.step, 0)
    return AffineNetwork(spec, tuple(layers), head)


def frozen_cases(folder: Path) -> list[FrozenCase]:
    """Write the C of the networks that the tables are made from."""
    cases = []
    for number, widths in enumerate(_WIDTHS):
        if widths[-1] == 1:
            head = "sigmoid"
        elif widths[-1] == widths[0]:
            head = "reconstruction"
        else:
            head = ("softmax", "mse")[number % 2]
        network = frozen_network(widths, head, per_row=number % 3 == 0, seed=number)
        case = FrozenCase(network, folder / f"frozen{number:02d}")
        write(network, NoRule(), case.folder)
        cases.append(case)
    return cases


def measure_frozen(
    bench: Bench,
    ports: Mapping[str, Board],
    cases: Sequence[FrozenCase],
    link: tuple[int, int],
    counted: tuple[dict[str, float], int] | None = None,
) -> tuple[FrozenSizes, float]:
    """Return the table of a core, and how far counted instructions are from it at most.

    `ports`: by family, a board of this core.
    `counted`: instructions and stack of a core that runs the same; None: count them.
    Raises `BuildError` with the figures when a formula does not describe what was measured.
    """
    models = [bench.model_object(case) for case in cases]
    sizes = [
        bench.code_bytes(model) - case.source.constants
        for case, model in zip(cases, models, strict=True)
    ]
    features = [case.source.features for case in cases]
    code = fit_sizes(features, sizes, ("model", "layer"))
    off = [apply(code, f) - size for f, size in zip(features, sizes, strict=True)]
    _check("generated code", off, 4 * _TOLERANCE)
    of_head = {
        head: next(n for n, case in enumerate(cases) if case.network.head == head) for head in HEADS
    }
    flash, ram = _by_family(bench, ports, cases, models, of_head[HEADS[0]], sizes, link)
    instructions, stack, error = (*counted, 0.0) if counted else _count(bench, cases)
    sizes_of_core = FrozenSizes(
        ram=ram,
        flash=flash,
        head=_by_head(bench, cases, models, of_head, sizes),
        text=_text(bench, cases, models, of_head),
        code=code,
        instructions=instructions,
        stack=stack,
    )
    return sizes_of_core, error


def _check(what: str, off: Sequence[float], tolerance: int = _TOLERANCE) -> None:
    if max(off) - min(off) > tolerance:
        raise BuildError(f"the {what} of frozen networks is not as plan/frozen.py says: {off}")


def _by_family(
    bench: Bench,
    ports: Mapping[str, Board],
    cases: Sequence[FrozenCase],
    models: Sequence[Path],
    number: int,
    sizes: Sequence[int],
    link: tuple[int, int],
) -> tuple[dict[str, int], dict[str, int]]:
    """Return flash and RAM beside the model, by chip family."""
    flash, ram = {}, {}
    for family, board in ports.items():
        other = Bench(board, bench.scratch / f"frozen_{family}")
        case = cases[number]
        built = measure(other.trainer(case, models[number], False), board)
        flash[family] = built.flash_bytes - sizes[number] - case.source.constants
        ram[family] = built.ram_bytes - _model_ram(case, link)
    rest = []
    for case, model in zip(cases, models, strict=True):
        built = measure(bench.trainer(case, model, False), bench.board)
        rest.append(float(built.ram_bytes - _model_ram(case, link)))
    _check("RAM", rest)
    return flash, ram


def _model_ram(case: FrozenCase, link: tuple[int, int]) -> int:
    frames = frames_of(network_values(case.network, 0))
    return case.source.memory.total + sum(n * f for n, f in zip(link, frames, strict=True))


def _by_head(
    bench: Bench,
    cases: Sequence[FrozenCase],
    models: Sequence[Path],
    of_head: Mapping[str, int],
    sizes: Sequence[int],
) -> dict[str, int]:
    """Return the flash that a head takes beside generated code, less that of the first head."""
    found = {}
    for head, n in of_head.items():
        built = measure(bench.trainer(cases[n], models[n], False), bench.board)
        found[head] = built.flash_bytes - sizes[n] - cases[n].source.constants
    return {head: size - found[HEADS[0]] for head, size in found.items()}


def _text(
    bench: Bench, cases: Sequence[FrozenCase], models: Sequence[Path], of_head: Mapping[str, int]
) -> TextSizes:
    flash: dict[str, int] = {}
    ram = []
    for head, n in of_head.items():
        without, raw, real = (
            measure(bench.trainer(cases[n], models[n], text), bench.board)
            for text in (False, _RAW, _FLOAT)
        )
        flash[head] = raw.flash_bytes - without.flash_bytes
        flash[FLOAT] = real.flash_bytes - raw.flash_bytes
        ram.append(raw.ram_bytes - without.ram_bytes - buffers(cases[n].network, _RAW))
    _check("RAM of the text protocol", [float(size) for size in ram])
    return TextSizes(max(ram), flash)


def _count(bench: Bench, cases: Sequence[FrozenCase]) -> tuple[dict[str, float], int, float]:
    """Return instructions for each amount of work, the trainer's stack, and the largest error."""
    amounts, counts, stack = [], [], 0
    for case in cases:
        elf = bench.trainer(case, bench.model_object(case))
        found, used = count_inferences(bench.board, elf, case)
        amounts.append(inference_work(case.network, form_of(bench.board.core)))
        counts.append(found)
        stack = max(stack, used)
    table = fit_counts(amounts, counts)
    errors = [apply(table, a) / count - 1 for a, count in zip(amounts, counts, strict=True)]
    return table, stack, max(map(abs, errors))


def count_inferences(board: Board, elf: Path, case: FrozenCase) -> tuple[float, int]:
    """Return the mean instructions of an inference on an emulated board, and the stack's mark."""
    with Emulator(board, elf, count_instructions=True) as emulator:
        device = LinkDevice(SerialTransport(emulator.port), case.network, NoRule())
        try:
            ticks = [device.infer(sample).ticks for sample in case.samples(SAMPLES)]
            used = device.statistics().stack_used
        finally:
            device.close()
    return float(np.mean(ticks)) / board.ticks_per_instruction, used
