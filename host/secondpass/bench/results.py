# SPDX-License-Identifier: Apache-2.0
"""What the bench finds, as data that goes into build/bench.json."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Instructions of a window of training steps: mean, worst; `inference`: mean of inferences."""

    steps: int
    step: int
    worst: int
    inference: int


@dataclass(frozen=True)
class ModelResult:
    """A network under a rule on a board. Memory in bytes.

    `early` begins at random weights, `steady` after `skipped` steps. Flash and RAM are those of the
    trainer firmware with its link, RAM with the reserved stack; `stack` is the high-water mark of
    inference and training step alone.
    """

    board: str
    core: str
    network: str
    data: str
    real_data: bool
    rule: str
    format: str
    macs: int
    step_macs: int
    skipped: int
    early: Window
    steady: Window
    flash: int
    ram: int
    stack: int

    @property
    def per_mac(self) -> float:
        """Instructions of an inference per multiply-accumulate."""
        return self.steady.inference / self.macs

    @property
    def step_per_mac(self) -> float:
        """Instructions of a steady step per multiply-accumulate of the rule's formulas."""
        return self.steady.step / self.step_macs

    @property
    def ratio(self) -> float:
        """What a steady step costs in inferences."""
        return self.steady.step / self.steady.inference


@dataclass(frozen=True)
class LayerResult:
    """The kernels of one layer on dense data: instructions of the layer and of its update."""

    board: str
    core: str
    inputs: int
    outputs: int
    format: str
    layer: int
    update: int

    @property
    def per_mac(self) -> float:
        """Instructions of the layer per multiply-accumulate."""
        return self.layer / (self.inputs * self.outputs)

    @property
    def per_weight(self) -> float:
        """Instructions of the update per weight, all rows active."""
        return self.update / (self.inputs * self.outputs)


@dataclass(frozen=True)
class BaselineResult:
    """The float baseline of a network on a board; `float_unit`: in hardware."""

    board: str
    core: str
    network: str
    float_unit: bool
    macs: int
    early: Window
    steady: Window
    flash: int
    ram: int
    stack: int


@dataclass(frozen=True)
class EstimateResult:
    """Cycles of an inference and a steady step, estimated from instruction timings."""

    board: str
    core: str
    network: str
    rule: str
    format: str
    inference: int
    step: int


@dataclass(frozen=True)
class Tools:
    """What made the figures. `flags` of the compiler by core; `float_flags`: of the baseline."""

    compiler: str
    flags: dict[str, str]
    float_flags: dict[str, str]
    emulator: str
    host: str
