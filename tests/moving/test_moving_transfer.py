# SPDX-License-Identifier: Apache-2.0
"""Transfers that go wrong: checked before, seen after, and said in one line."""

import os
import pty
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs
from toy_networks import toy_network, toy_samples

from secondpass import modelfile
from secondpass.device import protocol
from secondpass.device.emulator import emulated_device
from secondpass.device.interface import BIAS, WEIGHTS, read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import Verb
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import TwinTransport
from secondpass.errors import DeviceError, NetworkError
from secondpass.moving import transfer
from secondpass.network import Network
from secondpass.rules import BiasOnly, LastLayer, Pepita, Rule

NETWORK, RULE = toy_network(21, 15, 5), Pepita(learning_rate=0.2)
SAMPLES, LABELS = toy_samples(NETWORK, 40)
SHORT = Pepita(learning_rate=0.2, second_pass="short", presynaptic="first")


def taught(network: Network = NETWORK, rule: Rule = RULE) -> Network:
    device = NumpyDevice(network, rule)
    assert all(device.train_stream(SAMPLES, LABELS))
    return network.with_weights(read_weights(device))


class Line(TwinTransport):
    """A device at the end of a line where write requests change, or that goes away."""

    def __init__(self, network: Network, rule: Rule) -> None:
        super().__init__(network, rule)
        self.writes = 0
        self.silent_after: int | None = None
        self.alter: tuple[int, int] | None = None

    def write(self, data: bytes) -> None:
        for encoded in data.split(b"\0")[:-1]:
            frame = cobs.decode(encoded) if encoded else b""
            if len(frame) > 8 and frame[1] == Verb.WRITE_TENSOR:
                if self.writes == self.silent_after:
                    return
                self.writes += 1
                if self.alter == (frame[4], frame[5]):
                    body = bytearray(frame[4:-4])
                    body[-1] ^= 1
                    sequence = int.from_bytes(frame[2:4], "little")
                    encoded = protocol.encode(frame[1], sequence, bytes(body))[:-1]
            super().write(encoded + b"\0")


def opened(line: Line, network: Network, rule: Rule) -> LinkDevice:
    return LinkDevice(line, network, rule, timeout=0.5)


@pytest.mark.parametrize("rule", [RULE, SHORT], ids=["full", "short"])
def test_training_goes_on_from_what_was_moved(rule: Rule, tmp_path: Path) -> None:
    """A pulled file in a fresh device learns as the first device does from the same step."""
    first = LinkDevice(TwinTransport(NETWORK, rule), NETWORK, rule)
    assert all(first.train_stream(SAMPLES, LABELS))
    pulled, origin = transfer.pull(first, rule, tmp_path / "trained.spn")
    assert origin.step == len(SAMPLES)
    second = LinkDevice(TwinTransport(NETWORK, rule), NETWORK, rule)
    pushed = transfer.push(second, rule, pulled)
    assert (second.statistics().counters.step, pushed.kept) == (0, ())
    reference = NumpyDevice(pulled, rule)  # its first step is 1 too
    steps = [list(device.train_stream(SAMPLES, LABELS)) for device in (second, reference)]
    assert [x.label_probability for x in steps[0]] == [x.label_probability for x in steps[1]]
    assert same_weights(read_weights(second), read_weights(reference))


def test_the_pulled_file_opens_the_device_it_came_from(tmp_path: Path) -> None:
    line = Line(NETWORK, RULE)
    device = opened(line, NETWORK, RULE)
    assert all(device.train_stream(SAMPLES, LABELS))
    pulled, origin = transfer.pull(device, RULE, tmp_path / "trained.spn")
    with pytest.raises(DeviceError, match=f"runs model {origin.model_hash:016x}"):
        LinkDevice(line, pulled, RULE, 0.5)
    again = LinkDevice(line, pulled, RULE, 0.5, known_as=(origin.model_hash,))
    assert same_weights(read_weights(again), [(x.weights, x.bias) for x in pulled.layers])
    with pytest.raises(DeviceError, match="runs model"):
        LinkDevice(line, pulled, RULE, 0.5, (origin.model_hash ^ 1,))


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(("kind", "name"), [(WEIGHTS, "weights"), (BIAS, "bias")])
def test_what_a_device_does_not_keep_is_seen(layer: int, kind: int, name: str) -> None:
    line = Line(NETWORK, RULE)
    device = opened(line, NETWORK, RULE)
    line.alter = (layer, kind)
    with pytest.raises(DeviceError) as seen:
        transfer.push(device, RULE, taught())
    assert f"layer {layer} ('layer{layer}'): " in str(seen.value)
    assert f"of the {name} read back are not those" in str(seen.value)


@pytest.mark.parametrize("writes", [0, 3, 7])
def test_a_device_that_goes_away(writes: int) -> None:
    line = Line(NETWORK, RULE)
    device = opened(line, NETWORK, RULE)
    line.silent_after = writes
    with pytest.raises(DeviceError, match=r"no longer answers.*may hold a part of the weights"):
        transfer.push(device, RULE, taught())


