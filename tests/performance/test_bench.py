# SPDX-License-Identifier: Apache-2.0
"""The bench counts what the twin computes too, the same on every run, and judges targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secondpass.bench import baseline, matrix, profile, report
from secondpass.bench.board_run import INFER, TRAIN, Job, build_model, load, run_jobs, work
from secondpass.bench.matrix import (
    Findings,
    Selection,
    core_boards,
    small_cores,
    tool_versions,
)
from secondpass.bench.measure import Plan, check_equal, make_plan, measure_layer, measure_model
from secondpass.bench.results import LayerResult
from secondpass.bench.targets import verdicts
from secondpass.bench.workloads import WORKLOADS
from secondpass.boards import load_board
from secondpass.errors import BuildError, DeviceError

NETWORK = "64-32-10"


@pytest.fixture(scope="module")
def plan(cross_tools: None) -> Plan:
    workload = WORKLOADS[NETWORK]
    return make_plan(NETWORK, workload, "pepita-fast", "a16w16", steps=5, skipped=200)


@pytest.mark.emulated
def test_counts_are_equal_on_every_run(plan: Plan) -> None:
    board = load_board("mps2-an386")
    first = measure_model(plan, board)
    assert first == measure_model(plan, board)
    # the same core on another board, whose timer ticks once an instruction
    other = measure_model(plan, load_board("netduinoplus2"))
    assert (other.early, other.steady, other.stack) == (first.early, first.steady, first.stack)


@pytest.mark.emulated
def test_a_board_that_computes_something_else_is_noticed(plan: Plan, tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    build = build_model(plan.network, plan.rule, board, tmp_path)
    last = plan.jobs[-1]
    altered = Job(last.kind, bytes([last.data[0] ^ 1]) + last.data[1:], last.count)
    with pytest.raises(DeviceError, match="differ"):
        check_equal(plan, board, run_jobs(board, build.elf, [*plan.jobs[:-1], altered]))


@pytest.mark.emulated
def test_jobs_that_do_not_fit_the_firmware_are_told(plan: Plan, tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    build = build_model(plan.network, plan.rule, board, tmp_path)
    with pytest.raises(DeviceError, match="state has another size"):
        run_jobs(board, build.elf, [load(bytes(12))])
    with pytest.raises(DeviceError, match="could not read its jobs"):
        run_jobs(board, build.elf, [work(TRAIN, [bytes(3)])])


@pytest.mark.emulated
@pytest.mark.parametrize("board", ["mps2-an386", "mps2-an385"])
def test_the_float_baseline_learns_what_numpy_learns(board: str, cross_tools: None) -> None:
    """In hardware and in software; the bench itself compares the outcomes of all steps."""
    result = baseline.measure_baseline(
        NETWORK, WORKLOADS[NETWORK], load_board(board), steps=20, skipped=20
    )
    assert result.float_unit == (board == "mps2-an386")
    assert result.early.step > result.early.inference > result.macs


@pytest.mark.emulated
def test_a_layer_is_counted_alone(cross_tools: None) -> None:
    board = load_board("mps2-an386")
    small, large = (measure_layer(board, 64, rows, "a16w16") for rows in (8, 16))
    assert 1.5 * small.layer < large.layer < 2.1 * small.layer
    assert 1.5 * small.update < large.update < 2.1 * small.update


@pytest.mark.emulated
def test_the_plugin_counts_what_the_timer_counts(plan: Plan) -> None:
    reason = profile.unavailable_reason()
    if reason:
        pytest.skip(reason)
    for kind in (INFER, TRAIN):
        found, timed = profile.profile(plan, load_board("mps2-an385"), True, kind)
        assert found.regions == len(timed.instructions)
        empty_call = 2  # the timer's figures are without it
        total = sum(function.instructions for function in found.functions)
        assert total == timed.instructions.sum() + empty_call * found.regions
        assert found.cycles("M3") > found.instructions
        assert found.cycles("M3") >= found.cycles("M4")  # whose long multiply takes one cycle
    names = [function.name for function in found.functions]
    assert {"sp_update_a16w16", "sp_model_train"} <= set(names)


def test_a_missing_host_compiler_leaves_the_profile_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "no-such-compiler" in str(profile.unavailable_reason())


def test_the_float_step_lowers_the_error() -> None:
    """The gradient of the NumPy side, against finite differences."""
    rng = np.random.default_rng(1)
    shapes = ((5, 4), (3, 5))
    weights = [rng.normal(size=shape) for shape in shapes]
    biases = [rng.normal(size=shape[0]) for shape in shapes]
    x, label, rate = rng.normal(size=4), 1, 1e-6

    def loss(net: baseline.FloatNetwork) -> float:
        logits = net.outputs(x)[-1]
        return float(np.log(np.exp(logits).sum()) - logits[label])

    copied = ([w.copy() for w in weights], [b.copy() for b in biases])
    net = baseline.FloatNetwork(*copied, True, rate)
    net.train(x, label)
    for layer, (old, new) in enumerate(zip(weights, net.weights, strict=True)):
        moved = [w.copy() for w in weights]
        moved[layer][0, 1] += 1e-6
        slope = loss(baseline.FloatNetwork(moved, biases, True, rate))
        slope -= loss(baseline.FloatNetwork(weights, biases, True, rate))
        assert (old - new)[0, 1] / rate == pytest.approx(slope / 1e-6, rel=1e-3, abs=1e-5)


def test_a_target_is_met_or_missed() -> None:
    result = LayerResult("mps2-an386", "cortex-m4", 128, 128, "a16w16", 128 * 128, 1)
    slow = replace(result, layer=2 * 128 * 128)
    unknown = replace(result, core="cortex-m0plus")
    found = [verdict.outcome for verdict in verdicts([], [result, slow, unknown])]
    assert found == ["met", "missed", "reported"]


@pytest.mark.emulated
def test_the_document_has_a_line_for_every_rule_and_format(plan: Plan) -> None:
    board = load_board("mps2-an386")
    fast = measure_model(plan, board)
    slower = replace(fast.steady, step=fast.steady.step + 1)
    models = [fast, replace(fast, rule="bp", steady=slower)]
    text = report.document(Findings(tool_versions([board.core]), models))
    for rule, steps in (("pepita-fast", fast.steady.step), ("bp", fast.steady.step + 1)):
        assert f"| {rule} | a16w16 | {steps:,} |" in text
    assert f"| inference | a16w16 | {fast.steady.inference:,} |" in text
    assert f"| pepita-fast | a16w16 | mps2-an386 | {fast.steady.inference:,} |" in text
    assert "`-mcpu=cortex-m4" in text


def test_a_core_without_a_large_board_is_left_out_with_a_reason() -> None:
    """Not the Cortex-M3, of which another board has room."""
    reasons = small_cores()
    assert "cortex-m0" not in core_boards()
    assert core_boards()["cortex-m3"].id == "mps2-an385"
    assert len(reasons) == 1
    for part in ("cortex-m0:", "microbit", "16 KiB", "512 KiB"):
        assert part in reasons[0]


@pytest.mark.emulated
def test_a_board_that_is_too_small_is_left_out_with_a_reason(cross_tools: None) -> None:
    selection = Selection("stm32vldiscovery", "128x128", format="a16w16")
    findings = matrix.run(selection, lambda *_: None)
    assert findings.layers == []
    reason = "layer 128x128 a16w16 on stm32vldiscovery: it does not fit the board's memory"
    assert findings.left_out == [reason]


def test_tables_replace_only_what_is_between_the_marks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.update_document(path, "new\n")
    report.update_document(path, "newer\n")
    text = path.read_text()
    assert text == f"before\n{report.BEGIN}\n\nnewer\n\n{report.END}\nafter\n"
    path.write_text("no marks")
    with pytest.raises(BuildError, match="marks"):
        report.update_document(path, "new\n")
