# SPDX-License-Identifier: Apache-2.0
"""Training in real numbers with Keras. Needs the extra `train`; imported on first use."""

import importlib
from typing import TYPE_CHECKING, Any

from secondpass.rules import Rule
from secondpass.toolchain import require_module

if TYPE_CHECKING:
    from secondpass.floating.backward import BackpropModel, BiasOnlyModel, LastLayerModel
    from secondpass.floating.pepita import (
        HebbianModel,
        MempepitaModel,
        PepitaModel,
        TimeLocalModel,
    )
    from secondpass.floating.rule_model import RuleModel
    from secondpass.floating.stream import online, online_rates
    from secondpass.floating.targets import DfaModel, FtpModel

__all__ = [
    "BackpropModel",
    "BiasOnlyModel",
    "DfaModel",
    "FtpModel",
    "HebbianModel",
    "LastLayerModel",
    "MempepitaModel",
    "PepitaModel",
    "RuleModel",
    "TimeLocalModel",
    "online",
    "online_rates",
    "trainer_for",
    "trainers",
]

TRAINERS = {
    "pepita": "PepitaModel",
    "mempepita": "MempepitaModel",
    "hebbian": "HebbianModel",
    "tl": "TimeLocalModel",
    "ftp": "FtpModel",
    "dfa": "DfaModel",
    "bp": "BackpropModel",
    "bias": "BiasOnlyModel",
    "last": "LastLayerModel",
}
"""Models by the name of their rule."""

_MODULES = {
    "BackpropModel": "backward",
    "BiasOnlyModel": "backward",
    "DfaModel": "targets",
    "FtpModel": "targets",
    "HebbianModel": "pepita",
    "LastLayerModel": "backward",
    "MempepitaModel": "pepita",
    "PepitaModel": "pepita",
    "RuleModel": "rule_model",
    "TimeLocalModel": "pepita",
    "online": "stream",
    "online_rates": "stream",
}


def __getattr__(name: str) -> object:
    """Import a model, and with it TensorFlow, when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_module("tensorflow", "train")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def trainers() -> dict[str, Any]:
    """Return every model by its class name: the `custom_objects` of `keras.models.load_model`."""
    return {name: __getattr__(name) for name in TRAINERS.values()}


def trainer_for(
    network: object, rule: Rule, head: str | None = None, **settings: object
) -> "RuleModel":
    """Return the model that trains a Keras network with a rule; see `RuleModel`."""
    model: RuleModel = trainers()[TRAINERS[rule.name]](network, rule, head, **settings)
    return model
