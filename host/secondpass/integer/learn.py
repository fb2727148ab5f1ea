# SPDX-License-Identifier: Apache-2.0
"""The learning step of every rule in NumPy integers (docs/numerics.md, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from secondpass.integer import kernels
from secondpass.integer.activations import tanh_q15, times_derivative
from secondpass.integer.arithmetic import scale16
from secondpass.integer.heads import mean_square
from secondpass.integer.kernels import Activation, as_int64
from secondpass.integer.projections import (
    follow_update,
    layer_seed,
    modulation,
)
from secondpass.integer.state import Outcome, Response, StepResult, Target
from secondpass.learning import FOLD_SHIFT
from secondpass.network import FINE_BITS, Int16Array
from secondpass.rules import (
    Backprop,
    Dfa,
    Ftp,
    Hebbian,
    Mempepita,
    ProjectedRule,
    Rule,
    TimeLocal,
)

if TYPE_CHECKING:
    from secondpass.integer.reference import ReferenceModel


def train(model: ReferenceModel, sample: npt.NDArray[Any], target: Target) -> StepResult:
    """First pass, prediction, gate, the rule's updates, decay."""
    time_local = isinstance(model.rule, TimeLocal)
    first = _time_local_first(model, sample) if time_local else model.first_pass(sample)
    predicted = model.predict(first[-1].result)
    outcome = model.outcome(first, target)
    score = 0 if model.has_labels else mean_square(outcome.error)
    if model.network.head == "reconstruction":
        predicted = model.threshold.judge(score, normal=True)
    model.counters.trained += 1
    if not model.network.target_size:
        model.counters.trained_correct += bool(predicted == target)
    gated = np.abs(as_int64(outcome.error)).max() < model.settings.gate
    if gated and not time_local:  # which has done half of its step
        model.counters.skipped += 1
    else:
        _learner(model.rule)(model, first, outcome, target)
    _finish(model)
    return StepResult(predicted, outcome.probability, score)


def _finish(model: ReferenceModel) -> None:
    """Count the step; let the rates decay when it is time."""
    model.counters.step = (model.counters.step + 1) % 2**32
    every = model.settings.decay_steps
    if every and model.counters.step % every == 0:
        factor = model.settings.decay_factor
        model.rates = [kernels.decayed(rate, factor) for rate in model.rates]


Learner = Callable[["ReferenceModel", list[Response], Outcome, Target], None]


def _learner(rule: Rule) -> Learner:
    """Return what follows the first pass."""
    if isinstance(rule, TimeLocal):
        return _learn_time_local
    if isinstance(rule, Hebbian):
        return _learn_hebbian
    if isinstance(rule, Mempepita):
        return _learn_pepita
    if isinstance(rule, Ftp):
        return _learn_ftp
    if isinstance(rule, Dfa):
        return _learn_dfa
    return _learn_backward if isinstance(rule, Backprop) else _learn_last


def _signal(model: ReferenceModel, error: Int16Array) -> Int16Array:
    """Return what is projected: the error or its sign."""
    rule = model.rule
    assert isinstance(rule, ProjectedRule)
    return kernels.error_signs(error) if rule.error_signal == "sign" else error


class _SecondPass:
    """The second pass, layer by layer: `presynaptic` is what the next layer reads.

    In a8w8 a pass is carried as its difference to the first, in the first pass's fine steps.
    """

    def __init__(self, model: ReferenceModel, first: list[Response]) -> None:
        self.model, self.first = model, first
        self.fine = model.network.format == "a8w8"
        self.presynaptic: Activation = np.zeros(0, dtype=np.int16)

    def modulate(self, error: Int16Array) -> None:
        """Start from the modulated input."""
        model = self.model
        settings = model.settings
        signal = _signal(model, error)
        needed = not model.learning.short or model.learning.presynaptic == "second"
        if model.learning.short:
            self.modulation, clamped = modulation(
                model.folded, signal, settings.projections[0], FOLD_SHIFT
            )
            model.counters.input_saturations += clamped
            model.work["second"] += model.folded.size
        if not needed:
            return
        scale = settings.projections[-1]
        change, clamped = model.projection().project(signal, settings.projection_seed, scale)
        model.work["projection"] += model.projection().macs
        model.counters.input_saturations += clamped
        if self.fine:
            self.presynaptic = change
            return
        self.presynaptic, clamped = kernels.add(self.first[0].result, change)
        model.counters.input_saturations += clamped

    def start_from(self, target: Int16Array) -> None:
        """Start from a target of the first hidden layer."""
        self._hand_on(0, target)

    def advance(self, index: int) -> Int16Array:
        """Return the second result of a layer, with the weights of now."""
        model = self.model
        counters = model.counters.layers[index]
        if index == 0 and model.learning.short:
            change = self.modulation
        elif self.fine:
            shift = model.network.requantise_shift(index) + FINE_BITS
            change, clamped = kernels.change(self.presynaptic, model.weights[index], shift)
            counters.activation_saturations += clamped
            model.work["second"] += model.weights[index].size
        else:
            self.presynaptic = model.respond(index, self.presynaptic, "second").result
            return self.presynaptic
        z, clamped = kernels.add(self.first[index + 1].z, change)
        counters.activation_saturations += clamped
        result = model.activate(index, z)
        self._hand_on(index, result)
        return result

    def _hand_on(self, index: int, result: Int16Array) -> None:
        if not self.fine:
            self.presynaptic = result
            return
        if index + 1 >= self.model.learning.second_depth:
            return  # nobody reads it
        self.presynaptic, clamped = kernels.subtract(result, self.first[index + 1].result)
        self.model.counters.layers[index].activation_saturations += clamped


