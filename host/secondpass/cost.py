# SPDX-License-Identifier: Apache-2.0
"""What a learning step costs, from formulas: multiply-accumulates, activations, stored matrices.

The formulas are those of the literature (Pau & Aymone, COINS 2023, for PEPITA and MEMPEPITA),
extended to all rules and to layers that do not learn. A product with a fixed matrix counts every
element, as published figures do, but a sparse matrix only its non-zeros: one in every row. An
update counts every row.
"""

from dataclasses import dataclass

from secondpass.learning import Learning
from secondpass.network import Network
from secondpass.projection import row_elements
from secondpass.rules import Backprop, Dfa, Ftp, Hebbian, LastLayer, Mempepita, Rule


@dataclass(frozen=True)
class Cost:
    """Multiply-accumulates of one step by part, and memory in bytes.

    `forward`: the first pass; `again`: what MEMPEPITA computes a second time; `second`: the second
    pass; `backward`: deltas handed down; `projection`: products with the fixed matrix; `update`:
    at most, when no row is skipped; `repair`: the row of Q that is computed anew.
    `activations`: vectors that a step keeps from one pass to the next; `matrices`: what a rule
    stores beside the weights.
    """

    rule: str
    forward: int = 0
    again: int = 0
    second: int = 0
    backward: int = 0
    projection: int = 0
    update: int = 0
    repair: int = 0
    activations: int = 0
    matrices: int = 0

    @property
    def macs(self) -> int:
        """All multiply-accumulates of a step."""
        return (
            self.forward
            + self.again
            + self.second
            + self.backward
            + self.projection
            + self.update
            + self.repair
        )


def step_cost(network: Network, rule: Rule) -> Cost:
    """Return what one learning step of a network costs under a rule."""
    learning = Learning(network, rule)
    sizes = [layer.weights.size for layer in network.layers]
    again, second = _second_pass(learning, sizes)
    return Cost(
        rule=rule.name,
        forward=sum(sizes),
        again=again,
        second=second,
        backward=_backward(learning, sizes),
        projection=_projection(learning),
        update=_update(learning, sizes),
        repair=network.input.size * _row_elements(learning) if _keeps_q(learning) else 0,
        activations=_activations(learning),
        matrices=_matrices(learning),
    )


def _keeps_q(learning: Learning) -> bool:
    return learning.short and learning.trainable[0] == "all"


def _second_pass(learning: Learning, sizes: list[int]) -> tuple[int, int]:
    """Return what is computed again of the first pass, and the second pass."""
    network, rule = learning.network, learning.rule
    depth = learning.second_depth
    layers = list(sizes[:depth])
    again = 0
    if isinstance(rule, Ftp) and layers:
        layers[0] = 0  # the target of the first layer is given
    if isinstance(rule, Mempepita) and depth:
        if rule.name == "mempepita":
            again = sum(sizes[: learning.last] if _output_learns(learning) else layers)
        if learning.short:
            layers[0] = network.layers[0].outputs * network.outputs
        if learning.output_error == "second" and _output_learns(learning):
            layers.append(sizes[learning.last])
    return again, sum(layers)


def _output_learns(learning: Learning) -> bool:
    return learning.trainable[learning.last] != "none"


def _backward(learning: Learning, sizes: list[int]) -> int:
    if not isinstance(learning.rule, Backprop):
        return 0
    return sum(sizes[learning.lowest + 1 :])


def _projection(learning: Learning) -> int:
    """Return products with the fixed matrix."""
    network, rule = learning.network, learning.rule
    elements = _row_elements(learning)
    if isinstance(rule, Dfa):
        return sum(network.layers[i].outputs * elements for i in learning.hidden_learning)
    if not learning.second_depth:
        return 0
    if isinstance(rule, Ftp):
        twice = learning.nonlinear_targets and network.head in ("mse", "reconstruction")
        return network.layers[0].outputs * elements * (2 if twice else 1)
    once = network.input.size * elements
    if not learning.short:
        return once
    modulated = once if learning.presynaptic == "second" else 0
    return modulated + (once if _keeps_q(learning) else 0)


def _row_elements(learning: Learning) -> int:
    """Return the elements of a row of the fixed matrix that take part in a product."""
    return row_elements(getattr(learning.rule, "projection", ""), learning.network.outputs)


def _update(learning: Learning, sizes: list[int]) -> int:
    """Return the updates of weights; Hebbian rules have two; Q follows the first layer's."""
    total = 0
    for index, what in enumerate(learning.trainable):
        if what == "all":
            total += sizes[index] * (2 if isinstance(learning.rule, Hebbian) else 1)
    if _keeps_q(learning):
        total += learning.network.layers[0].outputs * learning.network.outputs
    return total


def _activations(learning: Learning) -> int:
    """Return bytes of the vectors that are alive at once, by the literature's formula.

    A = all hidden activations. Rules that learn from the first pass keep A; those with a second
    pass keep two more vectors of the widest layer; MEMPEPITA and PEPITA-TL keep three or two
    vectors whatever the depth.
    """
    network, rule = learning.network, learning.rule
    hidden = [layer.outputs for layer in network.layers[:-1]]
    widest = max(hidden)
    bytes_each = 2
    if rule.name == "mempepita":
        return bytes_each * 3 * widest
    if rule.name == "tl":
        return bytes_each * 2 * widest
    if isinstance(rule, LastLayer):
        return bytes_each * hidden[-1]
    extra = 2 * widest if rule.two_pass else 0
    return bytes_each * (sum(hidden) + extra)


def _matrices(learning: Learning) -> int:
    """Return bytes of stored matrices: Q, or a matrix in flash."""
    network = learning.network
    total = 0
    if learning.short:
        total += 4 * network.layers[0].outputs * network.outputs
    if getattr(learning.rule, "projection", "") == "stored":
        total += learning.projected_rows * network.outputs
    return total
