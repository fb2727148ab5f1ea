# SPDX-License-Identifier: Apache-2.0
"""Personalisation of a keyword classifier: held-out speakers, noise, a low-pass, a room.

490-128-12 on 49 x 10 int8 MFCC is pre-trained in floating point by Keras, on some speakers and
without noise, rounded to integers, and adapts to other speakers in the arithmetic of the device
(host twin). Learning rate and projection scale of a rule are those with the best mean accuracy,
over all conditions, when the same is done to development speakers out of the pre-training ones, by
networks that were pre-trained without them.
"""

import argparse
import sys
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from common import TwinPool, candidates, read_lines, spread, write_lines

from secondpass.datasets import speech_commands
from secondpass.datasets.speech_commands import PARTS, Recordings, deal
from secondpass.device.emulator import emulated_device
from secondpass.device.interface import read_weights, same_weights
from secondpass.features.mfcc import SIZE, mfcc
from secondpass.network import Network
from secondpass.quantise import layers_from_keras, quantise
from secondpass.rules import Backprop, BiasOnly, Ftp, LastLayer, Pepita, Rule, with_seed
from secondpass.session import presentation_orders
from secondpass.tasks.keywords import (
    CONDITIONS,
    Hearing,
    features_under,
    hearing,
    moved,
    speech_input,
)

RULES: dict[str, Rule] = {
    "pepita": Pepita(),
    "ftp": Ftp(),
    "bp": Backprop(),
    "bias": BiasOnly(),
    "last": LastLayer(),
}
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
SCALES = (0.05, 0.2, 0.5)
CHOICE_SEEDS = (101, 102)
"""Of the networks and the clips by which rates are chosen; results use others."""
BOARD_RULES = ("ftp", "bp", "bias")
MOST_MOVED = 1600
"""Samples by which pre-training clips are moved: 0.1 s."""


@dataclass
class Setup:
    """What all runs have in common, and what was computed once."""

    recordings: Recordings
    copies: int
    epochs: int
    passes: int
    pool: TwinPool = field(default_factory=TwinPool)
    _features: dict[Any, Any] = field(default_factory=dict)

    def features(self, condition: str, seed: int) -> Any:
        """Return features (all clips, 490) under a condition."""
        key = condition, 0 if condition in ("clean", "low-pass") else seed
        if key not in self._features:
            self._features[key] = features_under(condition, self.recordings.sounds, seed)
        return self._features[key]

    def moved(self, copy: int) -> Any:
        """Return features of all clips, moved in time."""
        if ("moved", copy) not in self._features:
            sounds = moved(self.recordings.sounds, MOST_MOVED, copy)
            self._features["moved", copy] = mfcc(sounds)
        return self._features["moved", copy]

    def heard(self, part: Any, condition: str, count: int, seed: int) -> Hearing:
        """Return what a device hears of some clips (a mask) under a condition."""
        features = self.features(condition, seed)[part]
        return hearing(features, self.recordings.labels[part], count, seed)

    def pretrained(self, part: Any, seed: int) -> Network:
        """Return a network that Keras trained on some clips and copies moved in time."""
        import keras

        raw = [self.features("clean", 0)[part]]
        raw += [self.moved(copy)[part] for copy in range(1, self.copies)]
        samples = np.concatenate(raw)
        labels = np.tile(self.recordings.labels[part], self.copies)
        spec = speech_input(samples)
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((SIZE,))])
        model.add(keras.layers.Dense(128, activation="relu", name="hidden"))
        model.add(keras.layers.Dropout(0.3))
        model.add(keras.layers.Dense(len(speech_commands.WORDS), name="words"))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss)
        model.fit(spec.decode(samples), labels, 128, self.epochs, verbose=0)
        calibration = np.random.default_rng(seed).permutation(samples)[:1000]
        return quantise(layers_from_keras(model), spec, calibration)

    def accuracy(self, network: Network, heard: Hearing) -> float:
        """Return the share of the tested clips that a network gets right."""
        twin = self.pool.get(network, RULES["last"])
        return _share(twin, heard)

    def adapted(self, network: Network, rule: Rule, heard: Hearing, seed: int) -> Any:
        """Return a twin that has learned from the clips to learn."""
        twin = self.pool.get(network, rule)
        for order in presentation_orders(len(heard.learned), self.passes, seed):
            chosen = heard.learned[order]
            twin.train_all(heard.features[chosen], heard.labels[chosen])
        return twin


def _share(device: Any, heard: Hearing) -> float:
    tested = heard.tested
    right = device.evaluate(heard.features[tested], heard.labels[tested])
    return float(right) / len(tested)


def choose(setup: Setup, part: Any, counts: list[int]) -> dict[tuple[str, int], Rule]:
    """Return each rule, by number of clips, at the setting best for development speakers.

    `part` masks the pre-training clips; a third of their speakers are the development ones.
    """
    inner = np.zeros(len(part), dtype=np.int64)
    inner[part] = deal(setup.recordings.speakers[part])
    developed, rest = part & (inner == 0), part & (inner != 0)
    networks = {seed: setup.pretrained(rest, seed) for seed in CHOICE_SEEDS}
    chosen = {}
    for count in counts:
        for name, base in RULES.items():
            found = []
            for rule in candidates(base, RATES, SCALES):
                shares = [
                    _share(setup.adapted(network, with_seed(rule, seed), heard, seed), heard)
                    for seed, network in networks.items()
                    for heard in (
                        setup.heard(developed, condition, count, seed) for condition in CONDITIONS
                    )
                ]
                found.append((float(np.mean(shares)), rule))
            chosen[name, count] = max(found, key=lambda entry: entry[0])[1]
            print(count, name, chosen[name, count].learning_rate, file=sys.stderr, flush=True)
    return chosen


