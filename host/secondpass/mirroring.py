# SPDX-License-Identifier: Apache-2.0
"""Weight mirroring: makes a projection that is aligned with the weights.

Akrout et al., NeurIPS 2019; for the modulation of the input Srinivasan et al., ICLR 2024: F is a
product of one matrix a layer, and each learns from noise to look like the transpose of its layer's
weights. NumPy only; a device takes the result as a `stored` projection. It pays with the rule's
modulation `subtract`: x - F e is then a step against the gradient of the input; x + F e climbs it.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.quantise import FloatLayer, activation_function, to_keras_weights
from secondpass.rules import Dfa, Ftp, ProjectedRule, Rule

Float64Array = npt.NDArray[np.float64]

STORED_DEVIATION = 0.25
"""Standard deviation of the real elements (int8 / 128) of a stored matrix: 127 is four of them."""


@dataclass(frozen=True, kw_only=True)
class Mirroring:
    """How matrices learn from noise.

    In every step, `batch` samples of Gaussian noise of standard deviation `amplitude` pass each
    layer, whose matrix moves by `rate` times (noise^T output / batch - weight_decay * matrix).
    """

    steps: int = 1000
    rate: float = 0.1
    weight_decay: float = 0.5
    amplitude: float = 0.1
    batch: int = 64
    seed: int = 1

    def __post_init__(self) -> None:
        if self.steps < 0 or self.batch < 1:
            raise NetworkError(f"mirroring of {self.steps} steps of {self.batch} samples is none")
        for what in ("rate", "weight_decay", "amplitude"):
            value = getattr(self, what)
            if not (math.isfinite(value) and value >= 0):
                raise NetworkError(f"{what.replace('_', ' ')} {value} must be 0 or more")


class Mirror:
    """One matrix B_l (inputs, outputs) for each layer, and their product, the projection.

    Starts random; `deviation` is the standard deviation of the elements of the product, which `run`
    keeps. Give all layers for the F (inputs, outputs) of the rules that modulate the input, and all
    but the first for FTP's G (units of the first hidden layer, outputs).
    """

    def __init__(self, layers: Sequence[FloatLayer], deviation: float, seed: int = 1) -> None:
        if not layers:
            raise NetworkError("mirroring needs at least one layer")
        if not (math.isfinite(deviation) and deviation > 0):
            raise NetworkError(f"deviation {deviation} of a projection must be positive")
        self.deviation = deviation
        rng = np.random.default_rng(seed)
        self.factors: list[Float64Array] = [
            rng.normal(0.0, math.sqrt(2.0 / layer.weights.shape[0]), layer.weights.shape)
            for layer in layers
        ]
        self._rescale()

    @property
    def projection(self) -> Float64Array:
        """The product B_1 B_2 ... (inputs of the first layer, outputs of the last)."""
        product = self.factors[0]
        for factor in self.factors[1:]:
            product = product @ factor
        return product

    def run(self, layers: Sequence[FloatLayer], settings: Mirroring | None = None) -> None:
        """Learn from the layers as they are now.

        Layers are taken without their biases: noise that is smaller than a bias would leave a
        ReLU unit always on or always off, and an unlit unit mirrors nothing.
        """
        shapes = [layer.weights.shape for layer in layers]
        if shapes != [factor.shape for factor in self.factors]:
            raise NetworkError(f"this mirror was made for other layers than {shapes}")
        settings = settings or Mirroring()
        rng = np.random.default_rng(settings.seed)
        weights = [layer.weights.astype(np.float64) for layer in layers]
        functions = [activation_function(layer.activation) for layer in layers]
        for _ in range(settings.steps):
            for factor, weight, function in zip(self.factors, weights, functions, strict=True):
                noise = rng.normal(0.0, settings.amplitude, (settings.batch, len(weight)))
                output = function(noise @ weight)
                likeness = noise.T @ output / settings.batch
                factor += settings.rate * (likeness - settings.weight_decay * factor)
            # every step: decay would else shrink the product away before the weights show in it
            self._rescale()

    def alignment(self, layers: Sequence[FloatLayer]) -> float:
        """Return the cosine between the projection and the transposed product of the weights."""
        forward = layers[0].weights.astype(np.float64)
        for layer in layers[1:]:
            forward = forward @ layer.weights
        return cosine(self.projection, forward)

    def _rescale(self) -> None:
        """Give the product its deviation, each matrix taking an equal share."""
        found = float(self.projection.std())
        if not (math.isfinite(found) and found > 0):
            raise NetworkError("mirroring diverged; lower its rate or raise its weight decay")
        share = (self.deviation / found) ** (1.0 / len(self.factors))
        for factor in self.factors:
            factor *= share


def mirrored_projection(
    layers: Sequence[FloatLayer],
    projection_scale: float = 0.35,
    settings: Mirroring | None = None,
) -> Float64Array:
    """Return F (inputs, outputs) mirrored from random to these layers.

    `projection_scale` means what it does for `Pepita`: F's deviation in units of sqrt(2 / inputs).
    """
    settings = settings or Mirroring()
    deviation = projection_scale * math.sqrt(2.0 / layers[0].weights.shape[0])
    mirror = Mirror(layers, deviation, settings.seed)
    mirror.run(layers, settings)
    return mirror.projection


def cosine(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the cosine of the angle between two matrices taken as vectors."""
    a, b = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


