# SPDX-License-Identifier: Apache-2.0
"""Commands about a board in front of you, or an emulated one that runs."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import app

_MODEL = Path("build/model/network.spn")
Model = Annotated[Path, typer.Option(help="a .spn file of './run generate'")]
BoardName = Annotated[str, typer.Option(help="a board of 'secondpass boards'")]


@app.command()
def project(
    model: Model = _MODEL,
    out: Annotated[Path, typer.Option(help="folder of the project")] = Path("build/platformio"),
) -> None:
    """Write a PlatformIO project of a model, with an environment for each board."""
    from secondpass import modelfile
    from secondpass.pio.project import write_project

    network, rule = modelfile.load(model)
    written = write_project(network, rule, out)
    print(f"{out}/platformio.ini: {', '.join(board.id for board in written)}")


@app.command()
def flash(
    board: BoardName,
    model: Model = _MODEL,
    probe: Annotated[
        str | None, typer.Option(help="pyocd: through a debug probe instead of PlatformIO")
    ] = None,
    port: Annotated[str | None, typer.Option(help="where PlatformIO uploads to")] = None,
    gdb: Annotated[
        str | None, typer.Option(help="gdb port of an emulated board that was started elsewhere")
    ] = None,
) -> None:
    """Build a model's firmware and put it onto a board, or into a running emulated one."""
    from rich.console import Console

    from secondpass.pio import flash as ways

    ways.flash(board, model, probe, port, gdb, Console())
