# SPDX-License-Identifier: Apache-2.0
import gzip
import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest

from secondpass import datasets
from secondpass.datasets import Dataset, idx
from secondpass.datasets.digits import stratified_split
from secondpass.errors import DataError
from secondpass.presets import random_network


def idx_bytes(array):
    return (
        bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + bytes(array)
    )


def made_set(dtype):
    return Dataset(
        "made",
        np.zeros((4, 3), dtype),
        np.zeros(4, np.int64),
        np.zeros((2, 3), dtype),
        np.zeros(2, np.int64),
        classes=2,
        step=1.0,
    )


def no_network(*args, **kwargs):
    raise ConnectionError("name resolution\nfailed")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A source of four small files, laid out as SECONDPASS_DATA expects; the cache is empty."""
    rng = np.random.default_rng(3)
    arrays = [
        rng.integers(0, 256, (6, 2, 3), dtype=np.uint8),
        np.array([0, 1, 2, 3, 4, 9], dtype=np.uint8),
        rng.integers(0, 256, (2, 2, 3), dtype=np.uint8),
        np.array([5, 6], dtype=np.uint8),
    ]
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    files = []
    for like, array in zip(idx.MNIST.files, arrays, strict=True):
        packed = gzip.compress(idx_bytes(array), mtime=1)
        (folder / like.name).write_bytes(packed)
        content_md5 = hashlib.md5(idx_bytes(array)).hexdigest()
        files.append(idx.IdxFile(like.name, hashlib.md5(packed).hexdigest(), content_md5))
    source = idx.IdxSource("tiny", ("https://one.test/t/", "https://two.test/t/"), *files)
    monkeypatch.setenv("SECONDPASS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(pooch, "retrieve", no_network)
    return source, folder, arrays


def test_digits_have_their_published_shape_and_range():
    digits = datasets.load("digits")
    assert digits.train_samples.shape[1] == digits.size == 64
    assert len(digits.train_samples) + len(digits.test_samples) == 1797
    assert digits.train_samples.max() == 16
    assert digits.step * 16 == 1.0
    assert digits.train_samples.dtype == np.uint8
    assert digits.train_labels.dtype == np.int64


def test_digits_split_is_deterministic_stratified_and_disjoint():
    first, second = datasets.load("digits"), datasets.load("digits")
    np.testing.assert_array_equal(first.test_samples, second.test_samples)
    np.testing.assert_array_equal(first.train_labels, second.train_labels)
    share = np.bincount(first.test_labels) / (
        np.bincount(first.test_labels) + np.bincount(first.train_labels)
    )
    np.testing.assert_allclose(share, 0.2, atol=0.005)
    assert np.count_nonzero(np.diff(first.train_labels)) > len(first.train_labels) / 2, "shuffled"


def test_split_uses_every_index_once_and_depends_on_the_seed():
    labels = np.repeat(np.arange(3), 10)
    train, test = stratified_split(labels, 0.2, seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(30))
    assert np.bincount(labels[test]).tolist() == [2, 2, 2]
    other, _ = stratified_split(labels, 0.2, seed=1)
    assert train.tolist() != other.tolist()


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"'cifar'; accepted: .*, hapt, speech-commands$"):
        datasets.load("cifar")


def test_mnist_is_the_published_one(mnist):
    assert mnist.train_samples.shape == (60000, 784)
    assert mnist.test_samples.shape == (10000, 784)
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(mnist.test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    mean = mnist.train_samples.mean() * mnist.step
    assert mean == pytest.approx(0.1307, abs=1e-4)


def test_local_files_are_read_without_network(tiny):
    source, _, arrays = tiny
    data = idx.load_idx(source)
    np.testing.assert_array_equal(data.train_samples, arrays[0].reshape(6, 6))
    assert data.train_labels.tolist() == [0, 1, 2, 3, 4, 9]
    np.testing.assert_array_equal(data.test_samples, arrays[2].reshape(2, 6))
    assert data.test_labels.tolist() == [5, 6]
    assert idx.missing_files(source) == []


def test_a_local_file_packed_otherwise_is_accepted(tiny):
    source, folder, arrays = tiny
    path = folder / source.test_labels.name
    path.write_bytes(gzip.compress(idx_bytes(arrays[3]), compresslevel=1, mtime=77))
    assert idx.load_idx(source).test_labels.tolist() == [5, 6]


def test_a_local_file_with_other_content_is_refused(tiny):
    source, folder, arrays = tiny
    path = folder / source.train_images.name
    altered = arrays[0].copy()
    altered[0, 0, 0] ^= 1
    path.write_bytes(gzip.compress(idx_bytes(altered)))
    with pytest.raises(DataError, match=rf"{path} is not the published file.*replace or delete"):
        idx.load_idx(source)


@pytest.mark.parametrize("damage", [b"", b"no gzip at all"], ids=["empty", "text"])
def test_a_local_file_that_is_not_gzip_is_refused(tiny, damage):
    source, folder, _ = tiny
    (folder / source.train_images.name).write_bytes(damage)
    with pytest.raises(DataError, match="train-images"):
        idx.load_idx(source)


def test_a_truncated_local_file_is_refused(tiny):
    source, folder, _ = tiny
    path = folder / source.train_images.name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"cannot be read.*replace or delete it"):
        idx.load_idx(source)


@pytest.mark.parametrize("variable", ["elsewhere", None])
def test_without_files_and_network_the_error_says_what_to_do(tiny, monkeypatch, variable):
    source, folder, _ = tiny
    if variable is None:
        monkeypatch.delenv("SECONDPASS_DATA")
    else:
        monkeypatch.setenv("SECONDPASS_DATA", str(folder / variable))
    assert idx.missing_files(source) == [file.name for file in source.files]
    with pytest.raises(DataError) as caught:
        idx.load_idx(source)
    message = str(caught.value)
    assert "\n" not in message
    assert "set SECONDPASS_DATA" in message
    assert "tiny/train-images-idx3-ubyte.gz" in message
    assert "one.test: ConnectionError" in message
    assert "two.test: ConnectionError" in message


def test_the_second_mirror_serves_when_the_first_fails(tiny, monkeypatch):
    source, folder, _ = tiny
    monkeypatch.delenv("SECONDPASS_DATA")
    calls = []

    def retrieve(url, known_hash, fname, path):
        calls.append((url, known_hash, Path(path)))
        if url.startswith("https://one.test"):
            raise ConnectionError("down")
        return str(folder / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert idx.load_idx(source).test_labels.tolist() == [5, 6]
    name, md5 = source.train_images.name, f"md5:{source.train_images.packed_md5}"
    cache = pooch.os_cache("secondpass") / "tiny"
    assert calls[:2] == [
        (f"https://one.test/t/{name}", md5, cache),
        (f"https://two.test/t/{name}", md5, cache),
    ]


def test_files_in_the_cache_count_as_available(tiny, monkeypatch):
    source, folder, _ = tiny
    monkeypatch.delenv("SECONDPASS_DATA")
    cache = pooch.os_cache("secondpass") / "tiny"
    cache.mkdir(parents=True)
    for path in folder.iterdir():
        path.rename(cache / path.name)
    assert idx.missing_files(source) == []


def test_availability_names_what_is_missing(tiny):
    assert datasets.available("digits")
    assert not datasets.available("mnist")
    reason = datasets.unavailable_reason("mnist")
    assert "train-images-idx3-ubyte.gz" in reason
    assert "SECONDPASS_DATA" in reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\x08", "not an IDX file"),
        (b"\0\0\x0d\x01" + struct.pack(">I", 1) + b"\0", "not an IDX file"),
        (b"\0\0\x08\x02" + struct.pack(">II", 1, 1) + b"\0", "not an IDX file"),
        (b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\0\0", "holds 2 values; its header says 3"),
    ],
    ids=["short", "float32", "two-dimensional", "truncated"],
)
def test_idx_headers_are_checked(content, message):
    with pytest.raises(DataError, match=f"here {message}|here is {message}"):
        idx.parse_idx(content, 1, "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_samples": np.zeros((4, 3))}, "samples are float64"),
        ({"train_labels": np.zeros(3, np.int64)}, "labels are int64"),
        ({"test_labels": np.full(2, 7, np.int64)}, "labels leave"),
        ({"test_samples": np.zeros((2, 5), np.uint8)}, "differ in size"),
        ({"test_samples": np.zeros((2, 3), np.int16)}, "differ in type"),
        ({"test_samples": np.zeros((2, 3), np.int32)}, "test part: samples are int32"),
        ({"zero_point": 256}, "zero point 256 is no uint8 value"),
        ({"test_samples": np.zeros((2, 3), np.int8)}, "differ in type"),
        ({"zero_point": -1}, "zero point -1 is no uint8 value"),
        ({"train_groups": np.zeros(3, np.int64)}, "train part: groups are int64 .3,., not"),
        ({"test_groups": np.zeros(2, np.int32)}, "test part: groups are int32"),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        replace(made_set(np.uint8), **change)


def test_samples_may_be_int16_in_the_byte_order_of_the_computer():
    made = made_set(np.int16)
    assert (made.dtype, made_set(np.uint8).dtype) == ("int16", "uint8")
    assert replace(made, zero_point=-32768).zero_point == -32768
    swapped = made.train_samples.astype(np.dtype(np.int16).newbyteorder())
    with pytest.raises(DataError, match=f"samples are {swapped.dtype}"):
        replace(made, train_samples=swapped)


@pytest.mark.parametrize(
    ("dtype", "zero_point"), [(np.uint8, 128), (np.int8, -128), (np.int16, -5)]
)
def test_a_random_network_takes_the_set_s_raw_format(dtype, zero_point):
    made = replace(made_set(dtype), zero_point=zero_point, step=0.01)
    spec = random_network(made, (4,), seed=1).input
    assert (spec.size, spec.dtype, spec.zero_point, spec.step) == (3, made.dtype, zero_point, 0.01)