class StoredProjection(NamedTuple):
    """The settings of a rule that give it a matrix: `Pepita(projection="stored", ...)`."""

    matrix: str
    projection_scale: float


def stored_projection(matrix: npt.ArrayLike, size: int | None = None) -> StoredProjection:
    """Round a real matrix (rows, outputs) to the int8 one that a rule stores, and its scale.

    The int8 elements are in units of 1/128 and normalised to a standard deviation of
    `STORED_DEVIATION`; the few beyond +-127 are clipped. A rule multiplies an element by
    projection_scale * sqrt(2 / size) with no further factor, so that the deviation of a stored
    matrix is `STORED_DEVIATION` of what projection_scale says. The returned scale is the one that
    makes the matrix as large as it was given.

    `size` is the number of inputs for the rules that modulate the input, which is the default
    (rows), and the number of outputs for FTP.
    """
    real = np.asarray(matrix, dtype=np.float64)
    if real.ndim != 2 or not real.size:
        raise NetworkError(f"a projection is a matrix (rows, outputs), not {real.shape}")
    root = math.sqrt(float(np.mean(np.square(real))))
    if not (math.isfinite(root) and root > 0):
        raise NetworkError("a projection must be finite and not all zero")
    rounded = np.clip(np.rint(real * (STORED_DEVIATION * 128 / root)), -127, 127).astype(np.int8)
    scale = root / STORED_DEVIATION / math.sqrt(2.0 / (size or real.shape[0]))
    return StoredProjection(base64.b64encode(rounded.tobytes()).decode(), scale)


def with_mirrored_projection(
    network: Network, rule: Rule, settings: Mirroring | None = None
) -> Rule:
    """Return the rule with a stored matrix that mirrors the weights of a network.

    PEPITA's F mirrors all layers, FTP's G those above the first. Biases are left out: beside weak
    noise they would drown what the weights say. Raises `NetworkError` for rules
    without one matrix.
    """
    if not isinstance(rule, ProjectedRule) or isinstance(rule, Dfa):
        raise NetworkError(f"the rule {rule.name} has no matrix that could mirror weights")
    layers = [
        FloatLayer(layer.name, weights, np.zeros_like(bias), layer.activation)
        for layer, (weights, bias) in zip(network.layers, to_keras_weights(network), strict=True)
    ]
    targets = isinstance(rule, Ftp)
    mirrored = layers[1:] if targets else layers
    size = network.outputs if targets else network.input.size
    # mirrored_projection scales by the inputs of its first layer, a rule by its own size
    unit = math.sqrt(mirrored[0].weights.shape[0] / size)
    quick = settings or Mirroring(rate=1.0, weight_decay=0.05)
    matrix = mirrored_projection(mirrored, rule.projection_scale * unit, quick)
    stored = stored_projection(matrix, size)
    return replace(
        rule,
        projection="stored",
        matrix=stored.matrix,
        projection_scale=stored.projection_scale,
    )
