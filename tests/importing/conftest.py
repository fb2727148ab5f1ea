# SPDX-License-Identifier: Apache-2.0
"""Files to import: the models of MLCommons Tiny where they are, and their clip."""

import os
from pathlib import Path

import numpy as np
import pytest

from secondpass.tflite.samples import load_samples

CLIP = "normal_id_01_00000000_hist_librosa.bin"


@pytest.fixture(scope="session")
def models() -> Path:
    folder = Path(os.environ.get("SECONDPASS_DATA", ".")) / "mlcommons-tiny-models"
    if not (folder / "ad01_int8.tflite").is_file():
        pytest.skip("the MLCommons Tiny models are absent; SECONDPASS_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def clip(models: Path) -> np.ndarray:
    """The clip as 196 windows of five frames."""
    return load_samples(models / CLIP, 640, 5)
