# SPDX-License-Identifier: Apache-2.0
"""Commands about the board catalogue."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import app


@app.command()
def boards(
    catalogue: Annotated[
        Path | None, typer.Option(help="a folder with boards of your own, one folder a board")
    ] = None,
) -> None:
    """List the boards: core, memory, port, how they are flashed and what was proven."""
    from rich.console import Console

    from secondpass import commands

    commands.list_boards(Console(), catalogue)


BoardName = Annotated[str, typer.Option(help="a board of 'secondpass boards'")]
Model = Annotated[Path, typer.Option(help="a .spn file of 'secondpass generate'")]
_MODEL = Path("build/model/network.spn")


@app.command()
def build(board: BoardName = "mps2-an386", model: Model = _MODEL) -> None:
    """Build a model's firmware for a board and show the memory it takes."""
    from rich.console import Console

    from secondpass import commands

    commands.build(board, model, Console())


@app.command()
def emulate(
    board: BoardName = "mps2-an386",
    model: Model = _MODEL,
    tcp: Annotated[int | None, typer.Option(help="TCP port of the UART, else a pty")] = None,
    blank: Annotated[
        bool, typer.Option("--blank", help="start without a firmware; 'flash' puts one on")
    ] = False,
) -> None:
    """Run a model's firmware on an emulated board until Ctrl-C."""
    from rich.console import Console

    from secondpass import commands

    try:
        commands.emulate(board, model, tcp, blank, Console())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
