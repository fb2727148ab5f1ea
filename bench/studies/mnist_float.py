# SPDX-License-Identifier: Apache-2.0
"""Rules in float32, sample by sample, beside the same runs in integers.

First weights (before they are rounded), order of presentation, projections and rates are those of
the integer runs of `mnist_rules.py formats`. Needs the extra `train`.

    python bench/studies/mnist_float.py
"""

from collections.abc import Iterator

import keras
import numpy as np
from mnist_rules import DATASETS, EPOCHS, make_run
from runs import RESULTS, Outcome, Run, load, network_of, run_all

from secondpass.floating import online, trainer_for
from secondpass.quantise import random_layers
from secondpass.session import falling_rate, presentation_orders

COMPARED = ("ftp", "pepita", "bp", "last", "hebbian", "ftp tanh", "tl", "bias")
"""Variants in float; with one hidden layer dfa is ftp."""


def train_float(run: Run) -> Iterator[Outcome]:
    """Train in float32; yield each epoch's outcome."""
    data = load(run.dataset)
    rule = run.make_rule()
    spec = network_of(run).input
    layers = random_layers((data.size, *run.hidden, data.classes), run.seed, run.activation)
    model = keras.Sequential([keras.Input((data.size,))])
    for layer in layers:
        dense = keras.layers.Dense(
            layer.weights.shape[1],
            activation=None if layer.activation == "identity" else layer.activation,
        )
        model.add(dense)
        dense.set_weights([layer.weights, layer.bias])
    trainer = trainer_for(model, rule)
    train_x, test_x = spec.decode(data.train_samples[: run.samples]), spec.decode(data.test_samples)
    labels = data.train_labels[: run.samples]
    for epoch, order in enumerate(presentation_orders(len(labels), run.epochs, run.seed)):
        rate = rule.learning_rate * falling_rate(epoch, run.epochs)
        outputs = online(trainer, train_x, labels, order, rate)
        logits = model.predict(test_x, batch_size=1000, verbose=0)
        yield Outcome(
            round(100 * float(np.mean(logits.argmax(1) == data.test_labels)), 2),
            round(100 * float(np.mean(outputs.argmax(1) == labels[order])), 2),
            [],
            [],
        )


def main() -> None:
    """Run what is not in the file of results yet, a seed after the other."""
    runs = [
        make_run(dataset, variant, epochs=EPOCHS, seed=seed, arithmetic="float")
        for dataset in DATASETS
        for seed in (1, 2, 3)
        for variant in COMPARED
    ]
    run_all(runs, RESULTS / "mnist_float.jsonl", train_float)


if __name__ == "__main__":
    main()
