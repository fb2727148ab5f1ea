# SPDX-License-Identifier: Apache-2.0
"""Small files, and what LiteRT's reference kernels make of them."""

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tflite_writer import RELU, File, Tensor, fully_connected

from secondpass.boards import emulated_boards

RAM = 1 << 20


def one_board_a_core() -> list[str]:
    """Return the name of an emulated board with room for the anomaly detector for each core."""
    return list({board.core: board.id for board in reversed(emulated_boards(RAM))}.values())


def input_file(size: int, step: float = 0.05, zero_point: int = 3) -> File:
    """Return a file with an int8 input and no layer yet."""
    return File([Tensor("input", (1, size), "int8", None, [step], [zero_point], (-1, size))])


def small_file(
    widths: tuple[int, ...] = (12, 9, 3),
    per_row: bool = False,
    seed: int = 1,
    result_step: float = 0.3,
) -> File:
    """Return an int8 network with random weights; hidden layers are ReLU."""
    random = np.random.default_rng(seed)
    file, at = input_file(widths[0]), 0
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        last = index == len(widths) - 2
        at = fully_connected(
            file,
            at,
            random.integers(-127, 128, (outputs, inputs)).astype(np.int8),
            random.integers(-2000, 2000, outputs).astype(np.int32),
            random.uniform(0.002, 0.006, outputs if per_row else 1).tolist(),
            (result_step, 11 if last else -128),
            0 if last else RELU,
            f"net/dense_{index}",
        )
    return file


def float_file(widths: tuple[int, ...] = (12, 9, 3), seed: int = 1) -> File:
    """Return the like in float32."""
    random = np.random.default_rng(seed)
    file, at = File([Tensor("input", (1, widths[0]), "float32")]), 0
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weights = random.normal(size=(outputs, inputs)).astype(np.float32)
        bias = random.normal(size=outputs).astype(np.float32)
        activation = 0 if index == len(widths) - 2 else RELU
        at = fully_connected(
            file, at, weights, bias, activation=activation, name=f"net/dense_{index}"
        )
    return file


def saved(file: File, folder: Path) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(file.bytes())
    return path


def litert(data: bytes, samples: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return what the reference kernels put out (count, outputs)."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for sample in samples:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target["index"])[0].copy())
    return np.array(outputs)
