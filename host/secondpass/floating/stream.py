# SPDX-License-Identifier: Apache-2.0
"""Training sample by sample, as a device does it, without the cost of a Keras step for each."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from secondpass.errors import NetworkError
from secondpass.floating.chain import Tensor
from secondpass.floating.rule_model import RuleModel, Update
from secondpass.rules import Rule

CHUNK = 512
"""Samples of one call of the compiled loop; orders of any length use the same loop."""


def online_rates(rule: Rule, steps: int, start: int = 0) -> npt.NDArray[np.float32]:
    """Return the learning rates of a rule, its decay included, for steps from number `start` on."""
    number = np.arange(start, start + steps)
    halved = number // rule.decay_steps if rule.decay_steps else np.zeros(steps)
    return (rule.learning_rate * rule.decay_factor**halved).astype(np.float32)


def online(
    model: RuleModel,
    x: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    order: npt.ArrayLike | None = None,
    learning_rate: float | npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """Train on one sample after the other by plain SGD; return the outputs before each update.

    `x` are samples (count, ...), `y` their targets as for `fit`; `order` are indices of samples in
    the order of presentation, repeated or left out at will; without it, each once as they come.
    `learning_rate` is a number, or one for every step; without it, `online_rates` of the rule from
    step 0 on. The model needs no `compile`, and its optimizer is not used. The loop is compiled
    once a model, at its first use (again after layers have been frozen).
    """
    samples = np.asarray(x, dtype=np.float32)
    head = model._head
    if y is None and head.name != "reconstruction":
        raise NetworkError(f"the head {head.name} needs targets")
    targets = samples.reshape(len(samples), -1) if y is None else np.asarray(y)
    if len(targets) != len(samples):
        raise NetworkError(f"{len(samples)} samples and {len(targets)} targets")
    presented = np.arange(len(samples)) if order is None else np.asarray(order)
    steps = len(presented)
    if learning_rate is None:
        learning_rate = online_rates(model.rule, steps)
    rates = np.broadcast_to(np.asarray(learning_rate, dtype=np.float32), (steps,))
    loop = _loop(model)
    outputs = np.zeros((steps, head.outputs), dtype=np.float32)
    for start in range(0, steps, CHUNK):
        chosen = presented[start : start + CHUNK]
        count = len(chosen)
        # a chunk is always full, or it would be compiled anew; its rest is not run
        filled = np.resize(chosen, CHUNK)
        wanted = head.targets(samples[filled].reshape(CHUNK, -1), tf.constant(targets[filled]))
        chunk_rates = np.resize(rates[start : start + count], CHUNK)
        outputs[start : start + count] = loop(samples[filled], wanted, chunk_rates, count)[:count]
    return outputs


def _loop(model: RuleModel) -> Any:
    """Return the model's compiled loop over a chunk."""
    frozen = tuple(variable.trainable for variable in model.network.variables)
    known = model.__dict__.get("_online_loop")
    if known is None or known[0] != frozen:
        known = (frozen, _compile(model))
        # past Keras, which would look for layers in it
        model.__dict__["_online_loop"] = known
    return known[1]


def _compile(model: RuleModel) -> Any:
    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def loop(samples: Tensor, wanted: Tensor, rates: Tensor, count: Tensor) -> Tensor:
        def one(index: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
            rate = rates[index]

            def apply(updates: list[Update]) -> None:
                for variable, update in updates:
                    variable.value.assign_sub(rate * update)

            x, y = samples[index][None], wanted[index][None]
            output = model._train(x, y, None, rate, apply)
            return index + 1, tf.tensor_scatter_nd_update(outputs, [[index]], output)

        start = (tf.constant(0), tf.zeros((CHUNK, model._head.outputs)))
        return tf.while_loop(lambda index, _: index < count, one, start)[1]

    return lambda samples, wanted, rates, count: loop(
        tf.constant(samples), wanted, tf.constant(rates), tf.constant(count)
    ).numpy()
