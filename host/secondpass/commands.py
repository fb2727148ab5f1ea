# SPDX-License-Identifier: Apache-2.0
"""What the tasks and other front ends do, one function a verb, with options already parsed.

Each verb imports what it needs, so that those which need little start fast.
"""

import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from secondpass import boards
from secondpass.errors import DataError, NetworkError, require_choice

if TYPE_CHECKING:
    from secondpass.device.text import TextProfile
    from secondpass.network import Network

MODEL = Path("build/model/network.spn")


def generate(
    out: Path,
    dataset: str,
    hidden: tuple[int, ...] | None,
    keras_model: Path | None,
    seed: int,
    rule_name: str,
    rule_settings: list[str],
    format: str,
    activation: str,
    mirror: bool,
    inference_only: bool,
    console: Console,
) -> None:
    """Make a network, random or from a Keras file, and its C; write both into `out`.

    `rule_settings` are settings of the rule as `name=value`.
    """
    from secondpass import datasets, modelfile
    from secondpass.presets import PRESETS, keras_network, random_network
    from secondpass.rules import parse_settings
    from secondpass_codegen import write

    require_choice("dataset", dataset, PRESETS)
    preset = PRESETS[dataset]
    rule = preset.rule(rule_name, seed, parse_settings(rule_name, rule_settings))
    data = datasets.load(dataset)
    if keras_model is not None:
        network = keras_network(keras_model, data, format)
    else:
        network = random_network(data, hidden or preset.hidden, seed, format, activation)
    if mirror:
        from secondpass.mirroring import with_mirrored_projection

        rule = with_mirrored_projection(network, rule)
    modelfile.save(out / "network.spn", network, rule)
    for path in [out / "network.spn", *write(network, None if inference_only else rule, out)]:
        console.print(str(path), soft_wrap=True)


def regenerate(model: Path, out: Path, inference_only: bool, console: Console) -> None:
    """Write the C of a saved network, trained anywhere, into `out`."""
    from secondpass import modelfile
    from secondpass_codegen import write

    network, rule = modelfile.load(model)
    for path in write(network, None if inference_only else rule, out):
        console.print(str(path), soft_wrap=True)


def build(board_id: str, model: Path, console: Console, text: "TextProfile | bool" = True) -> Path:
    """Build the firmware of a model for a board; return the ELF file.

    `text`: as `secondpass.device.crossbuild.build_firmware` takes it.
    """
    from secondpass import modelfile
    from secondpass.device.crossbuild import CRASH_RECORD_BYTES, build_firmware

    board = boards.load_board(board_id)
    board.require_port()
    network, rule = modelfile.load(model)
    folder = Path("build") / "boards" / board.id
    firmware = build_firmware(network, rule, board, folder, text)
    memory = board.memory
    table = Table("memory", "used", "of", "bytes free")
    ram = firmware.ram_bytes + firmware.stack_bytes + CRASH_RECORD_BYTES
    for name, used, total in (
        ("flash", firmware.flash_bytes, memory.flash_bytes),
        ("RAM with stack", ram, memory.ram_bytes),
    ):
        table.add_row(name, str(used), str(total), str(total - used))
    console.print(table)
    console.print(str(firmware.elf), soft_wrap=True)
    return firmware.elf


def emulate(
    board_id: str,
    model: Path,
    tcp_port: int | None,
    blank: bool,
    console: Console,
    text: "TextProfile | bool" = True,
) -> None:
    """Build a model's firmware, run it on an emulated board and wait until it is stopped.

    A `blank` board waits for the first `flash`. `text`: as `build` takes it.
    """
    from secondpass.device.emulator import Emulator
    from secondpass.device.running import announced

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    board = boards.load_board(board_id)
    board.require_emulator()
    elf = None if blank else build(board_id, model, console, text)
    signal.signal(signal.SIGTERM, stop)  # the board goes off with its task, however that ends
    with (
        Emulator(board, elf, tcp_port=tcp_port, gdb=True) as emulator,
        announced(board, emulator),
    ):
        state = "waits for './run flash'" if blank else "runs"
        console.print(f"{board.name} {state}; its UART is at [bold]{emulator.port}[/]")
        console.print(f"its gdb port is {emulator.gdb_port} (target remote :{emulator.gdb_port})")
        console.print(
            f"in another terminal: ./run train --port {emulator.port} --model {model}",
            soft_wrap=True,
        )
        console.print("Ctrl-C switches the board off")
        emulator.wait()


def train(
    port: str,
    model: Path,
    dataset: str,
    samples: int | None,
    epochs: int | None,
    seed: int,
    fresh: bool,
    console: Console,
) -> None:
    """Run a training session over a serial port; write curve and weights into build/session."""
    from secondpass import datasets, live_session, modelfile, session
    from secondpass.device.link import LinkDevice
    from secondpass.device.transport import SerialTransport
    from secondpass.presets import PRESETS

    require_choice("dataset", dataset, PRESETS)
    network, rule = modelfile.load(model)
    network.require_trainable()
    data = datasets.load(dataset)
    if data.train_samples.shape[1] != network.sample.size or data.classes != network.classes:
        raise DataError(
            f"{dataset} has {data.train_samples.shape[1]} values a sample and {data.classes} "
            f"classes; the model is {network.shape}"
        )
    preset = PRESETS[dataset]
    count = preset.samples if samples is None else samples
    session.check_length("--samples", count, len(data.train_samples))
    rounds = preset.epochs if epochs is None else epochs
    session.check_length("--epochs", rounds)
    plan = live_session.Plan(
        data.train_samples[:count],
        data.train_labels[:count],
        data.test_samples[: preset.evaluated],
        data.test_labels[: preset.evaluated],
        rounds,
        seed,
    )
    device = LinkDevice(SerialTransport(port), network, rule)
    try:
        live_session.greet(device, console)
        if fresh:
            device.reset()
        title = f"{dataset}, {network.shape}"
        live_session.run(device, network, rule, plan, title, Path("build/session"), console)
    finally:
        device.close()


