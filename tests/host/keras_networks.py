# SPDX-License-Identifier: Apache-2.0
"""Small Keras networks and batches that several tests train. Imports Keras."""

import keras
import numpy as np

from secondpass.floating import PepitaModel
from secondpass.rules import Pepita


def softmax(z):
    shifted = np.exp(z - z.max())
    return shifted / shifted.sum()


def stack(widths, softmax_head=False, dropout=0.0, use_bias=True, seed=7):
    layers = [keras.Input((widths[0],))]
    for index, units in enumerate(widths[1:-1]):
        initial = keras.initializers.HeUniform(seed=seed + index)
        layers.append(keras.layers.Dense(units, "relu", use_bias, kernel_initializer=initial))
        if dropout:
            layers.append(keras.layers.Dropout(dropout, seed=seed))
    head = "softmax" if softmax_head else None
    initial = keras.initializers.HeUniform(seed=seed + 99)
    layers.append(keras.layers.Dense(widths[-1], head, use_bias, kernel_initializer=initial))
    return keras.Sequential(layers)


def dense_layers(network):
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]


def parameters(network):
    """Weights (outputs, inputs) and biases as float64."""
    dense = dense_layers(network)
    weights = [np.asarray(layer.kernel, np.float64).T for layer in dense]
    biases = [
        np.zeros(layer.units) if layer.bias is None else np.asarray(layer.bias, np.float64)
        for layer in dense
    ]
    return weights, biases


def one_batch(count=4, size=6, classes=3, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (count, size)).astype(np.float32)
    return x, rng.integers(0, classes, count)


def pepita_for_digits(network):
    return PepitaModel(network, Pepita(projection="sign", projection_scale=0.2))


def train_on_digits(digits, frozen=False, trainer=pepita_for_digits):
    keras.utils.set_random_seed(3)
    network = stack((64, 64, 10), dropout=0.1)
    dense_layers(network)[0].trainable = not frozen
    model = trainer(network)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), metrics=["accuracy"])
    x = digits.train_samples * np.float32(digits.step)
    model.fit(x, digits.train_labels, batch_size=32, epochs=30, verbose=0)
    return model
