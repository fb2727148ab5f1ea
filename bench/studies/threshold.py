# SPDX-License-Identifier: Apache-2.0
"""The anomaly threshold where a detector is moved to: found on the host before, or by the device.

A detector of the ceiling fan learns the first place by back-propagation and adapts to the new one
by a rule, at the rate that `drift_fan.py` chose for the new place. Compared: the host's threshold
of the first place, an exact quantile; what the device has after learning, which began with the
first place; what it finds when it calibrates on the new place's windows; and the exact quantile of
these. Windows of the three shares were neither learned nor calibrated on: normal ones of the first
and of the new place, and anomalous ones of the new place.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from common import TwinPool, spread, write_lines
from drift_fan import Setup, zeros

from secondpass.datasets import DriftTask, load_ceiling_fan
from secondpass.datasets.dataset import UInt8Array
from secondpass.device.twin import HostTwin
from secondpass.network import Network
from secondpass.rules import Backprop, Ftp, Pepita, Rule, with_seed
from secondpass.session import presentation_orders
from secondpass.tasks.anomaly import alarm_shares, calibrate

RULES: dict[str, Rule] = {
    "pepita": Pepita(learning_rate=0.003, projection_scale=0.05),
    "ftp": Ftp(learning_rate=0.001, projection_scale=0.05),
    "bp": Backprop(learning_rate=0.001),
}
QUANTILES = (0.9, 0.95, 0.99)
COLUMNS = ("first place", "new place", "found")
BEFORE = "not adapted"


def exact(twin: HostTwin, samples: UInt8Array, quantile: float) -> float:
    """Return the quantile of the samples' scores."""
    return float(np.quantile(twin.scores(samples), quantile))


def thresholds(
    pool: TwinPool, network: Network, rule: Rule, task: DriftTask, quantile: float, passes: int
) -> Iterator[tuple[str, str, float, HostTwin]]:
    """Yield adapted or not, whose threshold, its score and the twin in that state."""
    seed = rule.dither_seed
    twin = pool.get(network, rule)
    first = exact(twin, task.pretrain, quantile)
    yield BEFORE, "host, first place", first, twin
    found = calibrate(twin, task.adaptation, quantile, seed).score
    yield BEFORE, "device, calibrated at the new place", found, twin
    found = calibrate(twin, task.pretrain, quantile, seed).score
    yield BEFORE, "device, calibrated at the first place", found, twin
    for order in presentation_orders(len(task.adaptation), passes, seed):
        twin.train_all(task.adaptation[order], zeros(order))
    yield rule.name, "host, first place", first, twin
    yield rule.name, "device, as learning left it", twin.threshold().score, twin
    found = calibrate(twin, task.adaptation, quantile, seed).score
    yield rule.name, "device, calibrated at the new place", found, twin
    found = exact(twin, task.adaptation, quantile)
    yield rule.name, "exact, of what was learned", found, twin


def study(setup: Setup, seeds: Sequence[int], passes: int) -> list[dict[str, Any]]:
    """Return one record for every quantile, rule, threshold and seed."""
    records = []
    for seed in seeds:
        task, network = setup.trained(seed)
        for quantile in QUANTILES:
            for number, base in enumerate(RULES.values()):
                rule = with_seed(base, seed)
                found = thresholds(setup.pool, network, rule, task, quantile, passes)
                for state, whose, limit, twin in found:
                    if state == BEFORE and number:
                        continue  # the same for every rule
                    parts = task.home_normal, task.normal, task.anomalous
                    shares = alarm_shares(twin, parts, limit)
                    names = {"study": "threshold", "network": network.shape, "seed": seed}
                    names |= {"quantile": quantile, "state": state, "threshold": whose}
                    values = dict(zip(COLUMNS, shares, strict=True))
                    records.append({**names, "passes": passes, "score": limit, **values})
    return records


def table(records: list[dict[str, Any]]) -> str:
    """Return mean and deviation over seeds as Markdown, in per cent."""
    lines = ["| wanted | adapted by | threshold | " + " | ".join(COLUMNS) + " |"]
    lines.append("|---" * (3 + len(COLUMNS)) + "|")
    keys = dict.fromkeys((r["quantile"], r["state"], r["threshold"]) for r in records)
    for key in sorted(keys, key=lambda key: key[0]):
        rows = [r for r in records if (r["quantile"], r["state"], r["threshold"]) == key]
        cells = [spread((r[column] for r in rows), 1, 100) for column in COLUMNS]
        wanted = f"{100 * (1 - key[0]):.0f} %"
        lines.append("| " + " | ".join([wanted, *key[1:], *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the study; write its records, print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    parser.add_argument("--hidden", nargs="+", type=int, default=[32, 8, 32])
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--passes", type=int, default=20, help="of the new place's windows")
    parser.add_argument("--epochs", type=int, default=100, help="of the pre-training")
    options = parser.parse_args()
    setup = Setup(
        TwinPool(),
        load_ceiling_fan(),
        ["low"],
        options.hidden,
        options.activation,
        "a16w16",
        options.epochs,
    )
    records = study(setup, options.seeds, options.passes)
    print(write_lines(options.name, records))
    print(table(records))


if __name__ == "__main__":
    main()
