# SPDX-License-Identifier: Apache-2.0
"""The commands `pull`, `push` and `export` as a user types them, on the board that has learned."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trained_board import Trained

from secondpass import modelfile
from secondpass.datasets import Dataset
from secondpass.presets import random_network
from secondpass.rules import Pepita
from secondpass_codegen import generate

MAIN = """
import sys
from secondpass.cli import main
try:
    main()
finally:
    print("tensorflow" in sys.modules, file=sys.stderr)
"""


def secondpass(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Run a command that needs no TensorFlow; return what it prints, and its one-line error."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *(str(argument) for argument in arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = done.stderr.splitlines()
    assert (done.returncode, lines[-1]) == (code, "False"), done.stderr
    assert len(lines) == (2 if code else 1), done.stderr
    return done.stdout, lines[0] if code else ""


@pytest.mark.emulated
def test_pull_and_push(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "again.spn"
    printed, _ = secondpass("pull", "--port", trained.port, "--model", trained.path, "--out", out)
    identity, origin = modelfile.fingerprint(trained.network), trained.origin
    assert f"{origin.model_hash:016x}, {origin.step} training steps" in printed
    assert f"weights {identity}" in printed
    assert modelfile.fingerprint(modelfile.load(out)[0]) == identity

    printed, _ = secondpass("push", out, "--port", trained.port, "--save")
    assert f"weights {identity}, read back and equal" in printed
    assert "saved in the device's flash: " in printed

    _, error = secondpass("push", tmp_path / "none.spn", "--port", trained.port, code=1)
    assert "none.spn does not exist" in error
    arguments = ("pull", "--port", trained.port, "--model", trained.path, "--out", trained.path)
    _, error = secondpass(*arguments, code=1)
    assert "name another one" in error


@pytest.mark.emulated
def test_shapes_are_named(trained: Trained, digits: Dataset, tmp_path: Path) -> None:
    modelfile.save(tmp_path / "wide.spn", random_network(digits, (33,), 3), trained.rule)
    arguments = ("push", tmp_path / "wide.spn", "--port", trained.port, "--model", trained.model)
    _, error = secondpass(*arguments, code=1)
    assert "error: layer 0 ('fc1')" in error
    assert "(33, 64)" in error
    assert "(32, 64)" in error


def test_export(digits: Dataset, tmp_path: Path) -> None:
    network = random_network(digits, (8,), 3)
    modelfile.save(tmp_path / "small.spn", network, Pepita())
    folder, archive = tmp_path / "inference", tmp_path / "real.npz"
    printed, _ = secondpass("export", tmp_path / "small.spn", "--header", folder, "--npz", archive)
    assert printed.split() == [
        *(str(folder / name) for name in ("model.h", "model.c", "model_weights.h")),
        str(archive),
    ]
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == generate(network, None)
    with np.load(archive) as arrays:
        assert arrays["fc1.weights"].shape == (64, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to export"),
        (("--npz", "out.npz", "--dataset", "digits"), "add --keras FILE"),
        (("--keras", "out.h5", "--header", "out.c"), "ends with .keras"),
        (("--keras", "out.keras", "--npz", "out.npz", "--dataset", "mnits"), "dataset is 'mnits'"),
    ],
)
def test_bad_exports_write_nothing(
    arguments: tuple[str, ...], message: str, digits: Dataset, tmp_path: Path
) -> None:
    modelfile.save(tmp_path / "small.spn", random_network(digits, (8,), 3), Pepita())
    named = [str(tmp_path / x) if x.startswith("out.") else x for x in arguments]
    _, error = secondpass("export", tmp_path / "small.spn", *named, code=1)
    assert message in error
    assert [path.name for path in tmp_path.iterdir()] == ["small.spn"]
