# SPDX-License-Identifier: Apache-2.0
"""Data sets in raw integers, from this computer or downloaded with a checksum.

`load` gives labelled sets; `load_ceiling_fan` and `load_toycar` give recordings without classes.
"""

from collections.abc import Callable
from functools import partial

from secondpass.datasets import ceiling_fan, hapt, speech_commands, toycar
from secondpass.datasets.ceiling_fan import (
    DriftTask,
    Recordings,
    drift_task,
    load_ceiling_fan,
    load_ceiling_fan_readings,
)
from secondpass.datasets.dataset import Dataset
from secondpass.datasets.digits import load_digits
from secondpass.datasets.hapt import load_hapt
from secondpass.datasets.idx import FASHION_MNIST, MNIST, load_idx, missing_files
from secondpass.datasets.speech_commands import load_speech_commands
from secondpass.datasets.toycar import NewCarTask, load_toycar, new_car_task
from secondpass.errors import DataError

__all__ = [
    "DATASETS",
    "Dataset",
    "DriftTask",
    "NewCarTask",
    "Recordings",
    "available",
    "drift_task",
    "load",
    "load_ceiling_fan",
    "load_ceiling_fan_readings",
    "load_hapt",
    "load_speech_commands",
    "load_toycar",
    "new_car_task",
    "unavailable_reason",
]

_SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST)}

_LOCAL_FILES = {file.dataset: file for file in (hapt.FILE, ceiling_fan.FILE, toycar.FILE)}

_UNLABELLED = {
    ceiling_fan.FILE.dataset: load_ceiling_fan.__name__,
    toycar.FILE.dataset: load_toycar.__name__,
}
"""Sets without classes, and what reads them."""

_LOADERS: dict[str, Callable[[], Dataset]] = {
    "digits": load_digits,
    **{name: partial(load_idx, source) for name, source in _SOURCES.items()},
    "hapt": load_hapt,
    speech_commands.NAME: load_speech_commands,
}

DATASETS = tuple(_LOADERS)
"""Names that `load` takes."""


def load(name: str) -> Dataset:
    """Return a data set, downloading it when it is not on this computer and can be downloaded.

    Raises `DataError` for an unknown name, a missing or damaged file or a failed download.
    """
    if name in _UNLABELLED:
        raise DataError(f"{name} has no classes to learn; datasets.{_UNLABELLED[name]}() reads it")
    return _LOADERS[_known(name, DATASETS)]()


def unavailable_reason(name: str) -> str | None:
    """Return why a set is not on this computer, or None when it can be read without the network.

    Takes every name that `load` takes, "ceiling-fan" and "toycar-fft"; raises `DataError` for
    others.
    """
    _known(name, (*DATASETS, *_UNLABELLED))
    if name in _LOCAL_FILES:
        return _LOCAL_FILES[name].missing_reason()
    if name == speech_commands.NAME:
        return speech_commands.missing_reason()
    source = _SOURCES.get(name)
    missing = missing_files(source) if source else []
    if not missing:
        return None
    return (
        f"{name} is not on this computer: {', '.join(missing)} missing; set SECONDPASS_DATA to a "
        f"folder that holds {name}/"
    )


def available(name: str) -> bool:
    """Tell whether a set can be read without the network; names as in `unavailable_reason`."""
    return unavailable_reason(name) is None


def _known(name: str, accepted: tuple[str, ...]) -> str:
    if name not in accepted:
        raise DataError(f"data set is {name!r}; accepted: {', '.join(accepted)}")
    return name
