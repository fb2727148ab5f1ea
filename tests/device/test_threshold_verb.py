# SPDX-License-Identifier: Apache-2.0
"""The anomaly threshold over the link, on every kind of device: docs/protocol.md, 4.14."""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from raw_link import NETWORK, RULE, RawLink, Witness

from secondpass.boards import load_board
from secondpass.datasets import (
    DriftTask,
    drift_task,
    load_ceiling_fan,
    unavailable_reason,
)
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.interface import Device, Threshold
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import READ_THRESHOLD, Status, Verb
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import SerialTransport, Transport, TwinTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.rules import Backprop
from secondpass.tasks.anomaly import autoencoder

BOARDS = ("mps2-an385-m0plus", "mps2-an386", "mps3-an547")
FAN_RULE = Backprop(learning_rate=0.01)
STEPS = 400


def fan() -> tuple[Network, DriftTask]:
    if reason := unavailable_reason("ceiling-fan"):
        pytest.skip(reason)
    recordings = load_ceiling_fan()
    task = drift_task(recordings, ["low"], 1)
    return autoencoder(recordings, task.pretrain, (16, 4, 16), 1), task


@dataclass
class Board:
    """A device and its reset button."""

    transport: Transport
    reset: Callable[[], None]

    def open(self) -> LinkDevice:
        return LinkDevice(self.transport, fan()[0], FAN_RULE, 30.0)


@pytest.fixture(
    params=["twin", *(pytest.param(board, marks=pytest.mark.emulated) for board in BOARDS)]
)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Board]:
    if request.param == "twin":
        twin = TwinTransport(fan()[0], FAN_RULE)
        yield Board(twin, twin.restart)
        return
    request.getfixturevalue("cross_tools")
    chosen = load_board(request.param)
    firmware = build_firmware(fan()[0], FAN_RULE, chosen, tmp_path)
    with Emulator(chosen, firmware.elf, monitor=tmp_path / "monitor") as running:
        opened = SerialTransport(running.port)
        yield Board(opened, running.reset)
        opened.close()


def learn(device: Device, task: DriftTask, first: int, last: int) -> list[Any]:
    """Train on some samples of the stream of all windows of the first place, again and again."""
    chosen = task.pretrain[np.arange(first, last) % len(task.pretrain)]
    steps = device.train_stream(chosen, np.zeros(len(chosen), dtype=np.int64))
    return [(step.step, step.predicted, step.score) for step in steps]


def exercise(device: Device, task: DriftTask) -> list[Any]:
    """Learn, judge, calibrate and judge again; return everything that a host can see."""
    device.reset()
    seen: list[Any] = [device.threshold(), device.set_threshold(0.9)]
    seen.append(learn(device, task, 0, STEPS))
    seen.append(device.threshold())
    device.scores(task.anomalous[:20])
    seen += [device.threshold(), device.statistics().counters]
    seen.append(device.set_threshold(0.95, calibrate=True, restart=True))
    device.scores(task.pretrain[:120])
    seen.append(device.set_threshold(0.95))
    device.statistics(clear=True)
    seen.append(device.scores(np.concatenate([task.home_normal, task.anomalous[:60]])).tolist())
    seen += [device.threshold(), device.statistics().counters]
    return seen


def test_all_devices_keep_the_same_threshold(board: Board) -> None:
    network, task = fan()
    expected = exercise(NumpyDevice(network, FAN_RULE), task)
    assert exercise(HostTwin(network, FAN_RULE), task) == expected
    assert exercise(board.open(), task) == expected
    before, _, steps, learned, judged, counted, restarted, calibrated, scores, last, after = (
        expected
    )
    assert before == Threshold(math.inf, 0, 32440 / 2**15)
    assert learned.count == STEPS
    assert learned == judged, "evaluated samples count while calibrating only"
    assert [predicted for _, predicted, _ in steps[:10]] == [0] * 10
    alarms = sum(predicted for _, predicted, _ in steps)
    assert 0.05 * STEPS < alarms < 0.2 * STEPS
    assert alarms + 20 >= counted.alarms > alarms
    assert counted.trained - counted.trained_correct == alarms
    assert (restarted.score, restarted.count, restarted.calibrating) == (math.inf, 0, True)
    assert (calibrated.count, calibrated.calibrating) == (120, False)
    assert last == calibrated
    assert after.alarms == sum(score > calibrated.score for score in scores)
    normal = len(task.home_normal)
    assert sum(score > calibrated.score for score in scores[:normal]) < 0.2 * normal
    assert sum(score > calibrated.score for score in scores[normal:]) > 30


