# SPDX-License-Identifier: Apache-2.0
"""PEPITA as a Keras model, trained by `fit` without back-propagation.

Dellaferrera and Kreiman, "Error-driven Input Modulation", ICML 2022 (arXiv 2201.11665). Importing
this module imports Keras; `secondpass.floating.PepitaModel` does so on first use.
"""

import keras
import numpy as np
import numpy.typing as npt

from secondpass.floating.chain import KerasModel, Tensor
from secondpass.floating.two_pass import Step, TwoPassModel
from secondpass.projection import float_matrix
from secondpass.rules import Pepita


@keras.saving.register_keras_serializable(package="secondpass")
class PepitaModel(TwoPassModel):
    """A classifier whose training step is two forward passes (section 3.1 of the paper).

    First pass: activations h and probabilities p, error e = p - y. Second pass, on the modulated
    input x + F e: activations h~. A hidden layer's update is the batch mean of (h - h~) pre^T, the
    output layer's the batch mean of error pre^T; `rule` says from which pass `pre` and the output
    error come. With Dropout, h and h~ are taken behind the mask, which both passes share.

    `TwoPassModel` says what `network` may be and which settings of `rule` are not used.
    """

    rule_type = Pepita
    rule: Pepita

    def __init__(self, network: KerasModel, rule: Pepita | None = None, **settings: object) -> None:
        super().__init__(network, rule or Pepita(), **settings)

    def _make_projection(self) -> npt.NDArray[np.float32]:
        return float_matrix(
            self.rule.projection,
            self.rule.projection_seed,
            self._chain.inputs,
            self._classes,
            self.rule.projection_scale,
        )

    def _layer_terms(self, step: Step) -> list[tuple[Tensor, Tensor]]:
        first = step.first
        second = self._forward(step.inputs + self._project(step.error), step.masks)
        output_error = step.error
        if self.rule.output_error == "second":
            output_error = self._probabilities(second.postsynaptic[-1]) - step.labels
        pre = (second if self.rule.presynaptic == "second" else first).presynaptic
        deltas = [
            a - b for a, b in zip(first.postsynaptic[:-1], second.postsynaptic[:-1], strict=True)
        ]
        return list(zip([*deltas, output_error], pre, strict=True))