def _delta(model: ReferenceModel, index: int, first: Int16Array, second: Int16Array) -> Int16Array:
    delta, clamped = kernels.subtract(first, second)
    model.counters.layers[index].error_saturations += clamped
    return delta


def _with_derivative(
    model: ReferenceModel, index: int, delta: Int16Array, result: Int16Array
) -> Int16Array:
    layer = model.network.layers[index]
    return times_derivative(layer.activation, delta, result, model.network.result_frac(index))


def _update_output(model: ReferenceModel, error: Int16Array, presynaptic: Activation) -> None:
    model.update(model.learning.last, error, presynaptic)


def _learn_last(
    model: ReferenceModel, first: list[Response], outcome: Outcome, target: Target
) -> None:
    """Update the output layer only."""
    del target
    _update_output(model, outcome.error, first[model.learning.last].out)


def _learn_pepita(
    model: ReferenceModel, first: list[Response], outcome: Outcome, target: Target
) -> None:
    """PEPITA; MEMPEPITA computes the same from less memory."""
    learning, error = model.learning, outcome.error
    last, from_second = learning.last, learning.presynaptic == "second"
    second = _SecondPass(model, first)
    if learning.second_depth:
        second.modulate(error)
    for index in range(learning.second_depth):
        if model.rule.name == "mempepita":
            model.work["again"] += model.weights[index].size
        before = second.presynaptic
        result = second.advance(index)
        if learning.trainable[index] == "none":
            continue
        delta = _delta(model, index, first[index + 1].result, result)
        presynaptic = before if from_second else first[index].out
        errors = model.update(index, delta, presynaptic)
        if index == 0 and learning.short and learning.trainable[0] == "all":
            _keep_folded(model, errors, presynaptic)
    if (
        model.rule.name == "mempepita"
        and learning.second_depth
        and learning.trainable[last] != "none"
    ):
        model.work["again"] += sum(w.size for w in model.weights[learning.second_depth : last])
    if learning.output_error == "second" and learning.trainable[last] != "none":
        again = [first[0], model.respond(last, second.presynaptic, "second")]
        error = model.outcome(again, target).error
    _update_output(model, error, second.presynaptic if from_second else first[last].out)


def _keep_folded(model: ReferenceModel, errors: Int16Array, presynaptic: Activation) -> None:
    """Let Q follow the update of the first layer; compute one row of it anew."""
    folded = model.projection().fold(presynaptic, model.settings.projection_seed)
    follow_update(model.folded, errors, folded, model.learning.format.update_shift)
    model.work["projection"] += model.projection().macs
    model.work["update"] += int(np.count_nonzero(errors)) * model.network.outputs
    model.refold(slice(model.repaired, model.repaired + 1))
    model.repaired = (model.repaired + 1) % model.folded.shape[0]
    model.work["repair"] += model.projection().macs


def _negated(model: ReferenceModel, index: int, result: Int16Array) -> Int16Array:
    negative, clamped = kernels.subtract(0, result)
    model.counters.layers[index].error_saturations += clamped
    return negative


def _learn_hebbian(
    model: ReferenceModel, first: list[Response], outcome: Outcome, target: Target
) -> None:
    """PEPITA-Hebbian: the two passes update with opposite signs."""
    last = model.learning.last
    second = _SecondPass(model, first)
    if model.learning.second_depth:
        second.modulate(outcome.error)
    for index in range(model.learning.second_depth):
        before = second.presynaptic
        result = second.advance(index)
        if model.learning.trainable[index] == "none":
            continue
        model.update(index, first[index + 1].result, first[index].out)
        model.update(index, _negated(model, index, result), before, second=True)
    if model.learning.trainable[last] == "none":
        return
    model.update(last, outcome.prediction, first[last].out)
    negative_target, _ = kernels.subtract(0, outcome.wanted)
    model.update(last, negative_target, second.presynaptic, second=True)


