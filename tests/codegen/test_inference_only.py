# SPDX-License-Identifier: Apache-2.0
"""Inference-only builds: the same bits, no code and no RAM of learning."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from inference_app import build_app, infer_on_host, run_app
from rich.console import Console
from toy_networks import toy_network, toy_samples

from secondpass import commands, modelfile
from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.interface import read_weights
from secondpass.device.reference import NumpyDevice
from secondpass.device.twin import HostTwin
from secondpass.network import ACTIVATIONS, FORMATS, HEADS, SAMPLE_DTYPES, Network
from secondpass.quantise import choose_input, feature_mean, quantise, random_layers
from secondpass.rules import LastLayer, Pepita
from secondpass_codegen import generate, write
from secondpass_codegen.memory import plan

COUNT = 30
BOARDS = ["mps2-an385-m0plus", "mps2-an386"]
INFERS = {
    *("sp_model_infer", "sp_model_predicted", "sp_argmax"),
    *("sp_quantise_u8", "sp_pairs_a16", "sp_fc_a16w16", "sp_finish64"),
}
"""What a classifier of uint8 samples in a16w16 needs of model and library."""
BOARD = re.compile(r"sp_(fault|flash|ram|host|link|on_fault|port|sender|stack|uart)")
"""Names of board support and linker script."""


def saturating(network: Network) -> Network:
    """Return a network with biases that drive some results out of their range."""
    layers = []
    for index, layer in enumerate(network.layers):
        unit = 2.0 ** (network.in_frac(index) + layer.weight_frac)
        far = np.resize(np.array([0, 0, 2.5, -2.5, 0, 200, -200]), layer.bias.shape) * unit
        bias = np.clip(layer.bias + far, -(2**31), 2**31 - 1).astype(np.int32)
        layers.append(replace(layer, bias=bias))
    return replace(network, layers=tuple(layers))


def networks() -> dict[str, tuple[Network, npt.NDArray[Any]]]:
    """Every format with every head, activations spread over them, some with centred inputs."""
    made = {}
    for row, format in enumerate(FORMATS):
        for column, head in enumerate(HEADS):
            activation = ACTIVATIONS[(row + column) % len(ACTIVATIONS)]
            samples = np.random.default_rng(row).integers(0, 256, (COUNT, 63)).astype(np.uint8)
            spec = choose_input(63, step=1 / 256, format=format)
            if (row + column) % 2:
                spec = replace(spec, mean=tuple(feature_mean(spec, samples)))
            outputs = {"sigmoid": 1, "reconstruction": 63}.get(head, 9)
            layers = random_layers((63, 33, 17, outputs), 1, activation)
            network = quantise(layers, spec, samples, 2.0, 2.0, format, head)
            made[f"{format}-{head}-{activation}"] = saturating(network), samples
    return made


NETWORKS = networks()


def assert_same_on_host(network: Network, samples: npt.NDArray[Any], folder: Path) -> None:
    """Compare with NumPy, from working memory that holds anything."""
    write(network, None, folder)
    reference = NumpyDevice(network, Pepita())
    answers = infer_on_host(network, folder, samples)
    for sample, answer in zip(samples, answers, strict=True):
        expected = reference.infer(sample)
        assert answer.tolist() == [*expected.logits, expected.predicted]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_host_infers_the_same_bits(name: str, tmp_path: Path) -> None:
    assert_same_on_host(*NETWORKS[name], tmp_path)


@pytest.mark.parametrize("format", FORMATS)
def test_a_training_build_where_nothing_learns_counts_the_same(format: str) -> None:
    """It keeps no pre-activations either, but counts what was clamped."""
    rule = LastLayer(trainable=("none",) * 3)
    network, samples = next(made for name, made in NETWORKS.items() if f"{format}-soft" in name)
    outcomes = []
    for device in (HostTwin(network, rule), NumpyDevice(network, rule)):
        logits = [device.infer(sample).logits.tolist() for sample in samples]
        steps = list(device.train_stream(samples, np.zeros(COUNT, dtype=np.int64)))
        outcomes.append((logits, steps, device.statistics().counters))
    assert outcomes[0] == outcomes[1]
    assert all(layer.active_rows == 0 for layer in outcomes[0][2].layers)
    assert sum(layer.activation_saturations for layer in outcomes[0][2].layers) > 0


@pytest.mark.parametrize("dtype", SAMPLE_DTYPES)
def test_samples_of_every_type(dtype: str, tmp_path: Path) -> None:
    network = toy_network(21, 15, 5, dtype=dtype)
    assert_same_on_host(network, toy_samples(network, COUNT)[0], tmp_path)


def symbols(elf: Path) -> dict[str, int]:
    """Return the linked functions and variables, and their sizes."""
    with elf.open("rb") as stream:
        tables = [s for s in ELFFile(stream).iter_sections() if isinstance(s, SymbolTableSection)]
        return {symbol.name: int(symbol["st_size"]) for t in tables for symbol in t.iter_symbols()}


@pytest.mark.emulated
@pytest.mark.parametrize("board_id", BOARDS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_network_trained_elsewhere_infers_on_a_board(
    format: str, board_id: str, cross_tools: None, tmp_path: Path
) -> None:
    network, samples = NETWORKS[next(name for name in NETWORKS if f"{format}-softmax" in name)]
    rule, board = Pepita(learning_rate=0.1), load_board(board_id)
    device = NumpyDevice(network, rule)
    list(device.train_stream(samples, np.arange(COUNT) % network.classes))
    trained = network.with_weights(read_weights(device))
    modelfile.save(tmp_path / "trained.spn", trained, rule)
    loaded, _ = modelfile.load(tmp_path / "trained.spn")
    write(loaded, None, tmp_path / "inference")
    firmware = build_app(board, tmp_path / "inference")
    answers = run_app(firmware.elf, board, samples, network.outputs)
    for answer, sample in zip(answers, samples, strict=True):
        expected = device.infer(sample)
        assert answer[:-1].tolist() == expected.logits.tolist()
        assert answer[-1] == expected.predicted


@pytest.mark.emulated
@pytest.mark.parametrize("board_id", BOARDS)
def test_nothing_that_learns_is_linked(board_id: str, cross_tools: None, tmp_path: Path) -> None:
    """Neither code nor RAM; `pytest -s` shows both builds' sizes."""
    network, board = toy_network(784, 100, 10, dtype="uint8"), load_board(board_id)
    trainer = build_firmware(network, Pepita(), board, tmp_path / "trainer")
    write(network, None, tmp_path / "inference")
    firmware = build_app(board, tmp_path / "inference")
    for build_name, built in (("training", trainer), ("inference only", firmware)):
        print(f"{board_id}, {build_name}: flash {built.flash_bytes}, RAM {built.ram_bytes}")
    linked = symbols(firmware.elf)
    ours = {name for name in linked if name.startswith("sp_") and not BOARD.match(name)}
    assert ours == INFERS
    assert set(symbols(trainer.elf)) > INFERS
    assert linked["model"] == plan(network, None).total
    constants = 2 * 100 * 784 + 2 * 10 * 100 + 4 * 110
    assert constants < firmware.flash_bytes < trainer.flash_bytes
    assert firmware.ram_bytes < linked["model"] + network.input.sample_bytes + 600


def test_the_code_has_no_word_of_learning() -> None:
    files = generate(toy_network(21, 15, 9, 5), None)
    for word in ("train", "counters", "settings", "projection", "memcpy", "reset"):
        assert word not in files["model.c"] + files["model.h"], word


def test_a_saved_network_becomes_c_by_command(tmp_path: Path) -> None:
    network = toy_network(21, 15, 5)
    modelfile.save(tmp_path / "trained.spn", network, Pepita())
    for inference_only, rule in ((True, None), (False, Pepita())):
        out = tmp_path / f"out-{inference_only}"
        commands.regenerate(tmp_path / "trained.spn", out, inference_only, Console(quiet=True))
        written = {path.name: path.read_text() for path in out.iterdir()}
        assert written == generate(network, rule)
