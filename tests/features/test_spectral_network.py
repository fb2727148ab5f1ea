# SPDX-License-Identifier: Apache-2.0
"""Networks that make their features themselves: every back end, files, memory, refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secondpass import modelfile
from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.hostbuild import build_module
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.device.reference import NumpyDevice
from secondpass.device.text import TextProfile
from secondpass.device.transport import TwinTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import NetworkError
from secondpass.features.spectrum import STEP, ZERO, Spectrum
from secondpass.moving.convert import convert
from secondpass.moving.export import keras_model
from secondpass.network import FORMATS, Input
from secondpass.plan.activity import watch_inference, watch_training
from secondpass.plan.planner import Planner
from secondpass.quantise import choose_input, feature_mean, quantise, random_layers
from secondpass.rules import Backprop, Ftp, Pepita, Rule
from secondpass.spectral import SpectralNetwork, with_front
from secondpass_codegen import generate, write
from secondpass_codegen.memory import plan

SHAPE = Spectrum(40, 3, 3, 6, 1 / 2048)
RULES: list[Rule] = [Pepita(learning_rate=0.005, projection_scale=0.05), Backprop(), Ftp()]
HEADS = {"softmax": 4, "sigmoid": 1, "mse": 3, "reconstruction": SHAPE.size}


def windows(count: int, seed: int = 1) -> np.ndarray:
    """Return windows that differ in loudness, by axis and as a whole; the last is silent."""
    random = np.random.default_rng(seed)
    loud = np.exp(random.normal(4, 1, (count, 1, 3)))
    raw = random.normal(0, 1, (count, SHAPE.window, SHAPE.axes)) * loud + [0, 500, 2048]
    raw[-1] = 7
    return np.clip(np.rint(raw), -(2**15), 2**15 - 1).astype(np.int16).reshape(count, -1)


def spectral(head: str = "softmax", format: str = "a16w16", centre: bool = False):
    """Return a network with random weights on features of `windows`."""
    samples = windows(60)
    front = SHAPE.fitted(samples)
    features = front.features(samples)
    spec = choose_input(front.size, "uint8", ZERO, STEP, format=format)
    if centre:
        spec = replace(spec, mean=tuple(feature_mean(spec, features)))
    layers = random_layers((front.size, 11, HEADS[head]), 2, "tanh")
    return with_front(quantise(layers, spec, features, format=format, head=head), front)


def targets_of(network: SpectralNetwork, count: int) -> np.ndarray:
    random = np.random.default_rng(4)
    if network.target_size:
        return network.encode_targets(random.normal(0, 0.5, (count, network.target_size)))
    return random.integers(0, network.classes, count)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("format", FORMATS)
def test_the_twin_is_the_reference(format: str, head: str, rule: Rule) -> None:
    network = spectral(head, format, centre=rule.name == "ftp")
    raw, targets = windows(40, 8), targets_of(network, 40)
    devices = HostTwin(network, rule), NumpyDevice(network, rule)
    streams = [list(device.train_stream(raw, targets)) for device in devices]
    seen = [[(s.predicted, s.score, s.saturations) for s in stream] for stream in streams]
    assert seen[0] == seen[1]
    assert same_weights(*(read_weights(device) for device in devices))
    assert not same_weights(read_weights(devices[0]), read_weights(HostTwin(network, rule)))
    counters = [device.statistics().counters for device in devices]
    assert counters[0] == counters[1]
    assert counters[0].input_saturations > 0, "the silent window is below every scale"


def test_it_learns_what_the_network_on_features_learns() -> None:
    """Weights and scores, not saturations: on the host nobody counts features that were clamped."""
    network, rule = spectral("reconstruction"), Backprop()
    raw = windows(50, 3)
    inside, outside = HostTwin(network, rule), HostTwin(network.upper, rule)
    labels = np.zeros(50, np.int64)
    inside.train_all(raw, labels)
    outside.train_all(network.front.features(raw), labels)
    assert same_weights(read_weights(inside), read_weights(outside))
    assert np.array_equal(inside.scores(raw), outside.scores(network.front.features(raw)))


def test_over_the_link_a_sample_is_a_window() -> None:
    network, rule = spectral(), Ftp()
    device = LinkDevice(TwinTransport(network, rule), network, rule)
    assert device.info.sample_bytes == 2 * 40 * 3
    assert device.info.inputs == 40 * 3
    raw, reference = windows(20, 6), NumpyDevice(network, rule)
    for sample, label in zip(raw, targets_of(network, 20), strict=True):
        assert device.train(sample, label).saturations == reference.train(sample, label).saturations
        assert np.array_equal(device.infer(sample).logits, reference.infer(sample).logits)
    for wrong in (raw[:, :-1], np.zeros((2, SHAPE.size), np.uint8)):
        with pytest.raises(NetworkError, match=r"this network takes \(count, 120\)"):
            device.evaluate(wrong, [0] * len(wrong))


def test_a_file_keeps_it(tmp_path: Path) -> None:
    network = spectral("reconstruction")
    modelfile.save(tmp_path / "network.spn", network, Ftp())
    loaded, rule = modelfile.load(tmp_path / "network.spn")
    assert isinstance(loaded, SpectralNetwork)
    assert loaded.front == network.front
    assert loaded.shape == "40x3>18-11-18"
    assert generate(loaded, rule) == generate(network, rule)
    moved = replace(network.front, centres=(*network.front.centres[:-1], 5))
    changed = with_front(network.upper, moved)
    hashes = {n.hash_with({}) for n in (network, changed, network.upper)}
    assert len(hashes) == 3
    assert loaded.hash_with({}) == network.hash_with({})


def test_inference_only(tmp_path: Path) -> None:
    network = spectral("mse")
    write(network, None, tmp_path)
    declarations = (
        "typedef struct { int16_t logits[...]; ...; } sp_model_t;"
        "void sp_model_infer(sp_model_t *m, const uint8_t *sample);"
    )
    sources = [*library_sources(*MODEL_FREE), tmp_path / "model.c"]
    module = build_module(declarations, '#include "model.h"\n', sources, [tmp_path])
    model, size = module.ffi.new("sp_model_t *"), module.ffi.sizeof("sp_model_t")
    assert size == plan(network, None).total
    module.ffi.memmove(model, b"\xa5" * size, size)
    reference = NumpyDevice(network, Ftp())
    for sample in windows(20, 9):
        module.lib.sp_model_infer(model, sample.tobytes())
        expected = reference.infer(sample).logits
        assert module.ffi.unpack(model.logits, network.outputs) == expected.tolist()


def test_the_transform_lies_where_the_step_has_its_vectors() -> None:
    network = spectral("reconstruction")
    arenas = [plan(n, Pepita()).arena for n in (network, network.upper)]
    needed = 8 * SHAPE.window // 2 + (SHAPE.size + 3) // 4 * 4
    assert arenas[0] == max(needed, arenas[1]) < needed + arenas[1]


def test_other_models_know_nothing_of_it() -> None:
    network = spectral()
    for name, text in generate(network.upper, Ftp()).items():
        assert not {"spectrum", "features.h"} & set(text.replace('"', " ").split()), name
        assert "spectrum" not in text


@pytest.mark.parametrize(
    "spec",
    [
        Input(17, "uint8", ZERO, STEP, 7),
        Input(18, "int8", 0, STEP, 7),
        Input(18, "uint8", 0, STEP, 7),
    ],
)
def test_layers_that_read_something_else_are_refused(spec: Input) -> None:
    layers = random_layers((spec.size, 5, 3), 1)
    network = quantise(layers, spec, np.zeros((2, spec.size), spec.dtype))
    with pytest.raises(NetworkError, match="the spectrum makes 18 x uint8 with 128"):
        with_front(network, SHAPE.fitted(windows(20)))


def test_a_spectrum_that_was_not_fitted_or_a_second_one_is_refused() -> None:
    network = spectral()
    with pytest.raises(NetworkError, match="no centres yet"):
        with_front(network.upper, SHAPE)
    with pytest.raises(NetworkError, match="features of its own"):
        with_front(network, network.front)


def test_weights_do_not_move_to_other_features_and_keras_has_none() -> None:
    network = spectral()
    other = with_front(network.upper, SHAPE.fitted(windows(30, 77)))
    convert(network, network)
    for target in (other, network.upper):
        with pytest.raises(NetworkError, match="features that the networks make"):
            convert(network, target)
    with pytest.raises(NetworkError, match="which have no Keras form"):
        keras_model(network)


@pytest.mark.emulated
@pytest.mark.parametrize("board", ["mps2-an385-m0plus", "mps2-an386", "mps3-an547"])
def test_the_plan_counts_it(board: str, cross_tools: None, tmp_path: Path) -> None:
    network, rule, chosen = spectral("reconstruction"), Pepita(), load_board(board)
    raw, targets = windows(20, 5), np.zeros(20, np.int64)
    profile = TextProfile("any")  # else the two would take samples of different types
    planned = [
        Planner(
            n, rule, watch_inference(n, rule, x), watch_training(n, rule, x, targets), profile
        ).on(chosen)
        for n, x in ((network, raw), (network.upper, network.front.features(raw)))
    ]
    built = [
        build_firmware(n, rule, chosen, tmp_path / str(i), profile)
        for i, n in enumerate((network, network.upper))
    ]
    ram, flash = (planned[0].static_ram, planned[0].flash_bytes)
    assert ram == pytest.approx(built[0].ram_bytes, abs=16)
    # what the rest takes is for tests/plan to compare
    more_flash = built[0].flash_bytes - built[1].flash_bytes
    assert flash - planned[1].flash_bytes == pytest.approx(more_flash, abs=150)
    assert more_flash > 1800
    more = planned[0].inference.typical - planned[1].inference.typical
    assert more == pytest.approx(planned[0].step.typical - planned[1].step.typical)
    assert more > 5000
    assert planned[0].stack_fits
