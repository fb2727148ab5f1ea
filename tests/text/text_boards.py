# SPDX-License-Identifier: Apache-2.0
"""Networks of the benchmarks' shapes, and an emulated board that speaks both protocols."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from tiny_client import TinyDevice
from toy_networks import toy_network

from secondpass.device.emulator import Emulator
from secondpass.device.link import LinkDevice
from secondpass.device.transport import SerialTransport
from secondpass.network import Input
from secondpass.rules import Pepita

RULE = Pepita(projection_scale=0.5, learning_rate=0.05)
KEYWORDS = toy_network(490, 16, 12, dtype="int8")
"""Takes and gives what a device for kws01 does."""
MACHINE_STEP = 0.391
MACHINES = replace(
    toy_network(640, 8, 640, dtype="int8"),
    head="reconstruction",
    input=Input(640, "int8", 89, MACHINE_STEP, 7),
)
"""The same for ad01, whose hosts send float32."""


def keyword_samples(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (count, 490)).astype(np.int8)


@dataclass
class Board:
    """A running board and the client on its port."""

    emulator: Emulator
    client: TinyDevice

    @classmethod
    @contextmanager
    def open(cls, emulator: Emulator) -> Iterator["Board"]:
        with TinyDevice(emulator.port) as client:
            client.connect()
            yield cls(emulator, client)

    @contextmanager
    def link(self) -> Iterator[LinkDevice]:
        """The binary link on the same port, opened once more."""
        device = LinkDevice(SerialTransport(self.emulator.port), KEYWORDS, RULE, 30.0)
        try:
            yield device
        finally:
            device.close()
