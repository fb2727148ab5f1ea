# SPDX-License-Identifier: Apache-2.0
"""The learning step of every rule as C statements (docs/rules.md)."""

from dataclasses import dataclass

from secondpass.rules import (
    Backprop,
    Dfa,
    Ftp,
    Hebbian,
    Mempepita,
    ProjectedRule,
    TimeLocal,
)
from secondpass_codegen.deltas import Deltas, error_vector, target_vector
from secondpass_codegen.passes import Passes, Response, SecondPass, project
from secondpass_codegen.program import Block, Names, Vector


@dataclass(frozen=True)
class Functions:
    """The bodies of a model's functions.

    `time_local` replaces the first pass of a training step where it learns already.
    """

    infer: Block
    error: Block
    learn: Block
    time_local: Block | None

    @property
    def training(self) -> list[Block]:
        """What a training step runs, in order."""
        first = self.time_local if self.time_local else self.infer
        return [first, self.error, self.learn]


def build(names: Names) -> Functions:
    """Return the statements of a network that learns with a rule."""
    passes = Passes(names)
    infer = Block()
    first = passes.first_pass(infer)
    time_local = None
    if isinstance(names.rule, TimeLocal):
        time_local = Block()
        first = _Learner(passes, time_local, []).time_local_first()
    error = Block()
    _output_error(names, error, first)
    learn = Block()
    _Learner(passes, learn, first).learn()
    return Functions(infer, error, learn, time_local)


def _output_error(names: Names, block: Block, first: list[Response]) -> None:
    network = names.network
    error, output = error_vector(names), names.output
    frac, outputs = network.result_frac(names.learning.last), network.outputs
    if network.head == "softmax":
        call = f"sp_softmax_error({output.expression}, {outputs}, {frac}, label, error)"
        block.line(f"step->label_probability = {call};", error)
        return
    if network.head == "sigmoid":
        call = f"sp_sigmoid_error({output.expression}[0], {frac}, label, error)"
        block.line(f"step->label_probability = {call};", error)
        return
    counter, target = names.errors(names.learning.last), target_vector(names)
    if network.head == "mse":
        block.call("sp_load_i16", "wanted", outputs, target)
    elif not network.frozen:  # there inference has made it
        shift = network.input_frac - network.error_frac
        block.call("sp_rescale_a16", first[0].result, outputs, shift, target, counter=counter)
    block.call("sp_subtract_a16", output, target, outputs, error, counter=counter)
    block.line(f"step->score = sp_mean_square(error, {outputs});", error)


