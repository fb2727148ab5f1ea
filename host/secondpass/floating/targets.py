# SPDX-License-Identifier: Apache-2.0
"""Forward target propagation and direct feedback alignment as Keras models.

As-Saquib et al., 2025 (arXiv 2506.11030); Noekland, NeurIPS 2016 (arXiv 1609.01596). Importing this
module imports Keras; `secondpass.floating` does so on first use.
"""

from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from secondpass.floating.chain import Tensor
from secondpass.floating.matrices import feedback_matrix, first_target_matrix
from secondpass.floating.passes import Step, Term, apply_masks, run_stages, times_derivative
from secondpass.floating.rule_model import RuleModel
from secondpass.rules import Dfa, Ftp


@keras.saving.register_keras_serializable(package="secondpass")
class FtpModel(RuleModel):
    """FTP: hidden layers learn targets.

    First pass: activations h and predictions p, error e = p - y. The target of the first hidden
    layer is t = h + s (g(G y) - g(G p)), with the rule's `target_scale` s and `target_function` g;
    for a linear g that is h - s G e. Pushed through the hidden layers behind it, t gives their
    targets. A hidden layer's update is the batch mean of ((h - t) * f') pre^T, where f' is the
    derivative of its activation in the first pass; the output layer's is the batch mean of e pre^T.
    All presynaptic activations are those of the first pass.

    With Dropout, h and t are taken behind the mask, which both passes share: the correction of the
    first target is masked, so that a dropped unit neither learns nor speaks in the second pass.

    `RuleModel` says what `network` may be and which settings of `rule` are not used.
    """

    rule_type = Ftp
    rule: Ftp

    def _make_projections(self) -> list[npt.NDArray[np.float32]]:
        units = int(self._chain.stages[0].dense.units)
        return [first_target_matrix(self.rule, units, self._head.outputs)]

    def _learn(self, step: Step) -> Iterator[list[Term]]:
        hidden = self._chain.stages[:-1]
        first = step.first
        correction = apply_masks(hidden[0].after, self._correction(step), step.masks)
        target = first.postsynaptic[0] + correction
        targets = [target, *run_stages(hidden[1:], target, step.masks).postsynaptic]
        terms = [Term(self._last, step.error, first.presynaptic[-1])]
        for index, wanted in enumerate(targets):
            difference = first.postsynaptic[index] - wanted
            delta = times_derivative(hidden[index].activation, difference, first.activated[index])
            terms.append(Term(index, delta, first.presynaptic[index]))
        yield terms

    def _correction(self, step: Step) -> Tensor:
        """Return s (g(G y) - g(G p))."""
        scale = self.rule.target_scale
        if self.rule.target_function == "linear":
            return -scale * self._project(self._signal(step.error))
        g = ops.tanh if self.rule.target_function == "tanh" else ops.sign
        return scale * (g(self._project(step.wanted)) - g(self._project(step.prediction)))


@keras.saving.register_keras_serializable(package="secondpass")
class DfaModel(RuleModel):
    """Direct feedback alignment: the delta of hidden layer l is (B_l e) * f'; no second pass.

    With Dropout it is masked like the activation.
    """

    rule_type = Dfa
    rule: Dfa

    def _make_projections(self) -> list[npt.NDArray[np.float32]]:
        return [
            feedback_matrix(self.rule, index, int(stage.dense.units), self._head.outputs)
            for index, stage in enumerate(self._chain.stages[:-1])
        ]

    def _learn(self, step: Step) -> Iterator[list[Term]]:
        signal = self._signal(step.error)
        first = step.first
        terms = [Term(self._last, step.error, first.presynaptic[-1])]
        for index, stage in enumerate(self._chain.stages[:-1]):
            delta = apply_masks(stage.after, self._project(signal, index), step.masks)
            delta = times_derivative(stage.activation, delta, first.activated[index])
            terms.append(Term(index, delta, first.presynaptic[index]))
        yield terms
