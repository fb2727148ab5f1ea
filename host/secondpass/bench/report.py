# SPDX-License-Identifier: Apache-2.0
"""The bench's findings as JSON and as Markdown tables, also inside docs/performance.md."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from secondpass.bench.matrix import FAST_RULE, Findings
from secondpass.bench.results import BaselineResult, EstimateResult, LayerResult, ModelResult
from secondpass.bench.targets import HOST_STEPS, verdicts
from secondpass.errors import BuildError

BEGIN = "<!-- bench tables: './run bench --update-docs' replaces what is between these marks -->"
MEMORY_CORE = "cortex-m4"
"""The core whose memory the document shows: the others differ by little."""

END = "<!-- end of bench tables -->"


def write_json(path: Path, findings: Findings) -> None:
    """Write everything that was found, with the derived ratios."""
    models = [
        {
            **asdict(result),
            "per_mac": round(result.per_mac, 3),
            "step_per_mac": round(result.step_per_mac, 3),
            "ratio": round(result.ratio, 3),
        }
        for result in findings.models
    ]
    layers = [
        {
            **asdict(result),
            "per_mac": round(result.per_mac, 3),
            "per_weight": round(result.per_weight, 3),
        }
        for result in findings.layers
    ]
    content = {
        "tools": asdict(findings.tools),
        "models": models,
        "layers": layers,
        "cycle_estimates": [asdict(result) for result in findings.estimates],
        "baselines": [asdict(result) for result in findings.baselines],
        "targets": [
            {**asdict(verdict), "outcome": verdict.outcome}
            for verdict in verdicts(findings.models, findings.layers)
        ],
        "host_steps_per_second": findings.host_steps_per_second,
        "left_out": findings.left_out,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def markdown(findings: Findings) -> str:
    """Return the tables of everything that was found."""
    parts = [
        *(_tools(findings), _targets(findings), _layers(findings.layers)),
        *(_models(findings.models), _baselines(findings.baselines)),
        *(_estimates(findings.estimates), _memory(findings.models), _remarks(findings)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def document(findings: Findings) -> str:
    """Return what readers want of it: steps by core, details of the fast rule, a board's memory.

    Everything else is in build/bench.md.
    """
    fast = [r for r in findings.models if r.rule == FAST_RULE and r.format == "a16w16"]
    one_core = [r for r in findings.models if r.core == MEMORY_CORE]
    parts = [
        *(_tools(findings), _targets(findings), _layers(findings.layers)),
        *(_steps(findings.models), _models(fast, f", {FAST_RULE} in a16w16")),
        *(_baselines(findings.baselines), _estimates(findings.estimates)),
        *(_memory(one_core), _remarks(findings)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tools(findings: Findings) -> str:
    tools = findings.tools
    return f"Compiler: {tools.compiler}. Emulator: {tools.emulator}. {_flags(tools.flags)}"


def _remarks(findings: Findings) -> str:
    lines = []
    if findings.host_steps_per_second is not None:
        lines.append(
            f"Host twin ({findings.tools.host}, one core): {findings.host_steps_per_second:,.0f} "
            f"training steps a second of 784-100-10 (target {HOST_STEPS:,})."
        )
    if findings.left_out:
        lines.append("Left out: " + "; ".join(sorted(findings.left_out)) + ".")
    return "\n\n".join(lines)


def update_document(path: Path, text: str) -> None:
    """Replace the tables of a document. Raises `BuildError` when its marks are missing."""
    whole = path.read_text()
    if whole.count(BEGIN) != 1 or whole.count(END) != 1:
        raise BuildError(f"{path} has lost its marks {BEGIN!r} and {END!r}; put them back")
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _flags(by_core: Mapping[str, str]) -> str:
    """Return the compiler's flags: those of all cores, and what each has beside them."""
    split = {core: flags.split() for core, flags in by_core.items()}
    common = [flag for flag in next(iter(split.values())) if all(flag in f for f in split.values())]
    own = (" ".join(flag for flag in flags if flag not in common) for flags in split.values())
    listed = ", ".join(f"`{flags}`" for flags in own if flags)
    return f"Flags: `{' '.join(common)}`" + (f" with {listed}." if listed else ".")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _targets(findings: Findings) -> str:
    found = verdicts(findings.models, findings.layers)
    if not found:
        return ""
    rows = []
    for verdict in found:
        bound = "" if verdict.bound is None else _figure(verdict.bound)
        outcome = f"**{verdict.outcome}**" if verdict.outcome == "missed" else verdict.outcome
        rows.append((verdict.what, verdict.board, _figure(verdict.measured), bound, outcome))
    return "### Targets\n\n" + _table(("what", "board", "measured", "target", ""), rows)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def _layers(results: Sequence[LayerResult]) -> str:
    if not results:
        return ""
    rows = [
        (
            *(f"{r.inputs}x{r.outputs}", r.format, r.board, r.core),
            *(f"{r.layer:,}", f"{r.per_mac:.2f}", f"{r.update:,}", f"{r.per_weight:.2f}"),
        )
        for r in results
    ]
    header = ("layer", "format", "board", "core", "layer", "per MAC", "update", "per weight")
    return "### One layer, dense data, all rows active\n\n" + _table(header, rows)


