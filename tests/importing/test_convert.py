# SPDX-License-Identifier: Apache-2.0
"""Imported networks become trainable ones; the command says what that changes."""

import re
from pathlib import Path

import numpy as np
import pytest
from networks import float_file, saved, small_file
from rich.console import Console
from tflite_writer import RELU6
from typer.testing import CliRunner

from secondpass import commands, modelfile
from secondpass.affine import AffineNetwork
from secondpass.cli import app
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError, NetworkError, SecondpassError
from secondpass.mirroring import with_mirrored_projection
from secondpass.quantise import float_activations, to_keras_weights
from secondpass.rules import NoRule, Pepita
from secondpass.tflite import (
    FloatModel,
    dequantise,
    load,
    output_values,
    reconstruction_error,
    trainable,
)
from secondpass.tflite.command import ImportOptions, run
from secondpass.tflite.samples import load_samples
from secondpass_codegen import generate

CLIP = "normal_id_01_00000000_hist_librosa.bin"


def real_samples(size: int = 12, count: int = 40) -> np.ndarray:
    return np.random.default_rng(3).uniform(-5, 5, (count, size))


def test_the_float_anomaly_detector(models: Path, clip: np.ndarray) -> None:
    """The published mean error of the clip; nearly the same in 16 bits."""
    model = load(models / "ad01_fp32.tflite")
    assert isinstance(model, FloatModel)
    error = reconstruction_error(output_values(model, clip), clip)
    assert error == pytest.approx(9.7071, abs=1e-3)
    network = trainable(model, clip, "a16w16")
    assert (network.head, network.format) == ("reconstruction", "a16w16")
    part = clip[::7]
    before, after = (reconstruction_error(output_values(m, part), part) for m in (model, network))
    assert after == pytest.approx(before, abs=0.03)


def test_the_frozen_anomaly_detector_becomes_trainable(models: Path, clip: np.ndarray) -> None:
    model = load(models / "ad01_int8.tflite")
    network = trainable(model, clip, "a16w16")
    assert network.input.dtype == "int8"
    part = clip[::7]
    before, after = (reconstruction_error(output_values(m, part), part) for m in (model, network))
    assert after == pytest.approx(before, abs=0.1)


@pytest.mark.parametrize("format", ["a16w16", "a16w8", "a8w8"])
def test_a_converted_network_learns(format: str, tmp_path: Path) -> None:
    samples = real_samples()
    for file in (small_file((12, 9, 3)), float_file((12, 9, 3))):
        model = load(saved(file, tmp_path))
        network = trainable(model, samples, format)
        before = output_values(model, samples)
        step = model.output.step if isinstance(model, AffineNetwork) else 0.0
        share = {"a16w16": 0.02, "a16w8": 0.05, "a8w8": 0.1}[format]
        bound = step + share * np.abs(before).max()
        assert np.abs(before - output_values(network, samples)).max() < bound
        twin = HostTwin(network, Pepita(learning_rate=0.05))
        raw = network.input.encode(samples)
        labels = np.arange(len(raw)) % 3
        assert sum(step.correct for step in twin.train_stream(raw, labels)) < len(raw)
        assert twin.statistics().counters.layers[0].active_rows > 0


def test_real_numbers_of_a_frozen_network(tmp_path: Path) -> None:
    """Every scale of the rows is in the real weights: the layers nearly agree."""
    for per_row in (False, True):
        model = load(saved(small_file((12, 9, 3), per_row), tmp_path))
        assert isinstance(model, AffineNetwork)
        samples = model.input.decode(model.input.encode(real_samples()))
        real = float_activations(dequantise(model), samples)[-1]
        limits = model.output.decode([-127, 126])
        inside = (real > limits[0]) & (real < limits[1])
        difference = np.abs(real - output_values(model, samples))[inside]
        assert inside.mean() > 0.5
        assert difference.max() < 6 * model.output.step


def test_activations_without_a_trainable_form_are_named(tmp_path: Path) -> None:
    file = small_file()
    for operator in file.operators:
        operator.activation = RELU6
    model = load(saved(file, tmp_path))
    with pytest.raises(NetworkError, match=r"relu6 \(layer 'dense_0'\), relu6 \(layer 'dense_1'\)"):
        trainable(model, real_samples(), "a16w16")


def test_what_needs_a_format_that_learns_refuses_a_frozen_network(tmp_path: Path) -> None:
    network = load(saved(small_file(), tmp_path))
    assert isinstance(network, AffineNetwork)
    modelfile.save(tmp_path / "network.spn", network, NoRule())
    loaded, rule = modelfile.load(tmp_path / "network.spn")
    assert isinstance(rule, NoRule)
    assert loaded.hash_with(rule.describe()) == network.hash_with(rule.describe())
    refused = (
        lambda: commands.cost(str(tmp_path / "network.spn"), [], "", "", Console(quiet=True)),
        lambda: commands.train(
            "/dev/null", tmp_path / "network.spn", "digits", 1, 1, 1, True, Console(quiet=True)
        ),
        lambda: to_keras_weights(loaded),
        lambda: with_mirrored_projection(loaded, Pepita()),
        lambda: generate(loaded, Pepita()),
        lambda: loaded.with_weights([]),
    )
    for action in refused:
        with pytest.raises(NetworkError, match=r"frozen int8 \(affine8\): it infers and does not"):
            action()


