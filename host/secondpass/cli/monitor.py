# SPDX-License-Identifier: Apache-2.0
"""Commands about sessions: watch one, report on it."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import app


@app.command()
def monitor(
    port: Annotated[
        str | None, typer.Option(help="serial device, pty or socket://host:port")
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="an emulated board that runs, instead of --port")
    ] = None,
    model: Annotated[Path, typer.Option(help="the .spn file that the device runs")] = Path(
        "build/model/network.spn"
    ),
    dataset: Annotated[
        str | None, typer.Option(help="digits (unless named), mnist, fashion-mnist or hapt")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="own data: a table like the one the model was made for")
    ] = None,
    wav: Annotated[Path | None, typer.Option(help="own data: a folder of sounds")] = None,
    group: Annotated[
        str | None, typer.Option(help="of own data: what stays together, as in train")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="training samples an epoch")] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over them")] = None,
    seed: Annotated[int, typer.Option(help="of the order of the samples")] = 1,
    save_every: Annotated[int, typer.Option(help="steps between two checkpoints, 0: none")] = 0,
    keep: Annotated[
        bool, typer.Option("--keep", help="begin with the weights that the device holds")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="go on behind the last step of the device or its checkpoint"),
    ] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="no screen: one line of JSON an event")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="only show the bytes, with PlatformIO")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="folder of the session, a new one")] = None,
) -> None:
    """Train a device with a live dashboard, or headless; the session survives a pulled cable.

    Own data are prepared as those of the session that made the model: task.json lies beside it.
    Ends with exit code 0 when the session is complete, 130 when it was stopped.
    """
    from rich.console import Console

    from secondpass.monitor import plans
    from secondpass.monitor.command import monitor as run
    from secondpass.pio.monitor import port_of, show_bytes

    where = port_of(port, board)
    if raw:
        show_bytes(where)
    begin = plans.begin_of(keep, resume)
    plan_for = plans.plan_of(
        model, dataset, csv, wav, group, samples, epochs, seed, save_every, begin
    )
    ended = run(where, model, plan_for, out, headless, Console())
    if ended.reason != "complete":
        raise typer.Exit(130)


@app.command()
def report(
    session: Annotated[Path, typer.Argument(help="folder of a session, or its session.jsonl")],
    out: Annotated[
        Path | None, typer.Option(help="file to write, .html or .png; in the folder when left out")
    ] = None,
) -> None:
    """Write a report of a session: curves, confusion matrix or scores, memory, identity."""
    from rich.console import Console

    from secondpass.report.session_report import write_report

    Console().print(str(write_report(session, out)), soft_wrap=True)
