# SPDX-License-Identifier: Apache-2.0
"""Commands that move trained weights between devices, files, Keras and C."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import app

Port = Annotated[str, typer.Option(help="serial device, pty or socket://host:port")]


@app.command()
def pull(
    port: Port,
    model: Annotated[Path, typer.Option(help=".spn file that the firmware was built from")] = Path(
        "build/model/network.spn"
    ),
    out: Annotated[Path, typer.Option(help=".spn file to write")] = Path("trained.spn"),
) -> None:
    """Read a device's weights into a .spn file."""
    from rich.console import Console

    from secondpass.moving import command

    command.pull(port, model, out, Console())


@app.command()
def push(
    source: Annotated[Path, typer.Argument(help=".spn file with trained weights")],
    port: Port,
    model: Annotated[
        Path | None,
        typer.Option(help=".spn file of the device's firmware, where SOURCE is of another"),
    ] = None,
    clip: Annotated[
        bool, typer.Option("--clip", help="clip weights beyond the range of the device's format")
    ] = False,
    save: Annotated[
        bool, typer.Option("--save", help="save a checkpoint in the device's flash")
    ] = False,
) -> None:
    """Write trained weights into a device, of another core or number format too."""
    from rich.console import Console

    from secondpass.moving import command

    command.push(source, port, model, clip, save, Console())


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help=".spn file with trained weights")],
    keras: Annotated[Path | None, typer.Option(help=".keras file to write")] = None,
    header: Annotated[
        Path | None, typer.Option(help="folder for model.h and model.c that only infer")
    ] = None,
    npz: Annotated[Path | None, typer.Option(help="NumPy archive of real weights to write")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="data set on which the Keras model is compared")
    ] = None,
) -> None:
    """Write trained weights as a Keras model, as C that only infers, or as real numbers."""
    from rich.console import Console

    from secondpass.moving import command

    command.export(source, keras, header, npz, dataset, Console())
