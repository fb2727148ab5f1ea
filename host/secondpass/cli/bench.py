# SPDX-License-Identifier: Apache-2.0
"""The command that counts instructions."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import app


@app.command()
def bench(
    board: Annotated[
        str | None, typer.Option(help="an emulated board; one board a core when left out")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="a network or layer of docs/performance.md, such as 784-100-10 or 128x128"
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="a rule, pepita-fast (all that saves work) or float (the baseline)"),
    ] = None,
    format: Annotated[str | None, typer.Option(help="a16w16, a16w8 or a8w8")] = None,
    steps: Annotated[int, typer.Option(help="most training steps of a window")] = 1000,
    compiler: Annotated[
        str | None,
        typer.Option(help="gcc or zig, as SECONDPASS_COMPILER chooses it (docs/compilers.md)"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for bench.json and bench.md")] = Path("build"),
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="where the instructions go, with cycle estimates, for one selected model",
        ),
    ] = False,
    update_docs: Annotated[
        bool, typer.Option("--update-docs", help="put the tables into docs/performance.md")
    ] = False,
    update_counts: Annotated[
        bool,
        typer.Option(
            "--update-counts", help="only write bench/instructions.json, which a test compares with"
        ),
    ] = False,
) -> None:
    """Count instructions of inference and training on every emulated core."""
    from rich.console import Console

    from secondpass.bench import command
    from secondpass.bench.matrix import Selection
    from secondpass.crosscompiler import choose

    choose(compiler)
    console = Console()
    selection = Selection(board, network, rule, format, steps)
    if update_counts:
        command.update_counts(console)
    elif profile:
        command.profile(selection, console)
    else:
        command.measure(selection, out, update_docs, console)
