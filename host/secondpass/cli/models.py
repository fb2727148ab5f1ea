# SPDX-License-Identifier: Apache-2.0
"""Commands about a model, before there is a device."""

from typing import Annotated

import typer

from secondpass.cli.app import app


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
