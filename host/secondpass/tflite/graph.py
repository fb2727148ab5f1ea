# SPDX-License-Identifier: Apache-2.0
"""From the graph of a `.tflite` file to layers: one chain of fully connected operators."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from secondpass.affine import Affine, AffineDense, AffineNetwork
from secondpass.errors import NetworkError, require_choice
from secondpass.network import HEADS, Input
from secondpass.quantise import FloatLayer, c_names
from secondpass.tflite.read import Graph, Operator, Tensor, read

ACTIVATIONS = {
    "NONE": "identity",
    "RELU": "relu",
    "RELU6": "relu6",
    "RELU_N1_TO_1": "relu_n1_to_1",
}
"""Fused activations by their names in the file."""
_ENDS = {"SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}
_SUPPORTED = {"FULLY_CONNECTED", "RESHAPE", "QUANTIZE", "DEQUANTIZE", *_ENDS}
_LAYER = re.compile(r"([^/;]+)/(?:MatMul|BiasAdd|Relu\w*|Add)\b")


@dataclass(frozen=True)
class FloatModel:
    """A float network from a file: its layers in order, and its head."""

    layers: tuple[FloatLayer, ...]
    head: str


def load(path: Path, head: str | None = None) -> AffineNetwork | FloatModel:
    """Read a fully connected network, int8 or float.

    Without `head`: a SOFTMAX or LOGISTIC at the end tells it, as many outputs as inputs mean
    `reconstruction`; else it is `softmax`. These ends, a RESHAPE that flattens and the steps
    between float and int8 at both ends leave no trace. Raises `NetworkError`: one that names
    everything in the file which cannot be imported.
    """
    if head is not None:
        require_choice("head", head, HEADS)
    graph = read(path)
    chain = _Chain(graph)
    chain.check()
    chosen = head or chain.head
    dense = [op for op in graph.operators if op.code == "FULLY_CONNECTED"]
    names = c_names([chain.name(op) for op in dense])
    if graph.tensors[dense[0].inputs[1]].dtype == "INT8":
        layers = tuple(
            _affine_layer(name, graph, op) for name, op in zip(names, dense, strict=True)
        )
        first = layers[0]
        spec = Input(first.inputs, "int8", first.source.zero_point, first.source.step, 0)
        return AffineNetwork(spec, layers, chosen)
    return FloatModel(
        tuple(_float_layer(name, graph, op) for name, op in zip(names, dense, strict=True)), chosen
    )


class _Chain:
    """The operators of a graph, checked to be one chain that can be imported."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @property
    def head(self) -> str:
        """The head that the graph suggests."""
        graph = self.graph
        for op in graph.operators:
            if op.code in _ENDS:
                return _ENDS[op.code]
        dense = [op for op in graph.operators if op.code == "FULLY_CONNECTED"]
        first, last = (graph.tensors[dense[i].inputs[1]].shape for i in (0, -1))
        return "reconstruction" if first[1] == last[0] else "softmax"

    def name(self, op: Operator) -> str:
        """Return the name of an operator's layer, from its weights or from what it computes."""
        tensors = self.graph.tensors
        for index in (*op.inputs[1:2], *op.outputs):
            if index >= 0 and (found := _LAYER.search(tensors[index].name)):
                return found[1]
        named = next((tensors[i].name for i in op.outputs if i >= 0), "")
        return named.rstrip("/;").split(";")[-1].split("/")[-1] or "layer"

    def check(self) -> None:
        """Raise `NetworkError` naming everything that cannot be imported."""
        graph = self.graph
        problems = [f"{what} (layer {self.name(op)!r})" for op, what in self._problems()]
        if problems:
            raise NetworkError(
                f"{graph.source} cannot be imported: {', '.join(problems)}; what can be: "
                "FULLY_CONNECTED in int8 or float32, with RESHAPE, SOFTMAX or LOGISTIC around it"
            )
        if not any(op.code == "FULLY_CONNECTED" for op in graph.operators):
            raise NetworkError(f"{graph.source} has no fully connected layer")
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise NetworkError(
                f"{graph.source} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; "
                "a model with one of each can be imported"
            )
        source = graph.tensors[graph.inputs[0]]
        if any(length < 0 for length in source.signature[1:]):
            raise NetworkError(
                f"{graph.source}: the input {source.name!r} has the dynamic shape "
                f"{source.signature}; only the batch may be dynamic: convert it with fixed lengths"
            )
        self._check_order()

    def _problems(self) -> Iterator[tuple[Operator, str]]:
        for op in self.graph.operators:
            if op.code not in _SUPPORTED:
                yield op, op.code
            elif op.code == "FULLY_CONNECTED":
                yield from ((op, what) for what in _layer_problems(self.graph, op))
            elif op.code in ("QUANTIZE", "DEQUANTIZE"):
                yield from self._conversion_problems(op)

    def _conversion_problems(self, op: Operator) -> Iterator[tuple[Operator, str]]:
        """Name a step between float and int8 that is not at an end of the graph."""
        ends = (self.graph.inputs, op.inputs) if op.code == "QUANTIZE" else None
        ends = ends or (self.graph.outputs, op.outputs)
        if tuple(ends[0]) != tuple(ends[1]):
            yield op, f"{op.code} inside the graph"

    def _check_order(self) -> None:
        graph, at = self.graph, self.graph.inputs[0]
        last = len(graph.operators) - 1
        for index, op in enumerate(graph.operators):
            if not op.inputs or op.inputs[0] != at or len(op.outputs) != 1:
                raise NetworkError(
                    f"{graph.source} is no chain: {op.code} (layer {self.name(op)!r}) does not "
                    "read what the operator before it computes"
                )
            at = op.outputs[0]
            ended = {other.code for other in graph.operators[index + 1 :]} - {"DEQUANTIZE"}
            if op.code in _ENDS and index != last and ended:
                raise NetworkError(
                    f"{graph.source}: {op.code} (layer {self.name(op)!r}) is followed by "
                    f"{', '.join(sorted(ended))}; it can only be the end"
                )
        if at != graph.outputs[0]:
            raise NetworkError(f"{graph.source} is no chain: its output is not the last operator's")


