# SPDX-License-Identifier: Apache-2.0
"""Plans as text."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from secondpass.device.crossbuild import CRASH_RECORD_BYTES
from secondpass.errors import BuildError
from secondpass.plan.advice import Advice
from secondpass.plan.planner import Instructions, Plan


def plan_table(plan: Plan) -> Table:
    """Return a plan, a line for each part."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("how much", justify="right", no_wrap=True)
    table.add_column("note")
    for name, size in plan.ram.items():
        if size:
            table.add_row(f"  {name}", f"{size:,}", "")
    stack = plan.board.memory.stack_bytes
    used = f"reserved; about {plan.stack_used:,} are used"
    table.add_row("  stack", f"{stack:,}", used)
    table.add_row("  crash record", f"{CRASH_RECORD_BYTES}", "")
    table.add_row("RAM", f"{plan.ram_bytes:,}", _left(plan.ram_free, plan.board.memory.ram_bytes))
    for name, size in plan.flash.items():
        if size:
            table.add_row(f"  {name}", f"{size:,}", "")
    if plan.slots.flash_bytes:
        table.add_row("  checkpoint slots", f"{plan.slots.flash_bytes:,}", "")
    flash = plan.flash_bytes + plan.slots.flash_bytes
    table.add_row("flash", f"{flash:,}", _left(plan.flash_free, plan.board.memory.flash_bytes))
    table.add_row("inference", f"{plan.inference.typical:,.0f}", _time(plan, plan.inference))
    if plan.step is not None:
        table.add_row("step", f"{plan.step.typical:,.0f}", _time(plan, plan.step))
        table.add_row("checkpoints", f"{plan.slots.content_bytes:,}", _slots(plan))
    return table


def _left(free: int, total: int) -> str:
    return f"of {total:,}: {f'{free:,} free' if free >= 0 else f'{-free:,} too many'}"


def _time(plan: Plan, counted: Instructions) -> str:
    typical, worst = (plan.milliseconds(n) for n in (counted.typical, counted.worst))
    if counted.worst == counted.typical:
        return f"instructions, about {typical:.3g} ms"
    most = f"at most {counted.worst:,.0f}"
    return f"instructions, about {typical:.3g} ms; {most}, {worst:.3g} ms"


def _slots(plan: Plan) -> str:
    slots = plan.slots
    if slots.where == "none":
        return "bytes; this port has no slots for them"
    fit = "fits" if slots.fit else "does not fit"
    longest = slots.save_milliseconds(plan.board)
    time = f"; a save takes the flash {longest:,.0f} ms at most" if longest else ""
    return f"bytes; {fit} the two slots of {slots.slot_bytes:,} in the {slots.where}{time}"


def boards_table(plans: Iterable[Plan]) -> Table:
    """Return one line a board: KiB of RAM and flash, milliseconds of inference and steps."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("board", no_wrap=True)
    for name in ("RAM", "of", "flash", "of ", "infer", "step", "worst"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fits", no_wrap=True)
    for plan in plans:
        memory = plan.board.memory
        flash = plan.flash_bytes + plan.slots.flash_bytes
        step = plan.step
        steps = () if step is None else (step.typical, step.worst)
        times = [f"{plan.milliseconds(n):.3g}" for n in (plan.inference.typical, *steps)]
        table.add_row(
            plan.board.id,
            *(f"{plan.ram_bytes / 1024:.1f}", f"{memory.ram_bytes // 1024}"),
            *(f"{flash / 1024:.1f}", f"{memory.flash_bytes // 1024}"),
            *(*times, "-", "-")[:3],
            verdict(plan),
        )
    return table


def verdict(plan: Plan) -> str:
    """Return "yes", or what is missing."""
    missing = [
        name
        for name, enough in (
            ("RAM", plan.ram_free >= 0),
            ("flash", plan.flash_free >= 0),
            ("stack", plan.stack_fits),
        )
        if not enough
    ]
    return "no: " + ", ".join(missing) if missing else "yes"


def advice_lines(advice: Sequence[Advice]) -> list[str]:
    """Return what would fit, a line each."""
    if not advice:
        return ["Nothing that was tried fits: a smaller network or a larger board is needed."]
    return ["It fits with", *(f"  {_advice_line(one)}" for one in advice)]


def _advice_line(advice: Advice) -> str:
    plan = advice.plan
    name, most = ("step", plan.step) if plan.step is not None else ("inference", plan.inference)
    return (
        f"{advice.change}: RAM {plan.ram_bytes:,}, flash {plan.flash_bytes:,}, {name} at most "
        f"{most.worst:,.0f} instructions ({advice.options})"
    )


def refusal(plan: Plan, advice: Sequence[Advice]) -> BuildError:
    """Return the error of a build that cannot fit: the plan in one line, then the advice."""
    memory = plan.board.memory
    parts = ", ".join(f"{name} {size:,}" for name, size in plan.ram.items() if size)
    reserved = memory.stack_bytes + CRASH_RECORD_BYTES
    rule = f" with the rule {plan.rule.name}" if plan.step is not None else ""
    first = (
        f"{plan.network.shape} in {plan.network.format}{rule} does not "
        f"fit {plan.board.id}: RAM {plan.ram_bytes:,} of {memory.ram_bytes:,} ({parts}, stack and "
        f"crash record {reserved:,}), flash {plan.flash_bytes:,} of {memory.flash_bytes:,}"
    )
    return BuildError("\n".join([first, *advice_lines(advice)]))
