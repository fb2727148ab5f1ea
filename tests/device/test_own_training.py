# SPDX-License-Identifier: Apache-2.0
"""`secondpass train` on own data: from a file to an emulated Cortex-M that has learned it."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from secondpass import modelfile, own_model, own_training, score_session, session
from secondpass.boards import load_board
from secondpass.datasets.own import load_recipe
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError, DeviceError
from secondpass.learning import step_settings
from secondpass.own_training import OwnOptions
from secondpass.rules import Backprop

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments, cwd):
    """Run `secondpass ARGUMENTS` in a process, as a user does."""
    return subprocess.run(
        [sys.executable, "-c", "from secondpass.cli import main; main()", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def write_csv(path, features, answers, names=("force", "temp", "noise")):
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow((*names, "state"))
        writer.writerows((*row, answer) for row, answer in zip(features, answers, strict=True))
    return path


def sensor(count=240, seed=1):
    """Three states of a machine, told apart by two of three columns."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 3
    centres = np.array([[200.0, 0.02, 0], [200.0, 0.08, 0], [900.0, 0.05, 0]])
    features = centres[kinds] + rng.normal(0, 1, (count, 3)) * [60.0, 0.008, 5.0]
    return features, [("idle", "worn", "busy")[kind] for kind in kinds]


