# SPDX-License-Identifier: Apache-2.0
"""The command that trains a device: on own data, or on a data set that the tools know."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import NO_TEXT_HELP, PROFILE_HELP, app

_DATA, _DEVICE, _NETWORK = "Data", "Device", "Network and learning"


def _option(text: str, panel: str) -> typer.models.OptionInfo:
    option = typer.Option(help=text, rich_help_panel=panel)
    assert isinstance(option, typer.models.OptionInfo)
    return option


@app.command()
def train(
    csv: Annotated[Path | None, _option("a table with a header, one example a row", _DATA)] = None,
    wav: Annotated[
        Path | None, _option("a folder of sounds, one sub-folder a class", _DATA)
    ] = None,
    dataset: Annotated[
        str | None,
        _option("digits, mnist, fashion-mnist or hapt, instead of own data", _DATA),
    ] = None,
    label: Annotated[str | None, _option("the column to learn", _DATA)] = None,
    regression: Annotated[bool, _option("the label is a number", _DATA)] = False,
    anomaly: Annotated[bool, _option("learn what is normal, to tell what is not", _DATA)] = False,
    normal: Annotated[
        str | None, _option("label of normal rows; others are for testing", _DATA)
    ] = None,
    classes: Annotated[
        str | None, _option("the only labels accepted, separated by commas", _DATA)
    ] = None,
    ignore: Annotated[
        list[str] | None, _option("a column to leave out, may be repeated", _DATA)
    ] = None,
    group: Annotated[
        str | None,
        _option(
            "column whose equal values stay together, all learned or all tested; with --wav: what "
            "ends the part of a file's name that does",
            _DATA,
        ),
    ] = None,
    test_share: Annotated[float, _option("held out for testing", _DATA)] = 0.2,
    sample_type: Annotated[str, _option("what features become: uint8 or int16", _DATA)] = "uint8",
    samples: Annotated[int | None, _option("of the data set, an epoch", _DATA)] = None,
    board: Annotated[str, _option("an emulated board", _DEVICE)] = "mps2-an386",
    port: Annotated[
        str | None, _option("a device that runs the network already: serial port or pty", _DEVICE)
    ] = None,
    keep: Annotated[bool, _option("go on with the device's weights", _DEVICE)] = False,
    prepare: Annotated[
        bool, _option("only check the data and make network and C", _DEVICE)
    ] = False,
    model: Annotated[
        Path | None, _option("a network of an earlier session, instead of a new one", _NETWORK)
    ] = None,
    hidden: Annotated[str, _option("widths of hidden layers, such as 64,32", _NETWORK)] = "32",
    activation: Annotated[
        str, _option("of hidden layers: relu, identity, hard_tanh or tanh", _NETWORK)
    ] = "relu",
    format: Annotated[str, _option("a16w16, a16w8 or a8w8", _NETWORK)] = "a16w16",
    rule: Annotated[str, _option("a learning rule", _NETWORK)] = "ftp",
    setting: Annotated[
        list[str] | None,
        _option("a setting of the rule as NAME=VALUE, may be repeated", _NETWORK),
    ] = None,
    epochs: Annotated[int | None, _option("passes; without it about 5,000 steps", _NETWORK)] = None,
    seed: Annotated[int, _option("of the split, weights, rounding and order", _NETWORK)] = 1,
    no_text: Annotated[bool, _option(NO_TEXT_HELP, _DEVICE)] = False,
    profile_id: Annotated[str | None, _option(PROFILE_HELP, _DEVICE)] = None,
    out: Annotated[Path, _option("folder for all that is made", _NETWORK)] = Path("build/own"),
) -> None:
    """Train a device on your own data, or over a port on a data set that the tools know."""
    given = dict(locals())
    from rich.console import Console

    from secondpass import train_command

    train_command.train(Console(), **given)
