# SPDX-License-Identifier: Apache-2.0
"""Forward target propagation as a Keras model, trained by `fit` without back-propagation.

As-Saquib et al., 2025 (arXiv 2506.11030). Importing this module imports Keras;
`secondpass.floating.FtpModel` does so on first use.
"""

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from secondpass.floating.chain import KerasModel, Stage, Tensor
from secondpass.floating.two_pass import Step, TwoPassModel, apply_masks, run_stages
from secondpass.projection import target_matrix
from secondpass.rules import Ftp


@keras.saving.register_keras_serializable(package="secondpass")
class FtpModel(TwoPassModel):
    """A classifier whose hidden layers learn targets, with a linear target projection.

    First pass: activations h and probabilities p, error e = p - y. The target of the first hidden
    layer is t = h - G e; pushed through the hidden layers behind it, t gives their targets. A
    hidden layer's update is the batch mean of ((h - t) * f') pre^T, where f' is the derivative of
    its activation in the first pass; the output layer's is the batch mean of e pre^T. All
    presynaptic activations are those of the first pass.

    With Dropout, h and t are taken behind the mask, which both passes share: the first target is
    h - mask * G e, so that a dropped unit neither learns nor speaks in the second pass.

    `TwoPassModel` says what `network` may be and which settings of `rule` are not used.
    """

    rule_type = Ftp
    rule: Ftp

    def __init__(self, network: KerasModel, rule: Ftp | None = None, **settings: object) -> None:
        super().__init__(network, rule or Ftp(), **settings)

    def _make_projection(self) -> npt.NDArray[np.float32]:
        return target_matrix(
            self.rule.projection,
            self.rule.projection_seed,
            int(self._chain.stages[0].dense.units),
            self._classes,
            self.rule.projection_scale,
        )

    def _layer_terms(self, step: Step) -> list[tuple[Tensor, Tensor]]:
        hidden = self._chain.stages[:-1]
        activations = step.first.postsynaptic[:-1]
        correction = apply_masks(hidden[0].after, self._project(step.error), step.masks)
        target = activations[0] - correction
        targets = [target, *run_stages(hidden[1:], target, step.masks).postsynaptic]
        deltas = [
            _times_derivative(stage, h, h - t)
            for stage, h, t in zip(hidden, activations, targets, strict=True)
        ]
        return list(zip([*deltas, step.error], step.first.presynaptic, strict=True))


def _times_derivative(stage: Stage, activation: Tensor, value: Tensor) -> Tensor:
    """Multiply by the derivative of a stage's activation function: of ReLU 1 where active."""
    if stage.activation == "identity":
        return value
    return value * ops.cast(activation > 0, value.dtype)
