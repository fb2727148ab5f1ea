# SPDX-License-Identifier: Apache-2.0
"""Data files that are taken from `$SECONDPASS_DATA` only: no official download to check against."""

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import DataError

DATA_VARIABLE = "SECONDPASS_DATA"
"""Environment variable: a folder of data sets that are already on this computer."""


@dataclass(frozen=True)
class LocalFile:
    """An .npz file of a set: its name, the SHA-256 of its bytes and where the data come from."""

    dataset: str
    name: str
    sha256: str
    origin: str

    def path(self) -> Path | None:
        """Return where the file lies below `$SECONDPASS_DATA`, or None when it is not there."""
        folder = os.environ.get(DATA_VARIABLE)
        if not folder:
            return None
        path = Path(folder) / self.dataset / self.name
        return path if path.is_file() else None

    def missing_reason(self) -> str | None:
        """Return what is missing and what to do about it, or None when the file is there."""
        if self.path() is not None:
            return None
        folder = os.environ.get(DATA_VARIABLE)
        looked = f" (now {folder})" if folder else ""
        return (
            f"{self.dataset} is not on this computer and has no download: set "
            f"{DATA_VARIABLE}{looked} to a folder that holds {self.dataset}/{self.name}; "
            f"the data come from {self.origin}"
        )

    def read(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of the file by name.

        Raises `DataError` when the file is missing or is not the one that the loader was made for.
        """
        path = self.path()
        if path is None:
            raise DataError(str(self.missing_reason()))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error})") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DataError(
                f"{path} is not the file this loader was made for: its SHA-256 is {found}, "
                f"not {self.sha256}; replace it (the data come from {self.origin})"
            )
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is no .npz file ({error})") from error