def _time_local_first(model: ReferenceModel, sample: npt.NDArray[Any]) -> list[Response]:
    """Return the first pass's responses; every hidden layer learns behind its own."""
    first = [model.quantise(sample)]
    for index in range(model.learning.last):
        first.append(model.respond(index, first[-1].out))
        model.update(index, first[-1].result, first[-2].out)
    first.append(model.respond(model.learning.last, first[-1].out))
    return first


def _learn_time_local(
    model: ReferenceModel, first: list[Response], outcome: Outcome, target: Target
) -> None:
    """PEPITA-TL behind the first pass: the output layer, then the second pass."""
    last = model.learning.last
    model.update(last, outcome.prediction, first[last].out)
    second = _SecondPass(model, first)
    if model.learning.second_depth:
        second.modulate(outcome.error)
    for index in range(model.learning.second_depth):
        before = second.presynaptic
        result = second.advance(index)
        if model.learning.trainable[index] != "none":
            model.update(index, _negated(model, index, result), before, second=True)
    negative_target, _ = kernels.subtract(0, outcome.wanted)
    model.update(last, negative_target, second.presynaptic, second=True)


def _learn_ftp(
    model: ReferenceModel, first: list[Response], outcome: Outcome, target: Target
) -> None:
    """FTP: targets of the hidden layers, local losses."""
    learning = model.learning
    if learning.second_depth:
        wanted, clamped = kernels.add(first[1].result, _correction(model, outcome, target))
        model.counters.layers[0].activation_saturations += clamped
    second = _SecondPass(model, first)
    for index in range(learning.second_depth):
        if index:
            wanted = second.advance(index)
        elif learning.second_depth > 1:
            second.start_from(wanted)
        if learning.trainable[index] == "none":
            continue
        result = first[index + 1].result
        delta = _with_derivative(model, index, _delta(model, index, result, wanted), result)
        model.update(index, delta, first[index].out)
    _update_output(model, outcome.error, first[learning.last].out)


def _correction(model: ReferenceModel, outcome: Outcome, target: Target) -> Int16Array:
    """Return what FTP adds to the first hidden result: g(G y) - g(G prediction)."""
    rule, settings = model.rule, model.settings
    assert isinstance(rule, Ftp)
    counters = model.counters.layers[0]
    matrix, seed = model.projection(), settings.projection_seed
    model.work["projection"] += matrix.macs
    if rule.target_function == "linear":
        change, clamped = matrix.project(
            _signal(model, outcome.error), seed, settings.projections[0]
        )
        counters.activation_saturations += clamped
        return change
    argument, scale = settings.projections
    of_prediction, clamped = matrix.project(outcome.prediction, seed, argument)
    if model.has_labels:
        column = int(target) if model.network.head == "softmax" else 0
        value = int(outcome.wanted[column])
        of_target, more = matrix.column(column, value, seed, argument)
    else:
        of_target, more = matrix.project(outcome.wanted.astype(np.int16), seed, argument)
        model.work["projection"] += matrix.macs
    g = tanh_q15 if rule.target_function == "tanh" else _sign_q15
    result, last = scale16(g(of_target) - g(of_prediction), scale)
    counters.activation_saturations += clamped + more + last
    return result.astype(np.int16)


def _sign_q15(value: Int16Array) -> npt.NDArray[np.int64]:
    return np.sign(value.astype(np.int64)) * (2**15 - 1)


def _learn_dfa(
    model: ReferenceModel, first: list[Response], outcome: Outcome, target: Target
) -> None:
    """Direct feedback alignment: every hidden layer has a matrix of its own."""
    del target
    signal = _signal(model, outcome.error)
    for scale, index in zip(
        model.settings.projections, model.learning.hidden_learning, strict=True
    ):
        rows = model.network.layers[index].outputs
        seed = layer_seed(model.settings.projection_seed, index)
        delta, clamped = model.projection(rows).project(signal, seed, scale)
        model.counters.layers[index].error_saturations += clamped
        model.work["projection"] += model.projection(rows).macs
        delta = _with_derivative(model, index, delta, first[index + 1].result)
        model.update(index, delta, first[index].out)
    _update_output(model, outcome.error, first[model.learning.last].out)


def _learn_backward(
    model: ReferenceModel, first: list[Response], outcome: Outcome, target: Target
) -> None:
    """Back-propagation down to the lowest layer that learns."""
    del target
    learning = model.learning
    delta = outcome.error
    for index in range(learning.last, learning.lowest - 1, -1):
        handed_down = delta
        if index > learning.lowest:
            weights = model.weights[index]
            below, clamped = kernels.backward(delta, weights, learning.backward_shift(index))
            model.counters.layers[index - 1].error_saturations += clamped
            model.work["backward"] += weights.size
            handed_down = _with_derivative(model, index - 1, below, first[index].result)
        model.update(index, delta, first[index].out)
        delta = handed_down