def cost(model: str, rules: list[str], format: str, head: str, console: Console) -> None:
    """Print the cost of a learning step for a `.spn` file or for widths such as 784-128-10.

    `rules` are names; none: all. A file's own rule keeps its settings.
    """
    from secondpass import modelfile
    from secondpass.cost import step_cost
    from secondpass.rules import RULES, make_rule
    from secondpass_codegen.memory import plan

    own = None
    if model.endswith(".spn"):
        network, own = modelfile.load(Path(model))
    else:
        network = untrained_network(model, format, head)
    chosen = rules or list(RULES)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("rule", no_wrap=True)
    columns = ("first", "other", "proj", "update", "kMAC", "x BP", "act", "arena", "kept")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    reference = step_cost(network, make_rule("bp", {})).macs
    refused = []
    for name in chosen:
        require_choice("rule", name, [*RULES, "pepita-short"])
        variants = [(name, own if own is not None and own.name == name else None)]
        if name == "pepita" and variants[0][1] is None:
            variants.append(("pepita-short", None))
        for title, rule in variants:
            settings = {"second_pass": "short"} if title == "pepita-short" else {}
            try:
                rule = rule or make_rule(name.removesuffix("-short"), settings)
                parts = step_cost(network, rule)
                arena = plan(network, rule).arena
            except NetworkError as error:
                refused.append(f"{title}: {error}")
                continue
            macs = [parts.forward, parts.again + parts.second + parts.backward]
            macs += [parts.projection + parts.repair, parts.update, parts.macs]
            table.add_row(
                title,
                *(f"{number / 1000:.1f}" for number in macs),
                f"{parts.macs / reference:.2f}",
                *(str(number) for number in (parts.activations, arena, parts.matrices)),
            )
    console.print(f"{network.shape}, {network.format}, {network.head}: one learning step\n")
    console.print(table)
    for line in refused:
        console.print(line)
    console.print(
        "Thousands of multiply-accumulates: first pass; the other passes (second, backward, what "
        "MEMPEPITA repeats); projection; update. A sparse matrix counts its non-zeros, every row "
        "counts as updated. Bytes: activations by the published formulas, the arena as planned, "
        "matrices kept.",
        style="dim",
    )


def untrained_network(widths: str, format: str, head: str) -> "Network":
    """Return a network of widths such as 784-128-10 with weights of a fixed seed."""
    import numpy as np

    from secondpass.quantise import choose_input, quantise, random_layers

    try:
        sizes = tuple(int(part) for part in widths.split("-"))
    except ValueError:
        raise NetworkError(
            f"{widths!r} is neither a .spn file nor widths such as 784-128-10"
        ) from None
    layers = random_layers(sizes, 1)
    spec = choose_input(sizes[0], "uint8", 0, 1 / 255, format=format)
    samples = np.random.default_rng(1).integers(0, 256, (20, sizes[0])).astype(np.uint8)
    return quantise(layers, spec, samples, format=format, head=head)


def list_boards(console: Console, folder: Path | None = None) -> None:
    """Print the board catalogue, with the boards of the user's own catalogue `folder`."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    numbers = ("MHz", "RAM", "flash")
    for column in ("board", "Cortex", *numbers, "port", "flashed with", "proven"):
        table.add_column(column, no_wrap=True, justify="right" if column in numbers else "left")
    for board in boards.load_catalogue(folder):
        table.add_row(
            board.id,
            board.core.removeprefix("cortex-").replace("plus", "+").upper(),
            f"{board.clock_hz / 1e6:.0f}",
            str(board.memory.ram_bytes // 1024),
            str(board.memory.flash_bytes // 1024),
            board.port.family if board.port else "none",
            _flashed_with(board),
            board.proven,
        )
    console.print(table)
    console.print(
        "RAM and flash in KiB. Proven by the project's tests: emulated, compiled or neither; "
        "nothing has run on silicon. A board without a port of its own is built through PlatformIO "
        "(docs/platformio.md).",
        style="dim",
    )


def _flashed_with(board: boards.Board) -> str:
    """Return the ways onto the board that its description has."""
    ways = [
        ("QEMU", board.emulator),
        ("PlatformIO", board.platformio),
        ("pyOCD", board.pyocd),
    ]
    return ", ".join(name for name, described in ways if described) or "none"


def clean() -> None:
    """Delete what commands have written into `build/`."""
    shutil.rmtree("build", ignore_errors=True)


def hidden_widths(text: str | None) -> tuple[int, ...] | None:
    """Read `64` or `128,64`."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise NetworkError(
            f"--hidden is {text!r}; it takes widths separated by commas, such as 128,64"
        ) from None