class Learning(LinkDevice):
    """A device that learns while it is read."""

    def read_tensor(self, layer: int, kind: int) -> np.ndarray:
        values = super().read_tensor(layer, kind)
        if layer == 0:
            self.train(SAMPLES[0], LABELS[0])
        return values


def test_a_device_that_learns_meanwhile(tmp_path: Path) -> None:
    device = Learning(TwinTransport(NETWORK, RULE), NETWORK, RULE)
    kept = tmp_path / "trained.spn"
    modelfile.save(kept, NETWORK, RULE)
    before = kept.read_bytes()
    with pytest.raises(DeviceError, match=r"learned while it was read \(steps 0 to 2\)"):
        transfer.pull(device, RULE, kept)
    assert kept.read_bytes() == before
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (LastLayer(), ((0, WEIGHTS), (0, BIAS))),
        (BiasOnly(), ((0, WEIGHTS), (1, WEIGHTS))),
        (Pepita(trainable=("bias", "all")), ((0, WEIGHTS),)),
    ],
    ids=["last", "bias", "mixed"],
)
def test_frozen_layers_that_agree_stay(rule: Rule, kept: tuple[tuple[int, int], ...]) -> None:
    device = opened(Line(NETWORK, rule), NETWORK, rule)
    source = taught(NETWORK, rule)
    assert transfer.push(device, rule, source).kept == kept
    assert same_weights(read_weights(device), [(x.weights, x.bias) for x in source.layers])
    assert not same_weights(read_weights(device), read_weights(NumpyDevice(NETWORK, rule)))


@pytest.mark.parametrize("rule", [LastLayer(), BiasOnly(), Pepita(trainable=("bias", "all"))])
def test_frozen_layers_that_differ_refuse_everything(rule: Rule) -> None:
    line = Line(NETWORK, rule)
    device = opened(line, NETWORK, rule)
    with pytest.raises(NetworkError, match=r"layer 0 \('layer0'\) is frozen.*of its weights"):
        transfer.push(device, rule, taught())
    assert line.writes == 0
    assert same_weights(read_weights(device), read_weights(NumpyDevice(NETWORK, rule)))


@pytest.mark.parametrize(("steps", "accepted"), [(1, True), (2, False)])
def test_frozen_layers_of_another_format_may_be_a_step_off(steps: int, accepted: bool) -> None:
    narrow = tuple(
        replace(
            layer,
            weights=(layer.weights // 64).astype(np.int8),
            bias=(layer.bias // 64).astype(np.int32),
            weight_frac=6,
        )
        for layer in NETWORK.layers
    )
    target, rule = replace(NETWORK, layers=narrow, format="a16w8"), LastLayer()
    line = Line(target, rule)
    device = opened(line, target, rule)
    first = target.layers[0].weights.astype(np.int16) * 64
    first[3, 4] += 64 * steps - 1  # a hair off: the values are rounded once more
    first[5, 6] += 1
    layers = (replace(NETWORK.layers[0], weights=first), NETWORK.layers[1])
    source = replace(NETWORK, layers=layers)
    if accepted:
        assert transfer.push(device, rule, source).kept == ((0, WEIGHTS), (0, BIAS))
    else:
        with pytest.raises(NetworkError, match="1 of 315 values of its weights"):
            transfer.push(device, rule, source)
    assert (line.writes > 0) == accepted


@pytest.fixture
def nobody() -> Iterator[str]:
    """A terminal whose other end never answers."""
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_no_device(nobody: str, tmp_path: Path) -> None:
    modelfile.save(tmp_path / "model.spn", NETWORK, RULE)
    with pytest.raises(DeviceError, match="no Secondpass firmware answered"):
        transfer.open_device(nobody, tmp_path / "model.spn", 0.3)
    with pytest.raises(DeviceError, match="cannot open the port"):
        transfer.open_device("/dev/nonesuch", tmp_path / "model.spn")


def test_saving_needs_a_store_and_survives_a_reset() -> None:
    line = Line(NETWORK, RULE)
    device = opened(line, NETWORK, RULE)
    source = taught()
    transfer.push(device, RULE, source)
    assert transfer.save(device).bytes_written > 0
    line.restart()
    device = opened(line, NETWORK, RULE)
    assert same_weights(read_weights(device), read_weights(NumpyDevice(NETWORK, RULE)))
    device.load_checkpoint()
    assert same_weights(read_weights(device), [(x.weights, x.bias) for x in source.layers])


@pytest.mark.emulated
@pytest.mark.usefixtures("cross_tools")
def test_a_board_without_a_store() -> None:
    source = taught()
    with emulated_device(NETWORK, RULE, "microbit") as device:
        transfer.push(device, RULE, source)
        with pytest.raises(DeviceError, match="are written, but microbit has no checkpoint"):
            transfer.save(device)
        assert same_weights(read_weights(device), [(x.weights, x.bias) for x in source.layers])
