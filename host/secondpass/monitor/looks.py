# SPDX-License-Identifier: Apache-2.0
"""Looks at a device between two steps: counters since the last look, and how far weights moved."""

import math
import time

import numpy as np
import numpy.typing as npt

from secondpass.device.interface import WEIGHTS
from secondpass.device.link import LinkDevice
from secondpass.integer.state import Counters
from secondpass.monitor.events import Layer, Look
from secondpass.network import Network

_WRAP = 1 << 32


class Looks:
    """Compares what the device counts now with what it counted at the look before.

    Of each layer's weights the chunk in the middle is read: one short request stands for the layer.
    """

    def __init__(self, device: LinkDevice, network: Network) -> None:
        self._device = device
        self._network = network
        self.first()

    def first(self) -> None:
        """Begin anew: the next look compares with now."""
        self._weights = self._sampled()
        self._counters = self._device.statistics().counters
        self._at = time.monotonic()

    def look(self, now: float, repeats: int) -> Look:
        """Return the differences to the look before; `now` and `repeats` are handed through."""
        statistics = self._device.statistics()
        weights, counters = self._sampled(), statistics.counters
        steps = (counters.step - self._counters.step) % _WRAP
        at = time.monotonic()
        layers = [
            self._layer(index, counters, weights[index], steps) for index in range(len(weights))
        ]
        seconds = max(at - self._at, 1e-9)
        inputs = (counters.input_saturations - self._counters.input_saturations) % _WRAP
        self._weights, self._counters, self._at = weights, counters, at
        return Look(
            time=now,
            step=counters.step,
            layers=layers,
            input_saturations=inputs,
            skipped=counters.skipped,
            crc_errors=statistics.crc_errors,
            frame_errors=statistics.frame_errors,
            overruns=statistics.overruns,
            repeats=repeats,
            stack_used=statistics.stack_used,
            steps_per_second=round(steps / seconds, 2),
            threshold=self.threshold(),
            alarms=counters.alarms if self._network.head == "reconstruction" else None,
        )

    def threshold(self) -> float | None:
        """Return the score above which a sample is an alarm, if the device has one by now."""
        if self._network.head != "reconstruction":
            return None
        score = self._device.threshold().score
        return score if math.isfinite(score) else None

    def _layer(
        self, index: int, counters: Counters, weights: npt.NDArray[np.float64], steps: int
    ) -> Layer:
        now, before = counters.layers[index], self._counters.layers[index]
        rows = max(steps * self._network.layers[index].outputs, 1)
        change = weights - self._weights[index]
        return Layer(
            active=round(((now.active_rows - before.active_rows) % _WRAP) / rows, 4),
            activation_saturations=(now.activation_saturations - before.activation_saturations)
            % _WRAP,
            error_saturations=(now.error_saturations - before.error_saturations) % _WRAP,
            weight_saturations=(now.weight_saturations - before.weight_saturations) % _WRAP,
            update=float(np.sqrt(np.mean(change**2))) if steps else None,
        )

    def _sampled(self) -> list[npt.NDArray[np.float64]]:
        sampled = []
        for index, layer in enumerate(self._network.layers):
            fit = self._device.info.tensor_chunk // layer.weights.itemsize
            count = min(fit, layer.weights.size)
            offset = (layer.weights.size - count) // 2
            values = self._device.read_elements(index, WEIGHTS, offset, count)
            sampled.append(values * 2.0**-layer.weight_frac)
        return sampled
