# SPDX-License-Identifier: Apache-2.0
"""The command `secondpass`. Each command imports what it needs, so that it starts fast."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from secondpass.errors import SecondpassError

app = typer.Typer(help="On-device learning for Arm Cortex-M.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """On-device learning for Arm Cortex-M."""


@app.command()
def cost(
    model: Annotated[
        str, typer.Argument(help="a .spn file, or the widths of a network such as 784-128-10")
    ],
    rule: Annotated[
        list[str] | None, typer.Option(help="a learning rule, may be repeated; all when left out")
    ] = None,
    format: Annotated[
        str, typer.Option(help="number format where MODEL gives widths: a16w16, a16w8 or a8w8")
    ] = "a16w16",
    head: Annotated[
        str, typer.Option(help="head where MODEL gives widths, such as softmax or reconstruction")
    ] = "softmax",
) -> None:
    """Print what one learning step costs under each rule, from formulas."""
    from rich.console import Console

    from secondpass import commands

    commands.cost(model, rule or [], format, head, Console())


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


def main() -> None:
    """Run the command line; an error that a user is meant to read is one line, exit code 1."""
    try:
        app()
    except SecondpassError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
