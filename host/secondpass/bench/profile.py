# SPDX-License-Identifier: Apache-2.0
"""Where instructions go, with estimated cycles, by the counting plugin of bench/cycles."""

import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from secondpass import resources
from secondpass.bench.board_run import INFER, TRAIN, BoardRun, Done, Job, build_model, run_jobs
from secondpass.bench.measure import Plan
from secondpass.bench.results import EstimateResult
from secondpass.boards import Board
from secondpass.errors import BuildError, DeviceError, SecondpassError
from secondpass.toolchain import EMULATOR, host_compiler, run_compiler

ESTIMATED = {"cortex-m0plus": "M0+", "cortex-m3": "M3", "cortex-m4": "M4"}
"""Cores whose cycles are estimated, and what the plugin calls them."""

_FLAGS = ("-std=gnu99", "-O2", "-fPIC", "-shared")


@dataclass(frozen=True)
class FunctionCounts:
    """Instructions of a function by class, and estimated cycles by core, over all regions."""

    name: str
    classes: dict[str, int]
    cycles: dict[str, int]

    @property
    def instructions(self) -> int:
        """All instructions."""
        return sum(self.classes.values())


@dataclass(frozen=True)
class Profile:
    """What ran in `regions` inferences or steps; functions, the busiest first."""

    regions: int
    taken: int
    functions: list[FunctionCounts]

    @property
    def instructions(self) -> float:
        """Mean instructions of a region."""
        return sum(function.instructions for function in self.functions) / self.regions

    def cycles(self, core: str) -> float:
        """Mean cycles of a region, estimated for a core that the plugin knows."""
        return sum(function.cycles[core] for function in self.functions) / self.regions

    def classes(self) -> dict[str, float]:
        """Mean instructions of a region by class, the most frequent first."""
        totals: dict[str, float] = {}
        for function in self.functions:
            for name, count in function.classes.items():
                totals[name] = totals.get(name, 0) + count / self.regions
        return dict(sorted(totals.items(), key=lambda item: -item[1]))


def plugin() -> Path:
    """Return the plugin, compiled when it is not yet.

    Raises `ToolMissingError` or `BuildError` where that is not possible.
    """
    folder = resources.folder("bench") / "cycles"
    sources = sorted(folder.glob("*.c"))
    if not sources:
        raise BuildError(f"{folder} holds no plugin: run the bench from a checkout")
    compiler = host_compiler()
    digest = hashlib.sha256(" ".join((*compiler, *_FLAGS)).encode())
    for path in sorted(folder.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    name = f"count_{digest.hexdigest()[:20]}.so"
    target = Path(platformdirs.user_cache_dir("secondpass")) / "plugins" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            built = Path(scratch) / name
            run_compiler([*compiler, *_FLAGS, *sources, "-o", built], "the counting plugin")
            built.replace(target)
    return target


def unavailable_reason() -> str | None:
    """Return why nothing can be profiled here, or None: no compiler, or an emulator without it."""
    try:
        path = plugin()
        with tempfile.TemporaryDirectory() as scratch:
            command = [EMULATOR.find(), "-M", "none", "-display", "none", "-monitor", "stdio"]
            done = subprocess.run(
                [*command, "-plugin", f"{path},out={scratch}/counts.txt"],
                input="quit\n",
                capture_output=True,
                text=True,
            )
    except SecondpassError as error:
        return str(error)
    if done.returncode != 0:
        return f"the emulator does not load the counting plugin: {done.stderr.strip()}"
    return None


def profile(plan: Plan, board: Board, steady: bool, kind: int) -> tuple[Profile, Done]:
    """Profile the inferences or the steps of a plan; also return what the timer counted."""
    jobs = _only(plan.jobs[3:] if steady else plan.jobs[:3], kind)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        build = build_model(plan.network, plan.rule, board, folder)
        counts = folder.resolve() / "counts.txt"
        # the first region is the empty call that tells what measuring costs
        options = ("-plugin", f"{plugin()},out={counts},skip=1")
        run: BoardRun = run_jobs(board, build.elf, jobs, options)
        if not counts.is_file():
            raise DeviceError("the counting plugin wrote nothing")
        return parse(counts.read_text()), run.jobs[-1]


def estimate(plan: Plan, board: Board) -> EstimateResult:
    """Return estimated cycles of inference and steady step on one of the `ESTIMATED` cores."""
    core = ESTIMATED[board.core]
    inference, step = (profile(plan, board, True, kind)[0].cycles(core) for kind in (INFER, TRAIN))
    what = (plan.workload, plan.rule_name, plan.network.format)
    return EstimateResult(board.id, board.core, *what, round(inference), round(step))


def _only(jobs: Sequence[Job], kind: int) -> list[Job]:
    state, inferences, steps = jobs
    return [state, inferences if kind == INFER else steps]


def parse(text: str) -> Profile:
    """Read what the plugin writes."""
    classes: list[str] = []
    cores: list[str] = []
    regions = taken = 0
    functions = []
    for line in text.splitlines():
        title, *fields = line.split("\t")
        if title == "classes":
            classes = fields
        elif title == "cores":
            cores = fields
        elif title == "regions":
            regions = int(fields[0])
        elif title == "taken":
            taken = int(fields[0])
        else:
            counts = [int(field) for field in fields[1:]]
            by_class = {k: n for k, n in zip(classes, counts, strict=False) if n}
            cycles = dict(zip(cores, counts[len(classes) :], strict=True))
            functions.append(FunctionCounts(fields[0], by_class, cycles))
    busy = [function for function in functions if function.instructions]
    busy.sort(key=lambda function: -function.instructions)
    if not regions:
        raise DeviceError("the counting plugin saw no marked region")
    return Profile(regions, taken, busy)
