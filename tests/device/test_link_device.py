# SPDX-License-Identifier: Apache-2.0
"""A session over a bad line learns what one over a good line does, or says what is wrong."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from noisy import NOISE, NoisyTransport, Silence
from raw_link import LABELS, NETWORK, RULE, SAMPLES
from toy_networks import toy_network

from secondpass.device.interface import BIAS, WEIGHTS, Device, read_weights, same_weights
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import RefusedError, Status
from secondpass.device.reference import NumpyDevice
from secondpass.device.transport import Transport, TwinTransport
from secondpass.device.twin import HostTwin
from secondpass.errors import DeviceError, NetworkError

STEPS = len(LABELS)


@pytest.fixture(scope="module")
def undisturbed() -> NumpyDevice:
    """The reference after every sample."""
    device = NumpyDevice(NETWORK, RULE)
    for sample, label in zip(SAMPLES, LABELS, strict=True):
        device.train(sample, label)
    return device


def assert_trained_once_each(device: LinkDevice, undisturbed: NumpyDevice) -> None:
    counters = device.statistics().counters
    assert counters == undisturbed.statistics().counters
    assert counters.trained == counters.step == STEPS
    assert same_weights(read_weights(device), read_weights(undisturbed))


def test_good_line(transport: Transport, undisturbed: NumpyDevice) -> None:
    device = LinkDevice(transport, NETWORK, RULE)
    device.reset()
    steps = list(device.train_stream(SAMPLES, LABELS))
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    assert_trained_once_each(device, undisturbed)
    assert device.repeats == 0


@pytest.mark.parametrize(
    ("to_device", "to_host"),
    [(0.08, 0.0), (0.0, 0.08), (0.05, 0.05)],
    ids=["requests", "answers", "both"],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_noisy_line(
    seed: int,
    to_device: float,
    to_host: float,
    undisturbed: NumpyDevice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 65_530_000)  # the first sequence number: it wraps
    noisy = NoisyTransport(TwinTransport(NETWORK, RULE), seed)
    device = LinkDevice(noisy, NETWORK, RULE, timeout=0.25)
    noisy.disturb(to_device, to_host)
    steps = list(device.train_stream(SAMPLES, LABELS))
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    assert_trained_once_each(device, undisturbed)
    assert device.repeats > 0
    ways = [way for way, rate in (("out", to_device), ("in", to_host)) if rate]
    assert {way for way, _ in noisy.accidents} == set(ways)
    assert {accident for _, accident in noisy.accidents} == set(NOISE)


def test_two_requests_that_become_one_are_repeated_at_once() -> None:
    """A damaged final zero joins two requests into one that is too long for the device."""

    class Joining:
        def __init__(self) -> None:
            self.inner = TwinTransport(toy_network(70, 9, 3), RULE)
            self.read, self.close = self.inner.read, self.inner.close
            self.writes = 0

        def write(self, data: bytes) -> None:
            self.writes += 1
            self.inner.write(data[:-1] + b"\x01" if self.writes == 2 else data)

    network = toy_network(70, 9, 3)
    device = LinkDevice(Joining(), network, RULE, timeout=50.0)
    samples = np.zeros((4, 70), np.int16)
    start = time.monotonic()
    assert [step.step for step in device.train_stream(samples, [0, 1, 2, 0])] == [1, 2, 3, 4]
    assert device.repeats == 1
    assert time.monotonic() - start < 5.0


def test_abandoned_stream_leaves_the_session_usable() -> None:
    device = LinkDevice(TwinTransport(NETWORK, RULE), NETWORK, RULE, timeout=1.0)
    stream = device.train_stream(SAMPLES, LABELS)
    next(stream)
    stream.close()
    trained = device.statistics().counters.trained
    assert device.train(SAMPLES[5], LABELS[5]).step == trained + 1


def test_wrong_firmware_is_named() -> None:
    other = toy_network(21, 15, 5, seed=77)
    with pytest.raises(DeviceError) as caught:
        LinkDevice(TwinTransport(other, RULE), NETWORK, RULE)
    message = str(caught.value)
    for network in (NETWORK, other):
        assert f"{network.hash_with(RULE.describe()):016x}" in message
    assert "\n" not in message


@pytest.mark.parametrize("timeout", [0.3, 1.2])
def test_no_answer(timeout: float) -> None:
    start = time.monotonic()
    with pytest.raises(DeviceError, match="no Secondpass firmware answered"):
        LinkDevice(Silence(), NETWORK, RULE, timeout=timeout)
    assert 0.9 * timeout < time.monotonic() - start < timeout + 1.0


def test_device_that_falls_silent() -> None:
    timeout = 0.5
    silent = Silence(TwinTransport(NETWORK, RULE), frames=4)
    device = LinkDevice(silent, NETWORK, RULE, timeout=timeout)
    stream = device.train_stream(SAMPLES, LABELS)
    steps = []
    start = time.monotonic()
    with pytest.raises(DeviceError, match="no longer answers 'train'"):
        steps.extend(step.step for step in stream)
    assert steps == [1, 2, 3]  # the first frame was the hello
    assert 0.9 * timeout < time.monotonic() - start < timeout + 1.5


def test_refused_requests_leave_the_session_usable(transport: Transport) -> None:
    device = LinkDevice(transport, NETWORK, RULE)
    device.reset()
    device.network = toy_network(21, 15, 9)  # else the label would not be sent
    with pytest.raises(RefusedError, match="not a class") as caught:
        list(device.train_stream(SAMPLES[:3], [LABELS[0], 7, LABELS[2]]))
    assert caught.value.status is Status.LABEL
    device.network = NETWORK
    assert device.train(SAMPLES[3], LABELS[3]).label == LABELS[3]


def test_tensors_survive_the_way(transport: Transport) -> None:
    device = LinkDevice(transport, NETWORK, RULE)
    device.reset()
    for layer, dense in enumerate(NETWORK.layers):
        random = np.random.default_rng(layer)
        weights = random.integers(-(2**15), 2**15, dense.weights.shape).astype(np.int16)
        bias = random.integers(-(2**31), 2**31, dense.bias.shape).astype(np.int32)
        for kind, values in enumerate((weights, bias)):
            device.write_tensor(layer, kind, values)
            np.testing.assert_array_equal(device.read_tensor(layer, kind), values)
    with pytest.raises(NetworkError):
        device.write_tensor(0, WEIGHTS, np.zeros((3, 3), np.int16))
    device.reset()
    np.testing.assert_array_equal(device.read_tensor(0, WEIGHTS), NETWORK.layers[0].weights)


@pytest.mark.parametrize("make", ["twin", "link"])
def test_what_is_frozen_in_flash_is_read_but_not_written(make: str) -> None:
    rule = replace(RULE, trainable=("none", "bias", "all"))
    network = toy_network(21, 15, 9, 5)
    device: Device = HostTwin(network, rule)
    if make == "link":
        device = LinkDevice(TwinTransport(network, rule), network, rule)
    device.train(SAMPLES[0], LABELS[0])
    before = read_weights(device)
    frozen = [(0, WEIGHTS), (0, BIAS), (1, WEIGHTS)]
    for layer, kind in itertools.product(range(3), (WEIGHTS, BIAS)):
        values = before[layer][kind] + 1
        if (layer, kind) not in frozen:
            device.write_tensor(layer, kind, values)
            np.testing.assert_array_equal(device.read_tensor(layer, kind), values)
            continue
        with pytest.raises(RefusedError, match=f"layer{layer}.*frozen in flash") as caught:
            device.write_tensor(layer, kind, values)
        assert caught.value.status is Status.FROZEN
        np.testing.assert_array_equal(device.read_tensor(layer, kind), before[layer][kind])
    np.testing.assert_array_equal(device.read_tensor(0, BIAS), network.layers[0].bias)
    with pytest.raises(NetworkError, match="shape"):
        device.write_tensor(0, WEIGHTS, np.zeros((3, 3), np.int16))


def test_a_twin_built_for_it_takes_weights_that_never_learn() -> None:
    rule = replace(RULE, trainable=("none", "all"))
    other = toy_network(21, 15, 5, seed=3)
    twin = HostTwin(NETWORK, rule, frozen_in_flash=False)
    for layer, dense in enumerate(other.layers):
        twin.write_tensor(layer, WEIGHTS, dense.weights)
        twin.write_tensor(layer, BIAS, dense.bias)
    list(twin.train_stream(SAMPLES, LABELS))
    loaded = HostTwin(other, rule)
    list(loaded.train_stream(SAMPLES, LABELS))
    assert same_weights(read_weights(twin), read_weights(loaded))
    assert len(twin.state()) - len(loaded.state()) == 2 * 15 * 22 + 4 * 15


def test_heads_without_labels_have_scores_and_no_right_answers() -> None:
    network = replace(NETWORK, head="mse")
    wanted = np.zeros((4, 5), np.int16)
    devices = (
        HostTwin(network, RULE),
        NumpyDevice(network, RULE),
        LinkDevice(TwinTransport(network, RULE), network, RULE),
    )
    scores = [device.scores(SAMPLES[:4], wanted) for device in devices]
    assert scores[0].min() > 0
    for device, found in zip(devices, scores, strict=True):
        np.testing.assert_array_equal(found, scores[0])
        with pytest.raises(NetworkError, match="use scores"):
            device.evaluate(SAMPLES[:4], wanted)
        with pytest.raises(NetworkError, match="targets"):
            device.scores(SAMPLES[:4])
    with pytest.raises(NetworkError, match="use evaluate"):
        HostTwin(NETWORK, RULE).scores(SAMPLES[:4])
