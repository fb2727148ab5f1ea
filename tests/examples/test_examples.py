# SPDX-License-Identifier: Apache-2.0
"""The examples keep what the documents promise of them."""

import sys
from pathlib import Path

import pytest

from secondpass.datasets import Dataset

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))


def test_the_readme_shows_the_example_as_it_is() -> None:
    example = (ROOT / "examples" / "keras_to_device.py").read_text()
    assert f"```python\n{example}```" in (ROOT / "README.md").read_text()


@pytest.mark.tensorflow
@pytest.mark.emulated
def test_a_keras_model_adapts_on_the_device(cross_tools: None) -> None:
    import keras_to_device

    before, after = keras_to_device.main()
    assert before < 0.6
    assert after > 0.8


def test_int16_mnist_reaches_97_percent_within_8_epochs(mnist: Dataset) -> None:
    """Integers all the way: the figure is the same on every computer."""
    import int16_mnist

    accuracies = int16_mnist.run("best")
    assert len(accuracies) <= 8
    assert accuracies[-1] >= 0.97


def test_int16_mnist_trains_the_hidden_layer(mnist: Dataset) -> None:
    """A frozen random hidden layer is the floor that a learning rule has to leave."""
    import int16_mnist

    final = {
        setting: int16_mnist.run(setting, epochs=1, samples=20000)[-1]
        for setting in int16_mnist.SETTINGS
    }
    assert final["best"] > final["frozen"] + 0.02
    assert final["paper"] > final["frozen"] + 0.02
    assert final["ftp"] > final["frozen"] + 0.02
