# SPDX-License-Identifier: Apache-2.0
"""Commands about a board in front of you, or an emulated one that runs."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import NoText, ProfileId, app

_MODEL = Path("build/model/network.spn")
Model = Annotated[Path, typer.Option(help="a .spn file of 'secondpass generate'")]
BoardName = Annotated[str, typer.Option(help="a board of 'secondpass boards'")]


@app.command()
def build(
    board: BoardName = "mps2-an386",
    model: Model = _MODEL,
    no_text: NoText = False,
    profile_id: ProfileId = None,
) -> None:
    """Build a model's firmware for a board and show the memory it takes."""
    from rich.console import Console

    from secondpass import commands
    from secondpass.device.text import chosen_profile

    commands.build(board, model, Console(), chosen_profile(no_text, profile_id))


@app.command()
def emulate(
    board: BoardName = "mps2-an386",
    model: Model = _MODEL,
    tcp: Annotated[int | None, typer.Option(help="TCP port of the UART, else a pty")] = None,
    blank: Annotated[
        bool, typer.Option("--blank", help="start without a firmware; 'flash' puts one on")
    ] = False,
    no_text: NoText = False,
    profile_id: ProfileId = None,
) -> None:
    """Run a model's firmware on an emulated board until Ctrl-C."""
    from rich.console import Console

    from secondpass import commands
    from secondpass.device.text import chosen_profile

    text = chosen_profile(no_text, profile_id)
    try:
        commands.emulate(board, model, tcp, blank, Console(), text)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def project(
    model: Model = _MODEL,
    out: Annotated[Path, typer.Option(help="folder of the project")] = Path("build/platformio"),
    no_text: NoText = False,
    profile_id: ProfileId = None,
) -> None:
    """Write a PlatformIO project of a model, with an environment for each board."""
    from secondpass import modelfile
    from secondpass.device.text import chosen_profile
    from secondpass.pio.project import write_project

    text = chosen_profile(no_text, profile_id)
    network, rule = modelfile.load(model)
    written = write_project(network, rule, out, text)
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
    no_text: NoText = False,
    profile_id: ProfileId = None,
) -> None:
    """Build a model's firmware and put it onto a board, or into a running emulated one."""
    from rich.console import Console

    from secondpass.device.text import chosen_profile
    from secondpass.pio import flash as ways

    ways.flash(board, model, probe, port, gdb, Console(), chosen_profile(no_text, profile_id))
