# SPDX-License-Identifier: Apache-2.0
"""One small model on one emulated board, and what a session with it must come to."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cable import Cable

from secondpass import datasets, modelfile
from secondpass.boards import load_board
from secondpass.device.crossbuild import build_firmware
from secondpass.device.emulator import Emulator
from secondpass.monitor.runner import SessionPlan
from secondpass.network import Network
from secondpass.presets import PRESETS, random_network
from secondpass.rules import Rule

BOARD = "mps2-an386"


@dataclass(frozen=True)
class Subject:
    """A model, its file, its firmware and a short session with it."""

    network: Network
    rule: Rule
    file: Path
    elf: Path
    plan: SessionPlan


@pytest.fixture(scope="session")
def subject(cross_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("monitor")
    data = datasets.load("digits")
    network = random_network(data, (16,), 1)
    rule = PRESETS["digits"].rule("pepita", 1)
    modelfile.save(folder / "network.spn", network, rule)
    firmware = build_firmware(network, rule, load_board(BOARD), folder)
    held = data.test_samples[:40], data.test_labels[:40]
    plan = SessionPlan("digits", data.train_samples[:150], data.train_labels[:150], *held, 2, 5)
    return Subject(network, rule, folder / "network.spn", firmware.elf, plan)


@dataclass(frozen=True)
class Board:
    """A running board at the end of a cable."""

    emulator: Emulator
    cable: Cable


@pytest.fixture
def board(subject: Subject, tmp_path: Path) -> Iterator[Board]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    monitor = tmp_path / "qemu"
    with (
        Emulator(load_board(BOARD), subject.elf, tcp_port=port, monitor=monitor) as emulator,
        Cable(port) as cable,
    ):
        yield Board(emulator, cable)


def same(trained: Network, weights: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    pairs = zip(trained.layers, weights, strict=True)
    return all((a.weights == b[0]).all() and (a.bias == b[1]).all() for a, b in pairs)
