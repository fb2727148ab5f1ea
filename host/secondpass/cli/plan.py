# SPDX-License-Identifier: Apache-2.0
"""The plan of a model on a board."""

from typing import Annotated

import typer

from secondpass.cli.app import NoText, ProfileId, app


@app.command()
def plan(
    model: Annotated[
        str, typer.Argument(help="a .spn file, or the widths of a network such as 784-128-10")
    ] = "build/model/network.spn",
    rule: Annotated[
        str | None, typer.Option(help="a learning rule; that of the file, or pepita, when left out")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option(help="a setting of the rule as NAME=VALUE, may be repeated")
    ] = None,
    board: Annotated[str, typer.Option(help="a board of 'secondpass boards'")] = "mps2-an386",
    all: Annotated[bool, typer.Option("--all", help="one line for every board")] = False,
    format: Annotated[
        str, typer.Option(help="number format where MODEL gives widths: a16w16, a16w8 or a8w8")
    ] = "a16w16",
    head: Annotated[
        str, typer.Option(help="head where MODEL gives widths, such as softmax or reconstruction")
    ] = "softmax",
    zeros: Annotated[float, typer.Option(help="share of zeros in the random samples, 0 to 1")] = 0,
    dataset: Annotated[
        str | None, typer.Option(help="samples of a data set instead of random ones")
    ] = None,
    steps: Annotated[int, typer.Option(help="steps that a typical one is the mean of")] = 1000,
    update_tables: Annotated[
        bool, typer.Option("--update-tables", help="only measure the planner's tables anew")
    ] = False,
    no_text: NoText = False,
    profile_id: ProfileId = None,
) -> None:
    """Print RAM, flash, instructions and time of a model on a board, and what makes it fit.

    The exit code is 1 when it does not fit.
    """
    from rich.console import Console

    from secondpass.device.text import chosen_profile
    from secondpass.plan import command

    if update_tables:
        command.update_tables(Console())
        return
    text = chosen_profile(no_text, profile_id)
    request = command.Request(
        model, rule, tuple(setting or ()), format, head, zeros, dataset, steps, text
    )
    if not command.plan(request, board, all, Console()):
        raise typer.Exit(1)
