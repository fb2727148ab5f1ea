# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the host twin in files."""

from pathlib import Path
from typing import Any

import pytest
from test_generated_models import MODELS, Model

from secondpass.device.interface import read_weights, same_weights
from secondpass.device.protocol import Status
from secondpass.device.twin import HostTwin
from secondpass.errors import CheckpointError


def trained(model: Model, steps: int) -> HostTwin:
    network = model.network()
    twin = HostTwin(network, model.rule)
    twin.train_all(model.samples()[:steps], model.targets(network)[:steps])
    return twin


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_training_goes_on_to_the_same_bits(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "state.spc"
    samples, targets = model.samples(), model.targets(model.network())
    for steps in (7, 13):
        report = trained(model, steps).save(path)
        assert not report.skipped
        assert report.bytes_written > 0
    resumed, straight = trained(model, 0), trained(model, 30)
    resumed.load(path)
    assert resumed.statistics() == trained(model, 13).statistics()
    resumed.train_all(samples[13:30], targets[13:30])
    assert resumed.statistics() == straight.statistics()
    assert same_weights(read_weights(resumed), read_weights(straight))
    assert resumed.state() == straight.state()


def test_inference_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "state.spc"
    twin = trained(MODELS[0], 5)
    first = twin.save(path)
    before = path.read_bytes()
    assert first.bytes_written % 8 == 0
    assert len(before) == 2 * 256 * first.pages_erased
    twin.infer(MODELS[0].samples()[0])
    again = twin.save(path)
    assert (again.bytes_written, again.pages_erased, again.skipped) == (0, 0, True)
    assert path.read_bytes() == before


def refused(twin: HostTwin, path: Path) -> tuple[int, str]:
    before = twin.state()
    with pytest.raises(CheckpointError) as caught:
        twin.load(path)
    assert twin.state() == before
    return caught.value.status, str(caught.value)


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "state.spc"
    twin = trained(MODELS[0], 5)
    status, message = refused(twin, path)
    assert status == Status.EMPTY
    assert "state.spc does not exist" in message

    twin.save(path)
    image = bytearray(path.read_bytes())
    image[40] ^= 1
    path.write_bytes(image)
    status, message = refused(twin, path)
    assert status == Status.DAMAGED
    assert "damaged" in message

    path.write_bytes(b"\xff" * len(image))
    assert refused(twin, path)[0] == Status.EMPTY
    path.write_bytes(image[:-1])
    status, message = refused(twin, path)
    assert status == Status.DAMAGED
    assert f"{len(image) - 1} bytes" in message


@pytest.mark.parametrize("other", [1, 3])
def test_the_file_of_another_model_is_left_alone(other: int, tmp_path: Path) -> None:
    path = tmp_path / "state.spc"
    trained(MODELS[other], 3).save(path)
    before = path.read_bytes()
    twin = trained(MODELS[0], 3)
    status, message = refused(twin, path)
    assert status == Status.MODEL
    assert "another model" in message
    with pytest.raises(CheckpointError, match="another model"):
        twin.save(path)
    assert path.read_bytes() == before


def test_an_older_checkpoint_survives_damage_of_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "state.spc"
    states: list[Any] = []
    for steps in (3, 6):
        twin = trained(MODELS[0], steps)
        twin.save(path)
        states.append(twin.statistics())
    image = bytearray(path.read_bytes())
    image[len(image) // 2 + 100] ^= 0x80
    path.write_bytes(image)
    twin = trained(MODELS[0], 0)
    twin.load(path)
    assert twin.statistics() == states[0]
