# SPDX-License-Identifier: Apache-2.0
"""The plan against the linked firmware and the counts of emulated boards.

Networks, sizes and samples are none that the tables were made from: the planner watches samples of
one seed, the board counts those of another. `pytest -s` prints the largest deviations.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from planned_networks import BOARDS, CASES

from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware, measure
from secondpass.device.text import TextProfile
from secondpass.network import HEADS
from secondpass.plan.activity import watch_inference, watch_training
from secondpass.plan.cases import Case
from secondpass.plan.measure import Bench, Prepared, prepare
from secondpass.plan.planner import Plan, Planner

WATCHED, COUNTED = 60, 15
MEMORY, WORK = 0.02, 0.10

pytestmark = pytest.mark.emulated


@dataclass(frozen=True)
class Measured:
    """What was planned beside what was linked and counted."""

    plan: Plan
    ram: int
    flash: int
    inference: float
    step: float
    largest_step: float
    stack: int

    def deviations(self) -> dict[str, float]:
        plan = self.plan
        return {
            "RAM": plan.static_ram / self.ram - 1,
            "flash": plan.flash_bytes / self.flash - 1,
            "inference": plan.inference.typical / self.inference - 1,
            "step": plan.step.typical / self.step - 1,
        }


class Laboratory:
    """Prepares every case once, and compiles and runs it once a board."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.case = cache(self._case)
        self.bench = cache(self._bench)
        self.measured = cache(self._measured)
        self.found: list[tuple[str, float, str, str]] = []

    def _case(self, number: int) -> tuple[Prepared, Planner]:
        case = CASES[number]
        prepared = prepare(case, self.folder / f"case{number}", COUNTED)
        network, rule = prepared.network, prepared.rule
        other = replace(case, seed=77)
        raw, targets = other.samples(WATCHED), other.targets(network, WATCHED)
        planner = Planner(
            network,
            rule,
            watch_inference(network, rule, raw),
            watch_training(network, rule, raw, targets),
        )
        return prepared, planner

    def _bench(self, board: str) -> Bench:
        bench = Bench(load_board(board), self.folder / board)
        bench.compile_fixed()
        return bench

    def _measured(self, number: int, board: str) -> Measured:
        prepared, planner = self.case(number)
        bench = self.bench(board)
        model = bench.model_object(prepared)
        run = bench.run(prepared, model)
        firmware = measure(bench.trainer(prepared, model), bench.board)
        inference, steps = (job.instructions for job in run.jobs)
        measured = Measured(
            plan=planner.on(bench.board),
            ram=firmware.ram_bytes,
            flash=firmware.flash_bytes,
            inference=float(inference.mean()),
            step=float(steps.mean()),
            largest_step=float(steps.max()),
            stack=run.stack_used,
        )
        title = CASES[number].title
        self.found += [(what, off, title, board) for what, off in measured.deviations().items()]
        return measured


@pytest.fixture(scope="module")
def laboratory(cross_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path_factory.mktemp("plan"))
    yield laboratory
    if not laboratory.found:
        return
    for what in ("RAM", "flash", "inference", "step"):
        _, deviation, title, board = max(
            (one for one in laboratory.found if one[0] == what), key=lambda one: abs(one[1])
        )
        print(f"\nlargest deviation of {what}: {100 * deviation:+.2f} %, {title} on {board}")


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n].title)
def test_the_plan_is_what_was_linked_and_counted(
    number: int, board: str, laboratory: Laboratory
) -> None:
    measured = laboratory.measured(number, board)
    deviations = measured.deviations()
    assert abs(deviations["RAM"]) < MEMORY, deviations
    assert abs(deviations["flash"]) < MEMORY, deviations
    assert abs(deviations["inference"]) < WORK, deviations
    assert abs(deviations["step"]) < WORK, deviations


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n].title)
def test_no_step_takes_more_than_the_worst(number: int, board: str, laboratory: Laboratory) -> None:
    """But for the accuracy of the counts."""
    measured = laboratory.measured(number, board)
    assert measured.largest_step <= (1 + WORK) * measured.plan.step.worst
    assert measured.plan.step.typical <= 1.001 * measured.plan.step.worst


@pytest.mark.parametrize("board", BOARDS)
def test_the_stack_of_the_plan_is_not_less_than_what_is_used(
    board: str, laboratory: Laboratory
) -> None:
    for number in range(len(CASES)):
        measured = laboratory.measured(number, board)
        assert measured.stack <= measured.plan.stack_used


@pytest.mark.parametrize("board", ["microbit", "stm32vldiscovery", "netduinoplus2"])
def test_the_build_itself_is_as_planned_on_other_ports(
    board: str, cross_tools: None, tmp_path: Path
) -> None:
    case = Case((64, 10, 10), "pepita", "a8w8", {"projection": "sparse"})
    network, rule = case.network(), case.rule()
    planned = Planner(network, rule).on(load_board(board))
    built = build_firmware(network, rule, load_board(board), tmp_path)
    assert planned.static_ram == pytest.approx(built.ram_bytes, rel=MEMORY)
    assert planned.flash_bytes == pytest.approx(built.flash_bytes, rel=MEMORY)
    assert planned.fits


@pytest.mark.parametrize("board", ["mps2-an385-m0plus", "mps2-an386", "mps3-an547"])
@pytest.mark.parametrize("text", [False, TextProfile("any"), TextProfile("ad01")], ids=str)
@pytest.mark.parametrize("head", HEADS)
def test_the_text_protocol_is_planned(
    head: str, text: TextProfile | bool, board: str, cross_tools: None, tmp_path: Path
) -> None:
    """For every head, with raw and with float32 samples, and without it."""
    case = Case((57, 9, {"sigmoid": 1, "reconstruction": 57}.get(head, 5)), "bp", head=head)
    network, rule = case.network(), case.rule()
    plan = Planner(network, rule, text=text).on(load_board(board))
    built = build_firmware(network, rule, load_board(board), tmp_path, text)
    assert plan.static_ram == pytest.approx(built.ram_bytes, abs=16)
    assert plan.flash_bytes == pytest.approx(built.flash_bytes, rel=MEMORY)
    without = build_firmware(network, rule, load_board(board), tmp_path, text=False)
    for part, more in (
        (plan.ram, built.ram_bytes - without.ram_bytes),
        (plan.flash, built.flash_bytes - without.flash_bytes),
    ):
        assert part["text protocol"] == pytest.approx(more, abs=100)
        assert (part["text protocol"] > 0) == bool(text)
