# SPDX-License-Identifier: Apache-2.0
"""What tests need from the computer: real images, the cross compiler, the emulator."""

import os
from pathlib import Path

import pytest

from secondpass import datasets
from secondpass.boards import BOARDS_VARIABLE
from secondpass.crosscompiler import cross_compiler
from secondpass.datasets import Dataset
from secondpass.errors import ToolMissingError
from secondpass.toolchain import EMULATOR

_BESIDE_CHECKOUT = Path(__file__).resolve().parents[1].parent / "shared" / "data"

if "SECONDPASS_DATA" not in os.environ and _BESIDE_CHECKOUT.is_dir():
    os.environ["SECONDPASS_DATA"] = str(_BESIDE_CHECKOUT)

os.environ.pop(BOARDS_VARIABLE, None)  # tests are of the project's boards


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    reason = datasets.unavailable_reason("mnist")
    if reason:
        pytest.skip(reason)
    return datasets.load("mnist")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return datasets.load("digits")


@pytest.fixture(scope="session")
def cross_tools() -> None:
    """Skip when the cross compiler or the emulator is missing, saying how to get it."""
    try:
        cross_compiler().command()
        EMULATOR.find()
    except ToolMissingError as error:
        pytest.skip(str(error))
