# SPDX-License-Identifier: Apache-2.0
"""The verbs of a checkout (`./run --list`). Thin: the package does the work."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from invoke import Context, Exit, task
from rich.console import Console

from secondpass import commands
from secondpass.device.text import chosen_profile
from secondpass.errors import NetworkError, SecondpassError

console = Console()
MODEL = str(commands.MODEL)
BOARD_HELP = "a board of './run boards'"
DATASET_HELP = "digits, mnist, fashion-mnist or hapt"
RULE_HELP = "pepita, mempepita, hebbian, tl, ftp, dfa, bp, bias or last"
MODEL_HELP = "a .spn file of './run generate'"
TEXT_HELP = {
    "no-text": "leave out the text protocol (docs/text-protocol.md)",
    "profile-id": "what it answers to 'profile': kws01, ad01, ic01, vww01 or a name of your own",
}


def reported(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the package's errors into one line and exit code 1."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except SecondpassError as error:
            raise Exit(f"error: {error}", 1) from error
        except KeyboardInterrupt:
            raise Exit("stopped", 130) from None
        except typer.Exit as ended:
            raise Exit("stopped", ended.exit_code) from None

    return wrapper


def number(name: str, text: str | None, kind: type = int) -> Any:
    """Read a number option, or say what is accepted."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise NetworkError(f"--{name} is {text!r}; it takes {what}") from None


@task(
    help={
        "board": BOARD_HELP,
        "dataset": DATASET_HELP,
        "rule": RULE_HELP,
        "seed": "of weights, projection, rounding and order",
        "samples": "training samples an epoch",
        "epochs": "passes over them",
        **TEXT_HELP,
    }
)
@reported
def demo(
    _,
    board="mps2-an386",
    dataset="digits",
    rule="pepita",
    seed="1",
    samples=None,
    epochs=None,
    no_text=False,
    profile_id=None,
):
    """Watch a network learn on an emulated Cortex-M, checked against the host twin."""
    from secondpass.demo import DemoOptions, run

    options = DemoOptions(
        board,
        dataset,
        rule,
        number("seed", seed),
        number("samples", samples),
        number("epochs", epochs),
        text=chosen_profile(no_text, profile_id),
    )
    if not run(options, console).equal_to_twin:
        raise Exit("error: device and host twin differ", 1)


@task(
    help={
        "board": BOARD_HELP,
        "features": "where features are made of readings: device or host",
        "rule": RULE_HELP,
        "setting": "any setting of the rule as NAME=VALUE, may be repeated",
        "passes": "over the new place's windows",
        "seed": "of weights, projection, rounding and order",
    },
    iterable=["setting"],
)
@reported
def fan(_, board="mps2-an386", features="device", rule="ftp", setting=None, passes="5", seed="1"):
    """Adapt a fan's anomaly detector to a new place on an emulated Cortex-M; needs its data."""
    from secondpass.cli.fan import fan as command

    counts = {"passes": number("passes", passes), "seed": number("seed", seed)}
    command(board, features, rule, setting, **counts)


@task(help={"path": "only the tests below this path"})
def test(context: Context, path="tests"):
    """Run linters, the type checker and all tests."""
    for tool in (
        "ruff check .",
        "ruff format --check .",
        "mypy",
        f"pytest -n 2 --dist worksteal {path}",
    ):
        context.run(f"{sys.executable} -m {tool}", echo=True)


