# SPDX-License-Identifier: Apache-2.0
"""Write small .tflite files, whole or wrong on purpose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import tflite

FULLY_CONNECTED = tflite.BuiltinOperator.FULLY_CONNECTED
_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
}
RELU = tflite.ActivationFunctionType.RELU
RELU6 = tflite.ActivationFunctionType.RELU6
RELU_N1_TO_1 = tflite.ActivationFunctionType.RELU_N1_TO_1


@dataclass
class Tensor:
    """A tensor; `values` None: computed by an operator. `scales` empty: not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    values: npt.NDArray[Any] | None = None
    scales: Sequence[float] = ()
    zero_points: Sequence[int] = (0,)
    signature: tuple[int, ...] | None = None
    axis: int = 0


@dataclass
class Operator:
    """An operator on tensors by index; -1: none."""

    code: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    activation: int = 0
    weights_format: int = 0
    keep_dims: bool = False
    custom: str = ""


@dataclass
class File:
    """A model of one subgraph."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: Sequence[int] = (0,)
    outputs: Sequence[int] = (-1,)
    version: int = 3
    subgraphs: int = 1

    def add(self, tensor: Tensor) -> int:
        """Add a tensor; return its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def bytes(self) -> bytes:
        """Return the file."""
        return _Writer(self).write()


def fully_connected(
    file: File,
    source: int,
    weights: npt.NDArray[Any],
    bias: npt.NDArray[Any] | None,
    weight_scales: Sequence[float] = (),
    output: tuple[float, int] | None = None,
    activation: int = 0,
    name: str = "dense",
) -> int:
    """Append a layer; return its output tensor. `weights` (outputs, inputs); `output`: int8."""
    before = file.tensors[source]
    shape = (1, weights.shape[0])
    dtype = str(weights.dtype)
    w = file.add(
        Tensor(
            f"{name}/MatMul",
            weights.shape,
            dtype,
            weights,
            weight_scales,
            [0] * len(weight_scales),
        )
    )
    b = -1
    if bias is not None:
        scales = [before.scales[0] * s for s in weight_scales]
        b = file.add(
            Tensor(f"{name}/BiasAdd", bias.shape, str(bias.dtype), bias, scales, [0] * len(scales))
        )
    quantised = {"scales": [output[0]], "zero_points": [output[1]]} if output else {}
    kind = "int8" if output else "float32"
    y = file.add(Tensor(f"{name}/out", shape, kind, **quantised))
    file.operators.append(Operator(FULLY_CONNECTED, [source, w, b], [y], activation))
    file.outputs = [y]
    return y


