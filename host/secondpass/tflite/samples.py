# SPDX-License-Identifier: Apache-2.0
"""Real samples from a file: what calibrates a conversion and shows what it changes."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError

Real = npt.NDArray[np.float64]


def load_samples(path: Path, size: int, stack: int = 1) -> Real:
    """Return samples (count, size) from a `.npy` file or from raw little-endian float32 (`.bin`).

    With `stack`, the file holds frames of `size / stack` values, and a sample is so many
    consecutive ones, one frame further on each time. Raises `DataError`.
    """
    if stack < 1 or size % stack:
        raise DataError(
            f"{size} inputs are not a stack of {stack} frames; --stack must divide them"
        )
    width = size // stack
    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            values = np.fromfile(path, dtype="<f4")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error})") from None
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise DataError(f"{path} holds {values.dtype}, not numbers")
    if values.size == 0 or values.size % width:
        raise DataError(f"{path} holds {values.size} values, which are no rows of {width}")
    if values.ndim > 1 and int(np.prod(values.shape[1:])) != width:
        raise DataError(f"{path} has the shape {values.shape}; the model takes rows of {width}")
    frames = values.reshape(-1, width).astype(np.float64)
    if not np.isfinite(frames).all():
        raise DataError(f"{path} holds numbers that are not finite")
    if len(frames) < stack:
        raise DataError(f"{path} holds {len(frames)} frames, fewer than a stack of {stack}")
    windows = np.lib.stride_tricks.sliding_window_view(frames, stack, axis=0)
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(windows), size)
