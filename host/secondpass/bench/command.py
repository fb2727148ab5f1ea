# SPDX-License-Identifier: Apache-2.0
"""What `./run bench` does, with options already parsed."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from secondpass.bench import counts, report
from secondpass.bench import profile as profiler
from secondpass.bench.board_run import INFER, TRAIN
from secondpass.bench.matrix import Selection, run
from secondpass.bench.measure import make_plan
from secondpass.bench.profile import ESTIMATED, Profile
from secondpass.bench.targets import HOST_STEPS, verdicts
from secondpass.bench.workloads import RULES, WORKLOADS, takes
from secondpass.boards import Board, load_board
from secondpass.crosscompiler import cross_compiler
from secondpass.errors import DataError

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "performance.md"
COUNTS = Path(__file__).resolve().parents[3] / "bench" / "instructions.json"

PROFILED_STEPS = 100
PROFILED_FUNCTIONS = 20


def measure(selection: Selection, out: Path, update_docs: bool, console: Console) -> None:
    """Run what is selected; write JSON and Markdown into `out`, and the document's tables.

    Raises `DataError` when the document is to be updated from less than everything.
    """
    if update_docs and not selection.whole:
        raise DataError("--update-docs needs the whole matrix: leave the selection out")
    if update_docs:
        _require_gcc("--update-docs")

    def progress(done: int, total: int, what: str) -> None:
        console.print(f"{done:3d}/{total} {what}", highlight=False)

    console.print(f"compiler: {cross_compiler().version()}", soft_wrap=True, highlight=False)
    findings = run(selection, progress)
    report.write_json(out / "bench.json", findings)
    text = report.markdown(findings)
    (out / "bench.md").write_text(text)
    for verdict in verdicts(findings.models, findings.layers):
        bound = "" if verdict.bound is None else f" (target {verdict.bound:,.10g})"
        console.print(
            f"{verdict.outcome:12} {verdict.what}, {verdict.board}: {verdict.measured:,.2f}{bound}",
            soft_wrap=True,
            highlight=False,
        )
    if findings.host_steps_per_second is not None:
        console.print(
            f"host twin, one core: {findings.host_steps_per_second:,.0f} training steps/s of "
            f"784-100-10 (target {HOST_STEPS:,})"
        )
    for line in findings.left_out:
        console.print(f"left out: {line}", soft_wrap=True)
    console.print(f"{out}/bench.json, bench.md", soft_wrap=True)
    if update_docs:
        report.update_document(DOCUMENT, report.document(findings))
        console.print(str(DOCUMENT), soft_wrap=True)


def update_counts(console: Console) -> None:
    """Count the fixed set anew and write the file that a test compares with."""
    _require_gcc("--update-counts")
    counts.update(COUNTS)
    console.print(str(COUNTS), soft_wrap=True)


def _require_gcc(option: str) -> None:
    name = cross_compiler().name
    if name != "gcc":
        raise DataError(f"{option} writes figures of gcc, not of {name}: choose --compiler gcc")


def profile(selection: Selection, console: Console) -> None:
    """Print where the instructions of a selected model go; without the plugin, say why not.

    Raises `DataError` unless board, network, rule and format are selected.
    """
    chosen = (selection.board, selection.network, selection.rule, selection.format)
    board_id, network, rule, format = chosen
    if board_id is None or network is None or rule is None or format is None:
        raise DataError("--profile needs --board, --network, --rule and --format")
    if network not in WORKLOADS or rule not in RULES or not takes(rule, format):
        raise DataError(f"there is no model to profile: {network}, {rule}, {format}")
    reason = profiler.unavailable_reason()
    if reason is not None:
        console.print(f"no profile and no cycle estimates: {reason}", soft_wrap=True)
        return
    board = load_board(board_id)
    steps = min(selection.steps, PROFILED_STEPS)
    plan = make_plan(network, WORKLOADS[network], rule, format, steps)
    for title, steady, kind in (
        ("inference", True, INFER),
        ("training step, early", False, TRAIN),
        ("training step, steady", True, TRAIN),
    ):
        found, _ = profiler.profile(plan, board, steady, kind)
        _print_profile(f"{title}: {network}, {rule}, {format}, {board.id}", found, board, console)


def _print_profile(title: str, found: Profile, board: Board, console: Console) -> None:
    """Print the busiest functions and the classes of instructions, per inference or step."""
    core = ESTIMATED.get(board.core)
    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    table.add_column("function", no_wrap=True)
    columns = ["instructions", "share"] + ([f"cycles on {core} (estimate)"] if core else [])
    for column in columns:
        table.add_column(column, justify="right")
    total = found.instructions
    for function in found.functions[:PROFILED_FUNCTIONS]:
        mean = function.instructions / found.regions
        row = [function.name, f"{mean:,.0f}", f"{100 * mean / total:.1f} %"]
        if core:
            row.append(f"{function.cycles[core] / found.regions:,.0f}")
        table.add_row(*row)
    last = ["all", f"{total:,.0f}", "100 %"] + ([f"{found.cycles(core):,.0f}"] if core else [])
    table.add_row(*last)
    console.print(table)
    classes = (f"{name} {count:,.0f}" for name, count in found.classes().items())
    console.print(f"{', '.join(classes)}; taken branches {found.taken / found.regions:,.0f}\n")
