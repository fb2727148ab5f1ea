# SPDX-License-Identifier: Apache-2.0
"""A Keras model moves to a Cortex-M4 whose camera sits one pixel too far right, and adapts."""

import keras
import numpy as np

from secondpass import datasets
from secondpass.device.emulator import emulated_device
from secondpass.floating import PepitaModel
from secondpass.quantise import choose_input, from_keras
from secondpass.rules import Pepita


def main() -> tuple[float, float]:
    """Return the device's accuracy on shifted digits before and after it has learned."""
    keras.utils.set_random_seed(1)
    data = datasets.load("digits")
    spec = choose_input(64, "uint8", step=data.step)
    model = keras.Sequential([keras.Input((64,))])
    model.add(keras.layers.Dense(64, activation="relu", kernel_initializer="he_uniform"))
    model.add(keras.layers.Dense(10, activation="softmax", kernel_initializer="he_uniform"))
    rule = Pepita(learning_rate=0.03)
    trainer = PepitaModel(model, rule)
    trainer.compile(keras.optimizers.SGD(0.05, momentum=0.9), metrics=["accuracy"])
    trainer.fit(spec.decode(data.train_samples), data.train_labels, epochs=20, verbose=2)

    network = from_keras(model, data.train_samples, spec)  # int16 from here on
    train_x, test_x = (
        np.roll(images.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)
        for images in (data.train_samples, data.test_samples)
    )
    with emulated_device(network, rule, "mps2-an386") as device:  # generate, build, boot
        before = device.evaluate(test_x, data.test_labels) / len(test_x)
        for step in device.train_stream(train_x, data.train_labels):
            if step.step % 200 == 0:
                print(f"step {step.step}: a {step.label}, taken for a {step.predicted}")
        after = device.evaluate(test_x, data.test_labels) / len(test_x)
    print(f"shifted digits: {100 * before:.1f} % before, {100 * after:.1f} % after learning")
    return before, after


if __name__ == "__main__":
    main()
