# SPDX-License-Identifier: Apache-2.0
"""The hand-written float32 back-propagation of bench/baseline, measured like the models."""

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass import resources
from secondpass.bench.board_run import INFER, TRAIN, Job, build_subject, load, run_jobs, work
from secondpass.bench.measure import SKIPPED, summary
from secondpass.bench.results import BaselineResult
from secondpass.bench.workloads import Workload, window
from secondpass.boards import Board
from secondpass.crosscompiler import FLOAT_CORES
from secondpass.errors import DeviceError
from secondpass.network import Input
from secondpass.quantise import random_layers

STEPS, SOFT_STEPS = 100, 10
"""Steps of a window: the work hardly depends on the sample; soft float takes long to emulate."""

FloatArray = npt.NDArray[np.float32]


@dataclass(eq=False)
class FloatNetwork:
    """Weights (outputs, inputs) and biases of every layer, trained here as the C does it."""

    weights: list[FloatArray]
    biases: list[FloatArray]
    labelled: bool
    rate: float

    def outputs(self, x: FloatArray) -> list[FloatArray]:
        """Return the activation of every layer."""
        result = [x]
        for index, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = weights @ result[-1] + bias
            result.append(z if index == len(self.weights) - 1 else np.maximum(z, 0))
        return result[1:]

    def train(self, x: FloatArray, label: int) -> float:
        """Take one step; return the label's probability, or the sum of squares of the error."""
        outputs = self.outputs(x)
        if self.labelled:
            exponentials = np.exp(outputs[-1] - outputs[-1].max())
            delta = exponentials / exponentials.sum()
            outcome = float(delta[label])
            delta[label] -= 1
        else:
            delta = outputs[-1] - x
            outcome = float((delta**2).sum())
        below = [x, *outputs[:-1]]
        for index in reversed(range(len(self.weights))):
            passed = (self.weights[index].T @ delta) * (below[index] > 0) if index else delta
            self.weights[index] -= np.outer(np.float32(self.rate) * delta, below[index])
            self.biases[index] -= np.float32(self.rate) * delta
            delta = passed
        return outcome

    def state(self, mean: FloatArray) -> bytes:
        """Return the bytes that float_subject.c loads."""
        parts = [mean]
        for weights, bias in zip(self.weights, self.biases, strict=True):
            parts += [weights.ravel(), bias]
        return np.concatenate(parts).astype("<f4").tobytes()


def measure_baseline(
    name: str, workload: Workload, board: Board, steps: int | None = None, skipped: int = SKIPPED
) -> BaselineResult:
    """Count inferences and steps in float32, early and after `skipped` steps (taken here)."""
    in_hardware = board.core in FLOAT_CORES
    count = steps or (STEPS if in_hardware else SOFT_STEPS)
    spec = workload.network("a16w16").input
    net = _initial(workload)
    mean = np.asarray(spec.mean or np.zeros(spec.size), dtype=np.float32)
    jobs: list[Job] = []
    expected = 0.0
    for first in (0, skipped):
        raw, labels = window(workload.samples(), first, count)
        records = [
            int(label).to_bytes(2, "little") + sample.tobytes()
            for sample, label in zip(raw, labels, strict=True)
        ]
        jobs += [load(net.state(mean)), work(INFER, records), work(TRAIN, records)]
        outcomes = _train(net, spec, *window(workload.samples(), first, count))
        expected += sum(outcomes)
        if first == 0:
            _train(net, spec, *window(workload.samples(), count, skipped - count))
    source = resources.folder("bench") / "baseline"
    sources = [source / "float_bp.c", source / "float_subject.c"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        build = build_subject(sources, _config(workload, spec), board, folder)
        run = run_jobs(board, build.elf, jobs)
    found = float(np.array(run.jobs[-1].check, dtype="<u4").view("<f4"))
    if abs(found - expected) > 0.01 * abs(expected):
        raise DeviceError(f"the float baseline on {board.id} computed {found}, not {expected}")
    return BaselineResult(
        board=board.id,
        core=board.core,
        network=name,
        float_unit=in_hardware,
        macs=sum(weights.size for weights in net.weights),
        early=summary(*run.jobs[1:3]),
        steady=summary(*run.jobs[4:6]),
        flash=build.flash_bytes,
        ram=build.ram_bytes + build.stack_bytes,
        stack=run.stack_used,
    )


def _initial(workload: Workload) -> FloatNetwork:
    layers = random_layers(workload.widths, 1)
    return FloatNetwork(
        [np.ascontiguousarray(layer.weights.T) for layer in layers],
        [layer.bias.copy() for layer in layers],
        workload.head == "softmax",
        workload.learning_rate,
    )


def _train(
    net: FloatNetwork, spec: Input, raw: npt.NDArray[Any], labels: npt.NDArray[np.int64]
) -> list[float]:
    return [net.train(x, int(label)) for x, label in zip(spec.decode(raw), labels, strict=True)]


def _config(workload: Workload, spec: Input) -> dict[str, object]:
    widths = workload.widths
    pairs = list(pairwise(widths))
    return {
        "FLOAT_LAYERS": len(pairs),
        "FLOAT_WIDTHS": ", ".join(map(str, widths)),
        "FLOAT_INPUTS": widths[0],
        "FLOAT_PARAMETERS": sum(a * b + b for a, b in pairs),
        "FLOAT_UNITS": sum(widths[1:]),
        "FLOAT_LABELLED": int(workload.head == "softmax"),
        "FLOAT_CENTRED": int(bool(spec.mean)),
        "FLOAT_RATE": f"{workload.learning_rate!r}f",
        "FLOAT_SAMPLE_STEP": f"{spec.step!r}f",
        "FLOAT_ZERO_POINT": spec.zero_point,
    }
