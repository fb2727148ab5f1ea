# SPDX-License-Identifier: Apache-2.0
"""A power cut while a device saves by itself: it goes on from the old or the new checkpoint."""

from typing import Any

import pytest
from store_host import NEVER, StoreBoard, build
from test_generated_models import MODELS

from secondpass.device.interface import read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import RefusedError, Status
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import TwinTransport

MODEL = MODELS[0]
EVERY, END = 4, 16


class CutTwin(TwinTransport):
    """The firmware's trainer, whose checkpoints go into a flash that a power cut can stop."""

    def __init__(self, network: Any, rule: Any) -> None:
        self.board = StoreBoard(build(network, rule), network, 128, 8)
        super().__init__(network, rule)

    def _save(self, model: Any, report: Any) -> int:
        self.board.set_state(bytes(self._content(model)))
        status = self.board.save()
        report.bytes_written = self.board.report.bytes_written
        return status

    def _load(self, model: Any) -> int:
        status = self.board.load()
        if status == Status.OK:
            self._content(model)[:] = self.board.state()
        return status

    def _content(self, model: Any) -> Any:
        """The front part of the model, which a checkpoint holds."""
        return self._ffi.buffer(model, self.board.content.length)

    def power_up(self, cut_after: int = NEVER, scattered: int = 0, random: int = 0) -> None:
        self.board.power_up(cut_after, scattered, random)
        self.restart()


def train(device: Any, first: int, last: int) -> None:
    network = MODEL.network()
    samples, targets = MODEL.samples()[first:last], MODEL.targets(network)[first:last]
    assert all(device.train_stream(samples, targets))


def test_cuts_of_an_automatic_save() -> None:
    network = MODEL.network()
    straight = NumpyDevice(network, MODEL.rule)
    train(straight, 0, END)
    twin = CutTwin(network, MODEL.rule)
    twin.power_up()
    device = LinkDevice(twin, network, MODEL.rule)
    device.autosave(EVERY)
    train(device, 0, EVERY)
    before = bytes(twin.board.memory)
    train(device, EVERY, 2 * EVERY)
    total = twin.board.simulator.changed // 2
    assert device.statistics().autosave.saved == 2
    found = set()
    for cut in [*range(1, total, 23), total - 1, total]:
        twin.board.memory[:] = before
        twin.power_up(cut, cut % 2, cut)
        device = LinkDevice(twin, network, MODEL.rule)
        assert device.load_checkpoint() == EVERY
        device.autosave(EVERY)
        train(device, EVERY, 2 * EVERY)
        statistics = device.statistics().autosave
        assert (statistics.saved, statistics.failed, statistics.status) == (0, 1, Status.FLASH)

        twin.power_up()
        device = LinkDevice(twin, network, MODEL.rule)
        assert device.statistics().autosave.every == 0
        step = device.load_checkpoint()
        found.add(step)
        device.autosave(EVERY)
        train(device, step, END)
        assert same_weights(read_weights(device), read_weights(straight))
        assert device.statistics().counters == straight.statistics().counters
        assert device.statistics().autosave.failed == 0
    assert EVERY in found
    assert found <= {EVERY, 2 * EVERY}
    twin.board.check_use()


def test_nothing_is_saved_before_its_time() -> None:
    network = MODEL.network()
    twin = CutTwin(network, MODEL.rule)
    twin.power_up()
    device = LinkDevice(twin, network, MODEL.rule)
    device.autosave(EVERY)
    train(device, 0, EVERY - 1)
    assert twin.board.simulator.changed == 0
    with pytest.raises(RefusedError) as caught:
        device.load_checkpoint()
    assert caught.value.status is Status.EMPTY
    train(device, EVERY - 1, EVERY)
    assert twin.board.simulator.changed > 0
