# SPDX-License-Identifier: Apache-2.0
"""Weights learned on an emulated Cortex-M4 move to other cores and formats, Keras and C."""

from pathlib import Path

import numpy as np
import pytest
from inference_app import build_app, infer_on_host, run_app
from rich.console import Console
from trained_board import PATIENCE, PROBES, STEPS, Boot, Trained, accuracy, outputs

from secondpass import modelfile
from secondpass.boards import load_board
from secondpass.datasets import Dataset
from secondpass.device.interface import same_weights
from secondpass.device.reference import NumpyDevice
from secondpass.errors import DeviceError, NetworkError
from secondpass.moving import command, transfer
from secondpass.moving.convert import convert
from secondpass.presets import random_network

pytestmark = pytest.mark.emulated
OTHER_CORE = "mps2-an385-m0plus"
LOST = {"a16w16": 0.0, "a16w8": 0.015, "a8w8": 0.025}
"""Most accuracy that a format may cost on 359 digits (measured: 0, 0 and 0.008)."""


def weights_of(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    network, _ = modelfile.load(path)
    return [(layer.weights, layer.bias) for layer in network.layers]


def test_a_pulled_file_is_what_the_board_learned(trained: Trained, digits: Dataset) -> None:
    assert trained.accuracy > 0.85
    assert same_weights(weights_of(trained.path), trained.weights)
    assert not same_weights(weights_of(trained.model), trained.weights)
    model, rule = modelfile.load(trained.model)
    network, pulled_rule, origin = modelfile.load_with_origin(trained.path)
    assert (network.describe(), pulled_rule) == (model.describe(), rule)
    assert origin == modelfile.Origin(
        model.hash_with(rule.describe()), "mps2-an386", "cortex-m4", STEPS
    )
    reference = NumpyDevice(network, rule)
    for sample, expected in zip(digits.test_samples, trained.outputs, strict=False):
        assert reference.infer(sample).logits.tolist() == expected


@pytest.mark.parametrize("format", LOST)
def test_another_core_and_format(
    format: str, trained: Trained, boot: Boot, models: dict[str, Path], digits: Dataset
) -> None:
    """`pytest -s` shows the accuracy."""
    with boot(models[format], OTHER_CORE) as port:
        device, rule = transfer.open_device(port, models[format], PATIENCE)
        try:
            before = accuracy(device, digits)
            pushed = transfer.push(device, rule, trained.network)
            after, logits = accuracy(device, digits), outputs(device, digits)
            counters = device.statistics().counters
        finally:
            device.close()
    print(f"{format}: {100 * trained.accuracy:.2f} % moved to {100 * after:.2f} %")
    assert before < 0.4
    assert after >= trained.accuracy - LOST[format]
    assert counters.step == 0
    target, _ = modelfile.load(models[format])
    moved = [(x.weights.values, x.bias.values) for x in convert(trained.network, target)]
    expected = NumpyDevice(target.with_weights(moved), rule)
    assert logits == [
        expected.infer(sample).logits.tolist() for sample in digits.test_samples[:PROBES]
    ]
    if format == "a16w16":
        assert logits == trained.outputs
        assert same_weights(moved, trained.weights)
        assert modelfile.fingerprint(pushed.network) == modelfile.fingerprint(trained.network)
        assert after == trained.accuracy


def test_the_header_infers_on_host_and_board(
    trained: Trained, digits: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "inference"
    command.export(trained.path, None, out, None, None, Console(quiet=True))
    samples = digits.test_samples[:PROBES]
    board = load_board(OTHER_CORE)
    app = build_app(board, out)
    on_board = run_app(app.elf, board, samples, 10)
    on_host = infer_on_host(trained.network, out, samples)
    assert on_host[:, :-1].tolist() == on_board[:, :-1].tolist() == trained.outputs
    assert on_host[:, -1].tolist() == on_board[:, -1].tolist()
    assert (on_board[:, -1] == digits.test_labels[:PROBES]).mean() > 0.8


@pytest.mark.tensorflow
def test_keras_predicts_as_the_board(trained: Trained, digits: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from secondpass.moving.export import agreement, write_keras

    write_keras(trained.network, tmp_path / "out.keras")
    held_out = digits.test_samples, digits.test_labels
    found = agreement(trained.network, trained.rule, tmp_path / "out.keras", *held_out)
    assert found.integers == round(trained.accuracy * found.samples)
    assert found.samples - found.same <= 1
    assert abs(found.keras - found.integers) <= 1
    assert found.distance < 0.005


def test_a_refused_push_changes_nothing(trained: Trained, digits: Dataset) -> None:
    wider = random_network(digits, (33,), 3)
    device, rule = transfer.open_device(trained.port, trained.path, PATIENCE)
    try:
        with pytest.raises(NetworkError, match=r"layer 0 \('fc1'\).*\(33, 64\).*\(32, 64\)"):
            transfer.push(device, rule, wider)
        assert outputs(device, digits) == trained.outputs
    finally:
        device.close()


def test_another_model_on_the_board(trained: Trained, models: dict[str, Path]) -> None:
    with pytest.raises(DeviceError) as refused:
        transfer.open_device(trained.port, models["a16w8"])
    network, rule = modelfile.load(models["a16w8"])
    assert f"{trained.origin.model_hash:016x}" in str(refused.value)
    assert f"{network.hash_with(rule.describe()):016x}" in str(refused.value)
