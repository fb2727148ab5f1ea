# SPDX-License-Identifier: Apache-2.0
"""The matrix of the bench: which boards, networks, rules and formats, and running it."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial

from secondpass.bench import baseline, profile
from secondpass.bench.measure import (
    SKIPPED,
    STEPS,
    Plan,
    make_plan,
    measure_layer,
    measure_model,
)
from secondpass.bench.results import BaselineResult, EstimateResult, LayerResult, ModelResult, Tools
from secondpass.bench.workloads import LAYERS, MAIN_RULES, RULES, WORKLOADS, takes, window
from secondpass.boards import Board, emulated_boards, load_board
from secondpass.crosscompiler import FLOAT_CORES, cross_compiler
from secondpass.device.crossbuild import compiler_flags
from secondpass.device.twin import HostTwin
from secondpass.errors import BuildError, DataError, require_choice
from secondpass.network import FORMATS
from secondpass.toolchain import EMULATOR, host_compiler, program_version

FAST_RULE = "pepita-fast"
"""The rule that has targets: all steps of its windows are counted."""

MAIN_STEPS, OTHER_STEPS, SLOW_STEPS = 200, 50, 50
"""Most steps of a window under the other `MAIN_RULES`, under all others, and on the Cortex-M0+,
which has no target for them and takes long to emulate."""

ESTIMATED_NETWORKS = ("784-100-10", "64-32-10")
"""Networks whose cycles are estimated, under the fast rule in a16w16."""

LEAST_RAM = 512 * 1024
"""Bytes of RAM of a board that stands for its core: all that the largest model here takes."""

WORKERS = 2
Result = ModelResult | LayerResult | BaselineResult | EstimateResult
Task = Callable[[], list[Result]]


@dataclass(frozen=True)
class Selection:
    """What to measure; None: everything. `steps` of a window, at most."""

    board: str | None = None
    network: str | None = None
    rule: str | None = None
    format: str | None = None
    steps: int = STEPS

    def __post_init__(self) -> None:
        for what, value, accepted in (
            ("board", self.board, [board.id for board in emulated_boards()]),
            ("network", self.network, (*WORKLOADS, *(f"{a}x{b}" for a, b in LAYERS))),
            ("rule", self.rule, (*RULES, "float")),
            ("format", self.format, FORMATS),
        ):
            if value is not None:
                require_choice(what, value, list(accepted))
        if self.steps < 1:
            raise DataError(f"--steps is {self.steps}; it takes 1 or more")

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def boards(self) -> list[Board]:
        """Return the chosen board, or one board a core."""
        if self.board is not None:
            return [load_board(self.board)]
        return list(core_boards().values())

    def takes(self, network: str, rule: str | None = None, format: str | None = None) -> bool:
        """Tell whether something is selected."""
        named = self.network == network
        if not (named or (self.network is None and _is_default(network))):
            return False
        wanted = ((self.rule, rule), (self.format, format))
        return all(chosen is None or chosen == value for chosen, value in wanted)


def _is_default(network: str) -> bool:
    return network not in WORKLOADS or WORKLOADS[network].default


def core_boards() -> dict[str, Board]:
    """Return for every emulated core the board with most memory, of at least `LEAST_RAM`."""
    chosen: dict[str, Board] = {}
    for board in emulated_boards(LEAST_RAM):
        if board.own:
            continue  # the committed figures are of the project's boards
        other = chosen.get(board.core)
        if other is None or board.memory.ram_bytes > other.memory.ram_bytes:
            chosen[board.core] = board
    return dict(sorted(chosen.items(), key=lambda item: _number(item[0])))


def small_cores() -> list[str]:
    """Return, for every core that `core_boards` leaves out, why."""
    large = core_boards()
    return [
        f"{board.core}: its only board here, {board.id}, has {board.memory.ram_bytes // 1024} KiB "
        f"of RAM; the models of the bench take up to {LEAST_RAM // 1024} KiB"
        for board in emulated_boards()
        if board.core not in large and not board.own
    ]


def _number(core: str) -> int:
    """Return the number in a core's name: smaller cores come first."""
    return int("".join(character for character in core if character.isdigit()))


@dataclass
class Findings:
    """Everything a run has found; `left_out` says what was not measured and why."""

    tools: Tools
    models: list[ModelResult] = field(default_factory=list)
    layers: list[LayerResult] = field(default_factory=list)
    baselines: list[BaselineResult] = field(default_factory=list)
    estimates: list[EstimateResult] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    host_steps_per_second: float | None = None

    def add(self, results: Iterable[Result]) -> None:
        """Sort results into their lists."""
        for result in results:
            if isinstance(result, ModelResult):
                self.models.append(result)
            elif isinstance(result, LayerResult):
                self.layers.append(result)
            elif isinstance(result, EstimateResult):
                self.estimates.append(result)
            else:
                self.baselines.append(result)


def run(selection: Selection, progress: Callable[[int, int, str], None]) -> Findings:
    """Measure what is selected, two at a time; `progress` is told done, all, what came last."""
    findings = Findings(tool_versions([board.core for board in selection.boards()]))
    if selection.board is None:
        findings.left_out += small_cores()
    tasks = _tasks(selection, findings)
    with ThreadPoolExecutor(WORKERS) as pool:
        running = {pool.submit(task): name for name, task in tasks}
        try:
            for done, future in enumerate(as_completed(running), 1):
                findings.add(future.result())
                progress(done, len(running), running[future])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if selection.takes("784-100-10", "pepita-fast", "a16w16"):
        findings.host_steps_per_second = host_speed()
    cores: dict[str, int] = {board.core: index for index, board in enumerate(selection.boards())}
    networks = {name: index for index, name in enumerate(WORKLOADS)}
    rules = {name: index for index, name in enumerate(RULES)}
    formats = list(FORMATS)
    findings.models.sort(
        key=lambda r: (networks[r.network], rules[r.rule], formats.index(r.format), cores[r.core])
    )
    findings.estimates.sort(key=lambda r: (networks[r.network], cores[r.core]))
    findings.layers.sort(key=lambda r: (-r.inputs, formats.index(r.format), cores[r.core]))
    findings.baselines.sort(key=lambda r: (networks[r.network], cores[r.core]))
    return findings


