# SPDX-License-Identifier: Apache-2.0
"""Files that cannot be imported: one line that says what is wrong with all of them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tflite
from networks import float_file, saved, small_file
from tflite_writer import RELU6, File, Operator, Tensor, fully_connected

from secondpass.affine import AffineNetwork
from secondpass.errors import NetworkError
from secondpass.tflite import FloatModel, load

OPS = tflite.BuiltinOperator


def without(file: File, index: int, **changes: object) -> File:
    file.tensors[index] = replace(file.tensors[index], **changes)
    return file


def append(file: File, code: int, custom: str = "", name: str = "net/extra/out") -> File:
    """Append an operator that keeps the shape."""
    last = file.tensors[file.outputs[0]]
    added = file.add(replace(last, name=name))
    file.operators.append(Operator(code, [file.outputs[0]], [added], custom=custom))
    file.outputs = [added]
    return file


def branching() -> File:
    """The second layer reads the input too."""
    file = small_file((9, 9, 3))
    file.operators[1].inputs = [0, *file.operators[1].inputs[1:]]
    return file


def shuffled() -> File:
    file = small_file()
    file.operators[0].weights_format = 1
    return file


def tanh() -> File:
    file = small_file()
    file.operators[0].activation = tflite.ActivationFunctionType.TANH
    return file


def hybrid() -> File:
    """Dynamic range quantisation: int8 weights, float activations."""
    file = float_file()
    return without(file, 1, values=np.ones((9, 12), np.int8), dtype="int8", scales=[0.1])


def dynamic() -> File:
    return without(small_file(), 0, signature=(-1, -1))


def wide_bias() -> File:
    bias = np.zeros(9, np.int64)
    return without(small_file(), 2, values=bias, dtype="int64")


def no_layers() -> File:
    return append(File([Tensor("input", (1, 3), "float32")], outputs=[0]), OPS.SOFTMAX)


def softmax_inside() -> File:
    file = append(float_file((4, 4)), OPS.SOFTMAX)
    fully_connected(file, file.outputs[0], np.eye(4, dtype=np.float32), None)
    return file


def two_inputs() -> File:
    file = small_file()
    file.inputs = [0, file.add(Tensor("other", (1, 3)))]
    return file


BROKEN: dict[str, tuple[Callable[[], File], str]] = {
    "version": (lambda: replace(small_file(), version=2), "version 2 of the .tflite format"),
    "graphs": (lambda: replace(small_file(), subgraphs=2), "has 2 graphs"),
    "inputs": (two_inputs, "has 2 inputs and 1 outputs"),
    "branch": (branching, r"no chain: FULLY_CONNECTED \(layer 'dense_1'\)"),
    "dynamic": (dynamic, r"'input' has the dynamic shape \(-1, -1\)"),
    "unscaled input": (lambda: without(small_file(), 0, scales=[]), "whose input has no scales"),
    "unscaled weights": (
        lambda: without(small_file(), 1, scales=[]),
        r"weights have no scales \(layer 'dense_0'\)",
    ),
    "unscaled output": (lambda: without(small_file(), 3, scales=[]), "output has no scales"),
    "scales of columns": (
        lambda: without(small_file((9, 9, 3), True), 1, axis=1),
        "weights have 9 scales",
    ),
    "zero point": (lambda: without(small_file(), 1, zero_points=[4]), "weights have a zero point"),
    "zero scale": (lambda: without(small_file(), 1, scales=[0.0]), "dense_0: a weight scale is"),
    "wide bias": (wide_bias, "bias of INT64"),
    "shuffled": (shuffled, "shuffled weights"),
    "tanh": (tanh, r"activation TANH \(layer 'dense_0'\)"),
    "hybrid": (hybrid, "FLOAT32 with INT8 weights to FLOAT32"),
    "none": (no_layers, "no fully connected layer"),
    "softmax inside": (softmax_inside, "SOFTMAX .* is followed by FULLY_CONNECTED"),
    "damaged": (
        lambda: without(small_file(), 1, values=np.ones((9, 11), np.int8)),
        r"damaged: tensor 'net/dense_0/MatMul' has 99 bytes",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_cannot_be_imported(name: str, tmp_path: Path) -> None:
    make, reason = BROKEN[name]
    with pytest.raises(NetworkError, match=reason) as raised:
        load(saved(make(), tmp_path))
    assert "\n" not in str(raised.value)


def test_every_unsupported_operator_is_named(tmp_path: Path) -> None:
    file = append(tanh(), OPS.CONV_2D, name="net/conv/Relu;net/conv/BiasAdd")
    file = append(file, OPS.CUSTOM, "MyOwn", "net/mine")
    file = append(file, 150, name="net/scatter")  # a code beyond the old field of one byte
    with pytest.raises(NetworkError) as raised:
        load(saved(file, tmp_path))
    for part in (
        "FULLY_CONNECTED with the activation TANH (layer 'dense_0')",
        "CONV_2D (layer 'conv')",
        "CUSTOM MyOwn (layer 'mine')",
        "(layer 'scatter')",
    ):
        assert part in str(raised.value)


def test_a_convolutional_network_names_its_operators(models: Path) -> None:
    with pytest.raises(NetworkError) as raised:
        load(models / "kws_ref_model.tflite")
    text = str(raised.value)
    assert text.count("CONV_2D (layer") == 9  # five of them depthwise or not: all named
    assert text.count("DEPTHWISE_CONV_2D (layer") == 4
    assert "AVERAGE_POOL_2D (layer" in text
    assert "\n" not in text


def test_what_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    with pytest.raises(NetworkError, match="No such file"):
        load(path)
    for content in (b"", b"text", b"PK\3\4" * 20):
        path.write_bytes(content)
        with pytest.raises(NetworkError, match=r"is not a \.tflite file"):
            load(path)


def test_damage_anywhere_is_an_error_or_no_harm(tmp_path: Path) -> None:
    """Cut at every place, and with bytes turned over: never anything but `NetworkError`."""
    whole = small_file((4, 3, 2)).bytes()
    random = np.random.default_rng(1)
    path = tmp_path / "model.tflite"
    refused = 0
    damaged = [whole[:length] for length in range(0, len(whole), 7)]
    for _ in range(400):
        changed = bytearray(whole)
        for at in random.integers(8, len(whole), 3):
            changed[at] ^= int(random.integers(1, 256))
        damaged.append(bytes(changed))
    for content in damaged:
        path.write_bytes(content)
        with suppress(NetworkError):
            load(path)
            continue
        refused += 1
    assert refused > len(damaged) // 2


def test_ends_leave_no_trace(tmp_path: Path) -> None:
    """Float samples quantised at the input, a softmax and floats at the output."""
    inner = small_file((8, 6, 3))
    file = append(inner, OPS.SOFTMAX)
    out = file.add(Tensor("probabilities", (1, 3), "float32"))
    file.operators.append(Operator(OPS.DEQUANTIZE, [file.outputs[0]], [out]))
    source = file.add(Tensor("real", (1, 8), "float32"))
    file.operators.insert(0, Operator(OPS.QUANTIZE, [source], [0]))
    file.inputs, file.outputs = [source], [out]
    network = load(saved(file, tmp_path))
    assert isinstance(network, AffineNetwork)
    assert (network.shape, network.head) == ("8-6-3", "softmax")
    assert [layer.name for layer in network.layers] == ["dense_0", "dense_1"]


def test_heads(tmp_path: Path) -> None:
    assert load(saved(small_file((7, 4, 7)), tmp_path)).head == "reconstruction"
    assert load(saved(small_file((7, 4, 3)), tmp_path)).head == "softmax"
    assert load(saved(append(small_file((7, 4, 1)), OPS.LOGISTIC), tmp_path)).head == "sigmoid"
    assert load(saved(small_file((7, 4, 3)), tmp_path), "mse").head == "mse"
    with pytest.raises(NetworkError, match="needs as many outputs"):
        load(saved(small_file((7, 4, 3)), tmp_path), "reconstruction")
    with pytest.raises(NetworkError, match="head is 'best'"):
        load(saved(small_file(), tmp_path), "best")


def test_float_models_with_a_clamp_are_refused(tmp_path: Path) -> None:
    file = float_file()
    assert isinstance(load(saved(file, tmp_path)), FloatModel)
    file.operators[0].activation = RELU6
    with pytest.raises(NetworkError, match=r"activation RELU6 \(layer 'dense_0'\)"):
        load(saved(file, tmp_path))
