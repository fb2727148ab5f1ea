# SPDX-License-Identifier: Apache-2.0
"""Image sets published as gzipped IDX files: MNIST and Fashion-MNIST.

A file is taken from `$SECONDPASS_DATA/<set>/` when it is there, else from the download cache, else
from the official addresses. Contents are always checked against a checksum.
"""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from secondpass.datasets.dataset import Dataset, LabelArray, UInt8Array
from secondpass.datasets.local import DATA_VARIABLE
from secondpass.errors import DataError


@dataclass(frozen=True)
class IdxFile:
    """One file: its name, the MD5 of the download and the MD5 of what it unpacks to."""

    name: str
    packed_md5: str
    content_md5: str


@dataclass(frozen=True)
class IdxSource:
    """An image set: where it is published and its four files."""

    name: str
    mirrors: tuple[str, ...]
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile
    classes: int = 10
    step: float = 1 / 255

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """All files of the set."""
        return (self.train_images, self.train_labels, self.test_images, self.test_labels)


_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _source(
    name: str, mirrors: tuple[str, ...], packed: tuple[str, ...], content: tuple[str, ...]
) -> IdxSource:
    first, second, third, fourth = map(IdxFile, _NAMES, packed, content)
    return IdxSource(name, mirrors, first, second, third, fourth)


MNIST = _source(
    "mnist",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
)
"""LeCun, Cortes and Burges: 60,000 + 10,000 images of digits, 28x28."""

FASHION_MNIST = _source(
    "fashion-mnist",
    ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
)
"""Xiao, Rasul and Vollgraf (2017), MIT licence: MNIST's format, ten kinds of clothing."""


def load_idx(source: IdxSource) -> Dataset:
    """Return the set, downloading what is not on this computer; raise `DataError`."""
    return Dataset(
        source.name,
        _images(source, source.train_images),
        _labels(source, source.train_labels),
        _images(source, source.test_images),
        _labels(source, source.test_labels),
        source.classes,
        source.step,
    )


def missing_files(source: IdxSource) -> list[str]:
    """Return the names of the files that would have to be downloaded."""
    cache = _cache(source)
    return [
        file.name
        for file in source.files
        if _local(source, file) is None and not (cache / file.name).is_file()
    ]


def parse_idx(content: bytes, dimensions: int, where: str) -> UInt8Array:
    """Return the uint8 array of an IDX file: a big-endian header, then the values.

    Raises `DataError` naming `where` when type, number of dimensions or length is wrong.
    """
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        raise DataError(f"{where} is not an IDX file of {dimensions}-dimensional uint8 data")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", dimensions, offset=4))
    expected = int(np.prod(shape, dtype=np.int64))
    if len(content) - header != expected:
        raise DataError(f"{where} holds {len(content) - header} values; its header says {expected}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def _images(source: IdxSource, file: IdxFile) -> UInt8Array:
    images = _read(source, file, 3)
    return images.reshape(len(images), -1)


def _labels(source: IdxSource, file: IdxFile) -> LabelArray:
    labels: npt.NDArray[np.int64] = _read(source, file, 1).astype(np.int64)
    return labels


def _read(source: IdxSource, file: IdxFile, dimensions: int) -> UInt8Array:
    path = _local(source, file) or _fetch(source, file)
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); replace or delete it") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != file.content_md5:
        raise DataError(
            f"{path} is not the published file: its content has the MD5 {found}, "
            f"not {file.content_md5}; replace or delete it"
        )
    return parse_idx(content, dimensions, str(path))


def _local(source: IdxSource, file: IdxFile) -> Path | None:
    """Return the file's path below `$SECONDPASS_DATA`, or None when it is not there."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        return None
    path = Path(folder) / source.name / file.name
    return path if path.is_file() else None


def _cache(source: IdxSource) -> Path:
    """Return the folder of downloads, `pooch.os_cache("secondpass")` below which sets lie."""
    import pooch

    return Path(pooch.os_cache("secondpass")) / source.name


def _fetch(source: IdxSource, file: IdxFile) -> Path:
    """Return the cached download, trying one mirror after another."""
    import pooch

    reasons = []
    for mirror in source.mirrors:
        try:
            return Path(
                pooch.retrieve(
                    url=mirror + file.name,
                    known_hash=f"md5:{file.packed_md5}",
                    fname=file.name,
                    path=_cache(source),
                )
            )
        except Exception as error:
            reasons.append(f"{mirror.split('/')[2]}: {_short(error)}")
    folder = os.environ.get(DATA_VARIABLE)
    looked = f" (now {folder})" if folder else ""
    raise DataError(
        f"cannot download {file.name} of {source.name} [{'; '.join(reasons)}]; connect to the "
        f"network, or set {DATA_VARIABLE}{looked} to a folder that holds "
        f"{source.name}/{file.name}"
    )


def _short(error: Exception) -> str:
    """Return an error's kind and the start of its text, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__} {text[:80]}".strip()