@task(
    help={
        "out": "folder for network.spn and the C files",
        "dataset": f"calibration data: {DATASET_HELP}",
        "hidden": "widths of the hidden layers, such as 64 or 128,64",
        "keras": "a .keras file to convert instead of random weights",
        "tflite": "a .tflite file to import, frozen int8; 'secondpass import' has the options",
        "seed": "of weights, projection and rounding",
        "rule": RULE_HELP,
        "projection": "dense, sign or sparse",
        "projection-scale": "standard deviation of F or G in the units of docs/projection.md",
        "presynaptic": "first or second: the pass that supplies presynaptic activations",
        "output-error": "first or second: the pass that supplies the output error",
        "error-signal": "error or sign: what is projected",
        "learning-rate": "step size at batch size 1",
        "setting": "any setting of the rule as NAME=VALUE, may be repeated",
        "format": "a16w16, a16w8 or a8w8",
        "activation": "of hidden layers: relu, identity, hard_tanh or tanh",
        "model": f"{MODEL_HELP} or './run train' to write the C of, instead of a new network",
        "inference-only": "C that infers and does not learn; weights stay in flash",
        "mirror": "store a projection that mirrors the weights, instead of a generated one",
    },
    iterable=["setting"],
)
@reported
def generate(
    _,
    out=str(commands.MODEL.parent),
    dataset="digits",
    hidden=None,
    keras=None,
    tflite=None,
    seed="1",
    rule="pepita",
    projection=None,
    projection_scale=None,
    presynaptic=None,
    output_error=None,
    error_signal=None,
    learning_rate=None,
    setting=None,
    format="a16w16",
    activation="relu",
    mirror=False,
    model=None,
    inference_only=False,
):
    """Make a network (random, or from Keras) and its C code."""
    if model:
        return commands.regenerate(Path(model), Path(out), inference_only, console)
    if tflite:
        from secondpass.tflite.command import ImportOptions, run

        imported = ImportOptions(Path(tflite), Path(out), inference_only=inference_only)
        return run(imported, console)
    settings = {
        "projection": projection,
        "projection_scale": number("projection-scale", projection_scale, float),
        "presynaptic": presynaptic,
        "output_error": output_error,
        "error_signal": error_signal,
        "learning_rate": number("learning-rate", learning_rate, float),
    }
    return commands.generate(
        Path(out),
        dataset,
        commands.hidden_widths(hidden),
        Path(keras) if keras else None,
        number("seed", seed),
        rule,
        {name: value for name, value in settings.items() if value is not None},
        setting or [],
        format,
        activation,
        mirror,
        inference_only,
        console,
    )


@task(
    help={
        "model": "a .spn file, or widths such as 784-128-10",
        "rule": f"{RULE_HELP}, may be repeated; all when left out",
        "format": "number format where widths are given",
        "head": "head where widths are given",
    },
    iterable=["rule"],
    positional=["model"],
)
@reported
def cost(_, model, rule=None, format="a16w16", head="softmax"):
    """Print what one learning step costs under each rule, from formulas."""
    commands.cost(model, rule or [], format, head, console)


@task(
    help={
        "model": "a .spn file, or widths such as 784-128-10",
        "rule": RULE_HELP,
        "setting": "any setting of the rule as NAME=VALUE, may be repeated",
        "board": BOARD_HELP,
        "all": "one line for every board",
        "format": "number format where widths are given",
        "head": "head where widths are given",
        "zeros": "share of zeros in the random samples, 0 to 1",
        "dataset": "samples of a data set instead of random ones",
        "steps": "steps that a typical one is the mean of",
        "update-tables": "only measure the planner's tables anew",
        **TEXT_HELP,
    },
    iterable=["setting"],
)
@reported
def plan(
    _,
    model=MODEL,
    rule=None,
    setting=None,
    board="mps2-an386",
    all=False,
    format="a16w16",
    head="softmax",
    zeros="0",
    dataset=None,
    steps="1000",
    update_tables=False,
    no_text=False,
    profile_id=None,
):
    """Print RAM, flash, instructions and time of a model on a board, and what makes it fit."""
    from secondpass.plan import command

    if update_tables:
        return command.update_tables(console)
    share, count = number("zeros", zeros, float), number("steps", steps)
    text = chosen_profile(no_text, profile_id)
    request = command.Request(
        model, rule, tuple(setting or ()), format, head, share, dataset, count, text
    )
    if not command.plan(request, board, all, console):
        raise Exit("", 1)
    return None


@task(help={"board": BOARD_HELP, "model": MODEL_HELP, **TEXT_HELP})
@reported
def build(_, board="mps2-an386", model=MODEL, no_text=False, profile_id=None):
    """Build a model's firmware for a board and show the memory it takes."""
    commands.build(board, Path(model), console, chosen_profile(no_text, profile_id))


@task(
    help={
        "board": BOARD_HELP,
        "model": MODEL_HELP,
        "tcp": "TCP port of the UART, else a pty",
        "blank": "start without a firmware; './run flash' puts one on",
        **TEXT_HELP,
    }
)
@reported
def emulate(
    _, board="mps2-an386", model=MODEL, tcp=None, blank=False, no_text=False, profile_id=None
):
    """Run a model's firmware on an emulated board until Ctrl-C."""
    tcp_port = number("tcp", tcp)
    text = chosen_profile(no_text, profile_id)
    commands.emulate(board, Path(model), tcp_port, blank, console, text)