def _steps(results: Sequence[ModelResult]) -> str:
    """Return a table a network: a line for every rule and format, a column for every core."""
    parts = []
    for network, group in groupby(results, key=lambda result: result.network):
        members = list(group)
        cores = list(dict.fromkeys(result.core for result in members))
        lines: dict[tuple[str, str], dict[str, int]] = {}
        for r in members:
            # nearly the same for every rule: the first one stands for all
            lines.setdefault(("inference", r.format), {}).setdefault(r.core, r.steady.inference)
        for r in members:
            lines.setdefault((r.rule, r.format), {})[r.core] = r.steady.step
        rows = [
            (*what, *(f"{counts[core]:,}" if core in counts else "" for core in cores))
            for what, counts in lines.items()
        ]
        title = f"### {network}: inference and steady step\n\n"
        parts.append(title + _table(("what", "format", *cores), rows))
    return "\n\n".join(parts)


def _models(results: Sequence[ModelResult], remark: str = "") -> str:
    parts = []
    header = (
        *("rule", "format", "board", "inference", "per MAC", "early step", "worst"),
        *("steady step", "worst", "per MAC of the step", "steady / inference", "steps"),
    )
    for network, group in groupby(results, key=lambda result: result.network):
        members = list(group)
        rows = [
            (
                *(r.rule, r.format, r.board, f"{r.steady.inference:,}", f"{r.per_mac:.2f}"),
                *(f"{r.early.step:,}", f"{r.early.worst:,}"),
                *(f"{r.steady.step:,}", f"{r.steady.worst:,}"),
                *(f"{r.step_per_mac:.2f}", f"{r.ratio:.2f}", str(r.steady.steps)),
            )
            for r in members
        ]
        first = members[0]
        title = (
            f"### {network}{remark}\n\nData: {first.data}. {first.macs:,} MACs an inference.\n\n"
        )
        parts.append(title + _table(header, rows))
    return "\n\n".join(parts)


def _baselines(results: Sequence[BaselineResult]) -> str:
    if not results:
        return ""
    rows = [
        (
            *(r.network, r.board, "hard" if r.float_unit else "soft", f"{r.early.inference:,}"),
            *(f"{r.early.step:,}", f"{r.steady.step:,}", f"{r.steady.step / r.macs:.2f}"),
            *(f"{r.flash:,}", f"{r.ram:,}", str(r.stack)),
        )
        for r in results
    ]
    header = (
        *("network", "board", "float", "inference", "early step", "steady step"),
        *("step per forward MAC", "flash", "RAM", "stack used"),
    )
    return "### Float back-propagation (`bench/baseline/`)\n\n" + _table(header, rows)


def _estimates(results: Sequence[EstimateResult]) -> str:
    if not results:
        return ""
    rows = [
        (r.network, r.rule, r.format, r.core, f"{r.inference:,}", f"{r.step:,}") for r in results
    ]
    header = ("network", "rule", "format", "core", "inference", "steady step")
    title = "### Cycles, estimated from instruction timings, not measured\n\n"
    return title + _table(header, rows)


def _memory(results: Sequence[ModelResult]) -> str:
    """Return bytes on each board, rules of a network together."""
    if not results:
        return ""
    rows = [
        (r.network, r.rule, r.format, r.board, f"{r.flash:,}", f"{r.ram:,}", str(r.stack))
        for r in results
    ]
    header = ("network", "rule", "format", "board", "flash", "RAM with stack", "stack used")
    return "### Memory, bytes\n\n" + _table(header, rows)
