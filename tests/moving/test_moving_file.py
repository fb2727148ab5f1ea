# SPDX-License-Identifier: Apache-2.0
"""The `.spn` file: damage is an error of one line, and the weights are those that were written."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from toy_networks import toy_network

from secondpass import modelfile
from secondpass.errors import NetworkError
from secondpass.modelfile import Origin, fingerprint, load_with_origin
from secondpass.rules import Pepita

NETWORK, RULE = toy_network(21, 15, 5), Pepita(learning_rate=0.2)
ORIGIN = Origin(0xFEDCBA9876543210, "mps2-an386", "cortex-m4", 1234)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    modelfile.save(tmp_path / "trained.spn", NETWORK, RULE, ORIGIN)
    return tmp_path / "trained.spn"


def rewrite(path: Path, **arrays: np.ndarray) -> None:
    """Replace arrays of an archive as another program would."""
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **(content | arrays))
    path.write_bytes(buffer.getvalue())


def described(path: Path) -> dict[str, object]:
    with np.load(path) as archive:
        return json.loads(archive["description"].tobytes())


def test_what_was_saved_is_loaded(path: Path) -> None:
    network, rule, origin = load_with_origin(path)
    assert (rule, origin) == (RULE, ORIGIN)
    assert network.hash_with(rule.describe()) == NETWORK.hash_with(RULE.describe())
    assert described(path)["weights"] == fingerprint(NETWORK)


def test_a_file_of_the_first_version(path: Path) -> None:
    description = described(path)
    del description["weights"], description["origin"]
    rewrite(path, description=np.frombuffer(json.dumps(description).encode(), np.uint8))
    assert load_with_origin(path)[2] is None


def test_the_fingerprint_sees_every_value() -> None:
    seen = {fingerprint(NETWORK)}
    for index, layer in enumerate(NETWORK.layers):
        for tensor in (layer.weights, layer.bias):
            weights = [(x.weights.copy(), x.bias.copy()) for x in NETWORK.layers]
            chosen = weights[index][0 if tensor is layer.weights else 1]
            chosen.flat[-1] ^= 1
            seen.add(fingerprint(NETWORK.with_weights(weights)))
    assert len(seen) == 1 + 2 * len(NETWORK.layers)


def test_a_file_cut_anywhere(path: Path) -> None:
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(NetworkError, match="is not a network file") as refused:
            modelfile.load(path)
        assert str(path) in str(refused.value)


def test_a_flipped_bit_anywhere(path: Path) -> None:
    """It is found, or it is one that the archive does not use."""
    whole = path.read_bytes()
    identity = NETWORK.hash_with(RULE.describe())
    found = 0
    for position in range(0, len(whole), 11):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            network, rule = modelfile.load(path)
        except NetworkError:
            found += 1
        else:
            assert network.hash_with(rule.describe()) == identity
    assert found > len(whole) / 11 * 0.8


def test_weights_that_are_not_those_of_the_description(path: Path) -> None:
    weights = NETWORK.layers[1].weights.copy()
    weights[2, 3] += 1
    rewrite(path, weights1=weights)
    with pytest.raises(NetworkError, match=f"was written with the weights {fingerprint(NETWORK)}"):
        modelfile.load(path)


@pytest.mark.parametrize("shape", [(15, 20), (14, 21), (15,)])
def test_weights_of_another_shape(path: Path, shape: tuple[int, ...]) -> None:
    rewrite(path, weights0=np.zeros(shape, np.int16))
    with pytest.raises(NetworkError, match="layer0"):
        modelfile.load(path)