class _Learner(Deltas):
    """Adds the updates of a rule to a block, given the first pass's responses."""

    def learn(self) -> None:
        """Add what follows the first pass and the output error."""
        rule = self.rule
        if isinstance(rule, TimeLocal):
            self._learn_time_local()
        elif isinstance(rule, Hebbian):
            self._learn_hebbian()
        elif isinstance(rule, Mempepita):
            self._learn_pepita()
        elif isinstance(rule, Ftp):
            self._learn_ftp()
        elif isinstance(rule, Dfa):
            self._learn_dfa()
        elif isinstance(rule, Backprop):
            self._learn_backward()
        else:
            self.update(self.last, self.error, self.first[self.last].out)

    def _second_pass(self) -> SecondPass:
        return SecondPass(self.passes, self.block, self.first)

    def _modulated(self) -> SecondPass:
        """Return a second pass that starts from the modulated input, where one is needed."""
        second = self._second_pass()
        if self.learning.second_depth:
            self.block.note("Second pass: the input modulated by the projected error.")
            if not self.learning.short or self.learning.presynaptic == "second":
                self.matrix(self.network.input.size)
            second.modulate(self.signal())
        return second

    def _learn_pepita(self) -> None:
        """PEPITA; MEMPEPITA computes the first pass again beside the second."""
        learning = self.learning
        from_second = learning.presynaptic == "second"
        again = self.rule.name == "mempepita"
        if again and learning.second_depth:
            self.first = [self.first[0]]
        second = self._modulated()
        for index in range(learning.second_depth):
            if again:
                self.block.note("The first pass again, and the second.")
                inputs = self.first[index].out
                self.first.append(
                    self.passes.respond(self.block, index, inputs, "again", counted=False)
                )
            before = second.presynaptic
            result = second.advance(index)
            if learning.trainable[index] == "none":
                continue
            presynaptic = before if from_second else self.first[index].out
            delta = self.delta(index, second.result(index), result)
            self.update(index, delta, presynaptic)
            if index == 0 and learning.short and learning.trainable[0] == "all":
                self._keep_folded(delta, presynaptic)
        if learning.trainable[self.last] == "none":
            return
        if learning.output_error == "second":
            self._second_output_error(second)
        last = self._last_presynaptic(learning.second_depth, again)
        self.update(self.last, self.error, second.presynaptic if from_second else last)

    def _last_presynaptic(self, depth: int, again: bool) -> Vector:
        """Return what the output layer reads; where it was not kept, compute it again."""
        for index in range(depth, self.last):
            if again and len(self.first) == index + 1 and depth:
                inputs = self.first[index].out
                self.first.append(
                    self.passes.respond(self.block, index, inputs, "again", counted=False)
                )
        return self.first[self.last].out

    def _second_output_error(self, second: SecondPass) -> None:
        self.passes.respond(self.block, self.last, second.presynaptic, "second")
        uses = [self.error]
        if not self.labelled:
            uses += [target_vector(self.names), self.first[0].result]
        self.block.line("output_error(m, wanted, &ignored);", *uses)

    def _keep_folded(self, row_errors: Vector, presynaptic: Vector) -> None:
        """Let Q follow the update of the first layer; compute one row of it anew."""
        network, block = self.network, self.block
        assert isinstance(self.rule, ProjectedRule)
        width = 1 if self.names.fine else 2
        units, outputs = network.layers[0].outputs, network.outputs
        block.note("Q = W1 F follows its weights; a row a step is computed anew.")
        self.matrix(network.input.size)
        kind = self.rule.projection
        block.call(f"sp_fold_{kind}", "&matrix", presynaptic, f"{width}u", "m->folded")
        shift = self.learning.format.update_shift
        block.call(
            *("sp_follow_update", "m->q", units, outputs, row_errors, "m->folded", f"{shift}u")
        )
        block.line("refold(m, m->repaired, 1);")
        block.line(f"m->repaired = (m->repaired + 1u) % {units}u;")

    def _learn_hebbian(self) -> None:
        """PEPITA-Hebbian: the two passes update with opposite signs."""
        second = self._modulated()
        for index in range(self.learning.second_depth):
            before = second.presynaptic
            result = second.advance(index)
            if self.learning.trainable[index] == "none":
                continue
            delta = self.copied(index, self.first[index + 1].result)
            self.update(index, delta, self.first[index].out)
            self.update(index, self.negated(index, result), before, second=True)
        if self.learning.trainable[self.last] == "none":
            return
        self.update(self.last, self.prediction(), self.first[self.last].out)
        self.update(self.last, self.negative_target(), second.presynaptic, second=True)

    def time_local_first(self) -> list[Response]:
        """Add the first pass of PEPITA-TL: every hidden layer learns behind its own response."""
        first = [self.passes.quantise(self.block)]
        for index in range(self.last):
            first.append(self.passes.respond(self.block, index, first[-1].out, "again"))
            if self.learning.trainable[index] != "none":
                self.update(index, self.copied(index, first[-1].result), first[-2].out)
        first.append(self.passes.respond(self.block, self.last, first[-1].out, "again"))
        return first

    def _learn_time_local(self) -> None:
        """PEPITA-TL behind the first pass: the output layer, then the second pass."""
        if self.learning.trainable[self.last] != "none":
            self.update(self.last, self.prediction(), self.first[self.last].out)
        second = self._modulated()
        for index in range(self.learning.second_depth):
            before = second.presynaptic
            result = second.advance(index)
            if self.learning.trainable[index] != "none":
                self.update(index, self.negated(index, result), before, second=True)
        if self.learning.trainable[self.last] != "none":
            self.update(self.last, self.negative_target(), second.presynaptic, second=True)

    def _learn_ftp(self) -> None:
        """FTP: targets of the hidden layers, local losses."""
        learning, names = self.learning, self.names
        second = self._second_pass()
        wanted = names.result(0, "second")
        if learning.second_depth:
            self.block.note("Second pass: from the first hidden layer's target.")
            self._correction(wanted)
            units = self.network.layers[0].outputs
            self.block.call(
                *("sp_add_a16", second.result(0), wanted, units, wanted),
                counter=names.activations(0),
            )
        for index in range(learning.second_depth):
            if index:
                wanted = second.advance(index)
            elif learning.second_depth > 1:
                second.start_from(wanted)
            if learning.trainable[index] == "none":
                continue
            result = second.result(index)
            delta = self.delta(index, result, wanted)
            self.times_slope(index, delta, result)
            self.update(index, delta, self.first[index].out)
        self.update(self.last, self.error, self.first[self.last].out)

    def _correction(self, wanted: Vector) -> None:
        """Add what FTP adds to the first hidden result: g(G y) - g(G prediction)."""
        rule, names, block = self.rule, self.names, self.block
        assert isinstance(rule, Ftp)
        counter = names.activations(0)
        units = self.network.layers[0].outputs
        self.matrix(units)
        if rule.target_function == "linear":
            signal = self.signal()
            project(names, block, signal, wanted, "m->projections[0]", counter)
            return
        of_prediction = names.result(0, "of_prediction")
        project(names, block, self.prediction(), of_prediction, "m->projections[0]", counter)
        of_target = names.result(0, "of_target")
        if self.labelled:
            block.call(
                f"sp_column_{rule.projection}",
                *("&matrix", *self.one_hot, "m->projections[0]", of_target),
                counter=counter,
            )
        else:
            project(names, block, target_vector(names), of_target, "m->projections[0]", counter)
        block.call(
            f"sp_contrast_{rule.target_function}",
            *(of_target, of_prediction, units, "m->projections[1]", wanted),
            counter=counter,
        )

    def _learn_dfa(self) -> None:
        """Direct feedback alignment: every hidden layer has a matrix of its own."""
        names, second = self.names, self._second_pass()
        if self.learning.hidden_learning:
            signal = self.signal()
        for number, index in enumerate(self.learning.hidden_learning):
            seed = f"sp_layer_seed(m->settings.projection_seed, {index})"
            self.matrix(self.network.layers[index].outputs, seed)
            delta = names.result(index, "delta")
            scale = f"m->projections[{number}]"
            project(names, self.block, signal, delta, scale, names.errors(index))
            self.times_slope(index, delta, second.result(index))
            self.update(index, delta, self.first[index].out)
        self.update(self.last, self.error, self.first[self.last].out)

    def _learn_backward(self) -> None:
        """Back-propagation down to the lowest layer that learns."""
        learning, names, second = self.learning, self.names, self._second_pass()
        delta = self.error
        for index in range(self.last, learning.lowest - 1, -1):
            below = delta
            if index > learning.lowest:
                below = names.result(index - 1, "delta")
                weights = self.network.layers[index].weights
                self.block.call(
                    f"sp_backward_w{8 * weights.itemsize}",
                    *(names.shape(index), delta, names.weights(index)),
                    *(learning.backward_shift(index), below),
                    counter=names.errors(index - 1),
                )
                self.times_slope(index - 1, below, second.result(index - 1))
            self.update(index, delta, self.first[index].out)
            delta = below
