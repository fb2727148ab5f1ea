# SPDX-License-Identifier: Apache-2.0
"""Train 784-128-10 on MNIST in int16, sample by sample, on the host twin.

The arithmetic is that of the device, bit for bit; only the computer is faster. Beside the best
settings found for PEPITA and FTP it runs the paper's PEPITA (dense F at 0.05, second-pass
presynaptic activity, inputs not centred), and, as the floor, a frozen hidden layer.

    python examples/int16_mnist.py                      # best settings, 8 epochs
    python examples/int16_mnist.py --setting paper
    python examples/int16_mnist.py --setting ftp
    python examples/int16_mnist.py --setting frozen --seed 2
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

from secondpass import datasets
from secondpass.device.twin import HostTwin
from secondpass.learning import step_settings
from secondpass.presets import random_network
from secondpass.rules import Ftp, LastLayer, Pepita, Rule, with_seed
from secondpass.session import falling_rate, presentation_orders

SETTINGS: dict[str, Rule] = {
    "best": Pepita(learning_rate=0.02, layer_rates=(1.0, 0.5)),
    "paper": Pepita(
        projection="dense",
        projection_scale=0.05,
        modulation="add",
        presynaptic="second",
        output_error="second",
        learning_rate=0.1,
    ),
    "ftp": Ftp(learning_rate=0.02, layer_rates=(1.0, 0.5)),
    "frozen": LastLayer(learning_rate=0.02),
}


def run(
    setting: str = "best",
    hidden: int = 128,
    epochs: int = 8,
    seed: int = 1,
    samples: int | None = None,
    learning_rate: float | None = None,
) -> list[float]:
    """Train and return the test accuracy after each epoch."""
    rule = with_seed(SETTINGS[setting], seed)
    if learning_rate is not None:
        rule = replace(rule, learning_rate=learning_rate)
    data = datasets.load("mnist")
    network = random_network(data, (hidden,), seed, centred=setting != "paper")
    twin = HostTwin(network, rule)
    train_x, train_y = data.train_samples[:samples], data.train_labels[:samples]
    print(f"{network.shape}, {network.format}, {setting}: {rule}")
    accuracies = []
    for epoch, order in enumerate(presentation_orders(len(train_x), epochs, seed)):
        started = time.perf_counter()
        rate = rule.learning_rate * falling_rate(epoch, epochs)
        twin.configure(step_settings(network, rule, rate))
        twin.train_all(train_x[order], train_y[order])
        counters = twin.statistics(clear=True).counters
        correct = twin.evaluate(data.test_samples, data.test_labels)
        accuracies.append(correct / len(data.test_labels))
        active = [layer.active_rows / counters.trained for layer in counters.layers]
        print(
            f"epoch {epoch + 1}: test {100 * accuracies[-1]:.2f} %, prequential "
            f"{100 * counters.trained_correct / counters.trained:.2f} %, rows updated a step "
            f"{active[0]:.1f} and {active[1]:.1f}, {counters.saturations} saturations, "
            f"{time.perf_counter() - started:.0f} s",
            flush=True,
        )
    return accuracies


def main(arguments: Sequence[str] | None = None) -> list[float]:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--setting", choices=SETTINGS, default="best")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, help="first samples of MNIST only")
    parser.add_argument("--learning-rate", type=float)
    options = parser.parse_args(arguments)
    return run(**vars(options))


if __name__ == "__main__":
    main()
