# SPDX-License-Identifier: Apache-2.0
"""What the studies share: host twins that are compiled once, training, lines of results."""

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.device.interface import BIAS, WEIGHTS, read_weights
from secondpass.device.twin import HostTwin
from secondpass.learning import step_settings
from secondpass.network import Network
from secondpass.quantise import FloatLayer, quantise, to_keras_weights
from secondpass.rules import Backprop, Rule
from secondpass.session import falling_rate, presentation_orders
from secondpass.spectral import SpectralNetwork, with_front

RESULTS = Path(__file__).parent / "results"

_RUN_TIME = {
    "learning_rate": 0.01,
    "layer_rates": (),
    "projection_scale": 0.1,
    "projection_seed": 1,
    "dither_seed": 1,
    "gate": 0.0,
    "row_gate": 0.0,
}
"""Settings that a device takes at run time: rules that differ in them share their code."""


class TwinPool:
    """Host twins by network structure and rule: weights and rates are loaded, not compiled."""

    def __init__(self) -> None:
        self._twins: dict[str, HostTwin] = {}

    def get(self, network: Network, rule: Rule) -> HostTwin:
        """Return a twin that holds the network's weights and the rule's settings."""
        names = {field.name for field in fields(rule)}
        plain = replace(rule, **{k: v for k, v in _RUN_TIME.items() if k in names})
        key = json.dumps([network.describe(), plain.describe()], sort_keys=True)
        if key not in self._twins:
            self._twins[key] = HostTwin(network, plain, frozen_in_flash=False)
        twin = self._twins[key]
        twin.reset()
        for index, layer in enumerate(network.layers):
            twin.write_tensor(index, WEIGHTS, layer.weights)
            twin.write_tensor(index, BIAS, layer.bias)
        twin.configure(step_settings(network, rule))
        return twin


def pretrain(
    pool: TwinPool,
    network: Network,
    samples: npt.NDArray[Any],
    targets: npt.NDArray[np.int64],
    epochs: int,
    learning_rate: float,
    seed: int,
) -> Network:
    """Return the network after back-propagation, at a falling rate, in the device's arithmetic."""
    rule = Backprop(learning_rate=learning_rate, dither_seed=seed)
    twin = pool.get(network, rule)
    for epoch, order in enumerate(presentation_orders(len(samples), epochs, seed)):
        twin.configure(step_settings(network, rule, learning_rate * falling_rate(epoch, epochs)))
        twin.train_all(samples[order], targets[order])
    return network.with_weights(read_weights(twin))


def in_format(network: Network, samples: npt.NDArray[Any], format: str) -> Network:
    """Return a network in another number format, chosen anew for weights and samples.

    Trained weights may grow to four times their largest magnitude.
    """
    if format == network.format:
        return network
    layers = [
        FloatLayer(layer.name, weights, bias, layer.activation)
        for layer, (weights, bias) in zip(network.layers, to_keras_weights(network), strict=True)
    ]
    if isinstance(network, SpectralNetwork):
        features = network.front.features(samples)
        plain = quantise(layers, network.input, features, 4.0, format=format, head=network.head)
        return with_front(plain, network.front)
    return quantise(layers, network.input, samples, 4.0, format=format, head=network.head)


def candidates(base: Rule, rates: Iterable[float], scales: Iterable[float]) -> list[Rule]:
    """Return a rule at every learning rate and, if it projects, every projection scale."""
    projects = any(field.name == "projection_scale" for field in fields(base))
    return [
        replace(base, learning_rate=rate, **({"projection_scale": scale} if projects else {}))
        for rate in rates
        for scale in (scales if projects else [None])
    ]


def write_lines(name: str, records: list[dict[str, Any]]) -> Path:
    """Write records as JSON lines, numbers at five digits; return the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.jsonl"
    path.write_text("".join(json.dumps(_rounded(record)) + "\n" for record in records))
    return path


def read_lines(name: str) -> list[dict[str, Any]]:
    """Read what `write_lines` wrote."""
    lines = (RESULTS / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def spread(values: Iterable[float], digits: int = 3, factor: float = 1.0) -> str:
    """Return mean and sample standard deviation as text."""
    array = np.array(list(values)) * factor
    deviation = array.std(ddof=1) if len(array) > 1 else 0.0
    return f"{array.mean():.{digits}f} ± {deviation:.{digits}f}"


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in record.items()}
