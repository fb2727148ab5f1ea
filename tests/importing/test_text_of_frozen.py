# SPDX-License-Identifier: Apache-2.0
"""Frozen int8 networks answer the text protocol as other networks do; they refuse to learn."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from networks import saved, small_file

from secondpass.affine import AffineNetwork
from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.link import LinkDevice
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport
from secondpass.integer import kernels
from secondpass.integer.heads import probabilities
from secondpass.rules import NoRule
from secondpass.tflite import load

sys.path.append(str(Path(__file__).resolve().parents[1] / "text"))

from tiny_client import TinyDevice

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]


@contextmanager
def scored(network: AffineNetwork, folder: Path) -> Iterator[tuple[Emulator, TinyDevice]]:
    """Yield an emulated board with the default firmware of a network, and its text client."""
    board = load_board("mps2-an386")
    elf = build_firmware(network, NoRule(), board, folder / "build").elf
    with Emulator(board, elf) as running, TinyDevice(running.port) as client:
        client.connect()
        yield running, client


def imported(folder: Path, widths: tuple[int, ...], head: str, step: float = 0.3) -> AffineNetwork:
    network = load(saved(small_file(widths, result_step=step), folder), head)
    assert isinstance(network, AffineNetwork)
    return network


def scaled(network: AffineNetwork, sample: np.ndarray) -> np.ndarray:
    """Return the outputs as docs/affine.md scales them."""
    outputs = NumpyDevice(network, NoRule()).infer(sample).logits
    return kernels.quantise(outputs, network.output.zero_point, network.output_scale)[0]


def test_windows_of_the_anomaly_detector(models: Path, clip: np.ndarray, tmp_path: Path) -> None:
    """float32 on the wire, as hosts of ad01 send them."""
    network = load(models / "ad01_int8.tflite")
    assert isinstance(network, AffineNetwork)
    windows = clip[::40].astype("<f4")
    expected = NumpyDevice(network, NoRule()).scores(network.input.encode(windows))
    with scored(network, tmp_path) as (_, client):
        assert client.profile()[1] == "ad01"
        assert any("2560 bytes" in line for line in client.command("help"))
        got = []
        for window in windows:
            client.load(window.tobytes())
            assert client.stored() == window.tobytes()
            got += client.infer(2, 1).results
    assert got == [float(f"{score:.3f}") for score in expected]
    assert len(set(got)) == len(windows)


@pytest.mark.parametrize("step", [0.3, 0.01, 200.0])
def test_keywords(step: float, tmp_path: Path) -> None:
    network = imported(tmp_path, (490, 16, 12), "softmax", step)
    samples = np.random.default_rng(5).integers(-128, 128, (6, 490)).astype(np.int8)
    with scored(network, tmp_path) as (running, client):
        assert client.profile()[1] == "kws01"
        for sample in samples:
            client.load(sample.tobytes())
            got = client.infer().results
            q15 = probabilities(scaled(network, sample), network.output_frac)
            assert got == [int(p) * 1000 // 2**15 / 1000 for p in q15.clip(0, 2**15 - 1)]
            logits = network.output.decode(NumpyDevice(network, NoRule()).infer(sample).logits)
            real = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            np.testing.assert_allclose(got, real, atol=0.002)
        frozen = "e-[This model is frozen: it infers and does not learn]"
        for command in ("train", "train 3", "train 0"):
            assert client.command(command) == [frozen]
        assert client.command("label 3") == ["e-[This model takes no label]"]
        for verb in ("save", "load"):
            assert client.command(verb) == [f"e-[Command '{verb}' failed with status 13]"]
        assert client.command("reset") == ["m-reset-done"]
        assert "m-stats-trained-0" in client.command("stats")
        assert client.infer().results == got
        device = LinkDevice(SerialTransport(running.port), network, NoRule(), 30.0)
        try:
            assert device.infer(samples[0]).logits.tolist() == (
                NumpyDevice(network, NoRule()).infer(samples[0]).logits.tolist()
            )
        finally:
            device.close()


def test_two_classes_of_one_output(tmp_path: Path) -> None:
    network = imported(tmp_path, (12, 9, 1), "sigmoid", 0.05)
    sample = np.random.default_rng(1).integers(-128, 128, 12).astype(np.int8)
    both = np.array([0, scaled(network, sample)[0]], np.int16)
    wanted = probabilities(both, network.output_frac).clip(0, 2**15 - 1)
    with scored(network, tmp_path) as (_, client):
        client.load(sample.tobytes())
        assert client.infer().results == [float(f"{p / 2**15:.3f}") for p in wanted]


@pytest.mark.parametrize("step", [0.3, 1000.0])
def test_regression(step: float, tmp_path: Path) -> None:
    """With a step of 1000 outputs have fewer than no fractional bits."""
    network = imported(tmp_path, (12, 9, 3), "mse", step)
    assert (network.output_frac < 0) == (step > 64)
    sample = np.random.default_rng(1).integers(-128, 128, 12).astype(np.int8)
    wanted = scaled(network, sample) / 2.0**network.output_frac
    assert wanted.any()
    with scored(network, tmp_path) as (_, client):
        client.load(sample.tobytes())
        assert client.infer().results == [float(f"{value:.3f}") for value in wanted]
