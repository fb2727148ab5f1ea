# SPDX-License-Identifier: Apache-2.0
"""Imported int8 networks give the bits of LiteRT's reference kernels, everywhere."""

from pathlib import Path

import numpy as np
import pytest
from networks import input_file, litert, one_board_a_core, saved, small_file
from tflite_writer import RELU, RELU6, RELU_N1_TO_1, fully_connected

from secondpass.affine import AffineNetwork
from secondpass.boards import load_board
from secondpass.device.emulator import emulated_device
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import RefusedError, Status, Verb
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import TwinTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import NetworkError
from secondpass.rules import NoRule, Pepita
from secondpass.tflite import load, output_values, reconstruction_error
from secondpass_codegen import generate

ROWS = 900
DEVICE_SAMPLES = 6


def loaded(path: Path, head: str | None = None) -> AffineNetwork:
    network = load(path, head)
    assert isinstance(network, AffineNetwork)
    return network


def beside_halves(seed: int, per_row: bool, nice: bool, activation: int):
    """Return a one-layer file whose accumulators are where a step of its output begins.

    `nice`: scales whose ratio is a short decimal, so that doubles meet halves by rounding.
    """
    random = np.random.default_rng(seed)
    rows = ROWS if per_row else 1
    if nice:
        step, weight_steps = float(random.integers(1, 12)), random.integers(1, 12, rows)
        output = float(random.integers(1, 1 << int(random.integers(2, 12))))
    else:
        step, weight_steps = random.uniform(0.01, 1), random.uniform(0.001, 0.2, rows)
        output = 2.0 ** random.uniform(-2, 8)
    step, output = (float(np.float32(value)) for value in (step, output))
    weight_steps = weight_steps.astype(np.float32).astype(float)
    zero_point = int(random.integers(-128, 128))
    x = random.integers(-128, 128, (1, 3)).astype(np.int8)
    weights = random.integers(-127, 128, (ROWS, 3)).astype(np.int8)
    factors = np.broadcast_to(step * weight_steps / output, (ROWS,))
    halves = random.integers(-128, 128, ROWS) - zero_point + 0.5
    wanted = np.rint(halves / factors) + random.integers(-1, 2, ROWS)
    sums = (x.astype(np.int64) - 5) @ weights.T.astype(np.int64)
    bias = np.clip(wanted - sums[0], -(2**31) + 10**6, 2**31 - 10**6).astype(np.int32)
    file = input_file(3, step, 5)
    result = (output, zero_point)
    fully_connected(file, 0, weights, bias, weight_steps.tolist(), result, activation)
    return file, x, factors * (sums[0] + bias) % 1


@pytest.mark.parametrize("activation", [0, RELU, RELU6, RELU_N1_TO_1])
@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("nice", [False, True])
def test_rounding_and_clamps(nice: bool, per_row: bool, activation: int, tmp_path: Path) -> None:
    halves = 0
    for seed in range(12):
        file, x, rest = beside_halves(seed, per_row, nice, activation)
        network = loaded(saved(file, tmp_path))
        halves += np.count_nonzero(rest == 0.5)
        expected = litert(file.bytes(), x)
        got = NumpyDevice(network, NoRule()).infer(x[0]).logits
        np.testing.assert_array_equal(got, expected[0])
    assert halves > 100 or not nice


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("widths", [(5, 1), (3, 2, 4), (33, 70, 5, 33)])
def test_networks(widths: tuple[int, ...], per_row: bool, tmp_path: Path) -> None:
    """NumPy, the twin and the twin behind the firmware's link, counters included."""
    file = small_file(widths, per_row)
    network = loaded(saved(file, tmp_path))
    x = np.random.default_rng(2).integers(-128, 128, (20, widths[0])).astype(np.int8)
    expected = litert(file.bytes(), x)
    reference = NumpyDevice(network, NoRule())
    link = LinkDevice(TwinTransport(network, NoRule()), network, NoRule())
    devices = (reference, HostTwin(network, NoRule()), link)
    for device in devices:
        got = [device.infer(sample).logits for sample in x]
        np.testing.assert_array_equal(got, expected)
    counters = [device.statistics().counters for device in devices]
    assert counters[0] == counters[1] == counters[2]


