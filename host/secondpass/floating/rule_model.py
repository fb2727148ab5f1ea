# SPDX-License-Identifier: Apache-2.0
"""What learning rules share as Keras models. Imports Keras."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from secondpass.errors import NetworkError
from secondpass.floating.chain import KerasModel, Stage, Tensor, read_chain
from secondpass.floating.heads import choose_head, head_metrics
from secondpass.floating.passes import Pass, Step, Term, apply_masks, run_stages
from secondpass.rules import ProjectedRule, Rule, per_layer, rule_from_description

Update = tuple[Any, Tensor]
"""A Keras variable and what its optimizer takes for a gradient."""


class RuleModel(keras.Model, ABC):  # type: ignore[misc]
    """A network trained by `fit` with a learning rule instead of automatic differentiation.

    A subclass says what its rule makes of the first pass: for a layer a delta and a presynaptic
    activation. The update of the layer is the batch mean of delta pre^T; a bias has a presynaptic
    activation of one. The optimizer treats updates like gradients. Dropout draws one mask a step
    and uses it in all passes.

    `network` is a built Keras model of the layers listed in `secondpass.floating.chain`, ending in
    logits (or outputs), a softmax or a sigmoid; it stays an ordinary Keras model, to be saved or
    converted. `head` is one of `secondpass.network.HEADS`; without it the end of the network tells:
    `softmax`, or `sigmoid` behind one. The head `reconstruction` is trained by `fit(x)` or
    `fit(x, x)`.

    Of `rule`, `layer_rates` are factors of the updates and `trainable` says what learns; a sample
    below the `gate` counts in the batch mean but adds nothing. Not used: `learning_rate`, which
    is the optimizer's, `decay_steps` and `decay_factor`, which are a Keras schedule's, `row_gate`,
    which saves a device time and keeps the mean of an update, and `dither_seed`, which belongs to
    rounding. The exception is `clip`: it bounds learning rate times
    delta, and as an optimizer's rate may be anything, `learning_rate` stands for it. Give both the
    same value. (`secondpass.floating.online` knows its rate.)

    Raises `NetworkError` for anything that the rule cannot train.
    """

    rule_type: ClassVar[type[Rule]]
    rule: Rule

    def __init__(
        self,
        network: KerasModel,
        rule: Rule | None = None,
        head: str | None = None,
        **settings: object,
    ) -> None:
        own = type(self).__name__
        if keras.backend.backend() != "tensorflow":
            raise NetworkError(
                f"{own} runs on the Keras backend tensorflow, not {keras.backend.backend()}"
            )
        rule = rule or self.rule_type()
        if type(rule) is not self.rule_type:
            raise NetworkError(
                f"{own} trains with the rule {self.rule_type.__name__}, not {type(rule).__name__}"
            )
        super().__init__(**settings)
        self.network = network
        self.rule = rule
        self._chain = read_chain(network)
        stages = self._chain.stages
        title = self._rule_title()
        if len(stages) < 2:
            raise NetworkError(f"{title} needs at least one hidden layer and an output layer")
        _refuse_regularizers(stages, title)
        self._head = choose_head(self._chain, head, title)
        self._last = len(stages) - 1
        self._learns = rule.layer_trainable(len(stages))
        self._factors = per_layer("layer_rates", rule.layer_rates, 1.0, len(stages))
        self._projections = tuple(self._make_projections())
        self.built = True

    @property
    def head(self) -> str:
        """What the outputs mean."""
        return self._head.name

    def _make_projections(self) -> Sequence[npt.NDArray[np.float32]]:
        """Return the fixed matrices (values to change, outputs) of the rule."""
        return ()

    @abstractmethod
    def _learn(self, step: Step) -> Iterator[list[Term]]:
        """Yield the terms of the update.

        What is yielded together moves the weights together, before the generator goes on.
        """

    def compile(
        self,
        optimizer: object = "sgd",
        loss: None = None,
        metrics: object = None,
        **settings: object,
    ) -> None:
        """Choose optimizer and metrics as for any Keras model; the loss is the head's.

        It is the cross-entropy for `softmax` and `sigmoid`, else the mean squared error.
        """
        if loss is not None:
            raise NetworkError(
                f"{self._rule_title()} has a fixed loss, that of the head {self.head}; "
                "leave out 'loss'"
            )
        settings["auto_scale_loss"] = False
        super().compile(
            optimizer=optimizer,
            loss=self._loss,
            metrics=head_metrics(self._head, metrics),
            **settings,
        )

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the network's output (count, outputs) by ordinary inference."""
        return self.network(inputs, training=training)

    def train_step(self, data: Tensor) -> dict[str, Tensor]:
        """Take one step on a batch; called by `fit`."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y = self._stand_in(x, y)

        def apply(updates: list[Update]) -> None:
            self.optimizer.apply([u for _, u in updates], [v for v, _ in updates])

        # Clips need a rate; the rule's is the one that the user can make equal to the optimizer's.
        output = self._train(x, y, sample_weight, self.rule.learning_rate, apply)
        loss = self.compute_loss(x=x, y=y, y_pred=output, sample_weight=sample_weight)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=ops.shape(output)[0])
        logs: dict[str, Tensor] = self.compute_metrics(x, y, output, sample_weight)
        return logs

    def test_step(self, data: Tensor) -> dict[str, Tensor]:
        """Evaluate a batch; called by `evaluate`."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        logs: dict[str, Tensor] = super().test_step((x, self._stand_in(x, y), sample_weight))
        return logs

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the model, for `save` and for checkpoints."""
        # Keras wraps tuples, which nothing unwraps in the settings of a rule
        described = self.rule.describe().items()
        rule = {name: list(v) if isinstance(v, tuple) else v for name, v in described}
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "rule": rule,
            "head": self.head,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """Rebuild the model; weights are restored by Keras, `compile` is up to the caller."""
        config = dict(config)
        network = keras.saving.deserialize_keras_object(
            config.pop("network"), custom_objects=custom_objects
        )
        rule = rule_from_description(config.pop("rule"))
        return cls(network, rule, **config)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Leave a loaded model uncompiled."""

    def _rule_title(self) -> str:
        return self.rule.name.upper()

    def _stand_in(self, x: Tensor, y: Tensor) -> Tensor:
        """Return targets for metrics: inputs where there are none and the head reconstructs."""
        if self.head != "reconstruction":
            return y
        return self._head.targets(self._flat(x), y)

    def _flat(self, x: Tensor) -> Tensor:
        for layer in self._chain.before:
            if isinstance(layer, keras.layers.Flatten):
                x = layer(x)
        return ops.cast(x, "float32")

    def _train(
        self,
        x: Tensor,
        y: Tensor,
        sample_weight: Tensor,
        rate: Any,
        apply: Callable[[list[Update]], None],
    ) -> Tensor:
        """Take a step and return the first pass's output. `rate` only serves the clips."""
        masks: dict[str, Tensor] = {}
        inputs = self._flat(x)
        wanted = self._head.targets(inputs, y)
        first = self._forward(inputs, masks)
        output = first.postsynaptic[-1]
        prediction = self._head.prediction(output)
        step = Step(inputs, wanted, first, prediction, prediction - wanted, masks)
        share = self._shares(step, sample_weight)
        for terms in self._learn(step):
            updates = self._updates(terms, share, rate)
            if updates:
                apply(updates)
        return output

    def _shares(self, step: Step, sample_weight: Tensor) -> Tensor:
        """Return what a sample's terms are multiplied by: a number or (count, 1)."""
        share = 1.0 / ops.cast(ops.shape(step.inputs)[0], "float32")
        if sample_weight is not None:
            share = share * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        if self.rule.gate:
            largest = ops.max(ops.abs(step.error), axis=1, keepdims=True)
            share = share * ops.cast(largest >= self.rule.gate, "float32")
        return share

    def _updates(self, terms: list[Term], share: Tensor, rate: Any) -> list[Update]:
        kernels: dict[int, Tensor] = {}
        biases: dict[int, Tensor] = {}
        for term in terms:
            index, factor = term.layer, self._factors[term.layer]
            dense = self._chain.stages[index].dense
            if self._learns[index] == "none" or not factor:
                continue
            delta = self._clipped(term.delta, rate, factor) * (share * factor)
            if self._learns[index] == "all" and dense.kernel.trainable:
                update = ops.matmul(ops.transpose(term.before), delta)
                kernels[index] = kernels[index] + update if index in kernels else update
            if dense.bias is not None and dense.bias.trainable:
                update = ops.sum(delta, axis=0)
                biases[index] = biases[index] + update if index in biases else update
        stages = self._chain.stages
        return [
            *((stages[index].dense.kernel, update) for index, update in kernels.items()),
            *((stages[index].dense.bias, update) for index, update in biases.items()),
        ]

    def _clipped(self, delta: Tensor, rate: Any, factor: float) -> Tensor:
        """Bound rate * factor * |delta| by the rule's clip."""
        if not self.rule.clip:
            return delta
        bound = ops.divide(self.rule.clip, ops.cast(rate, "float32") * factor)
        return ops.clip(delta, -bound, bound)

    def _project(self, signal: Tensor, matrix: int = 0) -> Tensor:
        """Return a signal (count, outputs) times a fixed matrix of the rule."""
        return ops.matmul(signal, ops.transpose(ops.convert_to_tensor(self._projections[matrix])))

    def _signal(self, error: Tensor) -> Tensor:
        """Return the error, or its sign if the rule says so."""
        assert isinstance(self.rule, ProjectedRule)
        return ops.sign(error) if self.rule.error_signal == "sign" else error

    def _forward(self, inputs: Tensor, masks: dict[str, Tensor]) -> Pass:
        """Run all stages on flat inputs (count, size) with the masks of this step.

        A Dropout without a mask draws one and adds it to `masks`.
        """
        value = apply_masks(self._chain.before, inputs, masks)
        return run_stages(self._chain.stages, value, masks)

    def _loss(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        # only the head that reconstructs may do without targets, and `_stand_in` gives it some
        return self._head.loss(self._head.targets(y_true, y_true), y_pred)


def _refuse_regularizers(stages: tuple[Stage, ...], rule: str) -> None:
    """Raise `NetworkError` for penalties, which have no gradient here to act through."""
    kinds = ("kernel_regularizer", "bias_regularizer", "activity_regularizer")
    found = [
        f"{stage.dense.name} ({kind})"
        for stage in stages
        for kind in kinds
        if getattr(stage.dense, kind, None) is not None
    ]
    if found:
        raise NetworkError(
            f"{rule} cannot train with regularizers: {', '.join(found)}; use weight decay of the "
            "optimizer"
        )