@pytest.mark.emulated
def test_a_table_reaches_the_device_in_one_command(cross_tools, tmp_path):
    """And the device's weights are those of the host twin, bit for bit."""
    path = write_csv(tmp_path / "m.csv", *sensor())
    options = ("--csv", path, "--label", "state", "--epochs", 6, "--hidden", 12, "--seed", 3)
    done = command("train", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = re.findall(r"held-out accuracy (?:before: )?([\d.]+) %", done.stdout)
    assert float(before) < 70
    assert float(after) > 90
    folder = tmp_path / "build" / "own"
    assert (folder / "curve.png").is_file()
    with (folder / "curve.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 192 * 6
    recipe = load_recipe(folder / "task.json")
    assert recipe.classes == ("busy", "idle", "worn")
    network, rule = modelfile.load(folder / "network.spn")
    trained, _ = modelfile.load(folder / "trained.spn")

    task = own_training.read_task(OwnOptions(csv=path, label="state", seed=3), None)
    twin = HostTwin(network, rule)

    def settings(epoch):
        rate = rule.learning_rate * session.falling_rate(epoch, 6)
        return step_settings(network, rule, rate)

    session.train(twin, task.train_samples, task.train_answers, 6, 3, settings=settings)
    assert same_weights(read_weights(twin), [(x.weights, x.bias) for x in trained.layers])
    right = twin.evaluate(task.test_samples, task.test_answers)
    assert f"{100 * right / 48:.1f}" == after


@pytest.mark.emulated
def test_a_device_that_runs_already_and_further_data(cross_tools, tmp_path):
    """Prepare, flash, train over the port; later data use the first session's scaling."""
    path = write_csv(tmp_path / "m.csv", *sensor())
    folder = tmp_path / "made"
    options = OwnOptions(csv=path, label="state", folder=folder, epochs=2, prepare=True)
    quiet = Console(quiet=True)
    assert own_training.run(options, quiet) is None
    assert {"network.spn", "task.json", "model.c"} <= {p.name for p in folder.iterdir()}
    network, rule = modelfile.load(folder / "network.spn")
    board = load_board("mps2-an386")
    firmware = build_firmware(network, rule, board, tmp_path / "firmware")
    later = write_csv(tmp_path / "later.csv", *sensor(90, seed=2))
    with Emulator(board, firmware.elf) as running:
        shared = {"label": "state", "port": running.port, "folder": folder, "epochs": 2}
        first = own_training.run(OwnOptions(csv=path, **shared), quiet)
        again = own_training.run(
            OwnOptions(csv=later, model=folder / "network.spn", keep=True, **shared), quiet
        )
        assert first is not None
        assert again is not None
        assert again.before["accuracy"] > first.before["accuracy"] + 0.2  # it was kept
        assert again.task.recipe == first.task.recipe
        with pytest.raises(DeviceError, match="this session expects"):
            own_training.run(OwnOptions(csv=path, **{**shared, "folder": tmp_path}, seed=2), quiet)


@pytest.mark.emulated
def test_a_number_is_learned(cross_tools, tmp_path):
    rng = np.random.default_rng(4)
    features = rng.normal(0, 1, (200, 3)) * [50, 0.1, 3]
    wanted = 20 + 0.1 * features[:, 0] - 40 * features[:, 1]
    path = write_csv(tmp_path / "t.csv", features, [f"{value:.3f}" for value in wanted])
    options = OwnOptions(
        csv=path, label="state", goal="regression", folder=tmp_path, epochs=12, rule="bp"
    )
    outcome = own_training.run(options, Console(quiet=True))
    assert outcome is not None
    assert outcome.after["error"] < 0.3 * outcome.before["error of the mean"]
    assert outcome.before["error of the mean"] == pytest.approx(wanted.std(), rel=0.2)
    steps = (tmp_path / "curve.csv").read_text().splitlines()
    assert steps[0] == "step,error,saturations"
    assert len(steps) == 1 + 160 * 12


@pytest.mark.emulated
def test_what_is_abnormal_is_found(cross_tools, tmp_path):
    """Normal rows lie on a line through the features; abnormal ones are as large, but off it."""
    rng = np.random.default_rng(5)
    strength = rng.normal(0, 1, (200, 1))
    normal = strength * [1.0, -2.0, 0.5] + rng.normal(0, 0.05, (200, 3))
    strange = strength[:60] * [1.0, 2.0, -0.5] + rng.normal(0, 0.05, (60, 3))
    path = write_csv(
        tmp_path / "a.csv", np.concatenate([normal, strange]), ["ok"] * 200 + ["loose"] * 60
    )
    options = OwnOptions(
        csv=path,
        label="state",
        goal="anomaly",
        normal="ok",
        hidden=(4, 1, 4),
        activation="tanh",
        rule="bp",
        settings=("learning_rate=0.01",),
        folder=tmp_path,
        epochs=10,
    )
    outcome = own_training.run(options, Console(quiet=True))
    assert outcome is not None
    assert outcome.after["area"] > 0.9
    assert outcome.after["normal"] < 0.5 * outcome.before["normal"]
    assert 0.5 < outcome.after["threshold"] / outcome.after["exact"] < 2
    assert outcome.after["false_alarms"] < 0.1
    assert outcome.after["hits"] > 0.5


def test_a_threshold_is_calibrated_on_what_was_learned_and_tried_on_what_was_not(tmp_path):
    """Against a quantile computed here; the device no longer calibrates afterwards."""
    rng = np.random.default_rng(8)
    features = rng.normal(0, 1, (260, 1)) * [1.0, -2.0, 0.5] + rng.normal(0, 0.05, (260, 3))
    features[200:, 1] *= -1
    path = write_csv(tmp_path / "a.csv", features, ["ok"] * 200 + ["loose"] * 60)
    labels = {"csv": path, "label": "state", "goal": "anomaly", "normal": "ok"}
    task = own_training.read_task(OwnOptions(**labels), None)
    network = own_model.network_for(task, (4, 1, 4), 1, "a16w16", "tanh")
    device = HostTwin(network, Backprop(learning_rate=0.01))
    for _ in range(8):
        device.train_all(task.train_samples, np.zeros(len(task.train_samples), dtype=np.int64))
    found = score_session.calibrate(device, task, seed=1)
    now = device.threshold()
    assert (now.score, now.calibrating) == (found.threshold, False)
    assert now.count == 4 * len(task.train_samples) == 640, "the scores of learning are forgotten"
    assert now.quantile == pytest.approx(1 - score_session.FALSE_ALARMS, abs=1e-4)
    learned, tested = device.scores(task.train_samples), device.scores(task.test_samples)
    assert device.threshold() == now
    abnormal = task.test_answers.astype(bool)
    assert found.exact == pytest.approx(np.quantile(learned, 0.99))
    for limit, false_alarms, hits in (
        (found.threshold, found.false_alarms, found.hits),
        (found.exact, found.exact_false_alarms, found.exact_hits),
    ):
        assert false_alarms == (tested[~abnormal] > limit).mean()
        assert hits == (tested[abnormal] > limit).mean()
    assert f"{found.threshold:.4g} on the device ({found.exact:.4g} exact" in found.describe()
    unlabelled = write_csv(tmp_path / "b.csv", features[:200], ["ok"] * 200)
    options = OwnOptions(csv=unlabelled, ignored=("state",), goal="anomaly")
    task = own_training.read_task(options, None)
    none = score_session.calibrate(device, task, seed=1)
    assert none.hits is none.exact_hits is None
    assert "found" not in none.describe()


@pytest.mark.emulated
def test_sounds_reach_the_device_by_the_task(cross_tools, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(6)
    time = np.arange(8000) / 8000
    for name, low in (("hum", 200.0), ("beep", 1800.0)):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(15):
            wave = np.sin(2 * np.pi * rng.uniform(low, 1.3 * low) * time) * 0.3
            wave += rng.normal(0, 0.05, len(time))
            soundfile.write(tmp_path / "sounds" / name / f"{number}.wav", wave, 8000)
    options = ("--wav", "sounds", "--epochs", "8", "--hidden", "8")
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "train", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "490-8-2" in done.stdout
    assert re.search(r"held-out accuracy 100.0 % of 6", done.stdout), done.stdout


def test_bad_rows_stop_it_before_anything_is_written(tmp_path):
    path = write_csv(tmp_path / "m.csv", *sensor(30))
    path.write_text(path.read_text() + "1,2,worn\n1,,3,worn\n1,2,3,melted\n")
    options = ("--csv", path, "--label", "state", "--classes", "idle,worn,busy")
    done = command("train", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert "3 of 33 rows cannot be used" in first
    assert [line.split(":")[0].strip() for line in rest] == ["line 32", "line 33", "line 34"]
    assert [p.name for p in tmp_path.iterdir()] == ["m.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--csv FILE or as --wav FOLDER"),
        ({"csv": Path("a"), "wav": Path("b")}, "--csv FILE or as --wav FOLDER"),
        ({"csv": Path("a")}, "--label COLUMN, or --anomaly"),
        ({"wav": Path("a"), "label": "b"}, "sub-folder is the label"),
        ({"wav": Path("a"), "goal": "regression"}, "numbers to learn"),
        ({"csv": Path("a"), "label": "b", "normal": "c"}, "it takes --anomaly"),
        ({"csv": Path("a"), "label": "b", "goal": "anomaly"}, "together, or neither"),
        ({"csv": Path("a"), "label": "b", "keep": True}, "it takes --port"),
        ({"csv": Path("a"), "label": "b", "epochs": 0}, "--epochs is 0"),
        ({"csv": Path("a"), "label": "b", "seed": -1}, "--seed is -1"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    with pytest.raises(DataError, match=re.escape(message)):
        own_training.run(OwnOptions(**options), Console(quiet=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--csv FILE --label COLUMN"),
        (["--csv", "m.csv", "--dataset", "digits"], "do not go with own data"),
        (["--csv", "m.csv", "--label", "state", "--rule", "adam"], "'adam'"),
        (["--csv", "m.csv", "--label", "state", "--board", "pico"], "pico"),
        (["--csv", "m.csv", "--label", "state", "--hidden", "a"], "--hidden"),
        (["--csv", "m.csv", "--label", "state", "--hidden", "0"], "(3, 0, 3)"),
        (["--csv", "m.csv", "--label", "state", "--hidden", "9999"], "9999 outputs"),
        (["--csv", "m.csv", "--label", "state", "--regression", "--anomaly"], "two goals"),
        (["--csv", "m.csv", "--label", "state", "--classes", "idle,worn,busy,off"], "'off'"),
        (["--csv", "m.csv", "--label", "state", "--model", "none.spn"], "none.spn"),
        (["--csv", "m.csv", "--label", "state", "--setting", "gait=1"], "'gait=1'"),
    ],
)
def test_wrong_options_are_one_line_and_change_nothing(
    tmp_path, monkeypatch, capsys, arguments, message
):
    from secondpass import cli

    write_csv(tmp_path / "m.csv", *sensor(30))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["secondpass", "train", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["m.csv"]