def test_a_checkpoint_keeps_the_threshold(board: Board) -> None:
    """Behind a power cut the threshold goes on as if there had been none."""
    network, task = fan()
    reference = NumpyDevice(network, FAN_RULE)
    device = board.open()
    for each in (reference, device):
        each.set_threshold(0.9, calibrate=True)
        learn(each, task, 0, 60)
        each.scores(task.home_normal[:15])
    device.save_checkpoint()
    saved = device.threshold()
    assert (saved.count, saved.calibrating) == (75, True)
    learn(device, task, 60, 90)
    device.set_threshold(0.5, restart=True)  # lost
    board.reset()
    device = board.open()
    assert device.threshold() == Threshold(math.inf, 0, 32440 / 2**15)
    assert device.load_checkpoint() == 60
    assert device.threshold() == saved
    assert learn(device, task, 60, 130) == learn(reference, task, 60, 130)
    assert device.threshold() == reference.threshold()


def test_the_twins_file_keeps_the_threshold(tmp_path: Path) -> None:
    network, task = fan()
    twin = HostTwin(network, FAN_RULE)
    learn(twin, task, 0, 150)
    saved = twin.set_threshold(0.97, calibrate=True)
    twin.save(tmp_path / "checkpoint")
    twin.reset()
    assert twin.threshold() == Threshold(math.inf, 0, 32440 / 2**15)
    twin.load(tmp_path / "checkpoint")
    assert twin.threshold() == saved
    assert math.isfinite(saved.score)


@pytest.fixture
def fan_link() -> RawLink:
    link = RawLink(TwinTransport(fan()[0], FAN_RULE))
    link.open()
    return link


def body(action: int, calibrating: int = 0, quantile: int = 30000) -> bytes:
    return struct.pack("<BBH", action, calibrating, quantile)


@pytest.mark.parametrize(
    ("request_body", "status"),
    [
        (b"", Status.LENGTH),
        (READ_THRESHOLD[:-1], Status.LENGTH),
        (READ_THRESHOLD + b"\0", Status.LENGTH),
        (body(0), Status.VALUE),
        (body(0, 1, 0), Status.VALUE),
        (body(1, 2), Status.VALUE),
        (body(1, 0, 16383), Status.VALUE),
        (body(1, 0, 32768), Status.VALUE),
        (body(2, 0, 0), Status.VALUE),
        (body(3), Status.VALUE),
        (body(255), Status.VALUE),
    ],
)
def test_requests_that_are_wrong_change_nothing(
    fan_link: RawLink, request_body: bytes, status: Status
) -> None:
    sample = bytes(2) + fan()[1].pretrain[0].tobytes()
    fan_link.call(Verb.TRAIN, sample)
    before = fan_link.call(Verb.THRESHOLD, READ_THRESHOLD)
    reply = fan_link.request(Verb.THRESHOLD, request_body)
    assert (reply.status, reply.body) == (status, b"")
    assert fan_link.call(Verb.THRESHOLD, READ_THRESHOLD) == before
    assert before == struct.pack("<IIHB", 2**32 - 1, 1, 32440, 0)


@pytest.mark.parametrize("quantile", [16384, 32767])
def test_the_limits_are_taken(fan_link: RawLink, quantile: int) -> None:
    answer = fan_link.call(Verb.THRESHOLD, body(1, 1, quantile))
    assert answer == struct.pack("<IIHB", 2**32 - 1, 0, quantile, 1)
    assert fan_link.call(Verb.THRESHOLD, READ_THRESHOLD) == answer


def test_other_heads_do_not_know_the_verb(link: RawLink) -> None:
    witness = Witness(link)
    for request_body in (READ_THRESHOLD, body(2)):
        reply = link.request(Verb.THRESHOLD, request_body)
        assert (reply.status, reply.body) == (Status.VERB, b"")
    witness.assert_unchanged()


@pytest.mark.parametrize("make", [NumpyDevice, HostTwin])
def test_other_heads_are_refused_on_the_host(make: Callable[..., Device]) -> None:
    devices: list[Device] = [make(NETWORK, RULE)]
    devices.append(LinkDevice(TwinTransport(NETWORK, RULE), NETWORK, RULE))
    for device in devices:
        with pytest.raises(NetworkError, match="softmax has no anomaly threshold"):
            device.threshold()
        with pytest.raises(NetworkError, match="softmax has no anomaly threshold"):
            device.set_threshold(0.9)


@pytest.mark.parametrize("quantile", [0.49, 1.0, -1.0, math.nan, math.inf])
def test_quantiles_out_of_range_are_refused(quantile: float) -> None:
    network, _ = fan()
    for device in (
        NumpyDevice(network, FAN_RULE),
        HostTwin(network, FAN_RULE),
        LinkDevice(TwinTransport(network, FAN_RULE), network, FAN_RULE),
    ):
        with pytest.raises(NetworkError, match=r"0\.5 to 0\.99997"):
            device.set_threshold(quantile, calibrate=True, restart=True)
        assert device.threshold() == Threshold(math.inf, 0, 32440 / 2**15)
