# SPDX-License-Identifier: Apache-2.0
"""What learning rules with a second forward pass share as Keras models. Imports Keras."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from secondpass.errors import NetworkError
from secondpass.floating.chain import KerasLayer, KerasModel, Stage, Tensor, read_chain
from secondpass.rules import Rule, rule_from_description


@dataclass(frozen=True)
class Pass:
    """A forward pass through some stages: what each Dense read and what each stage put out."""

    presynaptic: list[Tensor]
    postsynaptic: list[Tensor]


@dataclass(frozen=True)
class Step:
    """What a step knows after its first pass, before any weight has moved.

    `inputs` are flat (count, size), `labels` one-hot, `error` is probabilities minus labels;
    `masks` holds the Dropout masks by layer name.
    """

    inputs: Tensor
    labels: Tensor
    first: Pass
    error: Tensor
    masks: dict[str, Tensor]


class TwoPassModel(keras.Model, ABC):  # type: ignore[misc]
    """A classifier trained by `fit` with a second forward pass instead of back-propagation.

    A subclass says what its rule makes of the first pass: a delta and a presynaptic activation for
    every layer. The update of a layer is the batch mean of delta pre^T; a bias has a presynaptic
    activation of one. The optimizer treats updates like gradients. All activations of a step are
    those of the weights before it. Dropout draws one mask a step and uses it in both passes.

    `network` is a built Keras model of the layers listed in `secondpass.floating.chain`, ending
    in logits or in a softmax; it stays an ordinary Keras model, to be saved or converted. Of
    `rule`, `learning_rate` and `dither_seed` are not used: the first is the optimizer's, the
    second belongs to rounding. Raises `NetworkError` for anything that the rule cannot train.
    """

    rule_type: ClassVar[type[Rule]]
    rule: Rule

    def __init__(self, network: KerasModel, rule: Rule, **settings: object) -> None:
        own = type(self).__name__
        if keras.backend.backend() != "tensorflow":
            raise NetworkError(
                f"{own} runs on the Keras backend tensorflow, not {keras.backend.backend()}"
            )
        if not isinstance(rule, self.rule_type):
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
        self._classes = int(stages[-1].dense.units)
        if self._classes < 2:
            raise NetworkError(f"{title} needs an output layer of at least two classes")
        self._projection = self._make_projection()
        self.built = True

    @abstractmethod
    def _make_projection(self) -> npt.NDArray[np.float32]:
        """Return the fixed matrix (values to change, classes) that the error is projected with."""

    @abstractmethod
    def _layer_terms(self, step: Step) -> Sequence[tuple[Tensor, Tensor]]:
        """Return every layer's delta (count, units) and presynaptic activation (count, inputs)."""

    def compile(
        self,
        optimizer: object = "sgd",
        loss: None = None,
        metrics: object = None,
        **settings: object,
    ) -> None:
        """Choose optimizer and metrics as for any Keras model; the loss is always the same one.

        It is softmax cross-entropy, for labels (count,) or one-hot (count, classes).
        """
        if loss is not None:
            raise NetworkError(
                f"{self._rule_title()} has a fixed loss, softmax cross-entropy; leave out 'loss'"
            )
        settings["auto_scale_loss"] = False
        super().compile(optimizer=optimizer, loss=self._cross_entropy, metrics=metrics, **settings)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the network's output (count, classes) by ordinary inference."""
        return self.network(inputs, training=training)

    def train_step(self, data: Tensor) -> dict[str, Tensor]:
        """Take one step on a batch; called by `fit`."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        output, updates = self._two_passes(x, y, sample_weight)
        loss = self.compute_loss(x=x, y=y, y_pred=output, sample_weight=sample_weight)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=ops.shape(output)[0])
        trained = [(variable, update) for variable, update in updates if variable.trainable]
        if trained:
            self.optimizer.apply([u for _, u in trained], [v for v, _ in trained])
        logs: dict[str, Tensor] = self.compute_metrics(x, y, output, sample_weight)
        return logs

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the model, for `save` and for checkpoints."""
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "rule": self.rule.describe(),
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

    def _two_passes(
        self, x: Tensor, y: Tensor, sample_weight: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the first pass's output and pairs (variable, update) of every layer."""
        masks: dict[str, Tensor] = {}
        inputs = x
        for layer in self._chain.before:
            if isinstance(layer, keras.layers.Flatten):
                inputs = layer(inputs)
        inputs = ops.cast(inputs, "float32")
        labels = self._one_hot(y)
        first = self._forward(inputs, masks)
        output = first.postsynaptic[-1]
        error = self._probabilities(output) - labels
        terms = self._layer_terms(Step(inputs, labels, first, error, masks))
        updates = []
        share = 1.0 / ops.cast(ops.shape(inputs)[0], "float32")
        if sample_weight is not None:
            share = share * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        for stage, (delta, before) in zip(self._chain.stages, terms, strict=True):
            shared = delta * share
            updates.append((stage.dense.kernel, ops.matmul(ops.transpose(before), shared)))
            if stage.dense.bias is not None:
                updates.append((stage.dense.bias, ops.sum(shared, axis=0)))
        return output, updates

    def _project(self, error: Tensor) -> Tensor:
        """Return the error, or its sign if the rule says so, times the fixed matrix."""
        signal = ops.sign(error) if self.rule.error_signal == "sign" else error
        return ops.matmul(signal, ops.transpose(ops.convert_to_tensor(self._projection)))

    def _forward(self, inputs: Tensor, masks: dict[str, Tensor]) -> Pass:
        """Run all stages on flat inputs (count, size) with the masks of this step.

        A Dropout without a mask draws one and adds it to `masks`.
        """
        value = apply_masks(self._chain.before, inputs, masks)
        return run_stages(self._chain.stages, value, masks)

    def _one_hot(self, y: Tensor) -> Tensor:
        """Return labels, integers (count,) or (count, 1) or already one-hot, as one-hot."""
        shape = tuple(y.shape)
        if len(shape) == 2 and shape[1] == self._classes:
            return ops.cast(y, "float32")
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise NetworkError(
                f"labels have shape {shape}; give integers (count,) or one-hot "
                f"(count, {self._classes})"
            )
        return ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), self._classes)

    def _probabilities(self, output: Tensor) -> Tensor:
        return output if self._chain.softmax else ops.softmax(output)

    def _cross_entropy(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return ops.categorical_crossentropy(
            self._one_hot(y_true), y_pred, from_logits=not self._chain.softmax
        )


def run_stages(stages: Sequence[Stage], value: Tensor, masks: dict[str, Tensor]) -> Pass:
    """Run stages one after the other on what the first one reads."""
    presynaptic, postsynaptic = [], []
    for stage in stages:
        presynaptic.append(value)
        value = stage.dense(value)
        for layer in stage.after:
            if isinstance(layer, keras.layers.Dropout):
                value = _masked(layer, value, masks)
            else:
                value = layer(value)
        postsynaptic.append(value)
    return Pass(presynaptic, postsynaptic)


def apply_masks(layers: Sequence[KerasLayer], value: Tensor, masks: dict[str, Tensor]) -> Tensor:
    """Apply those layers that are Dropout."""
    for layer in layers:
        if isinstance(layer, keras.layers.Dropout):
            value = _masked(layer, value, masks)
    return value


def _masked(layer: KerasLayer, value: Tensor, masks: dict[str, Tensor]) -> Tensor:
    """Multiply by the layer's mask of this step, scaled by 1 / keep as Keras does."""
    if layer.name not in masks:
        masks[layer.name] = layer(ops.ones_like(value), training=True)
    return value * masks[layer.name]


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
