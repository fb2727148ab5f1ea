# SPDX-License-Identifier: Apache-2.0
"""Sessions that learn own data, by the recipe beside the model."""

import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import BOARD

from secondpass import modelfile, own_training
from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.interface import read_weights
from secondpass.device.twin import HostTwin
from secondpass.errors import DataError
from secondpass.monitor import plans
from secondpass.monitor.dashboard import describe_threshold
from secondpass.monitor.events import Evaluated, Look, Started, Step, read_log
from secondpass.monitor.runner import Begin, SessionPlan
from secondpass.report import charts

RUN = [sys.executable, "-c", "from secondpass.cli import main; main()"]
COLUMNS = ("x", "y", "z", "temperature")


def motor(folder: Path, seed: int, states: tuple[str, ...]) -> Path:
    """Write a table of a motor's readings: its state shifts all of them."""
    random = np.random.default_rng(seed)
    rows = [",".join((*COLUMNS, "state"))]
    for _ in range(120):
        state = int(random.integers(len(states)))
        values = random.normal(2.0 * state, 1.0, len(COLUMNS))
        rows.append(",".join([*(f"{value:.4f}" for value in values), states[state]]))
    path = folder / f"motor{seed}.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def prepared(folder: Path, *goal: str) -> Path:
    """Make the network for a table, as a user does ahead of flashing it."""
    table = motor(folder, 1, ("fine", "worn"))
    train = [*RUN, "train", "--csv", str(table), "--out", str(folder), "--prepare", *goal]
    subprocess.run(train, check=True, capture_output=True, timeout=120)
    return folder / "network.spn"


def session(model: Path, table: Path, port: str, *more: str) -> list[str]:
    given = ["--port", port, "--model", str(model), "--csv", str(table), "--headless"]
    return [*RUN, "monitor", *given, "--out", str(model.parent / "session"), *more]


@pytest.mark.emulated
@pytest.mark.parametrize(
    "goal", [["--label", "state"], ["--anomaly"], ["--label", "z", "--regression"]]
)
def test_a_board_learns_a_table_as_the_twin_does(
    cross_tools: None, tmp_path: Path, goal: list[str]
) -> None:
    if "--anomaly" in goal:
        goal = [*goal, "--label", "state", "--normal", "fine"]
    elif "--regression" in goal:
        goal = [*goal, "--ignore", "state"]
    model = prepared(tmp_path, *goal)
    network, rule = modelfile.load(model)
    later = motor(tmp_path, 2, ("fine", "worn"))
    firmware = build_firmware(network, rule, load_board(BOARD), tmp_path / "firmware")
    with Emulator(load_board(BOARD), firmware.elf) as board:
        command = session(model, later, board.port, "--epochs", "4", "--seed", "3")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    events = read_log(tmp_path / "session")
    assert isinstance(events[0], Started)
    assert events[0].data == later.name

    plan = plans.own_plan(network, model, later, None, None, 4, 3, 0, Begin.RESET)
    twin = HostTwin(network, rule)
    steps = list(twin.train_stream(plan.samples[plan.order()], plan.labels[plan.order()]))
    assert [e.score for e in events if isinstance(e, Step)] == [step.score for step in steps]
    trained, _ = modelfile.load(tmp_path / "session" / "trained.spn")
    for layer, (weights, bias) in zip(trained.layers, read_weights(twin), strict=True):
        np.testing.assert_array_equal(layer.weights, weights)
        np.testing.assert_array_equal(layer.bias, bias)
    assert improved(events, plan, network.head)
    check_threshold(events, plan, twin)


def check_threshold(events: list, plan: SessionPlan, twin: HostTwin) -> None:
    """What was said of the device's threshold is what the twin's is, and the report shows it."""
    (evaluated,) = [event for event in events if isinstance(event, Evaluated)]
    last = [event for event in events if isinstance(event, Look)][-1]
    figure, axes = plt.subplots()
    if twin.network.head != "reconstruction":
        assert (evaluated.threshold, last.threshold, last.alarms) == (None, None, None)
        return
    threshold = twin.threshold().score
    assert (evaluated.threshold, last.threshold) == (threshold, threshold)
    alarms = twin.scores(plan.held_out) > threshold
    worn = plan.held_out_labels.astype(bool)
    found, false = int(alarms[worn].sum()), int(alarms[~worn].sum())
    assert f" of {worn.sum()}, {found} alarms" in evaluated.describe()
    assert f" of {(~worn).sum()}, {false} alarms" in evaluated.describe()
    assert describe_threshold(last) == f"{threshold:.4g}, {last.alarms} alarms"
    first = next(event for event in events if isinstance(event, Look))
    if first.step < 100:
        assert describe_threshold(first) == "not known yet, 0 alarms"
    assert last.alarms == twin.statistics().counters.alarms >= found + false > 0
    charts.held_out(axes, evaluated)
    above = f"{false} of {(~worn).sum()} normal and {found} of {worn.sum()} abnormal above"
    labels = axes.get_legend_handles_labels()[1]
    assert sorted(labels) == ["abnormal", "normal", f"the device's threshold: {above}"]
    plt.close(figure)


def improved(events: list, plan: SessionPlan, head: str) -> bool:
    (evaluated,) = [event for event in events if isinstance(event, Evaluated)]
    if head == "softmax":
        return evaluated.accuracy > 0.9
    scores = np.array(evaluated.scores)
    if head == "reconstruction":
        worn = plan.held_out_labels.astype(bool)
        kinds = evaluated.kinds()
        assert kinds == {"normal ": scores[~worn].tolist(), "abnormal ": scores[worn].tolist()}
        return np.median(scores[worn]) > 2 * np.median(scores[~worn])
    first = [event.score for event in events if isinstance(event, Step)][:20]
    return scores.mean() < np.mean(first)


def test_what_is_no_data_of_the_model_is_refused_with_its_lines(tmp_path: Path) -> None:
    model = prepared(tmp_path, "--label", "state")
    unknown = motor(tmp_path, 3, ("fine", "worn", "broken"))
    done = subprocess.run(
        session(model, unknown, "/dev/none"), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "broken" in done.stderr
    assert "line " in done.stderr
    assert not (tmp_path / "session").exists()


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    model, table = tmp_path / "network.spn", tmp_path / "t.csv"
    more = (None, None, 1, 0, Begin.RESET)
    with pytest.raises(DataError, match="--group divides own data"):
        plans.plan_of(model, "digits", None, None, "person", *more)
    with pytest.raises(DataError, match="do not go with own data"):
        plans.plan_of(model, "digits", table, None, None, *more)
    with pytest.raises(DataError, match="lies beside a network that was made from own data"):
        own_training.further_task(model, table, None, None, None, 1)