class _Writer:
    def __init__(self, file: File) -> None:
        self.file, self.b = file, flatbuffers.Builder(1024)

    def vector(self, start: Callable[..., Any], values: Sequence[int], prepend: str) -> int:
        start(self.b, len(values))
        for value in reversed(list(values)):
            getattr(self.b, prepend)(value)
        return self.b.EndVector()

    def write(self) -> bytes:
        b, file = self.b, self.file
        buffers = [self.buffer(None)]
        tensors = []
        for tensor in file.tensors:
            index = 0
            if tensor.values is not None:
                buffers.append(self.buffer(np.ascontiguousarray(tensor.values).tobytes()))
                index = len(buffers) - 1
            tensors.append(self.tensor(tensor, index))
        codes = [(op.code, op.custom) for op in file.operators]
        kinds = list(dict.fromkeys(codes))
        operators = [
            self.operator(op, kinds.index(code))
            for op, code in zip(file.operators, codes, strict=True)
        ]
        code_tables = [self.code(*kind) for kind in kinds]
        subgraphs = [self.subgraph(tensors, operators) for _ in range(file.subgraphs)]
        code_vector = self.vector(
            tflite.ModelStartOperatorCodesVector, code_tables, "PrependUOffsetTRelative"
        )
        graphs = self.vector(tflite.ModelStartSubgraphsVector, subgraphs, "PrependUOffsetTRelative")
        buffer_vector = self.vector(
            tflite.ModelStartBuffersVector, buffers, "PrependUOffsetTRelative"
        )
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, file.version)
        tflite.ModelAddOperatorCodes(b, code_vector)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddBuffers(b, buffer_vector)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())

    def buffer(self, data: bytes | None) -> int:
        b = self.b
        vector = None if data is None else b.CreateByteVector(data)
        tflite.BufferStart(b)
        if vector is not None:
            tflite.BufferAddData(b, vector)
        return tflite.BufferEnd(b)

    def tensor(self, tensor: Tensor, buffer: int) -> int:
        b = self.b
        name = b.CreateString(tensor.name)
        shape = self.vector(tflite.TensorStartShapeVector, tensor.shape, "PrependInt32")
        signature = None
        if tensor.signature is not None:
            signature = self.vector(
                tflite.TensorStartShapeSignatureVector, tensor.signature, "PrependInt32"
            )
        quantisation = self.quantisation(tensor) if len(tensor.scales) else None
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, _TYPES[tensor.dtype])
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, name)
        if quantisation is not None:
            tflite.TensorAddQuantization(b, quantisation)
        if signature is not None:
            tflite.TensorAddShapeSignature(b, signature)
        return tflite.TensorEnd(b)

    def quantisation(self, tensor: Tensor) -> int:
        b = self.b
        scales = self.vector(
            tflite.QuantizationParametersStartScaleVector, tensor.scales, "PrependFloat32"
        )
        zeros = self.vector(
            tflite.QuantizationParametersStartZeroPointVector, tensor.zero_points, "PrependInt64"
        )
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, zeros)
        tflite.QuantizationParametersAddQuantizedDimension(b, tensor.axis)
        return tflite.QuantizationParametersEnd(b)

    def operator(self, op: Operator, code: int) -> int:
        b = self.b
        inputs = self.vector(tflite.OperatorStartInputsVector, op.inputs, "PrependInt32")
        outputs = self.vector(tflite.OperatorStartOutputsVector, op.outputs, "PrependInt32")
        options = None
        if op.code == FULLY_CONNECTED:
            tflite.FullyConnectedOptionsStart(b)
            tflite.FullyConnectedOptionsAddFusedActivationFunction(b, op.activation)
            tflite.FullyConnectedOptionsAddWeightsFormat(b, op.weights_format)
            tflite.FullyConnectedOptionsAddKeepNumDims(b, op.keep_dims)
            options = tflite.FullyConnectedOptionsEnd(b)
        elif op.code == tflite.BuiltinOperator.SOFTMAX:
            tflite.SoftmaxOptionsStart(b)
            tflite.SoftmaxOptionsAddBeta(b, 1.0)
            options = tflite.SoftmaxOptionsEnd(b)
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, code)
        tflite.OperatorAddInputs(b, inputs)
        tflite.OperatorAddOutputs(b, outputs)
        if options is not None:
            kind = (
                tflite.BuiltinOptions.FullyConnectedOptions
                if op.code == FULLY_CONNECTED
                else tflite.BuiltinOptions.SoftmaxOptions
            )
            tflite.OperatorAddBuiltinOptionsType(b, kind)
            tflite.OperatorAddBuiltinOptions(b, options)
        return tflite.OperatorEnd(b)

    def code(self, code: int, custom: str) -> int:
        b = self.b
        name = b.CreateString(custom) if custom else None
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
        tflite.OperatorCodeAddBuiltinCode(b, code)
        tflite.OperatorCodeAddVersion(b, 4)
        if name is not None:
            tflite.OperatorCodeAddCustomCode(b, name)
        return tflite.OperatorCodeEnd(b)

    def subgraph(self, tensors: Sequence[int], operators: Sequence[int]) -> int:
        b, file = self.b, self.file
        t = self.vector(tflite.SubGraphStartTensorsVector, tensors, "PrependUOffsetTRelative")
        o = self.vector(tflite.SubGraphStartOperatorsVector, operators, "PrependUOffsetTRelative")
        inputs = self.vector(tflite.SubGraphStartInputsVector, file.inputs, "PrependInt32")
        last = len(file.tensors)
        outputs = [i % last for i in file.outputs]
        output_vector = self.vector(tflite.SubGraphStartOutputsVector, outputs, "PrependInt32")
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, t)
        tflite.SubGraphAddInputs(b, inputs)
        tflite.SubGraphAddOutputs(b, output_vector)
        tflite.SubGraphAddOperators(b, o)
        return tflite.SubGraphEnd(b)
