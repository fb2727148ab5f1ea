# SPDX-License-Identifier: Apache-2.0
"""Small networks with random weights for tests that need any network."""

import itertools
import math

import numpy as np

from secondpass.network import Dense, Input, Network

INPUT_FRAC, WEIGHT_FRAC, HIDDEN_FRAC, LOGIT_FRAC = 12, 12, 12, 12


def toy_network(*widths: int, dtype: str = "int16", seed: int = 1) -> Network:
    """Return a network of the given widths (inputs, hidden..., classes) with random weights.

    Raw int16 samples stand for themselves at 12 fractional bits, others for 1/255 a step.
    """
    random = np.random.default_rng(seed)
    step = 2.0**-INPUT_FRAC if dtype == "int16" else 1 / 255
    layers = []
    last = len(widths) - 2
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        real = random.normal(0, math.sqrt(1 / inputs), (outputs, inputs))
        in_frac = HIDDEN_FRAC if index else INPUT_FRAC
        bias = random.normal(0.3, 0.1, outputs) * 2 ** (in_frac + WEIGHT_FRAC)
        layers.append(
            Dense(
                name=f"layer{index}",
                weights=np.rint(real * 2**WEIGHT_FRAC).clip(-(2**15), 2**15 - 1).astype(np.int16),
                bias=np.rint(bias).astype(np.int32),
                weight_frac=WEIGHT_FRAC,
                out_frac=LOGIT_FRAC if index == last else HIDDEN_FRAC,
                activation="identity" if index == last else "relu",
            )
        )
    return Network(Input(widths[0], dtype, 0, step, INPUT_FRAC), tuple(layers))


def toy_samples(network: Network, count: int, seed: int = 2) -> tuple[np.ndarray, list[int]]:
    """Return raw samples (count, size) for real values in [0, 1), and labels."""
    random = np.random.default_rng(seed)
    samples = network.input.encode(random.random((count, network.input.size)))
    return samples, [int(label) for label in random.integers(0, network.classes, count)]