def study(setup: Setup, number: int, counts: list[int], seeds: list[int]) -> Any:
    """Yield one record for every seed, condition, number of clips and rule; a part is held out."""
    held_out = deal(setup.recordings.speakers) == number
    chosen = choose(setup, ~held_out, counts)
    for seed in seeds:
        network = setup.pretrained(~held_out, seed)
        for condition in CONDITIONS:
            for count in counts:
                heard = setup.heard(held_out, condition, count, seed)
                clean = setup.heard(held_out, "clean", count, seed)
                shared = {
                    "study": "keywords",
                    "network": network.shape,
                    "format": network.format,
                    "part": number,
                    "seed": seed,
                    "condition": condition,
                    "clips": count,
                    "passes": setup.passes,
                    "tested": len(heard.tested),
                    "before": setup.accuracy(network, heard),
                    "clean_before": setup.accuracy(network, clean),
                }
                for name in RULES:
                    rule = with_seed(chosen[name, count], seed)
                    twin = setup.adapted(network, rule, heard, seed)
                    yield {
                        **shared,
                        "rule": name,
                        "rate": rule.learning_rate,
                        "scale": getattr(rule, "projection_scale", 0.0),
                        "saturations": twin.statistics().counters.saturations,
                        "after": _share(twin, heard),
                        "clean_after": _share(twin, clean),
                    }


def table(records: list[dict[str, Any]], field: str) -> str:
    """Return mean over parts, and deviation of that mean over seeds, in % as Markdown."""
    counts = list(dict.fromkeys(r["clips"] for r in records))
    cases = [(condition, count) for condition in CONDITIONS for count in counts]
    lines = ["| rule | " + " | ".join(f"{c}, {n}" for c, n in cases) + " |"]
    lines.append("|---" * (len(cases) + 1) + "|")

    def cell(rows: list[dict[str, Any]], of: str) -> str:
        by_seed = [[r[of] for r in rows if r["seed"] == s] for s in {r["seed"] for r in rows}]
        return spread([np.mean(part) for part in by_seed], 1, 100)

    for name in ("before", *RULES):
        of = field.replace("after", "before") if name == "before" else field
        rule = next(iter(RULES)) if name == "before" else name
        cells = [
            cell(
                [
                    r
                    for r in records
                    if (r["rule"], r["condition"], r["clips"]) == (rule, condition, count)
                ],
                of,
            )
            for condition, count in cases
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def on_board(setup: Setup, board: str, records: list[dict[str, Any]]) -> None:
    """Repeat the first case in noise on an emulated board and on the host twin; compare the two."""
    first = next(r for r in records if r["condition"] == "noise")
    part, count, seed = first["part"], first["clips"], first["seed"]
    held_out = deal(setup.recordings.speakers) == part
    network = setup.pretrained(~held_out, seed)
    heard = setup.heard(held_out, "noise", count, seed)
    before = setup.accuracy(network, heard)
    for name in BOARD_RULES:
        keys = ("part", "clips", "seed", "condition")
        record = next(
            r for r in records if r["rule"] == name and all(r[k] == first[k] for k in keys)
        )
        rule = with_seed(replace(RULES[name], learning_rate=record["rate"]), seed)
        if record["scale"]:
            rule = replace(rule, projection_scale=record["scale"])
        twin = setup.adapted(network, rule, heard, seed)
        with emulated_device(network, rule, board) as device:
            for order in presentation_orders(len(heard.learned), setup.passes, seed):
                learned = heard.learned[order]
                for _ in device.train_stream(heard.features[learned], heard.labels[learned]):
                    pass
            same = same_weights(read_weights(device), read_weights(twin))
            after = _share(device, heard)
        print(
            f"{board}, {name}, {count} clips a class in noise: {100 * before:.1f} % before, "
            f"{100 * after:.1f} % after on the board, {100 * record['after']:.1f} % in the study; "
            f"weights {'equal to the twin bit for bit' if same else 'DIFFERENT'}",
            flush=True,
        )


def main() -> None:
    """Run the study as the command line says; write its records, print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="file of results to write, without its ending")
    parser.add_argument("--parts", nargs="+", type=int, default=list(range(PARTS)))
    parser.add_argument("--clips", nargs="+", type=int, default=[5, 20])
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--copies", type=int, default=10, help="of a clip in pre-training")
    parser.add_argument("--epochs", type=int, default=10, help="of the pre-training")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--board", help="only repeat a case of the results on this emulated board")
    options = parser.parse_args()
    recordings = speech_commands.load_recordings()
    setup = Setup(recordings, options.copies, options.epochs, options.passes)
    if options.board:
        return on_board(setup, options.board, read_lines(options.name))
    records: list[dict[str, Any]] = []
    for part in options.parts:
        records += study(setup, part, options.clips, options.seeds)
        print(write_lines(options.name, records), flush=True)
    print(table(records, "after"))
    print("\non clean sound:\n" + table(records, "clean_after"))
    return None


if __name__ == "__main__":
    main()
