# SPDX-License-Identifier: Apache-2.0
"""The task of the ceiling fan: readings over the UART, features and learning on the board."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from secondpass import datasets, fan, modelfile
from secondpass.spectral import SpectralNetwork

pytestmark = pytest.mark.emulated


def test_a_detector_adapts_on_a_board_that_makes_its_features(
    cross_tools: None, tmp_path: Path
) -> None:
    if reason := datasets.unavailable_reason("ceiling-fan"):
        pytest.skip(reason)
    printed = io.StringIO()
    options = fan.FanOptions(
        rule="bp", settings={"learning_rate": 0.001}, passes=1, folder=tmp_path
    )
    result = fan.run(options, Console(file=printed, width=200))
    assert result.equal_to_twin
    assert result.before.deploy < 0.5
    assert result.after.deploy > result.before.deploy + 0.3
    assert result.after.home > 0.9
    assert result.steps == 2 * 143
    assert result.work is not None
    assert result.work.inference > 60_000, "instructions with the transform"
    assert "equal bit for bit" in printed.getvalue()
    network, rule = modelfile.load(tmp_path / "trained.spn")
    assert isinstance(network, SpectralNetwork)
    assert network.sample.sample_bytes == 1200
    assert rule.learning_rate == 0.001
