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
