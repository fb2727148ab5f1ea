# SPDX-License-Identifier: Apache-2.0
"""The demo: a network with random weights learns on an emulated Cortex-M, checked bit for bit."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from secondpass import datasets, modelfile, session
from secondpass.boards import Board, load_board
from secondpass.crosscompiler import require_tools
from secondpass.device.crossbuild import Firmware, build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.interface import Device, Sample, Statistics, read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.text import TextProfile
from secondpass.device.transport import SerialTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import require_choice
from secondpass.learning import StepSettings, step_settings
from secondpass.network import Network
from secondpass.presets import PRESETS, random_network
from secondpass.report.curve import write_csv, write_png
from secondpass.report.live import LiveDisplay
from secondpass.rules import ProjectedRule, Rule
from secondpass.session import History
from secondpass.work import Work, measure_inference


@dataclass(frozen=True)
class DemoOptions:
    """What `invoke demo` accepts; None takes the data set's preset."""

    board: str = "mps2-an386"
    dataset: str = "digits"
    rule: str = "pepita"
    seed: int = 1
    samples: int | None = None
    epochs: int | None = None
    folder: Path = Path("build/demo")
    text: TextProfile | bool = True


@dataclass(frozen=True)
class DemoResult:
    """What the demo saw."""

    before: float
    after: float
    evaluated: int
    history: History
    statistics: Statistics
    equal_to_twin: bool
    firmware: Firmware
    work: Work | None


def run(options: DemoOptions, console: Console) -> DemoResult:
    """Generate, build, emulate, train, evaluate and compare; write curve.csv and curve.png."""
    require_choice("dataset", options.dataset, PRESETS)
    board = load_board(options.board)
    board.require_emulator()
    require_tools()
    preset = PRESETS[options.dataset]
    data = datasets.load(options.dataset)
    samples = preset.samples if options.samples is None else options.samples
    session.check_length("--samples", samples, len(data.train_samples))
    epochs = preset.epochs if options.epochs is None else options.epochs
    session.check_length("--epochs", epochs)
    rule = preset.rule(options.rule, options.seed)
    network = random_network(data, preset.hidden, options.seed)
    modelfile.save(options.folder / "network.spn", network, rule)
    console.print(
        f"[bold]{network.shape}[/] with random {network.format} weights, "
        f"{options.dataset}, {rule.name.upper()}{_projection(rule)}"
    )
    firmware = build_firmware(network, rule, board, options.folder / "firmware", options.text)
    console.print(
        f"built for {board.name} ({board.core}): {firmware.flash_bytes} bytes of flash, "
        f"{firmware.ram_bytes} bytes of RAM and {firmware.stack_bytes} of stack"
    )

    def settings(epoch: int) -> StepSettings:
        rate = rule.learning_rate * session.falling_rate(epoch, epochs)
        return step_settings(network, rule, rate)

    train_x, train_y = data.train_samples[:samples], data.train_labels[:samples]
    test_x, test_y = data.test_samples[: preset.evaluated], data.test_labels[: preset.evaluated]
    with Emulator(board, firmware.elf, count_instructions=True) as emulator:
        device = LinkDevice(SerialTransport(emulator.port), network, rule)
        before = _accuracy(device, test_x, test_y)
        work = measure_inference(device, test_x, board.ticks_per_instruction)
        with LiveDisplay(samples * epochs, board.core, console, work) as display:
            history = session.train(
                device, train_x, train_y, epochs, options.seed, display, settings
            )
        if history.interrupted:
            raise KeyboardInterrupt  # nothing to compare the twin with
        after = _accuracy(device, test_x, test_y)
        statistics = device.statistics()
        weights = read_weights(device)
        device.close()

    twin = HostTwin(network, rule)
    _accuracy(twin, test_x, test_y)
    measure_inference(twin, test_x)
    session.train(twin, train_x, train_y, epochs, options.seed, settings=settings)
    _accuracy(twin, test_x, test_y)
    equal = (
        same_weights(weights, read_weights(twin))
        and statistics.counters == twin.statistics().counters
    )
    result = DemoResult(before, after, len(test_y), history, statistics, equal, firmware, work)
    write_csv(options.folder / "curve.csv", history)
    write_png(
        options.folder / "curve.png",
        history,
        f"{options.dataset}, {network.shape}, {rule.name.upper()} on {board.core} ({board.id})",
        after,
    )
    modelfile.save(options.folder / "trained.spn", network.with_weights(weights), rule)
    _summarise(console, options, board, network, rule, result)
    return result


def _projection(rule: Rule) -> str:
    return f" with a {rule.projection} projection" if isinstance(rule, ProjectedRule) else ""


def _accuracy(device: Device, samples: Sample, labels: npt.NDArray[np.integer]) -> float:
    return device.evaluate(samples, labels.tolist()) / len(labels)


def _summarise(
    console: Console,
    options: DemoOptions,
    board: Board,
    network: Network,
    rule: Rule,
    result: DemoResult,
) -> None:
    counters = result.statistics.counters
    steps = len(result.history.points)
    table = Table(title="What happened on the device", show_header=False, title_justify="left")
    table.add_row("network", f"{network.shape}, {network.format}, {network.macs} MACs an inference")
    table.add_row("board", f"{board.name}, {board.core}, emulated")
    table.add_row("trained", f"{steps} samples, one by one, {result.history.seconds:.1f} s")
    table.add_row("speed", f"{result.history.steps_per_second:.0f} steps/s over the emulated UART")
    if result.work is not None:
        table.add_row("mean work", result.work.describe(result.history.ticks_per_step))
    table.add_row("held-out accuracy before", f"{100 * result.before:.1f} % of {result.evaluated}")
    table.add_row("held-out accuracy after", f"[bold]{100 * result.after:.1f} %[/]")
    table.add_row("saturations", f"{counters.saturations} in all layers and the input")
    active = [
        f"{100 * layer.active_rows / (steps * spec.outputs):.0f} %"
        for layer, spec in zip(counters.layers, network.layers, strict=True)
    ]
    table.add_row("rows updated a step", ", ".join(active))
    table.add_row("stack high-water mark", f"{result.statistics.stack_used} bytes")
    table.add_row(
        "host twin, same stream",
        "[green]weights and counters equal bit for bit[/]"
        if result.equal_to_twin
        else "[red]DIFFERENT: this is a bug, please report it[/]",
    )
    table.add_row("learning curve", f"{options.folder}/curve.png, {options.folder}/curve.csv")
    console.print(table)
