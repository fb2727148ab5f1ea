# SPDX-License-Identifier: Apache-2.0
"""The passes of a step as C statements: quantise, first pass, output error, second pass."""

from dataclasses import dataclass

from secondpass.learning import Learning
from secondpass.network import Network
from secondpass.rules import ProjectedRule
from secondpass.spectral import SpectralNetwork
from secondpass_codegen.encoder import add_encoder
from secondpass_codegen.front import add_spectrum
from secondpass_codegen.program import Block, Names, Vector


@dataclass(frozen=True)
class Response:
    """Where a layer's pre-activation, result and form for the next layer are.

    `z` is the result itself where the pre-activation is not kept.
    """

    z: Vector
    result: Vector
    out: Vector


def activate(names: Names, block: Block, index: int, z: Vector, result: Vector) -> None:
    """Add the activation function of a layer, from `z` to `result`."""
    layer = names.network.layers[index]
    if layer.activation == "relu":
        block.call("sp_relu_a16", z, layer.outputs, result)
    elif layer.activation != "identity":
        frac = names.network.result_frac(index)
        block.call(f"sp_{layer.activation}_a16", z, layer.outputs, frac, result)


class Passes:
    """Adds the passes of one model; `suffix` tells the vectors of repeated passes apart."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.network: Network = names.network
        self.learning: Learning = names.learning
        self._groups: dict[Vector, Vector] = {}

    def groups(self, vector: Vector) -> Vector | str:
        """Return the list of a vector's groups that are not zero, or NULL: it has none."""
        return self._groups.get(vector, "NULL")

    def _list_groups(self, block: Block, vector: Vector) -> None:
        """Add the list of a vector's groups: most of them may be zero."""
        format = self.network.format
        size = 2 if format == "a16w16" else 4
        count = (vector.length + 1) // 2 if size == 2 else vector.length // 4
        purpose = "which of its groups are not zero"
        listed = Vector(f"{vector.name}_groups", 1 + count // 2, purpose, "uint16_t")
        self._groups[vector] = listed
        kind = "pairs" if size == 2 else "quads"
        block.call(f"sp_{kind}_{format.split('w')[0]}", vector, vector.length, listed)

    def quantise(self, block: Block, suffix: str = "") -> Response:
        """Add the input's quantisation and centring."""
        names, spec = self.names, self.network.input
        x = names.vector(f"x{suffix}", spec.size, "quantised input")
        if self.network.frozen:
            add_encoder(names, block, x)
        elif isinstance(self.network, SpectralNetwork):
            add_spectrum(names, block, x)
        else:
            block.call(
                f"sp_quantise_{spec.dtype.replace('uint', 'u').replace('int', 'i')}",
                *("sample", spec.size, spec.zero_point, "input_scale", x),
                counter=names.inputs,
            )
        if spec.mean:
            block.call("sp_subtract_a16", x, "input_mean", spec.size, x, counter=names.inputs)
        out = self._narrow(block, x, f"x{suffix}_int8", spec.size, names.inputs)
        if not spec.mean:
            self._list_groups(block, out)
        return Response(x, x, out)

    def respond(
        self, block: Block, index: int, inputs: Vector, purpose: str, counted: bool = True
    ) -> Response:
        """Add a layer's response with the weights of now."""
        names, layer = self.names, self.network.layers[index]
        keeps = self.learning.keeps_pre_activation(index)
        last = index == self.learning.last
        result = names.output if last else names.result(index, purpose)
        z = names.result(index, f"{purpose}_z") if keeps and not last else result
        self._counted(
            block,
            f"sp_fc_{self.network.format}",
            (
                *(names.shape(index), inputs, self.groups(inputs)),
                *(names.weights(index), names.bias(index), z),
            ),
            names.activations(index),
            counted,
        )
        if last:
            return Response(z, result, result)
        if keeps:
            if layer.activation == "identity":
                result = z
            activate(names, block, index, z, result)
        elif layer.activation in ("tanh", "hard_tanh"):
            activate(names, block, index, z, result)
        counter = names.activations(index) if counted else ""
        narrowed = f"{layer.name}_{purpose}_int8"
        out = self._narrow(block, result, narrowed, layer.outputs, counter)
        if layer.activation == "relu":
            self._list_groups(block, out)
        return Response(z, result, out)

    def first_pass(self, block: Block) -> list[Response]:
        """Add the first pass; return the input's and every layer's response."""
        responses = [self.quantise(block)]
        for index in range(len(self.network.layers)):
            responses.append(self.respond(block, index, responses[-1].out, "first"))
        return responses

    def _narrow(self, block: Block, result: Vector, name: str, length: int, counter: str) -> Vector:
        if not self.names.fine:
            return result
        narrowed = self.names.vector(name, length, "as the next layer reads it", "int8_t")
        self._counted(block, "sp_narrow_a8", (result, length, narrowed), counter, bool(counter))
        return narrowed

    @staticmethod
    def _counted(
        block: Block,
        function: str,
        arguments: tuple[str | int | Vector, ...],
        counter: str,
        counted: bool,
    ) -> None:
        """Add a call whose saturations count, or do not because they were counted before."""
        if counted and counter:
            block.call(function, *arguments, counter=counter)
        else:
            block.call(f"(void){function}", *arguments)


class SecondPass:
    """The second pass, layer by layer: `presynaptic` is what the next layer reads.

    In a8w8 it is carried as its difference to the first pass.
    """

    def __init__(self, passes: Passes, block: Block, first: list[Response]) -> None:
        self.passes, self.block, self.first = passes, block, first
        self.names, self.network = passes.names, passes.network
        self.presynaptic = first[0].out
        self._change: Vector | None = None
        self._results: dict[int, Vector] = {}

    def result(self, index: int) -> Vector:
        """Return a layer's first result, computed anew once where only its int8 form was kept."""
        response = self.first[index + 1]
        if not self.names.fine or response.result == response.z:
            return response.result
        if index not in self._results:
            self._results[index] = self.names.result(index, "first_again")
            activate(self.names, self.block, index, response.z, self._results[index])
        return self._results[index]

    def modulate(self, signal: Vector) -> None:
        """Start from the modulated input."""
        names, network, block = self.names, self.network, self.block
        learning = names.learning
        if learning.short:
            units = network.layers[0].outputs
            change = names.result(0, "change")
            block.call(
                "sp_modulation",
                *("m->q", units, network.outputs, signal, "m->projections[0]", change),
                counter=names.inputs,
            )
            self._change = change
            if learning.presynaptic == "first":
                return
        last = int(learning.short)
        size = network.input.size
        x = names.vector("x_second", size, "modulation" if names.fine else "modulated input")
        project(names, block, signal, x, f"m->projections[{last}]", names.inputs)
        if not names.fine:
            block.call("sp_add_a16", self.first[0].result, x, size, x, counter=names.inputs)
        self.presynaptic = x

    def start_from(self, target: Vector) -> None:
        """Start from a target of the first hidden layer."""
        self._hand_on(0, target)

    def advance(self, index: int) -> Vector:
        """Add a layer's second result, with the weights of now; return it."""
        names, block = self.names, self.block
        outputs = self.network.layers[index].outputs
        counter = names.activations(index)
        if not self.names.fine and not (index == 0 and names.learning.short):
            response = self._respond(index)
            self.presynaptic = response
            return response
        change = self._change if index == 0 else None
        if change is None:
            change = names.result(index, "change")
            block.call(
                "sp_fc_a16w8",
                names.shape(index, "change_shape"),
                *(self.presynaptic, "NULL", names.weights(index), "NULL", change),
                counter=counter,
            )
        result = names.result(index, "second")
        block.call("sp_add_a16", self.first[index + 1].z, change, outputs, result, counter=counter)
        activate(names, block, index, result, result)
        self._hand_on(index, result)
        return result

    def _respond(self, index: int) -> Vector:
        """Add an ordinary second response (16-bit activations)."""
        names, layer = self.names, self.network.layers[index]
        result = names.result(index, "second")
        groups = self.passes.groups(self.presynaptic)
        arguments = (self.presynaptic, groups, names.weights(index), names.bias(index), result)
        block = self.block
        block.call(
            f"sp_fc_{self.network.format}",
            names.shape(index),
            *arguments,
            counter=names.activations(index),
        )
        if names.learning.keeps_pre_activation(index) or layer.activation in ("tanh", "hard_tanh"):
            activate(names, block, index, result, result)
        return result

    def _hand_on(self, index: int, result: Vector) -> None:
        names = self.names
        if not names.fine:
            self.presynaptic = result
            return
        if index + 1 >= names.learning.second_depth:
            return  # nobody reads it
        handed = names.result(index, "difference")
        self.block.call(
            "sp_subtract_a16",
            *(result, self.result(index), self.network.layers[index].outputs, handed),
            counter=names.activations(index),
        )
        self.presynaptic = handed


def project(
    names: Names, block: Block, signal: Vector, projected: Vector, scale: str, counter: str
) -> None:
    """Add a projection of an error signal with the rule's matrix."""
    assert isinstance(names.rule, ProjectedRule)
    kind = names.rule.projection
    block.call(f"sp_project_{kind}", "&matrix", signal, scale, projected, counter=counter)
