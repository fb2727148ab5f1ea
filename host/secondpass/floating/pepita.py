# SPDX-License-Identifier: Apache-2.0
"""PEPITA as a Keras model, trained by `fit` without back-propagation.

Dellaferrera and Kreiman, "Error-driven Input Modulation", ICML 2022 (arXiv 2201.11665). Importing
this module imports Keras; `secondpass.floating.PepitaModel` does so on first use.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from secondpass.errors import NetworkError
from secondpass.floating.chain import KerasLayer, KerasModel, Stage, Tensor, read_chain
from secondpass.projection import float_matrix
from secondpass.rules import Pepita, rule_from_description


@dataclass(frozen=True)
class _Pass:
    """One forward pass: what each Dense read, what each stage put out, the model's output."""

    presynaptic: list[Tensor]
    postsynaptic: list[Tensor]
    output: Tensor


@keras.saving.register_keras_serializable(package="secondpass")
class PepitaModel(keras.Model):  # type: ignore[misc]
    """A classifier whose training step is two forward passes (section 3.1 of the paper).

    First pass: activations h and probabilities p, error e = p - y. Second pass, on the modulated
    input x + F e: activations h~. A hidden layer's update is the batch mean of (h - h~) pre^T, the
    output layer's the batch mean of error pre^T; `rule` says from which pass `pre` and the output
    error come. A bias has a presynaptic activation of one. The optimizer treats updates like
    gradients. All activations of a step are those of the weights before it.

    Dropout draws one mask a step and uses it in both passes; h and h~ are taken behind it.

    `network` is a built Keras model of the layers listed in `secondpass.floating.chain`, ending
    in logits or in a softmax; it stays an ordinary Keras model, to be saved or converted. Of
    `rule`, `learning_rate` and `dither_seed` are not used: the first is the optimizer's, the
    second belongs to rounding. Raises `NetworkError` for anything that the rule cannot train.
    """

    def __init__(self, network: KerasModel, rule: Pepita | None = None, **settings: object) -> None:
        if keras.backend.backend() != "tensorflow":
            raise NetworkError(
                f"PepitaModel runs on the Keras backend tensorflow, not {keras.backend.backend()}"
            )
        super().__init__(**settings)
        self.network = network
        self.rule = rule or Pepita()
        self._chain = read_chain(network)
        stages = self._chain.stages
        if len(stages) < 2:
            raise NetworkError("PEPITA needs at least one hidden layer and an output layer")
        _refuse_regularizers(stages)
        self._classes = int(stages[-1].dense.units)
        if self._classes < 2:
            raise NetworkError("PEPITA needs an output layer of at least two classes")
        self._projection = float_matrix(
            self.rule.projection,
            self.rule.projection_seed,
            self._chain.inputs,
            self._classes,
            self.rule.projection_scale,
        )
        self.built = True

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
            raise NetworkError("PEPITA has a fixed loss, softmax cross-entropy; leave out 'loss'")
        settings["auto_scale_loss"] = False
        super().compile(optimizer=optimizer, loss=self._cross_entropy, metrics=metrics, **settings)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the network's output (count, classes) by ordinary inference."""
        return self.network(inputs, training=training)

    def train_step(self, data: Tensor) -> dict[str, Tensor]:
        """Take one step on a batch; called by `fit`."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        first, updates = self._two_passes(x, y, sample_weight)
        loss = self.compute_loss(x=x, y=y, y_pred=first.output, sample_weight=sample_weight)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=ops.shape(first.output)[0])
        trained = [(variable, update) for variable, update in updates if variable.trainable]
        if trained:
            self.optimizer.apply([u for _, u in trained], [v for v, _ in trained])
        logs: dict[str, Tensor] = self.compute_metrics(x, y, first.output, sample_weight)
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
    ) -> "PepitaModel":
        """Rebuild the model; weights are restored by Keras, `compile` is up to the caller."""
        config = dict(config)
        network = keras.saving.deserialize_keras_object(
            config.pop("network"), custom_objects=custom_objects
        )
        rule = rule_from_description(config.pop("rule"))
        return cls(network, rule, **config)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Leave a loaded model uncompiled."""

    def _two_passes(
        self, x: Tensor, y: Tensor, sample_weight: Tensor
    ) -> tuple[_Pass, list[tuple[Tensor, Tensor]]]:
        """Return the first pass and pairs (variable, update) of every layer."""
        masks: dict[str, Tensor] = {}
        inputs = x
        for layer in self._chain.before:
            if isinstance(layer, keras.layers.Flatten):
                inputs = layer(inputs)
        inputs = ops.cast(inputs, "float32")
        target = self._one_hot(y)
        first = self._forward(inputs, masks)
        error = self._probabilities(first.output) - target
        signal = ops.sign(error) if self.rule.error_signal == "sign" else error
        modulation = ops.matmul(signal, ops.transpose(ops.convert_to_tensor(self._projection)))
        second = self._forward(inputs + modulation, masks)
        output_error = error
        if self.rule.output_error == "second":
            output_error = self._probabilities(second.output) - target
        pre = (second if self.rule.presynaptic == "second" else first).presynaptic
        deltas = [
            a - b for a, b in zip(first.postsynaptic[:-1], second.postsynaptic[:-1], strict=True)
        ]
        updates = []
        share = 1.0 / ops.cast(ops.shape(inputs)[0], "float32")
        if sample_weight is not None:
            share = share * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        for stage, delta, before in zip(
            self._chain.stages, [*deltas, output_error], pre, strict=True
        ):
            shared = delta * share
            updates.append((stage.dense.kernel, ops.matmul(ops.transpose(before), shared)))
            if stage.dense.bias is not None:
                updates.append((stage.dense.bias, ops.sum(shared, axis=0)))
        return first, updates

    def _forward(self, inputs: Tensor, masks: dict[str, Tensor]) -> _Pass:
        """Run the stages on flat inputs (count, size) with the masks of this step.

        A Dropout without a mask draws one and adds it to `masks`.
        """
        value = inputs
        for layer in self._chain.before:
            if isinstance(layer, keras.layers.Dropout):
                value = _masked(layer, value, masks)
        presynaptic, postsynaptic = [], []
        for stage in self._chain.stages:
            presynaptic.append(value)
            value = stage.dense(value)
            for layer in stage.after:
                if isinstance(layer, keras.layers.Dropout):
                    value = _masked(layer, value, masks)
                else:
                    value = layer(value)
            postsynaptic.append(value)
        return _Pass(presynaptic, postsynaptic, value)

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


def _masked(layer: KerasLayer, value: Tensor, masks: dict[str, Tensor]) -> Tensor:
    """Multiply by the layer's mask of this step, scaled by 1 / keep as Keras does."""
    if layer.name not in masks:
        masks[layer.name] = layer(ops.ones_like(value), training=True)
    return value * masks[layer.name]


def _refuse_regularizers(stages: tuple[Stage, ...]) -> None:
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
            f"PEPITA cannot train with regularizers: {', '.join(found)}; use weight decay of the "
            "optimizer"
        )
