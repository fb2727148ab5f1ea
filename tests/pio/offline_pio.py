# SPDX-License-Identifier: Apache-2.0
"""PlatformIO without a network, and the model that the tests build with it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from toy_networks import toy_network

from secondpass.boards import load_board
from secondpass.pio.project import platformio_environment
from secondpass.rules import Pepita

ROOT = Path(__file__).resolve().parents[2]
NETWORK, RULE = toy_network(21, 15, 5), Pepita(projection_scale=2.0)
NOWHERE = "http://127.0.0.1:9"
"""A proxy that does not exist: what wants to reach the registry fails at once."""

Pio = Callable[..., subprocess.CompletedProcess[str]]


def offline_environment(project: Path, board_id: str) -> dict[str, str]:
    """Return the environment variables of a PlatformIO that reaches nothing."""
    proxies = {f"{name}_proxy": NOWHERE for name in ("http", "https", "all")}
    proxies |= {name.upper(): value for name, value in proxies.items()}
    return platformio_environment(project, load_board(board_id)) | proxies
