# SPDX-License-Identifier: Apache-2.0
"""The baselines as Keras models: back-propagation, biases only, last layer only.

Back-propagation is written out instead of left to automatic differentiation, so that rates, clips,
gates and `online` mean for it what they mean for the other rules.
"""

from collections.abc import Iterator

import keras
from keras import ops

from secondpass.floating.passes import Step, Term, apply_masks, times_derivative
from secondpass.floating.rule_model import RuleModel
from secondpass.rules import Backprop, BiasOnly, LastLayer


@keras.saving.register_keras_serializable(package="secondpass")
class BackpropModel(RuleModel):
    """Back-propagation of the head's error."""

    rule_type = Backprop
    rule: Backprop

    def _learn(self, step: Step) -> Iterator[list[Term]]:
        learning = [index for index, what in enumerate(self._learns) if what != "none"]
        lowest = min(learning, default=self._last + 1)
        stages, first, delta = self._chain.stages, step.first, step.error
        terms = []
        for index in range(self._last, lowest - 1, -1):
            terms.append(Term(index, delta, first.presynaptic[index]))
            if index > lowest:
                below = stages[index - 1]
                delta = ops.matmul(delta, ops.transpose(stages[index].dense.kernel))
                delta = apply_masks(below.after, delta, step.masks)
                delta = times_derivative(below.activation, delta, first.activated[index - 1])
        yield terms


@keras.saving.register_keras_serializable(package="secondpass")
class BiasOnlyModel(BackpropModel):
    """Back-propagation that moves biases only."""

    rule_type = BiasOnly
    rule: BiasOnly


@keras.saving.register_keras_serializable(package="secondpass")
class LastLayerModel(RuleModel):
    """Training of the last layer only."""

    rule_type = LastLayer
    rule: LastLayer

    def _learn(self, step: Step) -> Iterator[list[Term]]:
        yield [Term(self._last, step.error, step.first.presynaptic[-1])]
