# SPDX-License-Identifier: Apache-2.0
"""One network for digits in every format, trained on an emulated Cortex-M4 and pulled from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from trained_board import PATIENCE, STEPS, Boot, Trained, accuracy, outputs

from secondpass import modelfile
from secondpass.boards import load_board
from secondpass.datasets import Dataset
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.device.interface import read_weights
from secondpass.moving import transfer
from secondpass.network import FORMATS
from secondpass.presets import PRESETS, random_network


@pytest.fixture(scope="session")
def models(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained networks with the same real weights, a file for every format."""
    folder, rule = tmp_path_factory.mktemp("models"), PRESETS["digits"].rule("pepita", 3)
    for format in FORMATS:
        network = random_network(digits, (32,), 3, format)
        modelfile.save(folder / f"{format}.spn", network, rule)
    return {format: folder / f"{format}.spn" for format in FORMATS}


@pytest.fixture(scope="session")
def boot(cross_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Build the firmware of a file for a board and run it; yields the port."""

    @contextmanager
    def booted(model: Path, board_id: str) -> Iterator[str]:
        board = load_board(board_id)
        firmware = build_firmware(*modelfile.load(model), board, tmp_path_factory.mktemp("build"))
        with Emulator(board, firmware.elf) as emulator:
            yield emulator.port

    return booted


@pytest.fixture(scope="session")
def trained(
    boot: Boot, models: dict[str, Path], digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    """The board stays powered, with its port free."""
    model, path = models["a16w16"], tmp_path_factory.mktemp("trained") / "trained.spn"
    with boot(model, "mps2-an386") as port:
        device, rule = transfer.open_device(port, model, PATIENCE)
        samples, labels = digits.train_samples[:STEPS], digits.train_labels[:STEPS]
        assert all(device.train_stream(samples, labels.tolist()))
        network, origin = transfer.pull(device, rule, path)
        result = Trained(
            model=model,
            path=path,
            network=network,
            rule=rule,
            port=port,
            origin=origin,
            weights=read_weights(device),
            accuracy=accuracy(device, digits),
            outputs=outputs(device, digits),
        )
        device.close()
        yield result
