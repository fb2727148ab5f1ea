# SPDX-License-Identifier: Apache-2.0
"""Every learning rule sample by sample in float64, from its published equations.

Shares with the product only the random elements of the projection matrices. Weights are (outputs,
inputs). The argument `mistake` makes a wrong rule, to show that a comparison would notice it.
"""

import base64
import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from secondpass.integer.projections import layer_seed
from secondpass.projection import real_matrix
from secondpass.rules import ProjectedRule, Rule

Array = npt.NDArray[np.float64]
Term = tuple[int, Array, Array]
"""A layer, its delta, and what it read."""

MISTAKES = {
    "feedback sign": ("pepita", "mempepita", "hebbian", "tl", "ftp", "dfa", "bp", "bias"),
    "hidden sign": ("pepita", "mempepita", "hebbian", "tl", "ftp", "dfa", "bp", "bias"),
    "output sign": ("pepita", "mempepita", "hebbian", "tl", "ftp", "dfa", "bp", "bias", "last"),
    "derivative": ("ftp", "dfa", "bp", "bias"),
    "presynaptic": ("pepita", "mempepita", "hebbian", "tl"),
    "target for prediction": ("hebbian", "tl"),
    "one matrix": ("dfa",),
    "old weights": ("tl",),
    "another matrix": ("pepita", "mempepita", "hebbian", "tl", "ftp", "dfa"),
}
"""Mistakes, and the rules that one can make them in."""


@dataclass(frozen=True)
class Net:
    """Weights (outputs, inputs), biases, activations of hidden layers, and the head."""

    weights: list[Array]
    biases: list[Array]
    activation: str = "relu"
    head: str = "softmax"

    @property
    def last(self) -> int:
        return len(self.weights) - 1


def activate(name: str, z: Array) -> Array:
    return {
        "relu": np.maximum(z, 0),
        "tanh": np.tanh(z),
        "hard_tanh": np.minimum(np.maximum(z, -1), 1),
        "identity": z,
    }[name]


def derivative(name: str, z: Array) -> Array:
    return {
        "relu": np.where(z > 0, 1.0, 0.0),
        "tanh": 1 / np.cosh(z) ** 2,
        "hard_tanh": np.where((z > -1) & (z < 1), 1.0, 0.0),
        "identity": np.ones_like(z),
    }[name]


def forward(net: Net, x: Array) -> tuple[list[Array], list[Array]]:
    """Return input and activations, and pre-activations."""
    h, z = [x], []
    for index, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        z.append(w @ h[-1] + b)
        h.append(z[-1] if index == net.last else activate(net.activation, z[-1]))
    return h, z


def prediction(net: Net, outputs: Array) -> Array:
    if net.head == "softmax":
        powers = np.exp(outputs - outputs.max())
        return powers / powers.sum()
    return 1 / (1 + np.exp(-outputs)) if net.head == "sigmoid" else outputs


def wanted(net: Net, x: Array, y: Array) -> Array:
    """Return the target: one-hot, a label, numbers or the input."""
    if net.head == "softmax":
        return np.eye(len(net.biases[-1]))[int(y)]
    if net.head == "sigmoid":
        return np.array([float(y)])
    return x if net.head == "reconstruction" else np.asarray(y, np.float64)


def matrix(rule: ProjectedRule, rows: int, outputs: int, size: int, seed: int) -> Array:
    """Return a matrix of deviation projection_scale * sqrt(2 / size), or the stored one."""
    deviation = rule.projection_scale * math.sqrt(2 / size)
    if rule.projection == "stored":
        elements = np.frombuffer(base64.b64decode(rule.matrix), np.int8)
        return elements.reshape(rows, outputs) * (deviation / 128)
    return real_matrix(rule.projection, seed, rows, outputs, deviation).astype(np.float64)


