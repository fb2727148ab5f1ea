# SPDX-License-Identifier: Apache-2.0
"""What the learning steps of all rules are made of: deltas, signals and updates as C statements."""

from secondpass.rules import ProjectedRule
from secondpass_codegen.passes import Passes, Response
from secondpass_codegen.program import Block, Names, Vector


def error_vector(names: Names) -> Vector:
    """Return the output error."""
    return names.vector("error", max(2, names.network.outputs), "output error")


def target_vector(names: Names) -> Vector:
    """Return what the output should be, for heads without labels."""
    return names.target


class Deltas:
    """Adds deltas and updates to a block, given the first pass's responses."""

    def __init__(self, passes: Passes, block: Block, first: list[Response]) -> None:
        self.passes, self.block, self.first = passes, block, first
        self.names, self.network = passes.names, passes.network
        self.rule, self.learning = self.names.rule, self.names.learning
        self.last = self.learning.last
        self.error = error_vector(self.names)

    def update(self, index: int, delta: Vector, presynaptic: Vector, second: bool = False) -> None:
        """Add a layer's update from its delta, which becomes row errors."""
        what = self.learning.trainable[index]
        if what == "none":
            return
        names, block = self.names, self.block
        number = index + len(self.network.layers) * second
        exponent = 2 * self.network.in_frac(index) - self.learning.format.update_shift
        block.line(
            f"layer = layer_step(m, {names.shape(index)}, {names.bias(index)}, "
            f"{names.room(index)}, {exponent}, {index}, {number});"
        )
        if what == "bias":
            block.call("sp_learn_bias", "&layer", delta)
        else:
            function = f"sp_learn_{self.network.format}"
            groups = self.passes.groups(presynaptic)
            block.call(function, "&layer", names.weights(index), delta, presynaptic, groups)

    def copied(self, index: int, result: Vector) -> Vector:
        """Return a copy of a result to serve as a delta, which an update overwrites."""
        delta = self.names.result(index, "delta")
        outputs = self.network.layers[index].outputs
        self.block.line(
            f"memcpy({delta.expression}, {result.expression}, {2 * outputs}u);", delta, result
        )
        return delta

    def signal(self) -> Vector:
        """Return what is projected: the error or its sign."""
        assert isinstance(self.rule, ProjectedRule)
        if self.rule.error_signal == "error":
            return self.error
        outputs = self.network.outputs
        signs = self.names.vector("error_signs", outputs, "what is projected")
        self.block.call("sp_error_signs", self.error, outputs, signs)
        return signs

    def matrix(self, rows: int, seed: str = "m->settings.projection_seed") -> None:
        """Say which matrix the next projections use."""
        stored = isinstance(self.rule, ProjectedRule) and self.rule.projection == "stored"
        elements = "projection_matrix" if stored else "NULL"
        self.block.line(
            f"matrix = (sp_matrix_t){{{rows}, {self.network.outputs}, {seed}, {elements}}};"
        )

    def delta(self, index: int, first: Vector, second: Vector) -> Vector:
        """Return a layer's delta, the difference of two results."""
        delta = self.names.result(index, "delta")
        outputs = self.network.layers[index].outputs
        self.block.call(
            *("sp_subtract_a16", first, second, outputs, delta), counter=self.names.errors(index)
        )
        return delta

    def times_slope(self, index: int, delta: Vector, result: Vector) -> None:
        """Multiply a delta by the slope of the activation that gave `result`."""
        layer = self.network.layers[index]
        if layer.activation == "relu":
            self.block.call("sp_slope_relu", result, layer.outputs, delta)
        elif layer.activation != "identity":
            frac = self.network.result_frac(index)
            self.block.call(f"sp_slope_{layer.activation}", result, layer.outputs, frac, delta)

    def negated(self, index: int, result: Vector) -> Vector:
        """Return the negative of a result as a delta."""
        negative = self.names.result(index, "delta")
        outputs = self.network.layers[index].outputs
        self.block.call(
            "sp_negate_a16", result, outputs, negative, counter=self.names.errors(index)
        )
        return negative

    def prediction(self) -> Vector:
        """Return a copy of the prediction in the error's format."""
        names, network = self.names, self.network
        prediction = names.vector("prediction", network.outputs, "prediction as delta or signal")
        if self.labelled:
            self.block.call("sp_prediction", self.error, network.outputs, *self.one_hot, prediction)
        else:
            output = names.output
            self.block.line(
                f"memcpy({prediction.expression}, {output.expression}, {2 * network.outputs}u);",
                prediction,
            )
        return prediction

    def negative_target(self) -> Vector:
        """Return the negative of what was wanted as a delta."""
        network = self.network
        negative = self.names.vector("negative_target", network.outputs, "target as delta")
        if self.labelled:
            self.block.call("sp_negative_one_hot", network.outputs, *self.one_hot, negative)
        else:
            target = target_vector(self.names)
            self.block.call("(void)sp_negate_a16", target, network.outputs, negative)
        return negative

    @property
    def labelled(self) -> bool:
        """Whether targets are labels."""
        return self.network.head in ("softmax", "sigmoid")

    @property
    def one_hot(self) -> tuple[str, str]:
        """Index and value of the label's element."""
        if self.network.head == "softmax":
            return "label", "32768"
        return "0", "32768 * (int32_t)label"