def _layer_problems(graph: Graph, op: Operator) -> Iterator[str]:
    """Say what keeps a fully connected operator from being imported."""
    if len(op.inputs) not in (2, 3) or len(op.outputs) != 1 or min(op.inputs[0], op.inputs[1]) < 0:
        yield "FULLY_CONNECTED without input or weights"
        return
    x, weights = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]]
    y, bias = graph.tensors[op.outputs[0]], _bias(graph, op)
    kinds = (x.dtype, weights.dtype, y.dtype)
    if kinds not in (("INT8",) * 3, ("FLOAT32",) * 3):
        yield f"FULLY_CONNECTED of {x.dtype} with {weights.dtype} weights to {y.dtype}"
        return
    wanted = "INT32" if kinds[0] == "INT8" else "FLOAT32"
    if bias is not None and bias.dtype != wanted:
        yield f"FULLY_CONNECTED with a bias of {bias.dtype}"
    if weights.values is None or (bias is not None and bias.values is None):
        yield "FULLY_CONNECTED with weights that are not constant"
        return
    known = ACTIVATIONS if kinds[0] == "INT8" else {"NONE", "RELU"}
    if op.activation not in known:
        yield f"FULLY_CONNECTED with the activation {op.activation}"
    if not op.plain_weights:
        yield "FULLY_CONNECTED with shuffled weights"
    if weights.values.ndim != 2 or int(np.prod(x.shape)) != weights.shape[1]:
        yield f"FULLY_CONNECTED of the shape {x.shape} with weights {weights.shape}"
    elif bias is not None and bias.shape != weights.shape[:1]:
        yield f"FULLY_CONNECTED with a bias of the shape {bias.shape}"
    if kinds[0] == "INT8":
        yield from _quantisation_problems(x, weights, y)


def _quantisation_problems(x: Tensor, weights: Tensor, y: Tensor) -> Iterator[str]:
    for what, tensor in (("input", x), ("output", y)):
        if len(tensor.scales) != 1 or len(tensor.zero_points) != 1:
            yield f"FULLY_CONNECTED whose {what} has {len(tensor.scales) or 'no'} scales"
    if len(weights.scales) not in (1, *weights.shape[:1]) or weights.axis != 0:
        yield f"FULLY_CONNECTED whose weights have {len(weights.scales) or 'no'} scales"
    if any(weights.zero_points):
        yield "FULLY_CONNECTED whose weights have a zero point"


def _bias(graph: Graph, op: Operator) -> Tensor | None:
    return graph.tensors[op.inputs[2]] if len(op.inputs) == 3 and op.inputs[2] >= 0 else None


def _affine(tensor: Tensor) -> Affine:
    return Affine(tensor.scales[0], tensor.zero_points[0])


def _affine_layer(name: str, graph: Graph, op: Operator) -> AffineDense:
    x, weights = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]]
    bias = _bias(graph, op)
    assert weights.values is not None
    values = np.zeros(weights.shape[0], dtype=np.int32)
    if bias is not None:
        assert bias.values is not None
        values = bias.values
    return AffineDense(
        name=name,
        weights=np.ascontiguousarray(weights.values),
        bias=values,
        activation=ACTIVATIONS[op.activation],
        source=_affine(x),
        result=_affine(graph.tensors[op.outputs[0]]),
        weight_steps=weights.scales,
    )


def _float_layer(name: str, graph: Graph, op: Operator) -> FloatLayer:
    weights, bias = graph.tensors[op.inputs[1]], _bias(graph, op)
    assert weights.values is not None
    values = np.zeros(weights.shape[0], dtype=np.float32)
    if bias is not None:
        assert bias.values is not None
        values = bias.values
    kernel = np.ascontiguousarray(weights.values.T)
    return FloatLayer(name, kernel, values, ACTIVATIONS[op.activation])
