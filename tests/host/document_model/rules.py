# SPDX-License-Identifier: Apache-2.0
"""Section 7: what each rule does behind the first pass."""

from dataclasses import dataclass

from .arithmetic import round_shift, sat
from .forward import Response, activation, tanh15, times_derivative
from .projection import follow, layer_seed, modulation


@dataclass
class Sample:
    """A sample and its first pass: h[0] is the input, h[l + 1] layer l."""

    raw: object
    target: object
    h: list
    e: list
    wanted: list
    said: list


class SecondPass:
    """Section 7.3. `reads` is what the next layer reads: t, or in a8w8 the difference c."""

    def __init__(self, model):
        self.model, self.shape = model, model.shape
        self.reads = None
        self.m = None

    def start(self, x, e):
        """Modulate the input x (a result) with e."""
        model, plan, counter = self.model, self.model.plan, "input_saturations"
        a = signal(model, e)
        if plan.short:
            self.m, clamps = modulation(model.q, a, plan.projections[0])
            model.counts[counter,] += clamps
            if plan.presynaptic == "first":
                return
        scale = plan.projections[-1]
        change = [model.scale16(u, scale, counter) for u in model.matrix().product(a)]
        if self.shape.fine:
            self.reads = change
        else:
            self.reads = [
                model.saturate(v + g, 16, counter) for v, g in zip(x, change, strict=True)
            ]

    def start_from(self, target, first):
        """Start behind layer 0 with its target; `first` is its first response."""
        self.hand_on(0, target, first)

    def second(self, index, first):
        """t of a layer, `first` being its response in the first pass."""
        model, shape, counter = self.model, self.shape, (index, "activation_saturations")
        if index == 0 and model.plan.short:
            k = self.m
        elif shape.fine:
            k = []
            for row in model.weights[index]:
                total = sum(w * c for w, c in zip(row, self.reads, strict=True))
                k.append(model.saturate(round_shift(total, shape.shift[index] + 8), 16, *counter))
        else:
            self.reads = model.layer(index, self.reads).result
            return self.reads
        z = [model.saturate(a + b, 16, *counter) for a, b in zip(first.z, k, strict=True)]
        t = [activation(shape.activation[index], v, shape.result_frac[index]) for v in z]
        self.hand_on(index, t, first)
        return t

    def hand_on(self, index, t, first):
        """Make what the next layer of the second pass reads, if there is one."""
        if not self.shape.fine:
            self.reads = t
        elif index < self.model.plan.depth - 1:
            counter = (index, "activation_saturations")
            pairs = zip(t, first.result, strict=True)
            self.reads = [self.model.saturate(a - b, 16, *counter) for a, b in pairs]
        else:
            self.reads = None


def signal(model, e):
    if model.rule.error_signal == "sign":
        return [32767 * ((v > 0) - (v < 0)) for v in e]
    return e


def difference(model, index, first, second):
    """A delta."""
    counter = (index, "error_saturations")
    return [model.saturate(a - b, 16, *counter) for a, b in zip(first, second, strict=True)]


def derived(model, index, delta, result):
    kind, frac = model.shape.activation[index], model.shape.result_frac[index]
    return [times_derivative(kind, d, h, frac) for d, h in zip(delta, result, strict=True)]


def negative(model, index, values):
    return [model.saturate(-v, 16, index, "error_saturations") for v in values]


def pepita(model, s):
    """Sections 7.4 and 7.5."""
    plan, last, second = model.plan, model.shape.last, SecondPass(model)
    if plan.depth:
        second.start(s.h[0].result, s.e)
    for index in range(plan.depth):
        before = second.reads
        t = second.second(index, s.h[index + 1])
        if not plan.learns[index]:
            continue
        delta = difference(model, index, s.h[index + 1].result, t)
        p = before if plan.presynaptic == "second" else s.h[index].out
        errors = model.update(index, delta, p)
        if plan.short and index == 0 and plan.trainable[0] == "all":
            matrix = model.matrix()
            follow(model.q, errors, matrix.fold(p), model.shape.update_shift)
            model.q[model.repaired] = matrix.fold(model.weights[0][model.repaired])
            model.repaired = (model.repaired + 1) % model.shape.units[0]
    pepita_output(model, s, second.reads, s.h[last].out, s.h[0].result)


def pepita_output(model, s, t, h, x):
    """The output layer, which reads t in the second pass and read h in the first."""
    plan, last, e = model.plan, model.shape.last, s.e
    if not plan.learns[last]:
        return
    if plan.output_error == "second":
        y = model.layer(last, t).result
        e = model.error_of(y, x, s.target)[0]
    model.update(last, e, t if plan.presynaptic == "second" else h)


def mempepita(model, s):
    """Section 7.5: nothing of the first pass but e; it is computed again, layer by layer."""
    plan, last, second = model.plan, model.shape.last, SecondPass(model)
    x = uncounted(model, model.quantise, s.raw)
    again = x
    if plan.depth:
        second.start(x.result, s.e)
    for index in range(plan.depth):
        here = uncounted(model, model.layer, index, again.out)
        before = second.reads
        t = second.second(index, here)
        if plan.learns[index]:
            delta = difference(model, index, here.result, t)
            model.update(index, delta, before if plan.presynaptic == "second" else again.out)
        again = here
    for index in range(plan.depth, last):
        again = uncounted(model, model.layer, index, again.out)
    pepita_output(model, s, second.reads, again.out, x.result)


