# SPDX-License-Identifier: Apache-2.0
"""What `./run bench` does, with options already parsed."""

from pathlib import Path

from rich.console import Console

from secondpass.bench import counts, report
from secondpass.bench.matrix import Selection, run
from secondpass.bench.targets import HOST_STEPS, verdicts
from secondpass.errors import DataError

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "performance.md"
COUNTS = Path(__file__).resolve().parents[3] / "bench" / "instructions.json"


def measure(selection: Selection, out: Path, update_docs: bool, console: Console) -> None:
    """Run what is selected; write JSON and Markdown into `out`, and the document's tables.

    Raises `DataError` when the document is to be updated from less than everything.
    """
    if update_docs and not selection.whole:
        raise DataError("--update-docs needs the whole matrix: leave the selection out")

    def progress(done: int, total: int, what: str) -> None:
        console.print(f"{done:3d}/{total} {what}", highlight=False)

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
        report.update_document(DOCUMENT, text)
        console.print(str(DOCUMENT), soft_wrap=True)


def update_counts(console: Console) -> None:
    """Count the fixed set anew and write the file that a test compares with."""
    counts.update(COUNTS)
    console.print(str(COUNTS), soft_wrap=True)
