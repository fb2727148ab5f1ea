# SPDX-License-Identifier: Apache-2.0
"""Score a device over the text protocol, train it in text, and score it again.

    python bench/text/score.py --task digits --board mps2-an386      # emulated
    python bench/text/score.py --task fan --port /dev/ttyACM0        # runs the model of "fan"

Accuracy: one inference a sample. Performance: windows of at least --seconds on different samples,
their median. The task makes the model; the host that scores it (tests/text/tiny_client.py) knows
the protocol's description only. Results are "MLCommons-Tiny-style", of a network of its own.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass import datasets
from secondpass.boards import load_board
from secondpass.datasets import drift_task, load_ceiling_fan
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.network import Network
from secondpass.presets import PRESETS, random_network
from secondpass.rules import Pepita, Rule, with_seed
from secondpass.tasks.anomaly import autoencoder

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "text"))

from tiny_client import TinyDevice, auc, top_1


@dataclass(frozen=True)
class Task:
    """A network and the samples that teach and test it, as bytes on the wire."""

    network: Network
    rule: Rule
    teaching: list[bytes]
    teaching_labels: list[int]
    testing: list[bytes]
    testing_labels: list[int]
    """Classes; for an anomaly task 1 for an anomaly."""

    @property
    def anomaly(self) -> bool:
        """Whether results are scores instead of probabilities."""
        return self.network.head == "reconstruction"


def digits(count: int) -> Task:
    """Handwritten digits, 64-64-10."""
    data = datasets.load("digits")
    preset = PRESETS["digits"]
    return Task(
        random_network(data, preset.hidden, 1),
        preset.rule("pepita", 1),
        [sample.tobytes() for sample in data.train_samples],
        data.train_labels.tolist(),
        [sample.tobytes() for sample in data.test_samples[:count]],
        data.test_labels[:count].tolist(),
    )


def fan(count: int) -> Task:
    """Vibrations of a ceiling fan: normal windows teach an auto-encoder; float32 on the wire."""
    recordings = load_ceiling_fan()
    parts = drift_task(recordings)
    network = autoencoder(recordings, parts.pretrain, (16,), 1)

    def wire(samples: npt.NDArray[np.uint8]) -> list[bytes]:
        return [row.astype("<f4").tobytes() for row in network.input.decode(samples)]

    each = count // 2
    teaching = wire(parts.pretrain)
    testing = wire(parts.home_normal[:each]) + wire(parts.anomalous[:each])
    labels = [0] * len(parts.home_normal[:each]) + [1] * len(parts.anomalous[:each])
    rule = with_seed(Pepita(learning_rate=0.01, projection_scale=0.15), 1)
    return Task(network, rule, teaching, [0] * len(teaching), testing, labels)


TASKS = {"digits": digits, "fan": fan}


@contextmanager
def device_of(task: Task, board_id: str, port: str | None) -> Iterator[TinyDevice]:
    """Yield the client of a device on a port, or of an emulated board."""
    if port is not None:
        with TinyDevice(port) as client:
            yield client
        return
    board = load_board(board_id)
    with tempfile.TemporaryDirectory() as scratch:
        elf = build_firmware(task.network, task.rule, board, Path(scratch)).elf
        with Emulator(board, elf) as emulator, TinyDevice(emulator.port) as client:
            yield client


def accuracy(client: TinyDevice, task: Task) -> str:
    """Return the line of a results file that says how often the device is right."""
    outputs = []
    for sample in task.testing:
        client.load(sample)
        outputs.append(client.infer().results)
    if task.anomaly:
        scores = [values[0] for values in outputs]
        return f"AUC = {auc(scores, [label == 1 for label in task.testing_labels]):.3f}"
    return f"Top 1% = {100 * top_1(outputs, task.testing_labels):.1f}"


def throughput(client: TinyDevice, samples: Sequence[bytes], seconds: float) -> str:
    """Return the line that gives the median of a window for each sample."""
    rates = []
    for sample in samples:
        client.load(sample)
        measured = client.window(seconds)
        rates.append(measured.throughput)
        print(
            f"  {measured.iterations} inferences in {measured.microseconds / 1e6:.3f} s: "
            f"{measured.throughput:.3f} a second",
            flush=True,
        )
    return f"Median throughput is {statistics.median(rates):.3f} inf./sec."


def train(client: TinyDevice, task: Task, steps: int) -> None:
    """Teach samples in a fixed random order, one step each."""
    order = np.random.default_rng(1).permutation(len(task.teaching))
    for step in range(steps):
        index = int(order[step % len(order)])
        client.load(task.teaching[index])
        if not task.anomaly:
            client.command(f"label {task.teaching_labels[index]}")
        lines = client.command("train", patience=30.0)
        if not lines[-1].startswith("m-trained-["):
            raise SystemExit(f"error: the device does not train: {lines[-1]}")


def main() -> None:
    """Score, train, score."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--task", choices=TASKS, default="digits")
    options.add_argument("--board", default="mps2-an386", help="emulated board")
    options.add_argument("--port", help="a device that runs the task's model, instead")
    options.add_argument("--samples", type=int, default=200, help="of the accuracy")
    options.add_argument("--windows", type=int, default=5)
    options.add_argument("--seconds", type=float, default=10.0, help="least length of a window")
    options.add_argument("--steps", type=int, default=500, help="of training; 0: none")
    chosen = options.parse_args()
    task = TASKS[chosen.task](chosen.samples)
    with device_of(task, chosen.board, chosen.port) as client:
        print(f"{client.connect()}: {', '.join(client.profile())}; {task.network.shape}")
        client.command("reset")
        print(accuracy(client, task), "before training", flush=True)
        print(throughput(client, task.testing[: chosen.windows], chosen.seconds), flush=True)
        if chosen.steps:
            train(client, task, chosen.steps)
            print(accuracy(client, task), f"after {chosen.steps} steps", flush=True)
        print("\n".join(line for line in client.command("stats")))


if __name__ == "__main__":
    main()
