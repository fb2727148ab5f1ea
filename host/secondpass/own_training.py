# SPDX-License-Identifier: Apache-2.0
"""Own data reach a device in one go: read and check, make network and firmware, train, test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from secondpass import live_session, modelfile, score_session, session
from secondpass.boards import load_board
from secondpass.datasets import own
from secondpass.datasets.csv_file import Columns, LabelKind, read_table
from secondpass.datasets.own import Examples, Goal, OwnTask, Recipe
from secondpass.datasets.wav_folder import read_folder
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.link import LinkDevice
from secondpass.device.text import TextProfile
from secondpass.device.transport import SerialTransport
from secondpass.errors import DataError
from secondpass.learning import StepSettings, step_settings
from secondpass.network import Network
from secondpass.own_model import epochs_for, network_for, require_fitting, rule_for
from secondpass.rules import Rule
from secondpass.toolchain import CROSS_COMPILER, EMULATOR
from secondpass_codegen import write

PATIENCE = 30.0
"""Seconds after which an emulated board counts as gone: this computer may be busy."""

_LABEL_KINDS: dict[Goal, LabelKind] = {
    "classify": "class",
    "regression": "number",
    "anomaly": "text",
}


@dataclass(frozen=True)
class OwnOptions:
    """What `secondpass train` accepts for own data; `csv` or `wav` is given, not both.

    `model`: a network of an earlier session, with its recipe beside it, instead of a new one.
    `port`: a device that runs that network already, instead of an emulated board.
    `prepare`: make network and C, and stop.
    """

    csv: Path | None = None
    wav: Path | None = None
    label: str | None = None
    goal: Goal = "classify"
    normal: str | None = None
    group: str | None = None
    ignored: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    model: Path | None = None
    board: str = "mps2-an386"
    port: str | None = None
    keep: bool = False
    prepare: bool = False
    hidden: tuple[int, ...] = (32,)
    rule: str = "ftp"
    settings: tuple[str, ...] = ()
    format: str = "a16w16"
    activation: str = "relu"
    sample_type: str = "uint8"
    epochs: int | None = None
    test_share: float = 0.2
    seed: int = 1
    folder: Path = Path("build/own")
    text: TextProfile | bool = True


@dataclass(frozen=True)
class OwnOutcome:
    """What was found on the held-out samples before and after, by name, and what was trained."""

    before: dict[str, Any]
    after: dict[str, Any]
    task: OwnTask
    network: Network
    rule: Rule


def run(options: OwnOptions, console: Console) -> OwnOutcome | None:
    """Do it all; write network.spn, task.json, trained.spn and the curve into the folder.

    Returns None where only network and C were to be made. Every error that data or options can
    cause is raised before anything is written, built or sent.
    """
    check(options)
    earlier = None if options.model is None else _earlier(options)
    task = read_task(options, None if earlier is None else earlier[2])
    if earlier is None:
        network = network_for(
            task, options.hidden, options.seed, options.format, options.activation
        )
        rule = rule_for(task.recipe, options.rule, options.seed, list(options.settings))
    else:
        network, rule, _ = earlier
    step_settings(network, rule)  # refuses a rule that does not fit
    if options.port is None and not options.prepare:
        load_board(options.board).require_emulator()
        CROSS_COMPILER.find()
        EMULATOR.find()
    console.print(summary(task, network, rule), soft_wrap=True)
    save_start(options, task.recipe, network, rule)
    if options.prepare:
        for path in write(network, rule, options.folder):
            console.print(str(path), soft_wrap=True)
        return None
    with opened(options, network, rule, console) as device:
        live_session.greet(device, console)
        if not options.keep:
            device.reset()
        return train(device, options, task, network, rule, console)


def check(options: OwnOptions) -> None:
    """Raise `DataError` for options that contradict each other."""
    if (options.csv is None) == (options.wav is None):
        raise DataError("give the data either as --csv FILE or as --wav FOLDER")
    if options.wav is not None and options.goal == "regression":
        raise DataError("--regression takes numbers to learn: give them in a column of --csv FILE")
    if options.wav is not None and options.label is not None:
        raise DataError("--label is a column of --csv FILE; with --wav the sub-folder is the label")
    if options.csv is not None and options.label is None and options.goal != "anomaly":
        raise DataError("--csv takes --label COLUMN, or --anomaly")
    if options.normal is not None and options.goal != "anomaly":
        raise DataError("--normal names the label of normal rows; it takes --anomaly")
    if options.csv and options.goal == "anomaly" and bool(options.label) != bool(options.normal):
        raise DataError("--anomaly takes --label COLUMN and --normal VALUE together, or neither")
    if options.keep and options.port is None:
        raise DataError("--keep goes on with a device's weights; it takes --port")
    if options.epochs is not None:
        session.check_length("--epochs", options.epochs)
    if options.seed < 0:
        raise DataError(f"--seed is {options.seed}; it takes 0 or more")


def further_task(
    model: Path,
    csv: Path | None,
    wav: Path | None,
    group: str | None,
    epochs: int | None,
    seed: int,
) -> OwnTask:
    """Read data for a network of an earlier session, by the recipe beside it."""
    goal = own.load_recipe(model.parent / own.RECIPE_FILE).goal
    options = OwnOptions(csv, wav, goal=goal, group=group, model=model, epochs=epochs, seed=seed)
    recipe = _earlier(options)[2]
    if csv is not None and recipe.label is not None:
        options = replace(options, label=recipe.label, normal=recipe.normal)
    check(options)
    return read_task(options, recipe)


def read_task(options: OwnOptions, recipe: Recipe | None) -> OwnTask:
    """Read and check the data; raise `DataError` listing what cannot be used."""
    classes = recipe.classes if recipe else options.classes
    label = recipe.label if recipe and options.label is None else options.label
    if options.csv is not None:
        wanted = Columns(label, options.group, options.ignored, recipe.columns if recipe else None)
        table = read_table(options.csv, wanted, classes or None, _LABEL_KINDS[options.goal])
        examples, columns = own.table_examples(table), table.columns
    else:
        assert options.wav is not None
        clips = read_folder(options.wav, classes or None, options.group)
        examples, columns = own.clip_examples(clips), ()
    if recipe is not None:
        return _again(examples, recipe, options)
    missing = sorted(set(classes) - set(examples.labels))
    if missing:
        raise DataError(f"no example is labelled {missing[0]!r}, which --classes names")
    return own.make_task(
        examples,
        options.goal,
        options.test_share,
        options.seed,
        columns,
        label,
        options.normal,
        options.sample_type,
    )


def _again(examples: Examples, recipe: Recipe, options: OwnOptions) -> OwnTask:
    """Return a task of further data by the recipe of an earlier session."""
    train, test = own.split(examples, recipe.goal, recipe.normal, options.test_share, options.seed)
    return own.apply_recipe(recipe, examples, train, test)


def _earlier(options: OwnOptions) -> tuple[Network, Rule, Recipe]:
    """Return network, rule and recipe of an earlier session."""
    assert options.model is not None
    network, rule = modelfile.load(options.model)
    recipe = own.load_recipe(options.model.parent / own.RECIPE_FILE)
    source = "csv" if options.csv is not None else "wav"
    if (recipe.source, recipe.goal) != (source, options.goal):
        raise DataError(
            f"{options.model} was made for --{recipe.source} and the goal {recipe.goal}; these "
            f"data are --{source} for {options.goal}"
        )
    require_fitting(recipe, network)
    return network, rule, recipe


def summary(task: OwnTask, network: Network, rule: Rule) -> str:
    """Return what will be learned, on one line."""
    recipe = task.recipe
    what = {
        "classify": f"{len(recipe.classes)} classes ({', '.join(recipe.classes)})",
        "regression": f"the number {recipe.label}",
        "anomaly": "what is normal",
    }[recipe.goal]
    return (
        f"{what} from {task.size} features: {len(task.train_samples)} examples to learn, "
        f"{len(task.test_samples)} to test; [bold]{network.shape}[/], {network.format}, "
        f"{rule.name.upper()}"
    )


def save_start(options: OwnOptions, recipe: Recipe, network: Network, rule: Rule) -> None:
    """Save recipe and network ahead of training; what an earlier session saved stays as it is."""
    if options.model is None:
        modelfile.save(options.folder / "network.spn", network, rule)
    if options.model is None or options.model.parent.resolve() != options.folder.resolve():
        own.save_recipe(options.folder / own.RECIPE_FILE, recipe)


@contextmanager
def opened(
    options: OwnOptions, network: Network, rule: Rule, console: Console
) -> Iterator[LinkDevice]:
    """Yield the device at the port, or an emulated board with a firmware that is built for it."""
    if options.port is not None:
        device = LinkDevice(SerialTransport(options.port), network, rule)
        try:
            yield device
        finally:
            device.close()
        return
    board = load_board(options.board)
    firmware = build_firmware(network, rule, board, options.folder / "firmware", options.text)
    console.print(
        f"built for {board.name}: {firmware.flash_bytes} bytes of flash, {firmware.ram_bytes} of "
        f"RAM and {firmware.stack_bytes} of stack",
        soft_wrap=True,
    )
    with Emulator(board, firmware.elf) as emulator:
        device = LinkDevice(SerialTransport(emulator.port), network, rule, PATIENCE)
        try:
            yield device
        finally:
            device.close()


def train(
    device: LinkDevice,
    options: OwnOptions,
    task: OwnTask,
    network: Network,
    rule: Rule,
    console: Console,
) -> OwnOutcome:
    """Train and test an opened device; write trained.spn and the curve."""
    epochs = epochs_for(len(task.train_samples)) if options.epochs is None else options.epochs
    if task.recipe.goal == "classify":
        return _classify(device, options, task, network, rule, epochs, console)
    before = score_session.held_out(device, network, task)
    console.print(f"held out, before: {score_session.describe(before)}")
    history = score_session.train(device, network, rule, task, epochs, options.seed, console)
    if history.interrupted:
        console.print(f"stopped after {len(history.scores)} steps; the device keeps them")
    after = score_session.held_out(device, network, task)
    console.print(f"held out, after: [bold]{score_session.describe(after)}[/]")
    if task.recipe.goal == "anomaly":
        found = score_session.calibrate(device, task, options.seed)
        after |= {name: value for name, value in asdict(found).items() if value is not None}
        console.print(found.describe(), soft_wrap=True)
    score_session.write_csv(options.folder / "curve.csv", history)
    live_session.save_trained(device, rule, options.folder)
    console.print(f"{options.folder}/curve.csv and {live_session.TRAINED_FILE}")
    return OwnOutcome(before, after, task, network, rule)


def _classify(
    device: LinkDevice,
    options: OwnOptions,
    task: OwnTask,
    network: Network,
    rule: Rule,
    epochs: int,
    console: Console,
) -> OwnOutcome:
    def settings(epoch: int) -> StepSettings:
        rate = rule.learning_rate * session.falling_rate(epoch, epochs)
        return step_settings(network, rule, rate)

    tested = len(task.test_answers)
    before = device.evaluate(task.test_samples, task.test_answers.tolist()) / tested
    console.print(f"held-out accuracy before: {100 * before:.1f} % of {tested}")
    plan = live_session.Plan(
        task.train_samples,
        task.train_answers,
        task.test_samples,
        task.test_answers,
        epochs,
        options.seed,
        settings,
    )
    source = options.csv or options.wav
    assert source is not None
    title = f"{source.name}, {network.shape}, {rule.name.upper()}"
    after = live_session.run(device, network, rule, plan, title, options.folder, console)
    return OwnOutcome({"accuracy": before}, {"accuracy": after}, task, network, rule)
