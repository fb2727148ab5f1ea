# SPDX-License-Identifier: Apache-2.0
"""What is in a `.tflite` file, as plain data; nothing is interpreted yet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import NetworkError, ToolMissingError

SCHEMA_VERSION = 3
_IDENTIFIER = b"TFL3"
_LARGEST = 256 * 2**20
_DTYPES: dict[str, type[np.generic]] = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor. `values` None: it is computed; `scales` empty: it is not quantised.

    `signature` has -1 where a length is not fixed.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    values: npt.NDArray[Any] | None
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class Operator:
    """An operator on tensors by index (-1: none); `activation` and the rest: fully connected."""

    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation: str = "NONE"
    plain_weights: bool = True


@dataclass(frozen=True)
class Graph:
    """The one graph of a file."""

    source: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(path: Path) -> Graph:
    """Read a file; raises `NetworkError` when it is none, is damaged or of another version."""
    try:
        import tflite
    except ImportError:
        raise ToolMissingError(
            "reading .tflite files needs the packages tflite and flatbuffers: "
            "pip install 'secondpass[tflite]'"
        ) from None
    data = _bytes(path)
    try:
        model = tflite.Model.GetRootAs(data)
        version, subgraphs = model.Version(), model.SubgraphsLength()
    except Exception as error:
        raise _damaged(path, error) from error
    if version != SCHEMA_VERSION:
        raise NetworkError(
            f"{path} has version {version} of the .tflite format; version {SCHEMA_VERSION} is "
            "read: convert the model again"
        )
    if subgraphs != 1:
        raise NetworkError(f"{path} has {subgraphs} graphs; a model with one graph can be imported")
    try:
        return _graph(path, model, tflite)
    except NetworkError:
        raise
    except Exception as error:  # a damaged offset leads anywhere
        raise _damaged(path, error) from error


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise NetworkError(f"{path} has {size} bytes; at most {_LARGEST} are read")
        data = path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{path} cannot be read ({error.strerror})") from None
    if data[4:8] != _IDENTIFIER:
        raise NetworkError(f"{path} is not a .tflite file: it has no mark TFL3")
    return data


def _damaged(path: Path, error: Exception) -> NetworkError:
    return NetworkError(f"{path} is damaged ({type(error).__name__}: {error})")


def _graph(path: Path, model: Any, tflite: Any) -> Graph:
    graph = model.Subgraphs(0)
    names = {
        what: {value: name for name, value in vars(getattr(tflite, what)).items() if name[0] != "_"}
        for what in ("TensorType", "BuiltinOperator", "ActivationFunctionType")
    }
    tensors = tuple(
        _tensor(path, model, graph.Tensors(i), names["TensorType"])
        for i in range(graph.TensorsLength())
    )
    operators = tuple(
        _operator(model, graph.Operators(i), names, tflite) for i in range(graph.OperatorsLength())
    )
    inputs, outputs = _ints(graph.InputsAsNumpy()), _ints(graph.OutputsAsNumpy())
    used = [*inputs, *outputs, *(i for op in operators for i in (*op.inputs, *op.outputs))]
    if any(not -1 <= index < len(tensors) for index in used):
        raise NetworkError(f"{path} is damaged: an operator names a tensor that is not there")
    return Graph(str(path), tensors, operators, inputs, outputs)


def _ints(values: Any) -> tuple[int, ...]:
    """Return a vector of the file; one that is absent reads as 0."""
    return () if isinstance(values, int) else tuple(int(v) for v in values)


def _tensor(path: Path, model: Any, tensor: Any, types: dict[int, str]) -> Tensor:
    name = (tensor.Name() or b"").decode("utf-8", "replace")
    dtype = types.get(tensor.Type(), f"type {tensor.Type()}")
    shape = _ints(tensor.ShapeAsNumpy())
    quantisation = tensor.Quantization()
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis = 0
    if quantisation is not None and quantisation.ScaleLength():
        scales = tuple(float(v) for v in quantisation.ScaleAsNumpy())
        zero_points = _ints(quantisation.ZeroPointAsNumpy()) or (0,) * len(scales)
        axis = quantisation.QuantizedDimension()
    buffer = model.Buffers(tensor.Buffer())
    values = None
    if buffer.DataLength() and dtype in _DTYPES:
        raw = np.asarray(buffer.DataAsNumpy(), dtype=np.uint8).tobytes()
        kind = np.dtype(_DTYPES[dtype]).newbyteorder("<")
        if len(raw) != kind.itemsize * int(np.prod(shape, dtype=np.int64)):
            raise NetworkError(
                f"{path} is damaged: tensor {name!r} has {len(raw)} bytes for {shape} {dtype}"
            )
        values = np.frombuffer(raw, dtype=kind).astype(_DTYPES[dtype]).reshape(shape)
    signature = _ints(tensor.ShapeSignatureAsNumpy()) or shape
    return Tensor(name, dtype, shape, signature, values, scales, zero_points, axis)


def _operator(model: Any, operator: Any, names: dict[str, dict[int, str]], tflite: Any) -> Operator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = names["BuiltinOperator"].get(number, f"operator {number}")
    if name == "CUSTOM":
        name = f"CUSTOM {(code.CustomCode() or b'').decode('utf-8', 'replace')}"
    inputs, outputs = _ints(operator.InputsAsNumpy()), _ints(operator.OutputsAsNumpy())
    table = operator.BuiltinOptions()
    if name != "FULLY_CONNECTED" or table is None:
        return Operator(name, inputs, outputs)
    options = tflite.FullyConnectedOptions()
    options.Init(table.Bytes, table.Pos)
    number = options.FusedActivationFunction()
    activation = names["ActivationFunctionType"].get(number, f"activation {number}")
    return Operator(name, inputs, outputs, activation, options.WeightsFormat() == 0)
