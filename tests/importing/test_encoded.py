# SPDX-License-Identifier: Apache-2.0
"""Frozen int8 layers below layers that learn: NumPy, twin and boards, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_file, litert, one_board_a_core, saved, small_file
from rich.console import Console

from secondpass import modelfile
from secondpass.affine import AffineNetwork
from secondpass.device.emulator import emulated_device
from secondpass.device.hostbuild import build_module, library_sources
from secondpass.device.interface import Device, read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.objects import MODEL_FREE
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import TwinTransport
from secondpass.device.twin import HostTwin
from secondpass.encoded import EncodedNetwork
from secondpass.errors import NetworkError
from secondpass.integer.affine import AffineModel
from secondpass.network import FORMATS, HEADS, Network
from secondpass.rules import Backprop, Ftp, LastLayer, Mempepita, Pepita, Rule, TimeLocal
from secondpass.tflite import load, output_values, partly_trainable, reconstruction_error
from secondpass.tflite.command import ImportOptions, run
from secondpass_codegen import generate, write
from secondpass_codegen.memory import plan

RULES = (Pepita, Ftp, Backprop, Mempepita, TimeLocal)
STEPS = 25


def real_samples(size: int = 12, count: int = STEPS) -> np.ndarray:
    return np.random.default_rng(3).uniform(-5, 5, (count, size))


def encoded(folder: Path, format: str, head: str = "softmax") -> EncodedNetwork:
    """Return 12-9-7 frozen, 8-4 (or another end) above."""
    outputs = {"sigmoid": 1, "reconstruction": 12}.get(head, 4)
    model = load(saved(small_file((12, 9, 7, 8, outputs)), folder), head)
    assert isinstance(model, AffineNetwork)
    return partly_trainable(model, "dense_2", real_samples(), format)


def exercise(device: Device, network: Network, samples: np.ndarray) -> list[Any]:
    """Infer, train, infer; return everything that must be equal."""
    targets: Any = np.arange(len(samples)) % network.classes
    if network.target_size:
        random = np.random.default_rng(4)
        targets = network.encode_targets(random.normal(size=(len(samples), network.outputs)))
    outputs = [device.infer(x).logits.tolist() for x in samples[:4]]
    steps = [replace(step, ticks=0) for step in device.train_stream(samples, targets)]
    outputs += [device.infer(x).logits.tolist() for x in samples[:4]]
    counters = device.statistics().counters
    return [outputs, steps, counters, [(w.tolist(), b.tolist()) for w, b in read_weights(device)]]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("format", FORMATS)
def test_numpy_twin_and_link(format: str, head: str, tmp_path: Path) -> None:
    """Two rules for each format and head; every rule in three combinations at least."""
    network = encoded(tmp_path, format, head)
    raw = network.sample.encode(real_samples())
    at = list(FORMATS).index(format) * len(HEADS) + HEADS.index(head)
    rules: list[Rule] = [RULES[(at + k) % len(RULES)](learning_rate=0.02) for k in (0, 2)]
    for rule in rules:
        if format == "a8w8" and isinstance(rule, TimeLocal):
            continue
        expected = exercise(NumpyDevice(network, rule), network, raw)
        assert exercise(HostTwin(network, rule), network, raw) == expected
        link = LinkDevice(TwinTransport(network, rule), network, rule)
        assert exercise(link, network, raw) == expected
        assert expected[3][-1][1] != network.layers[-1].bias.tolist(), "nothing was learned"


def test_the_encoder_has_the_bits_of_litert(tmp_path: Path) -> None:
    """What the layers that learn read is the output of the file's first layers."""
    file = small_file((12, 9, 7, 8, 4))
    model = load(saved(file, tmp_path))
    assert isinstance(model, AffineNetwork)
    network = partly_trainable(model, "dense_2", real_samples(), "a16w16")
    raw = network.sample.encode(real_samples())
    file.operators = file.operators[:2]
    file.outputs = file.operators[-1].outputs
    codes = litert(file.bytes(), raw)
    spec = network.input
    device = NumpyDevice(network, LastLayer())
    for x, code in zip(raw, codes, strict=True):
        first = device.model.first_pass(x)[0]
        real = (code.astype(np.float64) - spec.zero_point) * spec.step
        np.testing.assert_allclose(
            first.result / 2.0**spec.frac_bits, real, atol=2.0**-spec.frac_bits
        )
    after = output_values(network, real_samples())
    assert np.abs(after - output_values(model, real_samples())).max() < 2 * model.output.step


def test_the_score_is_that_of_the_raw_sample(tmp_path: Path) -> None:
    network = encoded(tmp_path, "a16w16", "reconstruction")
    raw = network.sample.encode(real_samples())
    real = network.sample.decode(raw).astype(np.float64)
    expected = ((output_values(network, real) - real) ** 2).mean(axis=1)
    for device in (NumpyDevice(network, Ftp()), HostTwin(network, Ftp())):
        np.testing.assert_allclose(device.scores(raw), expected, rtol=0.01)


def test_saturations_of_the_encoder_count_as_the_inputs(tmp_path: Path) -> None:
    model = load(saved(small_file((12, 9, 7, 8, 4), result_step=0.03), tmp_path))
    assert isinstance(model, AffineNetwork)
    network = partly_trainable(model, "dense_2", real_samples(), "a16w16")
    random = np.random.default_rng(1)
    raw = random.integers(-128, 128, (40, 12)).astype(np.int8)
    frozen = AffineModel(model)
    for x in raw:
        frozen.activations(x)
    expected = sum(c.activation_saturations for c in frozen.counters.layers[:2])
    assert expected > 0
    for device in (NumpyDevice(network, Ftp()), HostTwin(network, Ftp())):
        for x in raw:
            device.infer(x)
        # the step of an int8 input is far from the limits of int16: nothing else is clamped
        assert device.statistics().counters.input_saturations == expected


