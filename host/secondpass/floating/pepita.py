# SPDX-License-Identifier: Apache-2.0
"""PEPITA and its relatives as Keras models: rules that modulate the input of a second pass.

Dellaferrera and Kreiman, "Error-driven Input Modulation", ICML 2022 (arXiv 2201.11665); Srinivasan
et al., "Forward Learning with Top-Down Feedback", ICLR 2024 (arXiv 2302.05440). Importing this
module imports Keras; `secondpass.floating` does so on first use.
"""

from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt

from secondpass.floating.chain import Tensor
from secondpass.floating.matrices import modulation_matrix
from secondpass.floating.passes import Step, Term
from secondpass.floating.rule_model import RuleModel
from secondpass.rules import Hebbian, Mempepita, Pepita, TimeLocal


class ModulatedModel(RuleModel):
    """A model whose rule adds F e to the input of a second pass, or subtracts it."""

    rule: Mempepita | Hebbian

    def _make_projections(self) -> list[npt.NDArray[np.float32]]:
        return [modulation_matrix(self.rule, self._chain.inputs, self._head.outputs)]

    def _modulated(self, step: Step) -> Tensor:
        change = self._project(self._signal(step.error))
        if self.rule.modulation == "subtract":
            return step.inputs - change
        return step.inputs + change


@keras.saving.register_keras_serializable(package="secondpass")
class MempepitaModel(ModulatedModel):
    """MEMPEPITA: in real numbers, and with all activations kept, it is `PepitaModel`."""

    rule_type = Mempepita
    rule: Mempepita

    def _learn(self, step: Step) -> Iterator[list[Term]]:
        first = step.first
        second = self._forward(self._modulated(step), step.masks)
        output_error = step.error
        if self.rule.output_error == "second":
            output_error = self._head.prediction(second.postsynaptic[-1]) - step.wanted
        pre = (second if self.rule.presynaptic == "second" else first).presynaptic
        deltas = [
            a - b for a, b in zip(first.postsynaptic[:-1], second.postsynaptic[:-1], strict=True)
        ]
        pairs = zip([*deltas, output_error], pre, strict=True)
        yield [Term(index, delta, before) for index, (delta, before) in enumerate(pairs)]


@keras.saving.register_keras_serializable(package="secondpass")
class PepitaModel(MempepitaModel):
    """PEPITA: the training step is two forward passes (section 3.1 of the paper).

    First pass: activations h and predictions p, error e = p - y. Second pass, on the modulated
    input x + F e or x - F e: activations h~. A hidden layer's update is the batch mean of
    (h - h~) pre^T, the output layer's the batch mean of error pre^T; `rule` says from which pass
    `pre` and the output error come. With Dropout, h and h~ are taken behind the mask, which both
    passes share. The rule's `second_pass` makes no difference in real numbers.

    `RuleModel` says what `network` may be and which settings of `rule` are not used.
    """

    rule_type = Pepita
    rule: Pepita


@keras.saving.register_keras_serializable(package="secondpass")
class HebbianModel(ModulatedModel):
    """PEPITA-Hebbian: each pass learns from its own activations.

    A hidden layer's update is the batch mean of h pre^T - h~ pre~^T, the output layer's that of
    p pre^T - y pre~^T.
    """

    rule_type = Hebbian
    rule: Hebbian

    def _learn(self, step: Step) -> Iterator[list[Term]]:
        second = self._second_terms(step)
        yield self._first_terms(step) + second

    def _first_terms(self, step: Step) -> list[Term]:
        wholes = [*step.first.postsynaptic[:-1], step.prediction]
        pairs = zip(wholes, step.first.presynaptic, strict=True)
        return [Term(index, delta, before) for index, (delta, before) in enumerate(pairs)]

    def _second_terms(self, step: Step) -> list[Term]:
        second = self._forward(self._modulated(step), step.masks)
        wholes = [*second.postsynaptic[:-1], step.wanted]
        pairs = zip(wholes, second.presynaptic, strict=True)
        return [Term(index, -delta, before) for index, (delta, before) in enumerate(pairs)]


@keras.saving.register_keras_serializable(package="secondpass")
class TimeLocalModel(HebbianModel):
    """PEPITA-TL: the update of the first pass moves the weights that the second one uses.

    Both are batch means, each applied by the optimizer: it takes two steps a batch, which a
    schedule or a momentum counts. Unlike the code of the rule's authors, Dropout keeps its mask.
    """

    rule_type = TimeLocal
    rule: TimeLocal

    def _learn(self, step: Step) -> Iterator[list[Term]]:
        yield self._first_terms(step)
        yield self._second_terms(step)
