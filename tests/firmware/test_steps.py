# SPDX-License-Identifier: Apache-2.0
"""What learning steps share: a layer's update in every format, decay, the end of a step."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import (
    Guarded,
    KernelHost,
    data_seeds,
    exactly,
    kinds,
    make_data,
    padded,
    padded_rows,
    scales,
    sizes,
    words,
)

from secondpass.fixedpoint import Scale
from secondpass.integer import kernels as reference
from secondpass.network import FORMATS

factors = st.one_of(st.sampled_from([2**14, 2**15 - 1, 2**15]), st.integers(2**14, 2**15))


class LayerStep:
    """A layer's part of a step in C, with counters that do not begin at zero."""

    FIRST = {  # noqa: RUF012
        "activation_saturations": 1,
        "error_saturations": 20,
        "weight_saturations": 300,
        "active_rows": 4000,
    }

    def __init__(self, kernels: KernelHost, shape: Any, bias: Guarded, **parts: Any) -> None:
        self.counters = kernels.ffi.new("sp_layer_counters_t *", self.FIRST)
        room = kernels.ffi.new("uint16_t[]", shape.outputs)
        self._kept = shape, bias, room
        self.c = kernels.ffi.new(
            "sp_layer_step_t *",
            {
                "shape": shape,
                "bias": kernels.argument(bias),
                "room": room,
                "counters": self.counters,
                **parts,
            },
        )

    def counted(self) -> dict[str, int]:
        """Return what every counter grew by."""
        return {name: getattr(self.counters, name) - first for name, first in self.FIRST.items()}


@exactly
@given(
    inputs=sizes,
    outputs=sizes,
    rate=scales,
    clip=st.integers(1, 2**15 - 1),
    row_gate=st.one_of(st.just(0), st.integers(0, 2**15 - 1)),
    key=words,
    in_frac=st.integers(0, 15),
    delta_kind=kinds,
    other_kind=kinds,
    seed=data_seeds,
)
@example(9, 5, Scale(2**15 - 1, 14), 2**15 - 1, 0, 3, 15, "rails", "rails", 1)
@example(7, 9, Scale(2**14, 16), 2**15 - 1, 0, 3, 0, "sparse", "full", 1)
@example(7, 60, Scale(2**14, 14), 2**15 - 1, 2**14, 3, 0, "full", "full", 1)
@pytest.mark.parametrize("name", [*FORMATS, "bias"])
def test_learn(
    kernels: KernelHost,
    name: str,
    inputs: int,
    outputs: int,
    rate: Scale,
    clip: int,
    row_gate: int,
    key: int,
    in_frac: int,
    delta_kind: str,
    other_kind: str,
    seed: int,
) -> None:
    """Row gate, row errors, bias and weights as the reference does one after the other."""
    format = FORMATS["a16w16" if name == "bias" else name]
    exponent = 2 * (in_frac if format.activation_bits == 16 else in_frac // 2)
    exponent -= format.update_shift
    delta = make_data(delta_kind, seed, outputs)
    presynaptic = make_data(other_kind, seed + 1, inputs, bits=format.activation_bits)
    weights = make_data(other_kind, seed + 2, outputs, inputs, bits=format.weight_bits)
    bias = make_data(other_kind, seed + 3, outputs, bits=32)
    rows = padded_rows(weights)
    new_delta = Guarded(delta.shape, np.int16, delta)
    new_bias = Guarded(bias.shape, np.int32, bias)
    new_rows = Guarded(rows.shape, rows.dtype, rows)
    step = LayerStep(
        kernels,
        kernels.shape(inputs, outputs),
        new_bias,
        bias_exponent=exponent,
        rate={"scale": kernels.argument(rate), "clip": clip, "row_gate": row_gate},
        key=key,
    )
    thinned = reference.thin_rows(delta, row_gate, key)
    errors, error_clamped = reference.row_errors(thinned, rate, clip)
    weight_clamped = reference.update_bias(bias, errors, exponent)
    if name == "bias":
        kernels.call("sp_learn_bias", step.c, new_delta)
    else:
        weight_clamped += reference.update(weights, errors, presynaptic, format.update_shift, key)
        before = padded(presynaptic, 2 if presynaptic.itemsize == 2 else 1)
        groups = kernels.groups(presynaptic, weights.itemsize)
        kernels.call(f"sp_learn_{name}", step.c, new_rows, new_delta, before, groups)
    new_bias.check()
    np.testing.assert_array_equal(new_delta.array, errors)
    np.testing.assert_array_equal(new_bias.array, bias)
    np.testing.assert_array_equal(new_rows.array, padded_rows(weights))
    assert step.counted() == {
        "activation_saturations": 0,
        "error_saturations": error_clamped,
        "weight_saturations": weight_clamped,
        "active_rows": np.count_nonzero(errors),
    }


@exactly
@given(rate=scales, factor=factors)
@example(Scale(2**14, 46), 2**14)
@example(Scale(-(2**14), 46), 2**15)
@example(Scale(2**15 - 1, 45), 2**14)
@example(Scale(2**14, 0), 2**15 - 1)
@example(Scale(0, 0), 2**14)
def test_decayed(kernels: KernelHost, rate: Scale, factor: int) -> None:
    got = kernels.call("sp_decayed", rate, factor)
    assert Scale(got.multiplier, got.shift) == reference.decayed(rate, factor)


def test_decay_by_hand(kernels: KernelHost) -> None:
    half = kernels.call("sp_decayed", Scale(-20000, 3), 2**14)
    assert (half.multiplier, half.shift) == (-20000, 4)
    same = kernels.call("sp_decayed", Scale(20000, 3), 2**15)
    assert (same.multiplier, same.shift) == (20000, 3)
    gone = kernels.call("sp_decayed", Scale(20000, 46), 2**14)
    assert (gone.multiplier, gone.shift) == (0, 0)


@exactly
@given(
    step=st.one_of(st.sampled_from([0, 2**32 - 1]), st.integers(0, 50)),
    every=st.one_of(st.sampled_from([0, 1, 2**32 - 1]), st.integers(0, 9)),
    factor=factors,
    rates=st.lists(scales, min_size=1, max_size=4),
)
@example(step=2**32 - 1, every=5, factor=2**14, rates=[Scale(20000, 3)])
def test_finish_step(
    kernels: KernelHost, step: int, every: int, factor: int, rates: list[Scale]
) -> None:
    counters = kernels.ffi.new("sp_counters_t *", {"step": step, "trained": 5})
    settings = kernels.ffi.new("sp_settings_t *", {"decay_steps": every, "decay_factor": factor})
    sentinel = {"scale": {"multiplier": 12345, "shift": 9}, "clip": 77, "row_gate": 99}
    in_c = kernels.ffi.new("sp_rate_t[]", len(rates) + 1)
    for index, rate in enumerate(rates):
        in_c[index] = {
            "scale": kernels.argument(rate),
            "clip": index + 1,
            "row_gate": index + 50,
        }
    in_c[len(rates)] = sentinel
    kernels.call("sp_finish_step", counters, settings, in_c, len(rates))
    after = (step + 1) % 2**32
    assert (counters.step, counters.trained) == (after, 5)
    decays = every > 0 and after % every == 0
    for index, rate in enumerate(rates):
        expected = reference.decayed(rate, factor) if decays else rate
        got = in_c[index]
        assert Scale(got.scale.multiplier, got.scale.shift) == expected
        assert (got.clip, got.row_gate) == (index + 1, index + 50)
    last = in_c[len(rates)]
    assert (last.scale.multiplier, last.scale.shift) == (12345, 9)
    assert (last.clip, last.row_gate) == (77, 99)
