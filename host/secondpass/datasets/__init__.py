# SPDX-License-Identifier: Apache-2.0
"""Labelled data sets in raw integers, from this computer or downloaded with a checksum."""

from collections.abc import Callable
from functools import partial

from secondpass.datasets.dataset import Dataset
from secondpass.datasets.digits import load_digits
from secondpass.datasets.idx import FASHION_MNIST, MNIST, load_idx, missing_files
from secondpass.errors import DataError

__all__ = ["DATASETS", "Dataset", "available", "load", "unavailable_reason"]

_SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST)}

_LOADERS: dict[str, Callable[[], Dataset]] = {
    "digits": load_digits,
    **{name: partial(load_idx, source) for name, source in _SOURCES.items()},
}

DATASETS = tuple(_LOADERS)
"""Names that `load` takes."""


def load(name: str) -> Dataset:
    """Return a data set, downloading it when it is not on this computer.

    Raises `DataError` for an unknown name, a damaged file or a failed download.
    """
    return _LOADERS[_known(name)]()


def unavailable_reason(name: str) -> str | None:
    """Return why `load` would need the network, or None when it would not."""
    source = _SOURCES.get(_known(name))
    missing = missing_files(source) if source else []
    if not missing:
        return None
    return (
        f"{name} is not on this computer: {', '.join(missing)} missing; set SECONDPASS_DATA to a "
        f"folder that holds {name}/"
    )


def available(name: str) -> bool:
    """Tell whether `load` needs no download."""
    return unavailable_reason(name) is None


def _known(name: str) -> str:
    if name not in _LOADERS:
        raise DataError(f"data set is {name!r}; accepted: {', '.join(DATASETS)}")
    return name