@task(help={"model": MODEL_HELP, "out": "folder of the project", **TEXT_HELP})
@reported
def project(_, model=MODEL, out="build/platformio", no_text=False, profile_id=None):
    """Write a PlatformIO project of a model, with an environment for each board."""
    from secondpass.cli import devices

    devices.project(Path(model), Path(out), no_text, profile_id)


@task(
    help={
        "board": BOARD_HELP,
        "model": MODEL_HELP,
        "probe": "pyocd: through a debug probe instead of PlatformIO",
        "port": "where PlatformIO uploads to",
        "gdb": "gdb port of an emulated board that was started elsewhere",
        **TEXT_HELP,
    }
)
@reported
def flash(_, board, model=MODEL, probe=None, port=None, gdb=None, no_text=False, profile_id=None):
    """Put a model's firmware onto a board, or into a running emulated one."""
    from secondpass.cli import devices

    devices.flash(board, Path(model), probe, port, gdb, no_text, profile_id)


@task(
    help={
        "port": "serial device, pty or socket://host:port",
        "board": "an emulated board that runs, instead of --port",
        "model": MODEL_HELP,
        "dataset": DATASET_HELP,
        "csv": "own data: a table like the one the model was made for",
        "wav": "own data: a folder of sounds",
        "group": "of own data: what stays together, as in train",
        "samples": "training samples an epoch",
        "epochs": "passes over them",
        "seed": "of the order of the samples",
        "save-every": "steps between two checkpoints, 0: none",
        "keep": "begin with the weights that the device holds",
        "resume": "go on behind the last step of the device or its checkpoint",
        "headless": "no screen: one line of JSON an event",
        "raw": "only show the bytes, with PlatformIO",
        "out": "folder of the session, a new one",
    }
)
@reported
def monitor(
    _,
    port=None,
    board=None,
    model=MODEL,
    dataset=None,
    csv=None,
    wav=None,
    group=None,
    samples=None,
    epochs=None,
    seed="1",
    save_every="0",
    keep=False,
    resume=False,
    headless=False,
    raw=False,
    out=None,
):
    """Train a device with a live dashboard; the session survives a pulled cable."""
    from secondpass.cli import monitor as command

    numbers = {"samples": samples, "epochs": epochs, "seed": seed, "save-every": save_every}
    counts = {name.replace("-", "_"): number(name, text) for name, text in numbers.items()}
    command.monitor(
        port,
        board,
        Path(model),
        dataset,
        csv=csv and Path(csv),
        wav=wav and Path(wav),
        group=group,
        keep=keep,
        resume=resume,
        headless=headless,
        raw=raw,
        out=None if out is None else Path(out),
        **counts,
    )


@task(
    help={
        "session": "folder of a session, or its session.jsonl",
        "out": "file to write, .html or .png; in the folder when left out",
    },
    positional=["session"],
)
@reported
def report(_, session, out=None):
    """Write a report of a session: curves, confusion matrix or scores, memory, identity."""
    from secondpass.cli import monitor as command

    command.report(Path(session), None if out is None else Path(out))


@task(
    help={
        "port": "serial device, pty or socket://host:port; own data need none",
        "model": f"{MODEL_HELP} or of an earlier session on own data",
        "dataset": f"{DATASET_HELP}; digits when left out",
        "samples": "training samples of the data set, an epoch",
        "epochs": "passes over them",
        "seed": "of the order of the samples; with own data of all that is drawn",
        "keep": "go on with the device's weights instead of resetting it",
        "csv": "own data: a table with a header, one example a row",
        "wav": "own data: a folder of sounds, one sub-folder a class",
        "label": "the column to learn",
        "regression": "the label is a number",
        "anomaly": "learn what is normal, to tell what is not",
        "normal": "label of normal rows; others are for testing",
        "classes": "the only labels accepted, separated by commas",
        "ignore": "a column to leave out, may be repeated",
        "group": "column whose equal values are all learned or all tested (docs/own-data.md)",
        "test-share": "share of own data held out for testing",
        "sample-type": "what features of own data become: uint8 or int16",
        "board": f"{BOARD_HELP}, emulated for own data",
        "prepare": "only check own data and make network and C",
        "hidden": "widths of the hidden layers for own data, such as 64,32",
        "activation": "of hidden layers: relu, identity, hard_tanh or tanh",
        "format": "a16w16, a16w8 or a8w8",
        "rule": RULE_HELP,
        "setting": "any setting of the rule as NAME=VALUE, may be repeated",
        "out": "folder for all that is made of own data",
        **TEXT_HELP,
    },
    iterable=["ignore", "setting"],
)
@reported
def train(
    _,
    port=None,
    model=None,
    dataset=None,
    samples=None,
    epochs=None,
    seed="1",
    keep=False,
    csv=None,
    wav=None,
    label=None,
    regression=False,
    anomaly=False,
    normal=None,
    classes=None,
    ignore=None,
    group=None,
    test_share="0.2",
    sample_type="uint8",
    board="mps2-an386",
    prepare=False,
    hidden="32",
    activation="relu",
    format="a16w16",
    rule="ftp",
    setting=None,
    out="build/own",
    no_text=False,
    profile_id=None,
):
    """Train a device with a live display: on own data, or over its port on a data set."""
    given = dict(locals())
    from secondpass import train_command

    del given["_"]
    paths = {
        name: None if given[name] is None else Path(given[name])
        for name in ("csv", "wav", "model", "out")
    }
    numbers = {name: number(name, given[name]) for name in ("samples", "epochs", "seed")}
    numbers["test_share"] = number("test-share", test_share, float)
    train_command.train(console, **{**given, **paths, **numbers})


