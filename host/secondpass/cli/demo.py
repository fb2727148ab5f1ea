# SPDX-License-Identifier: Apache-2.0
"""The first thing to see: a network that learns on an emulated board."""

from typing import Annotated

import typer

from secondpass.cli.app import NoText, ProfileId, app


@app.command()
def demo(
    board: Annotated[str, typer.Option(help="an emulated board")] = "mps2-an386",
    dataset: Annotated[str, typer.Option(help="digits, mnist, fashion-mnist or hapt")] = "digits",
    rule: Annotated[
        str,
        typer.Option(help="pepita, mempepita, hebbian, tl, ftp, dfa, bp, bias or last"),
    ] = "pepita",
    seed: Annotated[int, typer.Option(help="of weights, projection, rounding and order")] = 1,
    samples: Annotated[int | None, typer.Option(help="training samples an epoch")] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over them")] = None,
    no_text: NoText = False,
    profile_id: ProfileId = None,
) -> None:
    """Watch a network learn on an emulated Cortex-M, checked against the host twin."""
    from rich.console import Console

    from secondpass import demo as task
    from secondpass.device.text import chosen_profile
    from secondpass.errors import DeviceError

    text = chosen_profile(no_text, profile_id)
    options = task.DemoOptions(board, dataset, rule, seed, samples, epochs, text=text)
    if not task.run(options, Console()).equal_to_twin:
        raise DeviceError("device and host twin differ")