class Sample:
    """One sample's first pass and what a rule makes of it."""

    def __init__(self, net: Net, rule: Rule, x: Array, y: Array, mistake: str = "") -> None:
        self.rule, self.mistake = rule, mistake
        if mistake == "another matrix":
            self.rule = replace(rule, projection_seed=rule.projection_seed + 1)
        self.h, self.z = forward(net, x)
        self.p = prediction(net, self.h[-1])
        self.y = wanted(net, x, y)
        self.e = self.p - self.y

    @property
    def signal(self) -> Array:
        return np.sign(self.e) if self.rule.error_signal == "sign" else self.e

    @property
    def gated(self) -> bool:
        return bool(np.abs(self.e).max() < self.rule.gate)

    def flip(self) -> float:
        return -1.0 if self.mistake == "feedback sign" else 1.0

    def hidden(self, net: Net, deltas: list[Array], pre: list[Array]) -> list[Term]:
        sign = -1.0 if self.mistake == "hidden sign" else 1.0
        return [(i, sign * d, pre[i]) for i, d in enumerate(deltas)]

    def output(self, net: Net, error: Array, pre: Array) -> Term:
        return net.last, -error if self.mistake == "output sign" else error, pre

    def slope(self, net: Net, index: int) -> Array:
        if self.mistake == "derivative":
            return np.ones_like(self.z[index])
        return derivative(net.activation, self.z[index])

    def modulated(self, net: Net) -> list[Array]:
        """Return the second pass's activations."""
        inputs, outputs = len(self.h[0]), len(self.p)
        f = matrix(self.rule, inputs, outputs, inputs, self.rule.projection_seed)
        sign = {"add": 1, "subtract": -1}[self.rule.modulation] * self.flip()
        return forward(net, self.h[0] + sign * f @ self.signal)[0]

    def pepita(self, net: Net) -> list[Term]:
        again = self.modulated(net)
        from_second = (self.rule.presynaptic == "second") != (self.mistake == "presynaptic")
        pre = again if from_second else self.h
        error = self.e
        if self.rule.output_error == "second":
            error = prediction(net, again[-1]) - self.y
        deltas = [a - b for a, b in zip(self.h[1:-1], again[1:-1], strict=True)]
        return [*self.hidden(net, deltas, pre), self.output(net, error, pre[-2])]

    def hebbian_first(self, net: Net) -> list[Term]:
        out = self.y if self.mistake == "target for prediction" else self.p
        return [*self.hidden(net, self.h[1:-1], self.h), self.output(net, out, self.h[-2])]

    def hebbian_second(self, net: Net) -> list[Term]:
        again = self.modulated(net)
        pre = self.h if self.mistake == "presynaptic" else again
        out = self.p if self.mistake == "target for prediction" else self.y
        deltas = [-a for a in again[1:-1]]
        return [*self.hidden(net, deltas, pre), self.output(net, -out, pre[-2])]

    def ftp(self, net: Net) -> list[Term]:
        units, outputs = len(self.h[1]), len(self.p)
        g = matrix(self.rule, units, outputs, outputs, self.rule.projection_seed)
        if self.rule.target_function == "linear":
            difference = -g @ self.signal
        else:
            squash = {"tanh": np.tanh, "sign": np.sign}[self.rule.target_function]
            difference = squash(g @ self.y) - squash(g @ self.p)
        target = self.h[1] + self.flip() * self.rule.target_scale * difference
        deltas = []
        for index in range(net.last):
            if index:
                z = net.weights[index] @ target + net.biases[index]
                target = activate(net.activation, z)
            deltas.append((self.h[index + 1] - target) * self.slope(net, index))
        return [*self.hidden(net, deltas, self.h), self.output(net, self.e, self.h[-2])]

    def dfa(self, net: Net) -> list[Term]:
        deltas = []
        for index in range(net.last):
            seed = layer_seed(
                self.rule.projection_seed, 0 if self.mistake == "one matrix" else index
            )
            units, outputs = len(self.h[index + 1]), len(self.p)
            b = matrix(self.rule, units, outputs, outputs, seed)
            deltas.append(self.flip() * (b @ self.signal) * self.slope(net, index))
        return [*self.hidden(net, deltas, self.h), self.output(net, self.e, self.h[-2])]

    def bp(self, net: Net) -> list[Term]:
        delta, deltas = self.flip() * self.e, []
        for index in reversed(range(net.last)):
            delta = (net.weights[index + 1].T @ delta) * self.slope(net, index)
            deltas.insert(0, delta)
        return [*self.hidden(net, deltas, self.h), self.output(net, self.e, self.h[-2])]


def phases(samples: list[Sample], net: Net, name: str):
    """Yield functions that give the terms of all samples for the weights of a moment."""
    if name in ("pepita", "mempepita"):
        yield lambda net: [s.pepita(net) for s in samples]
    elif name == "hebbian":
        yield lambda net: [s.hebbian_first(net) + s.hebbian_second(net) for s in samples]
    elif name == "tl":
        old = net
        yield lambda net: [s.hebbian_first(net) for s in samples]
        yield lambda net: [
            s.hebbian_second(old if s.mistake == "old weights" else net) for s in samples
        ]
    elif name == "last":
        yield lambda net: [[s.output(net, s.e, s.h[-2])] for s in samples]
    else:
        method = {"ftp": Sample.ftp, "dfa": Sample.dfa, "bp": Sample.bp, "bias": Sample.bp}[name]
        yield lambda net: [method(s, net) for s in samples]


def learn(
    net: Net, rule: Rule, x: Array, y: Array, rate: float | None = None, mistake: str = ""
) -> Net:
    """Return the network after a step on a batch (count, inputs): plain SGD on batch means."""
    rate = rule.learning_rate if rate is None else rate
    samples = [Sample(net, rule, a, b, mistake) for a, b in zip(x, y, strict=True)]
    layers = len(net.weights)
    factors = rule.layer_rates or (1.0,) * layers
    what = rule.trainable or ("all",) * layers
    for phase in phases(samples, net, rule.name):
        weights, biases = [w.copy() for w in net.weights], [b.copy() for b in net.biases]
        for sample, terms in zip(samples, phase(net), strict=True):
            if sample.gated:
                continue
            for layer, delta, pre in terms:
                error = rule.learning_rate * factors[layer] * delta
                if rule.clip:
                    error = np.minimum(np.maximum(error, -rule.clip), rule.clip)
                error = error * (rate / rule.learning_rate / len(samples))
                if what[layer] == "all" and rule.name != "bias":
                    weights[layer] -= np.outer(error, pre)
                if what[layer] != "none":
                    biases[layer] -= error
        net = replace(net, weights=weights, biases=biases)
    return net