@task(
    help={
        "port": "serial device, pty or socket://host:port",
        "model": f"{MODEL_HELP}: what the firmware was built from",
        "out": "the .spn file to write",
    }
)
@reported
def pull(_, port, model=MODEL, out="trained.spn"):
    """Read a device's weights into a .spn file."""
    from secondpass.moving import command

    command.pull(port, Path(model), Path(out), console)


@task(
    help={
        "source": "a .spn file with trained weights",
        "port": "serial device, pty or socket://host:port",
        "model": "the .spn file of the device's firmware, where SOURCE is of another",
        "clip": "clip weights beyond the range of the device's format",
        "save": "save a checkpoint in the device's flash",
    },
    positional=["source"],
)
@reported
def push(_, source, port, model=None, clip=False, save=False):
    """Write trained weights into a device, of another core or number format too."""
    from secondpass.moving import command

    command.push(Path(source), port, Path(model) if model else None, clip, save, console)


@task(
    help={
        "source": "a .spn file with trained weights",
        "keras": "the .keras file to write",
        "header": "folder for model.h and model.c that only infer",
        "npz": "NumPy archive of real weights to write",
        "dataset": "data set on which the Keras model is compared",
    },
    positional=["source"],
)
@reported
def export(_, source, keras=None, header=None, npz=None, dataset=None):
    """Write trained weights as a Keras model, as C that only infers, or as real numbers."""
    from secondpass.moving import command

    paths = (Path(path) if path else None for path in (keras, header, npz))
    command.export(Path(source), *paths, dataset, console)


@task(
    help={
        "board": f"{BOARD_HELP}; one board a core when left out",
        "network": "a network or layer of docs/performance.md, such as 784-100-10 or 128x128",
        "rule": "a rule, pepita-fast (all that saves work) or float (the baseline)",
        "format": "a16w16, a16w8 or a8w8",
        "steps": "most training steps of a window",
        "compiler": "gcc or zig, as SECONDPASS_COMPILER chooses it (docs/compilers.md)",
        "out": "folder for bench.json and bench.md",
        "profile": "where the instructions go, with cycle estimates, for one selected model",
        "update-docs": "put the tables into docs/performance.md",
        "update-counts": "only write bench/instructions.json, which a test compares with",
    }
)
@reported
def bench(
    _,
    board=None,
    network=None,
    rule=None,
    format=None,
    steps="1000",
    compiler=None,
    out="build",
    profile=False,
    update_docs=False,
    update_counts=False,
):
    """Count instructions of inference and training on every emulated core."""
    from secondpass.bench import command
    from secondpass.bench.matrix import Selection
    from secondpass.crosscompiler import choose

    choose(compiler)
    if update_counts:
        return command.update_counts(console)
    selection = Selection(board, network, rule, format, number("steps", steps))
    if profile:
        return command.profile(selection, console)
    return command.measure(selection, Path(out), update_docs, console)


@task(help={"catalogue": "a folder with boards of your own, one folder a board"})
@reported
def boards(_, catalogue=None):
    """List the boards: core, memory, port, how they are flashed and what was proven."""
    commands.list_boards(console, None if catalogue is None else Path(catalogue))


@task
def clean(_):
    """Delete build/."""
    commands.clean()
