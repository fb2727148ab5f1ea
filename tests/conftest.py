# SPDX-License-Identifier: Apache-2.0
"""Data for tests that need real images."""

import os
from pathlib import Path

import pytest

from secondpass import datasets
from secondpass.datasets import Dataset

_BESIDE_CHECKOUT = Path(__file__).resolve().parents[1].parent / "shared" / "data"

if "SECONDPASS_DATA" not in os.environ and _BESIDE_CHECKOUT.is_dir():
    os.environ["SECONDPASS_DATA"] = str(_BESIDE_CHECKOUT)


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    reason = datasets.unavailable_reason("mnist")
    if reason:
        pytest.skip(reason)
    return datasets.load("mnist")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return datasets.load("digits")
