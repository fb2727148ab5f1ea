# SPDX-License-Identifier: Apache-2.0
"""The plan of frozen int8 networks against what was linked and counted; none is in a table."""

from pathlib import Path

import numpy as np
import pytest
from planned_networks import BOARDS
from typer.testing import CliRunner

from secondpass import modelfile
from secondpass.boards import load_board, load_catalogue
from secondpass.cli import app
from secondpass.device.crossbuild import build_firmware
from secondpass.device.text import TextProfile
from secondpass.errors import BuildError, NetworkError
from secondpass.plan import refuse
from secondpass.plan.advice import advise
from secondpass.plan.frozen import FrozenPlanner, inference_work
from secondpass.plan.frozen_measure import FrozenCase, count_inferences, frozen_network
from secondpass.plan.refuse import refuse_what_cannot_fit
from secondpass.plan.report import verdict
from secondpass.plan.work import form_of
from secondpass.rules import NoRule

MEMORY, WORK = 0.02, 0.10
NETWORKS = {
    "softmax": frozen_network((98, 40, 12), "softmax", per_row=True, seed=31),
    "mse": frozen_network((333, 65, 20, 7), "mse", seed=32),
    "sigmoid": frozen_network((190, 24, 1), "sigmoid", seed=33),
    "reconstruction": frozen_network((160, 50, 9, 50, 160), "reconstruction", seed=34),
}
DETECTOR = frozen_network((640, *[128] * 4, 8, *[128] * 4, 640), "reconstruction")
"""The shape of MLCommons Tiny's anomaly detector."""


@pytest.mark.emulated
@pytest.mark.parametrize("board_id", BOARDS)
@pytest.mark.parametrize("head", NETWORKS)
def test_the_plan_is_what_was_linked_and_counted(
    head: str, board_id: str, cross_tools: None, tmp_path: Path
) -> None:
    network, board = NETWORKS[head], load_board(board_id)
    plan = FrozenPlanner(network).on(board)
    built = build_firmware(network, NoRule(), board, tmp_path)
    assert plan.static_ram == pytest.approx(built.ram_bytes, rel=MEMORY)
    assert plan.flash_bytes == pytest.approx(built.flash_bytes, rel=MEMORY)
    counted, stack = count_inferences(board, built.elf, FrozenCase(network, tmp_path))
    assert plan.inference.typical == pytest.approx(counted, rel=WORK)
    assert stack <= plan.stack_used
    assert plan.step is None


@pytest.mark.emulated
@pytest.mark.parametrize("text", [False, TextProfile("ad01")], ids=str)
@pytest.mark.parametrize("board_id", ["microbit", "stm32vldiscovery", "netduinoplus2"])
def test_other_ports_and_profiles(
    text: TextProfile | bool, board_id: str, cross_tools: None, tmp_path: Path
) -> None:
    network, board = NETWORKS["reconstruction"], load_board(board_id)
    plan = FrozenPlanner(network, text).on(board)
    built = build_firmware(network, NoRule(), board, tmp_path, text)
    assert plan.static_ram == pytest.approx(built.ram_bytes, rel=MEMORY)
    assert plan.flash_bytes == pytest.approx(built.flash_bytes, rel=MEMORY)


def test_what_cannot_fit_is_refused_with_boards_that_hold_it(tmp_path: Path) -> None:
    """Before a file is written, and without a compiler."""
    board = load_board("microbit")
    with pytest.raises(BuildError) as caught:
        build_firmware(DETECTOR, NoRule(), board, tmp_path / "built")
    message = str(caught.value)
    plan = FrozenPlanner(DETECTOR).on(board)
    assert f"does not fit microbit: RAM {plan.ram_bytes:,}" in message
    assert f"flash {plan.flash_bytes:,} of 262,144" in message
    assert "--board nucleo_f446re" in message
    assert not (tmp_path / "built").exists()
    assert verdict(plan) == "no: flash"


@pytest.mark.emulated
def test_the_linker_refuses_it_too(
    cross_tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refuse, "refuse_what_cannot_fit", lambda *_: None)
    with pytest.raises(BuildError, match="overflowed"):
        build_firmware(DETECTOR, NoRule(), load_board("microbit"), tmp_path)


def test_every_advice_fits_and_is_the_smallest_first() -> None:
    advice = advise(DETECTOR, NoRule(), load_board("microbit"))
    assert advice
    assert all(one.plan.fits for one in advice)
    sizes = [one.plan.board.memory.flash_bytes for one in advice]
    plans = [FrozenPlanner(DETECTOR).on(board) for board in load_catalogue()]
    assert sizes == sorted(p.board.memory.flash_bytes for p in plans if p.fits)[: len(sizes)]
    for one in advice:
        assert one.options == f"--board {one.plan.board.id}"
        refuse_what_cannot_fit(DETECTOR, NoRule(), one.plan.board)


@pytest.mark.emulated
def test_the_text_protocol_is_left_out_where_that_is_enough(
    cross_tools: None, tmp_path: Path
) -> None:
    network = frozen_network((400, 4, 400), "reconstruction")
    board = load_board("stm32vldiscovery")
    with pytest.raises(BuildError, match="--no-text"):
        build_firmware(network, NoRule(), board, tmp_path)
    assert advise(network, NoRule(), board)[0].options == "--no-text"
    build_firmware(network, NoRule(), board, tmp_path, text=False)


def test_no_loop_is_left_out_of_the_work() -> None:
    """Columns of all rows are the multiplications, whatever the form."""
    network = frozen_network((64, 32, 8), "softmax")
    products = 64 * 32 + 32 * 8
    plain = inference_work(network, form_of("cortex-m3"))
    assert 4 * plain["column"] == products
    dsp = inference_work(network, form_of("cortex-m4"))
    assert 16 * dsp["packed column"] == products
    vectors = inference_work(network, form_of("cortex-m55"))
    assert 64 * vectors["column"] == products
    assert all(work["row"] == 40 for work in (plain, dsp, vectors))


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["plan", *arguments], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_command_prints_the_plan(tmp_path: Path) -> None:
    model = tmp_path / "network.spn"
    modelfile.save(model, DETECTOR, NoRule())
    code, printed = run(str(model), "--board", "microbit")
    assert code == 1
    assert "infers only" in printed
    assert "step" not in printed
    assert "checkpoint" not in printed
    assert "--board nucleo_f446re" in printed
    code, printed = run(str(model), "--all")
    assert code == 0
    row = next(line for line in printed.splitlines() if line.startswith("netduinoplus2"))
    assert row.split()[-3:] == ["-", "-", "yes"]
    with pytest.raises(NetworkError, match="frozen int8"):
        run(str(model), "--rule", "ftp")


def test_weights_and_constants_are_those_of_the_network() -> None:
    network = NETWORKS["softmax"]
    weights = sum(layer.outputs * -(-layer.inputs // 4) * 4 for layer in network.layers)
    rows = np.sum([layer.outputs for layer in network.layers])
    plan = FrozenPlanner(network).on(load_board("mps2-an386"))
    assert plan.flash["weights and constants"] == weights + rows * (4 + 12)
