# SPDX-License-Identifier: Apache-2.0
"""An emulated board scored by a host that knows the protocol's description and nothing else."""

import math
from pathlib import Path

import numpy as np
import pytest
from document import START, mismatch
from text_boards import KEYWORDS, MACHINE_STEP, MACHINES, RULE, Board, keyword_samples
from tiny_client import ProtocolError, TinyDevice, auc, top_1
from toy_networks import toy_network, toy_samples

from secondpass.boards import load_board
from secondpass.device import protocol
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.interface import read_weights, same_weights
from secondpass.device.reference import NumpyDevice
from secondpass.device.text import TextProfile, chosen_profile, default_profile
from secondpass.errors import BuildError
from secondpass.features.spectrum import STEP, ZERO, Spectrum
from secondpass.integer.heads import probabilities
from secondpass.quantise import choose_input, quantise, random_layers
from secondpass.spectral import with_front

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]


def reference() -> NumpyDevice:
    return NumpyDevice(KEYWORDS, RULE)


def truncated(logits: np.ndarray) -> list[float]:
    """Return three decimals of Q15 probabilities, as kws01 has them."""
    frac = KEYWORDS.result_frac(1)
    return [int(p) * 1000 // 2**15 / 1000 for p in probabilities(logits, frac).clip(0, 2**15 - 1)]


def test_start_up(board: Board) -> None:
    board.emulator.reset()
    said = board.client.settle(0.5).replace(b"\0", b"").decode("ascii")
    assert said.endswith("\r\n")
    assert mismatch(said.split("\r\n")[:-1], START) == ""
    assert board.client.name()


def test_names(board: Board) -> None:
    assert board.client.name() == "secondpass/mps2-an386"
    firmware, model = board.client.profile()
    assert firmware.startswith("Secondpass ")
    assert model == "kws01"
    assert any("490 bytes" in line for line in board.client.command("help"))


def test_results_are_the_networks(board: Board) -> None:
    samples = keyword_samples(4)
    device = reference()
    board.client.command("reset")
    for sample in samples:
        board.client.load(sample.tobytes())
        assert board.client.stored() == sample.tobytes()
        measured = board.client.infer(2, 1)
        assert measured.results == truncated(device.infer(sample).logits)
        assert board.client.infer(1, 0).results == measured.results


def test_errors_are_followed_by_an_answer(board: Board) -> None:
    client = board.client
    with pytest.raises(ProtocolError, match="does not take 491 bytes"):
        client.load(bytes(491))
    assert client.command("frobnicate 3") == ["e-[Unknown command: frobnicate]"]
    assert client.command("") == ["e-[Unknown command: ]"]
    assert client.command("db") == ["e-[Command 'db' requires a subcommand]"]
    assert client.command("db 123") == ["e-[Insufficent number of hex digits]"]
    assert client.command("infer 0") == ["e-[Inference iterations must be >0]"]
    assert client.command("x" * 500) == [f"e-[Unknown command: {'x' * 80}]"]
    for _ in range(20):  # far more than the buffer holds
        assert client.command("db " + "ab" * 38) == []
    assert client.name()


def test_training_in_text_is_the_training_of_the_link(board: Board) -> None:
    client = board.client
    client.command("reset")
    samples, device = keyword_samples(3, seed=2), reference()
    for label, sample in zip((3, 0, 11), samples, strict=True):
        client.load(sample.tobytes())
        assert client.command(f"label {label}") == [f"m-label-{label}"]
        lines = client.command("train 2")
        steps = [device.train(sample, label) for _ in range(2)]
        assert [line.partition("-us-")[0] for line in lines[:3]] == [
            "m-train-start-2",
            "m-lap",
            "m-lap",
        ]
        assert lines[3] == "m-train-done"
        shown = math.floor(steps[1].label_probability * 1000) / 1000
        assert lines[4] == f"m-trained-[{steps[1].predicted},{shown:.3f},{steps[1].step}]"
    assert "m-stats-trained-6" in client.command("stats")
    with board.link() as link:
        assert same_weights(read_weights(link), read_weights(device))
        trained = link.train(samples[0], 5)
        expected = device.train(samples[0], 5)
        assert (trained.predicted, trained.step) == (expected.predicted, 7)
    client.load(samples[1].tobytes())  # text again, the link's work seen
    assert client.infer().results == truncated(device.infer(samples[1]).logits)
    assert client.command("save")[0].startswith("m-saved-")
    assert client.command("reset") == ["m-reset-done"]
    assert client.command("load") == ["m-loaded-7"]
    assert client.infer().results == truncated(device.infer(samples[1]).logits)


def test_steps_of_either_protocol_are_saved(board: Board) -> None:
    """Every third step, whoever asked for it; N steps of one command are counted one by one."""
    client, samples = board.client, keyword_samples(2, seed=3)
    client.command("reset")
    with board.link() as link:
        link.autosave(3)
        saved = link.statistics().autosave.saved
        link.train(samples[0], 1)
        link.train(samples[1], 2)
    client.load(samples[0].tobytes())
    client.command("label 4")
    client.command("train")
    with board.link() as link:
        assert link.statistics().autosave.saved == saved + 1
    assert client.command("train 8")[-1].endswith(",11]")
    assert client.command("load") == ["m-loaded-9"]
    with board.link() as link:
        autosave = link.statistics().autosave
        assert (autosave.saved, autosave.failed) == (saved + 3, 0)
        device = reference()
        for sample, label in ((samples[0], 1), (samples[1], 2), *[(samples[0], 4)] * 7):
            device.train(sample, label)
        assert same_weights(read_weights(link), read_weights(device))
        link.autosave(0)
    client.command("train 3")
    with board.link() as link:
        assert link.statistics().autosave.saved == saved + 3


def test_start_up_lines_do_not_disturb_the_link(board: Board) -> None:
    """The host's port is open when they come, and the link's first answer is behind them."""
    board.emulator.reset()
    with board.link() as link:
        sample = keyword_samples(1)[0]
        wanted = reference().infer(sample).logits
        assert np.array_equal(link.infer(sample).logits, wanted)
        assert link.repeats == 0
    assert board.client.settle(0.2).count(b"m-ready") <= 1
    assert board.client.name()


def test_nothing_of_a_command_is_left_to_the_link(board: Board) -> None:
    """The first frame behind text gets one answer, with a zero ahead of it."""
    board.client.name()
    board.client.send(b"\0" + protocol.encode(protocol.Verb.HELLO, 3))
    before, first, after = board.client.settle(0.5).split(b"\0")
    assert (before, after) == (b"", b"")
    assert protocol.decode(first).verb == protocol.Verb.HELLO


def test_a_zero_stops_what_would_never_end(board: Board) -> None:
    client = board.client
    client.load(bytes(490))
    client.send(b"infer 2000000000 0%")
    lines = client.lines()
    assert [next(lines).partition("-us-")[0] for _ in range(4)] == [
        "m-warmup-start-0",
        "m-warmup-done",
        "m-infer-start-2000000000",
        "m-lap",
    ]
    client.send(b"\0")
    assert list(lines) == ["e-[Stopped]"]
    assert client.name()


def scored(profile_id: str | None, network, board_id: str, folder: Path) -> Emulator:
    profile = TextProfile(profile_id) if profile_id else default_profile(network)
    chosen = load_board(board_id)
    elf = build_firmware(network, RULE, chosen, folder, profile).elf
    return Emulator(chosen, elf, count_instructions=True)


def test_anomaly_scores_of_float_windows(tmp_path: Path) -> None:
    """As ad01: windows of 2560 bytes, 512 apart; the device quantises."""
    random = np.random.default_rng(4)
    clips = (random.normal(0, 6, (2, 8, 128)) - 35).astype(np.float32)
    windows = [clips[0].ravel()[at : at + 640] for at in (0, 128)]
    steps = np.array(windows, dtype=np.float64) / MACHINE_STEP
    raw = (np.trunc(steps + np.copysign(0.5, steps)) + 89).clip(-128, 127).astype(np.int8)
    expected = [float(f"{s:.3f}") for s in NumpyDevice(MACHINES, RULE).scores(raw)]
    with (
        scored(None, MACHINES, "mps2-an386", tmp_path) as running,
        TinyDevice(running.port) as client,
    ):
        client.connect()
        assert client.profile()[1] == "ad01"
        got = []
        for window in windows:
            client.load(window.tobytes())
            got += client.infer().results
        assert got == expected
        mean = client.anomaly(clips[0, :6].tobytes())
        assert mean == pytest.approx(sum(expected) / 2)
        assert auc([mean, mean + 1], [False, True]) == 1.0


def test_a_detector_of_readings_takes_them_as_the_sensor_gives_them(tmp_path: Path) -> None:
    windows = np.random.default_rng(5).integers(-3000, 3000, (20, 120)).astype(np.int16)
    front = Spectrum(40, 3, 3, 6, 1 / 2048).fitted(windows)
    layers = random_layers((front.size, 8, front.size), 1, "tanh")
    features = front.features(windows)
    spec = choose_input(front.size, "uint8", ZERO, STEP)
    network = with_front(quantise(layers, spec, features, head="reconstruction"), front)
    expected = [float(f"{s:.3f}") for s in NumpyDevice(network, RULE).scores(windows[:3])]
    with (
        scored(None, network, "mps2-an386", tmp_path) as running,
        TinyDevice(running.port) as client,
    ):
        client.connect()
        got = []
        for window in windows[:3]:
            client.load(window.tobytes())
            got += client.infer().results
    assert got == expected


def test_time_is_that_of_the_instructions(tmp_path: Path) -> None:
    """With instructions counted, a window takes what the link says that one inference takes."""
    with (
        scored("ic01", KEYWORDS, "mps2-an386", tmp_path) as running,
        Board.open(running) as board,
    ):
        client = board.client
        sample = keyword_samples(1)[0]
        client.load(sample.tobytes())
        measured = client.infer(200, 2)
        again = client.infer(400, 2)
        assert measured.throughput == pytest.approx(again.throughput, rel=0.02)
        rounded = [float(f"{p / 2**15:.3f}") for p in _q15(sample)]
        assert measured.results == rounded  # ic01 rounds
        with board.link() as link:
            seconds = link.infer(sample).ticks / link.info.ticks_hz
        assert 1e6 / measured.throughput == pytest.approx(1e6 * seconds, rel=0.05)


def _q15(sample: np.ndarray) -> list[int]:
    logits = reference().infer(sample).logits
    return probabilities(logits, KEYWORDS.result_frac(1)).clip(0, 2**15 - 1).tolist()


@pytest.mark.parametrize(
    "board_id", ["microbit", "stm32vldiscovery", "netduinoplus2", "mps3-an547"]
)
def test_other_ports(board_id: str, tmp_path: Path) -> None:
    """Also where RAM is 8 and 16 KiB, with a stack of 1 KiB."""
    network = toy_network(64, 10, 10, dtype="uint8")
    samples, labels = toy_samples(network, 2)
    device = NumpyDevice(network, RULE)
    with (
        scored("digits-1", network, board_id, tmp_path) as running,
        TinyDevice(running.port) as client,
    ):
        assert client.connect() == f"secondpass/{board_id}"
        for sample, label in zip(samples, labels, strict=True):
            client.load(sample.tobytes())
            client.command(f"label {label}")
            step = device.train(sample, label)
            assert f",{step.step}]" in client.command("train")[-1]
            wanted = probabilities(device.infer(sample).logits, network.result_frac(1))
            wanted = wanted.clip(0, 2**15 - 1)
            assert client.infer(3, 1).results == [float(f"{p / 2**15:.3f}") for p in wanted]
        stack = next(x for x in client.command("stats") if x.startswith("m-stats-stack-bytes-"))
        assert 300 < int(stack.rpartition("-")[2]) <= 1024 - 128


def test_a_build_has_it_unless_it_is_left_out(tmp_path: Path) -> None:
    network = toy_network(64, 10, 10, dtype="uint8")
    board = load_board("mps2-an386")
    with_text = build_firmware(network, RULE, board, tmp_path / "with")
    without = build_firmware(network, RULE, board, tmp_path / "without", text=False)
    assert b"m-ready" in with_text.elf.read_bytes()
    assert b"m-ready" not in without.elf.read_bytes()
    assert 0 < with_text.flash_bytes - without.flash_bytes < 6000
    assert 64 < with_text.ram_bytes - without.ram_bytes < 64 + 300


def test_options() -> None:
    assert chosen_profile(True, None) is False
    assert chosen_profile(False, None) is True
    assert chosen_profile(False, "ic01") == TextProfile("ic01")
    with pytest.raises(BuildError, match="--no-text leaves out what --profile-id is for"):
        chosen_profile(True, "ic01")
    for wrong in ("", "a]", "x" * 17, "m-ready", "ä"):
        with pytest.raises(BuildError, match="--profile-id"):
            TextProfile(wrong)


def test_measures() -> None:
    assert top_1([[0.1, 0.9], [0.5, 0.5], [0.2, 0.8]], [1, 0, 0]) == pytest.approx(2 / 3)
    assert auc([1, 2, 3, 4], [False, True, False, True]) == 0.75
