# SPDX-License-Identifier: Apache-2.0
"""Networks and settings that train well on the data sets the tools know."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secondpass.datasets import Dataset
from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.quantise import choose_input, from_keras, quantise, random_layers
from secondpass.rules import Rule, make_rule
from secondpass.toolchain import require_module

CALIBRATION_SAMPLES = 500


@dataclass(frozen=True)
class Preset:
    """Hidden widths, learning rate and length of a first session on a data set."""

    hidden: tuple[int, ...]
    learning_rate: float
    samples: int
    epochs: int
    evaluated: int

    def rule(self, name: str, seed: int, settings: dict[str, Any] | None = None) -> Rule:
        """Return a rule with this preset's learning rate, a seed, and further settings."""
        seeds = {"projection_seed": seed, "dither_seed": seed}
        return make_rule(name, {"learning_rate": self.learning_rate, **seeds, **(settings or {})})


PRESETS = {
    "digits": Preset((64,), 0.06, 1400, 8, 359),
    "mnist": Preset((100,), 0.03, 5000, 1, 500),
}


def random_network(dataset: Dataset, hidden: tuple[int, ...], seed: int) -> Network:
    """Return a network with random weights for a data set, its formats chosen from the data."""
    size = dataset.size
    spec = choose_input(size, dataset.dtype, dataset.zero_point, dataset.step)
    layers = random_layers((size, *hidden, dataset.classes), seed)
    return quantise(layers, spec, dataset.train_samples[:CALIBRATION_SAMPLES])


def keras_network(path: Path, dataset: Dataset) -> Network:
    """Convert a saved Keras model, its formats chosen from a data set."""
    if not path.is_file():
        raise NetworkError(f"{path} does not exist; save a model with model.save('name.keras')")
    require_module("tensorflow", "train")
    import keras

    from secondpass.floating import trainers

    spec = choose_input(dataset.size, dataset.dtype, dataset.zero_point, dataset.step)
    try:
        model = keras.saving.load_model(path, custom_objects=trainers(), compile=False)
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise NetworkError(f"{path} is not a Keras model that can be read ({reason})") from error
    return from_keras(model, dataset.train_samples[:CALIBRATION_SAMPLES], spec)
