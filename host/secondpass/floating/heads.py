# SPDX-License-Identifier: Apache-2.0
"""What the outputs of a network mean in real numbers: targets, predictions, losses."""

from dataclasses import dataclass

import keras
from keras import ops

from secondpass.errors import NetworkError, require_choice
from secondpass.floating.chain import Chain, Tensor
from secondpass.network import HEADS


@dataclass(frozen=True)
class Head:
    """One of `secondpass.network.HEADS` on a chain.

    The output error is prediction minus target for every head: the gradient of the cross-entropy
    by the logits, and of half the squared distance by the outputs.
    """

    name: str
    outputs: int
    normalised: bool
    """Whether the network puts out probabilities; if not, its logits."""

    def targets(self, inputs: Tensor, y: Tensor) -> Tensor:
        """Return what should be predicted (count, outputs); `inputs` are flat (count, size).

        `softmax` takes labels (count,) or one-hot ones, `sigmoid` labels 0 and 1, `mse` numbers
        (count, outputs); `reconstruction` takes what has as many numbers as the inputs, or nothing.
        """
        if self.name == "reconstruction" and y is None:
            return inputs
        if y is None:
            raise NetworkError(f"the head {self.name} needs targets")
        shape = tuple(y.shape)
        if self.name == "softmax":
            return self._one_hot(y, shape)
        if self.name == "reconstruction":
            y = ops.reshape(y, (-1, self.outputs))
        elif self.outputs == 1 and len(shape) == 1:
            y = ops.reshape(y, (-1, 1))
        elif len(shape) != 2 or shape[1] != self.outputs:
            raise NetworkError(f"targets have shape {shape}; give (count, {self.outputs})")
        return ops.cast(y, "float32")

    def _one_hot(self, y: Tensor, shape: tuple[int | None, ...]) -> Tensor:
        if len(shape) == 2 and shape[1] == self.outputs:
            return ops.cast(y, "float32")
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise NetworkError(
                f"labels have shape {shape}; give integers (count,) or one-hot "
                f"(count, {self.outputs})"
            )
        return ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), self.outputs)

    def prediction(self, output: Tensor) -> Tensor:
        """Return probabilities, or for heads without classes the outputs."""
        if self.normalised or self.name in ("mse", "reconstruction"):
            return output
        return ops.softmax(output) if self.name == "softmax" else ops.sigmoid(output)

    def loss(self, targets: Tensor, output: Tensor) -> Tensor:
        """Return the loss of each sample: cross-entropy, or the mean squared error."""
        if self.name == "softmax":
            return ops.categorical_crossentropy(targets, output, from_logits=not self.normalised)
        if self.name == "sigmoid":
            loss = ops.binary_crossentropy(targets, output, from_logits=not self.normalised)
            return ops.mean(loss, axis=-1)
        return ops.mean(ops.square(output - targets), axis=-1)

    def hits(self, y: Tensor, output: Tensor) -> Tensor:
        """Return for each sample of the head `sigmoid` whether its class was predicted."""
        positive = output > (0.5 if self.normalised else 0.0)
        wanted = ops.reshape(ops.cast(y, "float32"), (-1, 1)) > 0.5
        return ops.cast(ops.equal(positive, wanted), "float32")


def choose_head(chain: Chain, name: str | None, title: str) -> Head:
    """Return the named head, or the one that the end of the chain tells; refuse what cannot be."""
    outputs = int(chain.stages[-1].dense.units)
    if name is None:
        if not chain.end and outputs == 1:
            raise NetworkError(f"{title}: one output may mean head='sigmoid' or head='mse'; say it")
        name = chain.end or "softmax"
    require_choice("head", name, HEADS)
    if chain.end and chain.end != name:
        raise NetworkError(f"the head {name} does not go with a {chain.end} at the end")
    if name == "softmax" and outputs < 2:
        raise NetworkError(f"{title} needs an output layer of at least two classes")
    if name == "sigmoid" and outputs != 1:
        raise NetworkError(f"the head sigmoid has one output, not {outputs}")
    if name == "reconstruction" and outputs != chain.inputs:
        raise NetworkError(
            f"the head reconstruction needs as many outputs ({outputs}) as inputs ({chain.inputs})"
        )
    return Head(name, outputs, bool(chain.end))


def head_metrics(head: Head, metrics: object) -> object:
    """Return metrics in which "accuracy" counts logits of the head `sigmoid` from zero on."""
    if head.name != "sigmoid" or not isinstance(metrics, list | tuple):
        return metrics
    return [
        keras.metrics.MeanMetricWrapper(head.hits, name=str(metric))
        if metric in ("accuracy", "acc")
        else metric
        for metric in metrics
    ]