def test_a_file_keeps_it(tmp_path: Path) -> None:
    network = encoded(tmp_path, "a16w8", "reconstruction")
    modelfile.save(tmp_path / "network.spn", network, Ftp())
    loaded, rule = modelfile.load(tmp_path / "network.spn")
    assert isinstance(loaded, EncodedNetwork)
    assert loaded.shape == "12-9-7+8-12"
    assert generate(loaded, rule) == generate(network, rule)
    other = replace(network.encoder[0], weights=network.encoder[0].weights ^ 1)
    changed = replace(network, encoder=(other, *network.encoder[1:]))
    assert changed.hash_with({}) != network.hash_with({}) == loaded.hash_with({})


def test_inference_only(tmp_path: Path) -> None:
    network = encoded(tmp_path, "a8w8", "reconstruction")
    raw = network.sample.encode(real_samples())
    write(network, None, tmp_path / "c")
    declarations = (
        "typedef struct { int16_t logits[...]; ...; } sp_model_t;"
        "void sp_model_infer(sp_model_t *m, const uint8_t *sample);"
    )
    sources = [*library_sources(*MODEL_FREE), tmp_path / "c" / "model.c"]
    module = build_module(declarations, '#include "model.h"\n', sources, [tmp_path / "c"])
    model, size = module.ffi.new("sp_model_t *"), module.ffi.sizeof("sp_model_t")
    assert size == plan(network, None).total
    module.ffi.memmove(model, b"\xa5" * size, size)
    reference = NumpyDevice(network, Ftp())
    for x in raw:
        module.lib.sp_model_infer(model, x.tobytes())
        expected = reference.infer(x).logits
        assert module.ffi.unpack(model.logits, network.outputs) == expected.tolist()


@pytest.mark.emulated
@pytest.mark.parametrize("board", one_board_a_core())
def test_the_end_of_the_anomaly_detector_learns_on_a_board(
    board: str, cross_tools: None, models: Path, clip: np.ndarray
) -> None:
    model = load(models / "ad01_int8.tflite")
    assert isinstance(model, AffineNetwork)
    network = partly_trainable(model, "dense_8", clip[::8], "a16w16")
    rule = Backprop(learning_rate=0.00003)
    raw = network.sample.encode(clip)[::20]
    targets = np.zeros(len(raw), dtype=np.int64)
    outcomes = []
    with emulated_device(network, rule, board, patience=60) as device:
        for each in (device, HostTwin(network, rule)):
            steps = [replace(s, ticks=0) for s in each.train_stream(raw, targets)]
            scores = each.scores(raw[:3]).tolist()
            bias = each.read_tensor(1, 1).tolist()
            outcomes.append((steps, scores, bias, each.statistics().counters))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2] != network.layers[1].bias.tolist()


def test_the_command_says_what_it_changes(models: Path, clip: np.ndarray, tmp_path: Path) -> None:
    name = "normal_id_01_00000000_hist_librosa.bin"
    console = Console(record=True, width=300)
    options = ImportOptions(
        models / "ad01_int8.tflite",
        tmp_path,
        "a16w16",
        models / name,
        5,
        rule="ftp",
        trainable_from="dense_8",
    )
    network = run(options, console)
    assert network.shape == "640-128-128-128-128-8-128-128-128+128-640"
    error = reconstruction_error(output_values(network, clip), clip)
    assert error == pytest.approx(10.2652, abs=0.1)
    assert f"10.2652 in the file, {error:.4f} in a16w16" in console.export_text()
    loaded, _ = modelfile.load(tmp_path / "network.spn")
    assert same_weights(
        read_weights(NumpyDevice(loaded, Ftp())), read_weights(NumpyDevice(network, Ftp()))
    )


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("dense_0", "dense_0 is the first layer: nothing below it"),
        ("dense_3", "dense_3 is the last layer; .* begin at dense_2"),
        ("other", "the first layer that learns is 'other'; accepted: dense_0, dense_1"),
    ],
)
def test_layers_that_cannot_be_the_first(first: str, reason: str, tmp_path: Path) -> None:
    model = load(saved(small_file((12, 9, 7, 8, 4)), tmp_path))
    assert isinstance(model, AffineNetwork)
    with pytest.raises(NetworkError, match=reason):
        partly_trainable(model, first, real_samples(), "a16w16")


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    path = saved(float_file(), tmp_path)
    quiet = Console(quiet=True)
    with pytest.raises(NetworkError, match="--trainable-from needs --trainable"):
        run(ImportOptions(path, tmp_path, trainable_from="dense_1"), quiet)
    np.save(tmp_path / "samples.npy", real_samples())
    options = ImportOptions(path, tmp_path, "a16w16", tmp_path / "samples.npy")
    with pytest.raises(NetworkError, match="only int8 layers can stay frozen"):
        run(replace(options, trainable_from="dense_1"), quiet)


def test_encoders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network = encoded(tmp_path, "a16w16")
    for changes, reason in (
        ({"encoder": ()}, "one layer at least"),
        ({"encoder": network.encoder[:1]}, "the encoder puts out 9 x int8"),
        ({"encoder": network.encoder[1:] * 2}, "takes 9 inputs, gets 7"),
        ({"input": replace(network.input, step=0.4)}, "do not read the encoder's"),
    ):
        with pytest.raises(NetworkError, match=reason):
            replace(network, **changes)
