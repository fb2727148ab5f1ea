# SPDX-License-Identifier: Apache-2.0
"""What the tasks and other front ends do, one function a verb, with options already parsed.

Each verb imports what it needs, so that those which need little start fast.
"""

import shutil
import signal
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from secondpass import boards
from secondpass.errors import DataError, NetworkError, require_choice

MODEL = Path("build/model/network.spn")


def generate(
    out: Path,
    dataset: str,
    hidden: tuple[int, ...] | None,
    keras_model: Path | None,
    seed: int,
    rule_name: str,
    rule_options: dict[str, Any],
    console: Console,
) -> None:
    """Make a network, random or from a Keras file, and its C; write both into `out`."""
    from secondpass import datasets, modelfile
    from secondpass.presets import PRESETS, keras_network, random_network
    from secondpass_codegen import write

    require_choice("dataset", dataset, PRESETS)
    preset = PRESETS[dataset]
    rule = preset.rule(rule_name, seed, rule_options)
    data = datasets.load(dataset)
    if keras_model is not None:
        network = keras_network(keras_model, data)
    else:
        network = random_network(data, hidden or preset.hidden, seed)
    modelfile.save(out / "network.spn", network, rule)
    for path in [out / "network.spn", *write(network, rule, out)]:
        console.print(str(path), soft_wrap=True)


def build(board_id: str, model: Path, console: Console) -> Path:
    """Build the firmware of a model for a board; return the ELF file."""
    from secondpass import modelfile
    from secondpass.device.crossbuild import build_firmware

    board = boards.load_board(board_id)
    network, rule = modelfile.load(model)
    firmware = build_firmware(network, rule, board, Path("build") / "boards" / board.id)
    memory = board.memory
    table = Table("memory", "used", "of", "bytes free")
    ram = firmware.ram_bytes + firmware.stack_bytes
    for name, used, total in (
        ("flash", firmware.flash_bytes, memory.flash_bytes),
        ("RAM with stack", ram, memory.ram_bytes),
    ):
        table.add_row(name, str(used), str(total), str(total - used))
    console.print(table)
    console.print(str(firmware.elf), soft_wrap=True)
    return firmware.elf


def emulate(board_id: str, model: Path, tcp_port: int | None, console: Console) -> None:
    """Build a model's firmware, run it on an emulated board and wait until it is stopped."""
    from secondpass.device.emulator import Emulator

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    elf = build(board_id, model, console)
    board = boards.load_board(board_id)
    signal.signal(signal.SIGTERM, stop)  # the board goes off with its task, however that ends
    with Emulator(board, elf, tcp_port=tcp_port) as emulator:
        console.print(f"{board.name} runs; its UART is at [bold]{emulator.port}[/]")
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
    from secondpass import datasets, modelfile, session
    from secondpass.device.interface import read_weights
    from secondpass.device.link import LinkDevice
    from secondpass.device.transport import SerialTransport
    from secondpass.presets import PRESETS
    from secondpass.report.curve import write_csv, write_png
    from secondpass.report.live import LiveDisplay

    require_choice("dataset", dataset, PRESETS)
    network, rule = modelfile.load(model)
    data = datasets.load(dataset)
    if data.train_samples.shape[1] != network.input.size or data.classes != network.classes:
        raise DataError(
            f"{dataset} has {data.train_samples.shape[1]} values a sample and {data.classes} "
            f"classes; the model is {network.shape}"
        )
    preset = PRESETS[dataset]
    count = preset.samples if samples is None else samples
    session.check_length("--samples", count, len(data.train_samples))
    rounds = preset.epochs if epochs is None else epochs
    session.check_length("--epochs", rounds)
    test_x, test_y = data.test_samples[: preset.evaluated], data.test_labels[: preset.evaluated]
    device = LinkDevice(SerialTransport(port), network, rule)
    try:
        info = device.info
        console.print(
            f"{info.board} ({info.core}), firmware {info.firmware_version}, "
            f"model {info.model_hash:016x}, {info.model_bytes} bytes"
        )
        if fresh:
            device.reset()
        with LiveDisplay(count * rounds, info.core, console) as display:
            history = session.train(
                device,
                data.train_samples[:count],
                data.train_labels[:count],
                rounds,
                seed,
                display,
            )
        if history.interrupted:
            console.print(f"stopped after {len(history.points)} steps; the device keeps them")
        accuracy = device.evaluate(test_x, test_y.tolist()) / len(test_y)
        console.print(
            f"held-out accuracy [bold]{100 * accuracy:.1f} %[/] of {len(test_y)}, "
            f"{history.steps_per_second:.0f} steps/s, {device.repeats} repeated requests"
        )
        folder = Path("build/session")
        write_csv(folder / "curve.csv", history)
        write_png(folder / "curve.png", history, f"{dataset}, {network.shape}", accuracy)
        trained = network.with_weights(read_weights(device))
        modelfile.save(folder / "trained.spn", trained, rule)
        console.print(f"{folder}/curve.csv, curve.png and trained.spn")
    finally:
        device.close()


def list_boards(console: Console) -> None:
    """Print the board catalogue."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("board", "core", "MHz", "flash", "RAM", "emulated as"):
        table.add_column(column, no_wrap=True)
    for board_id in boards.board_ids():
        board = boards.load_board(board_id)
        table.add_row(
            board.id,
            board.core,
            f"{board.clock_hz / 1e6:.0f}",
            f"{board.memory.flash_bytes // 1024} KiB",
            f"{board.memory.ram_bytes // 1024} KiB",
            board.emulator.machine,
        )
    console.print(table)


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