def uncounted(model, what, *arguments) -> Response:
    """Compute again what was counted before."""
    counts = model.counts.copy()
    response = what(*arguments)
    model.counts = counts
    return response


def hebbian(model, s):
    """Section 7.8."""
    plan, last, second = model.plan, model.shape.last, SecondPass(model)
    if plan.depth:
        second.start(s.h[0].result, s.e)
    for index in range(plan.depth):
        before = second.reads
        t = second.second(index, s.h[index + 1])
        if plan.learns[index]:
            model.update(index, s.h[index + 1].result, s.h[index].out)
            model.update(index, negative(model, index, t), before, index + last + 1)
    if plan.learns[last]:
        model.update(last, s.said, s.h[last].out)
        model.update(last, [sat(-v, 16) for v in s.wanted], second.reads, last + last + 1)


def time_local_first(model, raw):
    """Section 7.8: the first pass of tl, which learns as it goes."""
    h = [model.quantise(raw)]
    for index in range(model.shape.last):
        h.append(model.layer(index, h[-1].out))
        model.update(index, h[-1].result, h[-2].out)
    return [*h, model.layer(model.shape.last, h[-1].out)]


def time_local(model, s):
    """Section 7.8, behind the first pass."""
    plan, last, second = model.plan, model.shape.last, SecondPass(model)
    model.update(last, s.said, s.h[last].out)
    if plan.depth:
        second.start(s.h[0].result, s.e)
    for index in range(plan.depth):
        before = second.reads
        t = second.second(index, s.h[index + 1])
        if plan.learns[index]:
            model.update(index, negative(model, index, t), before, index + last + 1)
    model.update(last, [sat(-v, 16) for v in s.wanted], second.reads, last + last + 1)


def ftp(model, s):
    """Section 7.6."""
    plan, last, second = model.plan, model.shape.last, SecondPass(model)
    for index in range(plan.depth):
        if index == 0:
            pairs = zip(s.h[1].result, ftp_correction(model, s), strict=True)
            t = [model.saturate(h + c, 16, 0, "activation_saturations") for h, c in pairs]
            if plan.depth > 1:
                second.start_from(t, s.h[1])
        else:
            t = second.second(index, s.h[index + 1])
        if plan.learns[index]:
            result = s.h[index + 1].result
            delta = derived(model, index, difference(model, index, result, t), result)
            model.update(index, delta, s.h[index].out)
    model.update(last, s.e, s.h[last].out)


def ftp_correction(model, s):
    counter, matrix, scales = (0, "activation_saturations"), model.matrix(), model.plan.projections

    def project(vector):
        return [model.scale16(u, scales[0], *counter) for u in matrix.product(vector)]

    kind = model.rule.target_function
    if kind == "linear":
        return project(signal(model, s.e))
    g = tanh15 if kind == "tanh" else lambda v: 32767 * ((v > 0) - (v < 0))
    pairs = zip(project(s.wanted), project(s.said), strict=True)
    return [model.scale16(g(u1) - g(u0), scales[1], *counter) for u1, u0 in pairs]


def dfa(model, s):
    """Section 7.7."""
    plan, last = model.plan, model.shape.last
    layers = [index for index in range(last) if plan.learns[index]]
    a = signal(model, s.e)
    for scale, index in zip(plan.projections, layers, strict=True):
        seed = layer_seed(model.rule.projection_seed, index)
        matrix = model.matrix(seed, model.shape.units[index])
        counter = (index, "error_saturations")
        delta = [model.scale16(u, scale, *counter) for u in matrix.product(a)]
        delta = derived(model, index, delta, s.h[index + 1].result)
        model.update(index, delta, s.h[index].out)
    model.update(last, s.e, s.h[last].out)


def backward(model, s):
    """Section 7.9."""
    plan, shape, delta = model.plan, model.shape, s.e
    for index in range(shape.last, plan.lowest - 1, -1):
        below = None
        if index > plan.lowest:
            shift = shape.weight_frac[index] + plan.delta_frac[index] - plan.delta_frac[index - 1]
            columns = zip(*model.weights[index], strict=True)
            below = [
                model.saturate(
                    round_shift(sum(w * d for w, d in zip(column, delta, strict=True)), shift),
                    16,
                    index - 1,
                    "error_saturations",
                )
                for column in columns
            ]
            below = derived(model, index - 1, below, s.h[index].result)
        model.update(index, delta, s.h[index].out)
        delta = below


def last_layer(model, s):
    last = model.shape.last
    model.update(last, s.e, s.h[last].out)


LEARN = {
    "pepita": pepita,
    "mempepita": mempepita,
    "hebbian": hebbian,
    "tl": time_local,
    "ftp": ftp,
    "dfa": dfa,
    "bp": backward,
    "bias": backward,
    "last": last_layer,
}
