# SPDX-License-Identifier: Apache-2.0
"""The work of a device: cycles, instructions or timer ticks of a training step and an inference."""

from dataclasses import dataclass

import numpy as np

from secondpass.device.interface import Device, DeviceInfo, Sample

INFERENCES = 20
"""Inferences whose mean work is reported."""


@dataclass(frozen=True)
class Work:
    """What a device's ticks are shown as, and the mean of an inference in that unit."""

    unit: str
    ticks_per_unit: float
    inference: float

    def describe(self, ticks: float) -> str:
        """Return the work of a training step of `ticks`, with that of an inference beside it."""
        step = ticks / self.ticks_per_unit
        return f"{step:,.0f} {self.unit} a training step, {self.inference:,.0f} an inference"


def unit_of_ticks(info: DeviceInfo, ticks_per_instruction: float | None) -> tuple[str, float]:
    """Return what a device's ticks are shown as, and how many make one.

    `ticks_per_instruction` is known for an emulator that counts instructions, and holds as long as
    the firmware counts with the board's timer.
    """
    if info.counts_cycles:
        return "cycles", 1.0
    if ticks_per_instruction is not None:
        return "instructions", ticks_per_instruction
    return "timer ticks", 1.0


def measure_inference(
    device: Device, samples: Sample, ticks_per_instruction: float | None = None
) -> Work | None:
    """Infer the first samples of (count, size); return the mean work, or None without a clock.

    The device counts their saturations, as those of every inference. One request is under way at a
    time, so that no interrupt is counted; the steps of a session contain those of the next sample.
    """
    ticks = [device.infer(sample).ticks for sample in samples[:INFERENCES]]
    if not device.info.ticks_hz:
        return None
    unit, per_unit = unit_of_ticks(device.info, ticks_per_instruction)
    return Work(unit, per_unit, float(np.mean(ticks)) / per_unit)
