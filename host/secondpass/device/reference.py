# SPDX-License-Identifier: Apache-2.0
"""The NumPy reference behind the `Device` interface."""

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.affine import AffineNetwork
from secondpass.device.interface import (
    WEIGHTS,
    Evaluation,
    Inference,
    Sample,
    Statistics,
    Threshold,
    TrainStep,
    label_of,
    quantile_q15,
    real_score,
    real_threshold,
    require_threshold,
)
from secondpass.device.local import LocalDevice
from secondpass.device.protocol import MEANING, Status, frozen_error
from secondpass.errors import CheckpointError
from secondpass.integer.affine import AffineModel
from secondpass.integer.encoded import reference_model
from secondpass.integer.reference import ReferenceModel
from secondpass.integer.state import Target
from secondpass.learning import StepSettings
from secondpass.network import Network
from secondpass.rules import Rule


class NumpyDevice(LocalDevice):
    """The integer semantics themselves, slow and exact."""

    def __init__(self, network: Network, rule: Rule) -> None:
        super().__init__(network, rule, "numpy")
        self.model: ReferenceModel | AffineModel
        if isinstance(network, AffineNetwork):
            self.model = AffineModel(network)
        else:
            self.model = reference_model(network, rule)
        self._checkpoint: ReferenceModel | AffineModel | None = None

    def configure(self, settings: StepSettings) -> None:
        """Change scales and seeds of the learning step."""
        self.model.configure(settings)

    def infer(self, sample: Sample) -> Inference:
        """Return the logits of a raw sample (size,)."""
        logits = self.model.infer(self.network.sample.check_samples(sample[None])[0])
        return Inference(logits, self.model.predict(logits))

    def train(self, sample: Sample, target: Target) -> TrainStep:
        """Predict, then learn one sample."""
        checked = self.network.sample.check_samples(sample[None])[0]
        result = self.model.train(checked, self.check_target(target))
        self.stepped(self.model.counters.step)
        return TrainStep(
            label_of(self.network, target),
            result.predicted,
            result.label_probability / 2**15,
            self.model.counters.step,
            self.model.counters.saturations,
            score=real_score(result.score, self.network.error_frac),
        )

    def evaluate_one(self, sample: Sample, target: Target) -> Evaluation:
        """Return the outcome of one sample."""
        result = self.model.evaluate(sample, self.check_target(target))
        score = real_score(result.score, self.network.error_frac)
        return Evaluation(result.predicted, score=score)

    def statistics(self, clear: bool = False) -> Statistics:
        """Return the counters, and clear them afterwards when asked."""
        result = Statistics(counters=copy.deepcopy(self.model.counters))
        if clear:
            self.model.clear_counters()
        return result

    def read_tensor(self, layer: int, kind: int) -> npt.NDArray[Any]:
        """Return a layer's weights or bias."""
        self.check_layer(layer, kind)
        source = self.model.weights if kind == WEIGHTS else self.model.biases
        return np.array(source[layer])

    def write_tensor(self, layer: int, kind: int, values: npt.NDArray[Any]) -> None:
        """Replace a layer's weights or bias."""
        checked = self.check_tensor(layer, kind, values)
        if isinstance(self.model, AffineModel):
            raise frozen_error(self.network, layer, kind)
        target = self.model.weights[layer] if kind == WEIGHTS else self.model.biases[layer]
        target[...] = checked
        if layer == 0 and kind == WEIGHTS and self.model.learning.short:
            self.model.refold()

    def threshold(self) -> Threshold:
        """Return the anomaly threshold."""
        require_threshold(self.network)
        assert isinstance(self.model, ReferenceModel)
        kept = self.model.threshold
        return real_threshold(
            kept.score, kept.count, kept.quantile, kept.calibrating, self.network.error_frac
        )

    def set_threshold(
        self, quantile: float, calibrate: bool = False, restart: bool = False
    ) -> Threshold:
        """Choose the share of normal samples that are no alarm; see `Device`."""
        require_threshold(self.network)
        assert isinstance(self.model, ReferenceModel)
        kept = self.model.threshold
        kept.quantile, kept.calibrating = quantile_q15(quantile), calibrate
        if restart:
            kept.restart()
        return self.threshold()

    def save_now(self) -> None:
        """Keep a copy of the model in memory."""
        self._checkpoint = copy.deepcopy(self.model)

    def load_checkpoint(self) -> int:
        """Go back to the copy that was saved last; return the training steps it had seen.

        Raises `CheckpointError` when none was saved.
        """
        if self._checkpoint is None:
            raise CheckpointError(f"numpy: {MEANING[Status.EMPTY]}", Status.EMPTY)
        self.model = copy.deepcopy(self._checkpoint)
        return self.model.counters.step

    def reset(self) -> None:
        """Return to the first weights and settings; clear every counter."""
        self.model.reset()