def test_a_saved_network_has_its_scales(tmp_path: Path) -> None:
    network = load(saved(small_file((12, 9, 3), True), tmp_path))
    modelfile.save(tmp_path / "network.spn", network, NoRule())
    loaded, _ = modelfile.load(tmp_path / "network.spn")
    assert generate(loaded, NoRule()) == generate(network, NoRule())
    samples = real_samples()
    np.testing.assert_array_equal(output_values(loaded, samples), output_values(network, samples))


def test_samples_from_files(tmp_path: Path) -> None:
    frames = np.arange(24, dtype=np.float32).reshape(6, 4)
    frames.tofile(tmp_path / "clip.bin")
    np.save(tmp_path / "clip.npy", frames)
    for name in ("clip.bin", "clip.npy"):
        stacked = load_samples(tmp_path / name, 8, 2)
        np.testing.assert_array_equal(stacked, np.hstack([frames[:-1], frames[1:]]))
        np.testing.assert_array_equal(load_samples(tmp_path / name, 4), frames)
    for size, stack, reason in (
        (5, 1, "no rows of 5"),
        (8, 3, "not a stack of 3"),
        (28, 7, "6 frames, fewer than a stack of 7"),
        (8, 0, "--stack must divide"),
    ):
        with pytest.raises(DataError, match=reason):
            load_samples(tmp_path / "clip.bin", size, stack)
    with pytest.raises(DataError, match=r"shape \(6, 4\)"):
        load_samples(tmp_path / "clip.npy", 8)
    with pytest.raises(DataError, match="cannot be read"):
        load_samples(tmp_path / "absent.npy", 8)
    np.array([1, np.nan], np.float32).tofile(tmp_path / "bad.bin")
    with pytest.raises(DataError, match="not finite"):
        load_samples(tmp_path / "bad.bin", 2)


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return re.sub(r"\s+", " ", result.output)


def test_the_command(models: Path, tmp_path: Path) -> None:
    clip = ("--samples", models / CLIP, "--stack", 5)
    out = tmp_path / "out"
    text = invoke("import", models / "ad01_int8.tflite", "--out", out, *clip)
    assert "frozen int8, head reconstruction: dense 640x128 relu" in text
    assert "mean error of 196 samples: 10.2652 in the file" in text
    network, rule = modelfile.load(out / "network.spn")
    assert isinstance(network, AffineNetwork)
    assert {p.name for p in out.iterdir()} >= {"model.c", "model.h", "model_weights.h"}
    assert (out / "model.h").read_text() == generate(network, rule)["model.h"]
    small = invoke("import", models / "ad01_int8.tflite", "--out", out, "--inference-only")
    assert "counters" not in (out / "model.h").read_text()
    assert str(out / "network.spn") in small.replace(" ", "") or "network.spn" in small


def test_the_command_converts(tmp_path: Path) -> None:
    np.save(tmp_path / "samples.npy", real_samples())
    options = ("--trainable", "a16w8", "--samples", tmp_path / "samples.npy")
    path, out = saved(float_file(), tmp_path), tmp_path / "out"
    text = invoke("import", path, "--out", out, *options, "--rule", "ftp", "--setting", "gate=0.1")
    assert re.search(r"40 samples: outputs differ by [\d.]+ at most; \d+ of them get", text)
    network, rule = modelfile.load(out / "network.spn")
    assert (network.format, rule.name, rule.gate) == ("a16w8", "ftp", 0.1)
    np.save(tmp_path / "samples.npy", real_samples(7))
    path = saved(float_file((7, 5, 7)), tmp_path)
    text = invoke("import", path, "--out", out, *options)
    found = re.search(r"mean error of 40 samples: ([\d.]+) in the file, ([\d.]+) in a16w8", text)
    assert found
    network, _ = modelfile.load(out / "network.spn")
    error = reconstruction_error(output_values(network, real_samples(7)), real_samples(7))
    assert found[2] == f"{error:.4f}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "a4w4"}, "--trainable is 'a4w4'; accepted: a16w16, a16w8, a8w8"),
        ({"format": "a16w16"}, "--trainable needs samples"),
        ({"format": "a16w16", "rule": "best"}, "rule is 'best'"),
        ({"head": "best"}, "head is 'best'"),
        ({"samples": Path("absent.npy")}, "absent.npy cannot be read"),
    ],
)
def test_options_that_are_refused(changes: dict, reason: str, tmp_path: Path) -> None:
    path = saved(small_file(), tmp_path)
    with pytest.raises(SecondpassError, match=reason):
        run(ImportOptions(path, tmp_path / "out", **changes), Console(quiet=True))
    assert not (tmp_path / "out").exists()


def test_a_float_model_wants_a_format(tmp_path: Path) -> None:
    path = saved(float_file(), tmp_path)
    with pytest.raises(NetworkError, match=r"float model; .* choose a format with --trainable"):
        run(ImportOptions(path, tmp_path / "out"), Console(quiet=True))
