# SPDX-License-Identifier: Apache-2.0
"""What does not fit is refused before it is built, and what is advised fits when it is built."""

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from secondpass import commands, modelfile
from secondpass.boards import load_board
from secondpass.cli import app
from secondpass.device.crossbuild import build_firmware
from secondpass.errors import BuildError
from secondpass.plan import refuse
from secondpass.plan.advice import advise, resized
from secondpass.plan.cases import Case
from secondpass.plan.planner import Planner
from secondpass.plan.refuse import refuse_what_cannot_fit
from secondpass.rules import FAST_PEPITA

TOO_LARGE = {
    "microbit": Case((196, 48, 10), "pepita", "a16w16", FAST_PEPITA),
    "stm32vldiscovery": Case((64, 64, 10), "pepita", "a16w16", {"projection": "sparse"}),
}


@pytest.mark.emulated
@pytest.mark.parametrize("board_id", TOO_LARGE)
def test_every_advice_fits_when_it_is_built(
    board_id: str, cross_tools: None, tmp_path: Path
) -> None:
    case, board = TOO_LARGE[board_id], load_board(board_id)
    network, rule = case.network(), case.rule()
    assert not Planner(network, rule).on(board).fits
    advice = advise(network, rule, board)
    assert advice
    for number, one in enumerate(advice):
        assert one.plan.fits
        changed, its_rule = one.plan.network, one.plan.rule
        text = one.plan.text or False
        built = build_firmware(changed, its_rule, board, tmp_path / str(number), text)
        assert built.ram_bytes + built.stack_bytes <= board.memory.ram_bytes
        assert built.flash_bytes <= board.memory.flash_bytes
        assert built.ram_bytes == pytest.approx(one.plan.static_ram, rel=0.02)


@pytest.mark.emulated
def test_the_widest_first_layer_is_the_widest(
    cross_tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit more than advised, and the linker refuses, whatever the planner says."""
    case, board = TOO_LARGE["stm32vldiscovery"], load_board("stm32vldiscovery")
    network, rule = case.network(), case.rule()
    width = next(
        one.plan.network.layers[0].outputs
        for one in advise(network, rule, board, most=20)
        if one.change.endswith("first hidden layer")
    )
    wider = resized(network, width + 1, "a16w16")
    assert wider is not None
    planned = Planner(wider, rule).on(board)
    assert not planned.fits
    monkeypatch.setattr(refuse, "refuse_what_cannot_fit", lambda *_, **__: None)
    with pytest.raises(BuildError, match="RAM is too small"):
        build_firmware(wider, rule, board, tmp_path)


@pytest.mark.emulated
@pytest.mark.parametrize("board_id", ["microbit", "stm32vldiscovery"])
def test_what_fits_without_the_text_protocol(
    board_id: str, cross_tools: None, tmp_path: Path
) -> None:
    """The widest network that fits without it does not fit with it: that is told first."""
    board = load_board(board_id)
    case = Case((64, 200, 10), "pepita", "a16w16", {"projection": "sparse"})
    rule = case.rule()
    widths = []
    for units in range(8, 120):
        network = resized(case.network(), units, "a16w16")
        assert network is not None
        if Planner(network, rule, text=False).on(board).fits:
            widths.append(network)
    widest = widths[-1]
    assert not Planner(widest, rule).on(board).fits
    advice = advise(widest, rule, board)
    assert (advice[0].options, advice[0].plan.text) == ("--no-text", None)
    assert all(one.plan.text is not None for one in advice[1:])
    assert "--no-text" not in [one.options for one in advise(widest, rule, board, text=False)]
    assert build_firmware(widest, rule, board, tmp_path / "without", text=False).elf.is_file()
    with pytest.raises(BuildError, match=r"does not fit|RAM is too small"):
        build_firmware(widest, rule, board, tmp_path / "with")


def test_build_refuses_with_the_plan_before_it_writes_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = TOO_LARGE["microbit"]
    modelfile.save(tmp_path / "network.spn", case.network(), case.rule())
    with pytest.raises(BuildError, match=r"196-48-10 .* does not fit microbit") as refused:
        commands.build("microbit", tmp_path / "network.spn", Console())
    text = str(refused.value)
    assert "weights and biases" in text
    assert "It fits with" in text
    assert [path.name for path in tmp_path.iterdir()] == ["network.spn"]


def test_what_the_linker_may_still_place_is_left_to_it() -> None:
    case, board = TOO_LARGE["microbit"], load_board("microbit")
    planned = Planner(case.network(), case.rule()).on(board)
    assert planned.cannot_fit
    assert not Planner(case.network(), case.rule()).on(load_board("mps2-an386")).cannot_fit


def test_where_nothing_helps_it_is_said() -> None:
    network = Case((4000, 700, 10), "bp", "a8w8").network()
    assert (
        advise(network, Case((4000, 700, 10), "last").rule(), load_board("stm32vldiscovery")) == []
    )


def test_the_command_prints_every_board_and_fails_where_nothing_fits() -> None:
    run = CliRunner().invoke(app, ["plan", "64-32-10", "--rule", "ftp", "--all", "--steps", "5"])
    assert run.exit_code == 0, run.output
    assert "stm32vldiscovery" in run.output
    assert "nucleo_f446re" in run.output
    run = CliRunner().invoke(
        app, ["plan", "784-100-10", "--board", "microbit", "--steps", "5", "--zeros", "0.8"]
    )
    assert run.exit_code == 1
    assert "too many" in run.output
    assert "It fits with" in run.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["784-x"], "neither a .spn file nor widths"),
        (["64-32-10", "--zeros", "2"], "takes a share"),
        (["64-32-10", "--board", "nowhere"], "no board 'nowhere'"),
        (["64-32-10", "--format", "a8w8", "--rule", "tl"], "no form in a8w8"),
        (["64-32-10", "--dataset", "digits", "--head", "mse"], "learns vectors"),
        (["64-32-10", "--no-text", "--profile-id", "kws01"], "give one of them"),
    ],
)
def test_bad_options_are_named(options: list[str], said: str) -> None:
    run = CliRunner().invoke(app, ["plan", "--steps", "5", *options])
    assert run.exit_code != 0
    assert said in str(run.exception)


def test_frozen_layers_are_planned_as_cheaper() -> None:
    board = load_board("mps2-an386")
    learns = Case((40, 16, 4), "pepita")
    frozen = Case((40, 16, 4), "pepita", settings={"trainable": ("none", "all")})
    network = learns.network()
    dense, cheap = (Planner(network, case.rule()).on(board) for case in (learns, frozen))
    assert cheap.step.worst < dense.step.worst
    assert cheap.ram_bytes < dense.ram_bytes - 2 * 40 * 16


def test_a_port_that_was_never_measured_is_left_to_the_linker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case, board = TOO_LARGE["microbit"], load_board("microbit")
    with pytest.raises(BuildError, match="does not fit microbit"):
        refuse_what_cannot_fit(case.network(), case.rule(), board)
    assert board.port is not None
    monkeypatch.setattr(board.port, "family", "abacus")
    refuse_what_cannot_fit(case.network(), case.rule(), board)
