# SPDX-License-Identifier: Apache-2.0
"""The `.spn` file: a network together with its learning rule."""

from pathlib import Path

from secondpass.errors import NetworkError
from secondpass.network import Network
from secondpass.rules import Rule, rule_from_description


def save(path: Path, network: Network, rule: Rule) -> None:
    """Write network and rule; an existing file is replaced whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(network.to_bytes({"rule": rule.describe()}))
    scratch.replace(path)


def load(path: Path) -> tuple[Network, Rule]:
    """Read network and rule; raises `NetworkError` when the file is none."""
    network, extra = Network.from_file(path)
    try:
        return network, rule_from_description(extra["rule"])
    except (KeyError, TypeError) as error:
        raise NetworkError(f"{path} holds no learning rule ({error})") from error
