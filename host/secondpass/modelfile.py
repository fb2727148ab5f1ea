# SPDX-License-Identifier: Apache-2.0
"""The `.spn` file: a network together with its learning rule.

A NumPy archive: a JSON description, and the weights and bias of every layer. The description has a
fingerprint of the weights, and tells the device that they were read from, if they were.
"""

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.affine import AFFINE8, affine_network
from secondpass.encoded import encoded_network
from secondpass.errors import NetworkError
from secondpass.network import Dense, Input, Network
from secondpass.rules import Rule, rule_from_description
from secondpass.spectral import spectral_network


@dataclass(frozen=True)
class Origin:
    """The device that weights were read from: its model's hash, and the training steps it had seen.

    Its firmware was built from other weights than the file's, so the file's own hash is not
    `model_hash`.
    """

    model_hash: int
    board: str
    core: str
    step: int


def fingerprint(network: Network) -> str:
    """Return 16 hexadecimal digits that name all weights and biases, whatever their Q formats."""
    digest = hashlib.sha256()
    for layer in network.layers:
        for tensor in (layer.weights, layer.bias):
            little = tensor.astype(tensor.dtype.newbyteorder("<"))
            digest.update(f"{little.dtype.str}{little.shape}".encode() + little.tobytes())
    return digest.hexdigest()[:16]


def save(path: Path, network: Network, rule: Rule, origin: Origin | None = None) -> None:
    """Write network and rule; an existing file is replaced whole."""
    description = {
        "network": network.describe(),
        "rule": rule.describe(),
        "weights": fingerprint(network),
        "origin": asdict(origin) if origin else None,
    }
    text = json.dumps(description, sort_keys=True)
    arrays: dict[str, npt.NDArray[Any]] = {
        "description": np.frombuffer(text.encode(), dtype=np.uint8)
    }
    for index, layer in enumerate(network.layers):
        arrays[f"weights{index}"] = layer.weights
        arrays[f"bias{index}"] = layer.bias
    for index, frozen in enumerate(network.frozen):
        arrays[f"encoder_weights{index}"] = frozen.weights
        arrays[f"encoder_bias{index}"] = frozen.bias
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(buffer.getvalue())
    scratch.replace(path)


def load(path: Path) -> tuple[Network, Rule]:
    """Read network and rule; raises `NetworkError` when the file is none."""
    network, rule, _ = load_with_origin(path)
    return network, rule


def load_with_origin(path: Path) -> tuple[Network, Rule, Origin | None]:
    """Read network, rule and the device that the weights came from, if any did.

    Raises `NetworkError` when the file is damaged or no network file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            description = json.loads(archive["description"].tobytes())
            network = _network(description["network"], archive)
            origin = description.get("origin")  # files of the first version have none
            source = Origin(**origin) if origin else None
            written = description.get("weights")
    except FileNotFoundError:
        raise NetworkError(f"{path} does not exist; make it with 'invoke generate'") from None
    except NetworkError:
        raise
    except Exception as error:
        raise NetworkError(f"{path} is not a network file ({error})") from error
    if written not in (None, fingerprint(network)):
        raise NetworkError(
            f"{path} was written with the weights {written} and holds {fingerprint(network)}: "
            "make or pull it again"
        )
    try:
        return network, rule_from_description(description["rule"]), source
    except (KeyError, TypeError) as error:
        raise NetworkError(f"{path} holds no learning rule ({error})") from error


def _network(description: dict[str, Any], archive: Any) -> Network:
    if description["format"] == AFFINE8:
        return affine_network(description, archive)
    layers = tuple(
        Dense(
            name=layer["name"],
            weights=archive[f"weights{index}"],
            bias=archive[f"bias{index}"],
            weight_frac=layer["weight_frac"],
            out_frac=layer["out_frac"],
            activation=layer["activation"],
        )
        for index, layer in enumerate(description["layers"])
    )
    spec = Input(**description["input"])
    if "encoder" in description:
        # the head may ask for more of the whole than of the layers above
        upper = Network(spec, layers, "mse", description["format"])
        return encoded_network(upper, description, archive)
    network = Network(spec, layers, description["head"], description["format"])
    return spectral_network(network, description["front"]) if "front" in description else network
