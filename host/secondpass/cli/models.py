# SPDX-License-Identifier: Apache-2.0
"""Commands about a model, before there is a device."""

from pathlib import Path
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


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="a .tflite file of fully connected layers")],
    out: Annotated[Path, typer.Option(help="folder for network.spn and the C files")] = Path(
        "build/model"
    ),
    trainable: Annotated[
        str | None,
        typer.Option(
            help="convert to a format that learns: a16w16, a16w8 or a8w8; int8 layers are frozen "
            "when left out"
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="real samples, .npy (count, inputs) or raw float32: they calibrate a conversion "
            "and show what it changes"
        ),
    ] = None,
    stack: Annotated[
        int, typer.Option(help="consecutive rows of the samples' file that make a sample")
    ] = 1,
    head: Annotated[
        str | None,
        typer.Option(
            help="softmax, sigmoid, mse or reconstruction; what the file suggests when left out"
        ),
    ] = None,
    rule: Annotated[str, typer.Option(help="learning rule of a trainable network")] = "pepita",
    setting: Annotated[
        list[str] | None, typer.Option(help="a setting of the rule as NAME=VALUE, may be repeated")
    ] = None,
    inference_only: Annotated[
        bool, typer.Option(help="C that infers and nothing else, without counters")
    ] = False,
    trainable_from: Annotated[
        str | None,
        typer.Option(help="the first layer that learns, by name; those below stay frozen int8"),
    ] = None,
) -> None:
    """Import a .tflite file: frozen int8, bit for bit, or converted to what learns."""
    from rich.console import Console

    from secondpass.tflite.command import ImportOptions, run

    options = (trainable, samples, stack, head, rule, setting or [], inference_only)
    run(ImportOptions(file, out, *options, trainable_from), Console())


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder for network.spn and the C files")] = Path(
        "build/model"
    ),
    dataset: Annotated[
        str, typer.Option(help="calibration data: digits, mnist, fashion-mnist or hapt")
    ] = "digits",
    hidden: Annotated[
        str | None, typer.Option(help="widths of the hidden layers, such as 64 or 128,64")
    ] = None,
    keras: Annotated[
        Path | None, typer.Option(help="a .keras file to convert instead of random weights")
    ] = None,
    seed: Annotated[int, typer.Option(help="of weights, projection and rounding")] = 1,
    rule: Annotated[str, typer.Option(help="the learning rule")] = "pepita",
    setting: Annotated[
        list[str] | None,
        typer.Option(help="any setting of the rule as NAME=VALUE, may be repeated"),
    ] = None,
    format: Annotated[str, typer.Option(help="a16w16, a16w8 or a8w8")] = "a16w16",
    activation: Annotated[
        str, typer.Option(help="of hidden layers: relu, identity, hard_tanh or tanh")
    ] = "relu",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="store a projection that mirrors the weights")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(help="a .spn file to write the C of, instead of a new network")
    ] = None,
    inference_only: Annotated[
        bool, typer.Option("--inference-only", help="C that infers and does not learn")
    ] = False,
) -> None:
    """Make a network (random, or from Keras) and its C code."""
    from rich.console import Console

    from secondpass import commands

    if model is not None:
        commands.regenerate(model, out, inference_only, Console())
        return
    commands.generate(
        out,
        dataset,
        commands.hidden_widths(hidden),
        keras,
        seed,
        rule,
        setting or [],
        format,
        activation,
        mirror,
        inference_only,
        Console(),
    )
