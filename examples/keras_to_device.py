# SPDX-License-Identifier: Apache-2.0
"""From a Keras model to a Cortex-M that goes on learning where Keras stopped.

The model learns digits on this computer with PEPITA. Then it moves, in integers, to an emulated
Cortex-M4 whose sensor is mounted one pixel too far to the right. The device adapts by itself.
"""

import keras
import numpy as np

from secondpass import datasets
from secondpass.device.emulator import emulated_device
from secondpass.floating import PepitaModel
from secondpass.quantise import choose_input, from_keras
from secondpass.rules import Pepita


def main() -> tuple[float, float]:
    """Return the device's accuracy on shifted digits before and after it has learned."""
    data = datasets.load("digits")
    spec = choose_input(64, "uint8", step=data.step)
    model = keras.Sequential([
        keras.Input((64,)),
        keras.layers.Dense(64, activation="relu", kernel_initializer="he_uniform"),
        keras.layers.Dense(10, activation="softmax", kernel_initializer="he_uniform"),
    ])  # fmt: skip
    rule = Pepita(learning_rate=0.01)
    trainer = PepitaModel(model, rule)
    trainer.compile(keras.optimizers.SGD(0.05, momentum=0.9), metrics=["accuracy"])
    trainer.fit(spec.decode(data.train_samples), data.train_labels, epochs=20, verbose=2)

    network = from_keras(model, data.train_samples, spec)
    train_x, test_x = (
        np.roll(x.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)
        for x in (data.train_samples, data.test_samples)
    )
    train_y, test_y = data.train_labels.tolist(), data.test_labels.tolist()
    with emulated_device(network, rule, "mps2-an386") as device:
        before = device.evaluate(test_x, test_y) / len(test_y)
        for step in device.train_stream(train_x, train_y):
            if step.step % 200 == 0:
                print(f"step {step.step}: saw {step.label}, predicted {step.predicted}")
        after = device.evaluate(test_x, test_y) / len(test_y)
    print(f"on the device: {100 * before:.1f} % before, {100 * after:.1f} % after learning")
    return before, after


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    main()