def _tasks(selection: Selection, findings: Findings) -> list[tuple[str, Task]]:
    boards = selection.boards()
    tasks: list[tuple[str, Task]] = []
    for name, workload in WORKLOADS.items():
        for rule in workload.rules:
            for format in FORMATS:
                if selection.takes(name, rule, format) and takes(rule, format):
                    job = (name, rule, format, selection.steps)
                    task = partial(_models, *job, boards, findings.left_out)
                    tasks.append((f"{name} {rule} {format}", task))
        if selection.takes(name, "float"):
            task = partial(_baselines, name, boards, findings.left_out)
            tasks.append((f"{name} float baseline", task))
    if selection.rule is None:
        for inputs, outputs in LAYERS:
            for format in FORMATS:
                if selection.takes(f"{inputs}x{outputs}", None, format):
                    task = partial(_layers, inputs, outputs, format, boards, findings.left_out)
                    tasks.append((f"layer {inputs}x{outputs} {format}", task))
    tasks += _estimate_tasks(selection, findings)
    return tasks


def _estimate_tasks(selection: Selection, findings: Findings) -> list[tuple[str, Task]]:
    """Return the tasks that estimate cycles, or note why there are none."""
    boards = [board for board in selection.boards() if board.core in profile.ESTIMATED]
    networks = [n for n in ESTIMATED_NETWORKS if selection.takes(n, FAST_RULE, "a16w16")]
    if not boards or not networks:
        return []
    reason = profile.unavailable_reason()
    if reason is not None:
        findings.left_out.append(f"cycle estimates: {reason}")
        return []
    left_out = findings.left_out
    return [(f"{n} cycle estimates", partial(_estimates, n, boards, left_out)) for n in networks]


def _estimates(name: str, boards: Sequence[Board], left_out: list[str]) -> list[Result]:
    plan = make_plan(name, WORKLOADS[name], FAST_RULE, "a16w16", SLOW_STEPS, SKIPPED)
    what = f"cycle estimates of {name}"
    return _each(boards, what, left_out, lambda board: profile.estimate(plan, board))


def _each(
    boards: Sequence[Board], what: str, left_out: list[str], measure: Callable[[Board], Result]
) -> list[Result]:
    """Measure on every board that has memory for it; note those that have not."""
    results = []
    for board in boards:
        try:
            results.append(measure(board))
        except BuildError as error:
            if not is_too_large(error):
                raise
            left_out.append(f"{what} on {board.id}: it does not fit the board's memory")
    return results


def is_too_large(error: BuildError) -> bool:
    """Tell whether a build failed because the board has too little memory."""
    text = str(error)
    reasons = ("does not fit", "RAM is too small", "will not fit in region", "overflowed")
    return any(reason in text for reason in reasons)


def window_steps(board: Board, rule: str, steps: int) -> int:
    """Return how many steps of a window are counted on a board under a rule."""
    if rule != FAST_RULE:
        steps = min(steps, MAIN_STEPS if rule in MAIN_RULES else OTHER_STEPS)
    return min(steps, SLOW_STEPS) if board.core.startswith("cortex-m0") else steps


def _models(
    name: str, rule: str, format: str, steps: int, boards: Sequence[Board], left_out: list[str]
) -> list[Result]:
    plans: dict[int, Plan] = {}

    def measure(board: Board) -> ModelResult:
        count = window_steps(board, rule, min(steps, WORKLOADS[name].most_steps))
        if count not in plans:
            plans[count] = make_plan(name, WORKLOADS[name], rule, format, count, SKIPPED)
        return measure_model(plans[count], board)

    return _each(boards, f"{name} {rule} {format}", left_out, measure)


def _layers(
    inputs: int, outputs: int, format: str, boards: Sequence[Board], left_out: list[str]
) -> list[Result]:
    what = f"layer {inputs}x{outputs} {format}"
    return _each(boards, what, left_out, lambda b: measure_layer(b, inputs, outputs, format))


def _baselines(name: str, boards: Sequence[Board], left_out: list[str]) -> list[Result]:
    what = f"{name} float baseline"
    measure = partial(baseline.measure_baseline, name, WORKLOADS[name])
    return _each(boards, what, left_out, measure)


def host_speed(seconds: float = 2.0) -> float:
    """Return the host twin's training steps a second, 784-100-10 on one core of this computer."""
    workload = WORKLOADS["784-100-10"]
    twin = HostTwin(workload.network("a16w16"), workload.rule("pepita-fast"))
    samples = window(workload.samples(), 0, 1000)
    started, steps = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        twin.train_all(*samples)
        steps += 1000
    return steps / passed


def tool_versions(cores: Sequence[str]) -> Tools:
    """Return what compiles and runs the measured code."""
    return Tools(
        compiler=cross_compiler().version(),
        flags={core: " ".join(compiler_flags(core)) for core in cores},
        float_flags={
            core: " ".join(compiler_flags(core, float_unit=True))
            for core in cores
            if core in FLOAT_CORES
        },
        emulator=program_version([EMULATOR.find()]),
        host=program_version(host_compiler()),
    )
