# SPDX-License-Identifier: Apache-2.0
"""Networks and settings that train well on the data sets the tools know."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secondpass.datasets import Dataset
from secondpass.errors import NetworkError
from secondpass.network import Input, Network
from secondpass.quantise import choose_input, feature_mean, from_keras, quantise, random_layers
from secondpass.rules import FAST_PEPITA, Rule, make_rule, with_seed
from secondpass.toolchain import require_module

CALIBRATION_SAMPLES = 500


RATE_FACTORS = {"hebbian": 0.25, "tl": 0.1, "bias": 2.0}
"""Learning rate of a rule relative to the data set's, where it needs another one."""


@dataclass(frozen=True)
class Preset:
    """Hidden widths, learning rate and length of a first session on a data set."""

    hidden: tuple[int, ...]
    learning_rate: float
    samples: int
    epochs: int
    evaluated: int

    def rule(self, name: str, seed: int, settings: dict[str, Any] | None = None) -> Rule:
        """Return a rule with this preset's learning rate for it, a seed, and further settings.

        PEPITA takes its fast path.
        """
        rate = self.learning_rate * RATE_FACTORS.get(name, 1.0)
        fast = FAST_PEPITA if name == "pepita" else {}
        chosen = with_seed(make_rule(name, {"learning_rate": rate, **fast}), seed).describe()
        del chosen["rule"]
        return make_rule(name, {**chosen, **(settings or {})})


PRESETS = {
    "digits": Preset((64,), 0.04, 1400, 8, 359),
    "mnist": Preset((100,), 0.02, 5000, 1, 500),
    "fashion-mnist": Preset((100,), 0.01, 10000, 1, 500),
    "hapt": Preset((64,), 0.01, 5000, 2, 500),
}


def input_of(dataset: Dataset, centred: bool = True, format: str = "a16w16") -> Input:
    """Return how a data set enters a network; centred: less the mean of every feature."""
    shape = (dataset.size, dataset.dtype, dataset.zero_point, dataset.step)
    spec = choose_input(*shape, format=format)
    if not centred:
        return spec
    return choose_input(*shape, feature_mean(spec, dataset.train_samples), format)


def random_network(
    dataset: Dataset,
    hidden: tuple[int, ...],
    seed: int,
    format: str = "a16w16",
    activation: str = "relu",
    centred: bool = True,
) -> Network:
    """Return a network with random weights for a data set, its formats chosen from the data."""
    layers = random_layers((dataset.size, *hidden, dataset.classes), seed, activation)
    spec = input_of(dataset, centred, format)
    return quantise(layers, spec, dataset.train_samples[:CALIBRATION_SAMPLES], format=format)


def keras_network(path: Path, dataset: Dataset, format: str = "a16w16") -> Network:
    """Convert a saved Keras model, its formats chosen from a data set."""
    if not path.is_file():
        raise NetworkError(f"{path} does not exist; save a model with model.save('name.keras')")
    require_module("tensorflow", "train")
    import keras

    from secondpass.floating import trainers

    spec = input_of(dataset, format=format)  # the first bias takes up the mean
    try:
        model = keras.saving.load_model(path, custom_objects=trainers(), compile=False)
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise NetworkError(f"{path} is not a Keras model that can be read ({reason})") from error
    calibration = dataset.train_samples[:CALIBRATION_SAMPLES]
    return from_keras(model, calibration, spec, format=format)
