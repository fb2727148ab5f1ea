# SPDX-License-Identifier: Apache-2.0
"""The command that shows a vibration monitor adapting to a new place."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import app


@app.command()
def fan(
    board: Annotated[str, typer.Option(help="an emulated board")] = "mps2-an386",
    features: Annotated[
        str, typer.Option(help="where features are made of readings: device or host")
    ] = "device",
    rule: Annotated[str, typer.Option(help="the learning rule")] = "ftp",
    setting: Annotated[
        list[str] | None, typer.Option(help="a setting of the rule as NAME=VALUE, may be repeated")
    ] = None,
    passes: Annotated[int, typer.Option(help="over the new place's windows")] = 5,
    seed: Annotated[int, typer.Option(help="of weights, projection, rounding and order")] = 1,
    out: Annotated[Path, typer.Option(help="folder for all that is made")] = Path("build/fan"),
) -> None:
    """Adapt a ceiling fan's anomaly detector to a new place, on an emulated board."""
    from rich.console import Console

    from secondpass import fan as task
    from secondpass.rules import parse_settings

    settings = parse_settings(rule, setting or [])
    options = task.FanOptions(board, features, rule, settings, passes, seed, out)
    if not task.run(options, Console()).equal_to_twin:
        raise typer.Exit(1)