@pytest.mark.parametrize("head", ["softmax", "sigmoid", "mse", "reconstruction"])
def test_evaluation(head: str, tmp_path: Path) -> None:
    widths = (6, 8, {"sigmoid": 1, "reconstruction": 6}.get(head, 3))
    network = loaded(saved(small_file(widths), tmp_path), head)
    x = np.random.default_rng(2).integers(-128, 128, (30, 6)).astype(np.int8)
    devices = [NumpyDevice(network, NoRule()), HostTwin(network, NoRule())]
    real = network.output.decode([devices[0].infer(sample).logits for sample in x])
    if head in ("softmax", "sigmoid"):
        predicted = real.argmax(axis=1) if head == "softmax" else real[:, 0] > 0
        labels = np.where(np.arange(30) % 3, predicted, 0).astype(np.int64)
        expected = np.count_nonzero(predicted == labels)
        assert expected > 0
        assert len(set(predicted)) > 1
        assert [device.evaluate(x, labels) for device in devices] == [expected] * 2
        return
    wanted = network.input.decode(x) if head == "reconstruction" else real + 1.7
    targets = None if head == "reconstruction" else network.encode_targets(wanted)
    expected = ((real - wanted) ** 2).mean(axis=1)
    for device in devices:
        scores = device.scores(x, targets)
        np.testing.assert_allclose(scores, expected, rtol=0.01)
    np.testing.assert_array_equal(scores, devices[0].scores(x, targets))


def test_anomaly_detector(models: Path, clip: np.ndarray) -> None:
    path = models / "ad01_int8.tflite"
    network = loaded(path)
    raw = network.input.encode(clip)
    expected = litert(path.read_bytes(), raw)
    assert expected.shape == (196, 640)
    np.testing.assert_array_equal(output_values(network, clip), network.output.decode(expected))
    twin = HostTwin(network, NoRule())
    np.testing.assert_array_equal([twin.infer(x).logits for x in raw], expected)
    scores = twin.scores(raw)
    np.testing.assert_array_equal(scores[:3], NumpyDevice(network, NoRule()).scores(raw[:3]))
    real = network.output.decode(expected)
    np.testing.assert_allclose(
        scores.mean(), np.mean((real - network.input.decode(raw)) ** 2), 1e-3
    )
    assert reconstruction_error(real, clip) == pytest.approx(10.2652, abs=1e-4)


@pytest.mark.emulated
@pytest.mark.parametrize("board", one_board_a_core())
def test_anomaly_detector_on_a_board(
    board: str, cross_tools: None, models: Path, clip: np.ndarray
) -> None:
    """Over the UART: inference, evaluation, weights; what learns is refused by the device too."""
    path = models / "ad01_int8.tflite"
    network = loaded(path)
    raw = network.input.encode(clip)[:: len(clip) // DEVICE_SAMPLES]
    with emulated_device(network, NoRule(), board, patience=60) as device:
        assert device.info.core == load_board(board).core
        got = [device.infer(x).logits for x in raw]
        np.testing.assert_array_equal(got, litert(path.read_bytes(), raw))
        twin = HostTwin(network, NoRule())
        np.testing.assert_array_equal(device.scores(raw), twin.scores(raw))
        for x in raw:
            twin.infer(x)
        assert device.statistics().counters == twin.statistics().counters
        np.testing.assert_array_equal(device.read_tensor(4, 0), network.layers[4].weights)
        np.testing.assert_array_equal(device.read_tensor(4, 1), twin.read_tensor(4, 1))
        for verb in (Verb.TRAIN, Verb.CONFIGURE, Verb.SAVE, Verb.LOAD):
            with pytest.raises(RefusedError) as refused:
                device._call(verb, b"")
            assert refused.value.status is Status.INFERS


def test_what_learns_is_refused(tmp_path: Path) -> None:
    network = loaded(saved(small_file(), tmp_path))
    x = np.zeros((1, 12), dtype=np.int8)
    link = LinkDevice(TwinTransport(network, NoRule()), network, NoRule())
    for device in (NumpyDevice(network, NoRule()), HostTwin(network, NoRule()), link):
        with pytest.raises(NetworkError, match="frozen int8"):
            device.train(x[0], 0)
        with pytest.raises(NetworkError, match="frozen int8"):
            list(device.train_stream(x, [0]))
        for kind, values in ((0, network.layers[0].weights), (1, network.layers[0].bias)):
            with pytest.raises(RefusedError, match="frozen int8"):
                device.write_tensor(0, kind, values)
    with pytest.raises(RefusedError, match=r"infers and does not learn \(error 20\)"):
        link._call(Verb.TRAIN, b"")
    with pytest.raises(NetworkError, match="frozen int8"):
        generate(network, Pepita())
