# SPDX-License-Identifier: Apache-2.0
"""Layers in the int8 arithmetic of TFLite: C equals NumPy, saturations included."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_host import KernelHost, data_seeds, exactly, kinds, make_data, padded_rows, sizes

from secondpass.affine import CLAMPS, Affine, AffineDense
from secondpass.errors import NetworkError
from secondpass.integer.affine import respond
from secondpass.requantiser import Requantiser

factors = st.one_of(
    st.floats(2.0**-34, 2.0**12),
    st.builds(lambda m, e: m / 10 * 2.0**e, st.integers(1, 99), st.integers(-20, 2)),
    st.integers(-33, 8).map(lambda exponent: 2.0**exponent),
)


def layer_of(
    inputs: int, outputs: int, factors: list[float], kinds: list[str], activation: str, seed: int
) -> AffineDense:
    """Return a layer whose factors from accumulator to output are these."""
    weights = make_data(kinds[0], seed, outputs, inputs, bits=8)
    bias = make_data(kinds[1], seed + 1, outputs, bits=32) // 2
    zero_points = np.random.default_rng(seed).integers(-128, 128, 2).tolist()
    return AffineDense(
        name="fc",
        weights=weights,
        bias=bias.astype(np.int32),
        activation=activation,
        source=Affine(1.0, zero_points[0]),
        result=Affine(1.0, zero_points[1]),
        weight_steps=tuple(factors),
    )


def run_c(kernels: KernelHost, layer: AffineDense, x: np.ndarray) -> tuple[np.ndarray, int]:
    low, high = layer.limits
    below, above = layer.counted
    scales = kernels.ffi.new("sp_affine_scale_t[]", len(layer.requantisers))
    for at, scale in zip(scales, layer.requantisers, strict=True):
        at.high, at.low = scale.multiplier >> 32, scale.multiplier & 0xFFFFFFFF
        at.shift = scale.shift - 32
    shape = {
        **{"inputs": layer.inputs, "outputs": layer.outputs},
        **{"zero_point": layer.result.zero_point, "lowest": low, "highest": high},
        **{"counted": below + 2 * above, "per_row": len(layer.requantisers) > 1},
    }
    c_layer = kernels.ffi.new("sp_affine_t *", shape)
    before = (c_layer, x, padded_rows(layer.weights), layer.folded_bias, scales)
    return kernels.vector(layer.outputs, "sp_fc_affine8", *before, padding=False, dtype=np.int8)


@exactly
@given(
    inputs=sizes,
    outputs=sizes,
    factor=factors,
    per_row=st.booleans(),
    activation=st.sampled_from(sorted(CLAMPS)),
    x_kind=kinds,
    weight_kind=kinds,
    bias_kind=kinds,
    seed=data_seeds,
)
def test_fc(
    kernels: KernelHost,
    inputs: int,
    outputs: int,
    factor: float,
    per_row: bool,
    activation: str,
    x_kind: str,
    weight_kind: str,
    bias_kind: str,
    seed: int,
) -> None:
    spread = np.random.default_rng(seed).uniform(0.3, 3, outputs) if per_row else np.ones(1)
    chosen = (factor * spread).tolist()
    layer = layer_of(inputs, outputs, chosen, [weight_kind, bias_kind], activation, seed)
    x = make_data(x_kind, seed + 2, inputs, bits=8)
    expected, clamped = respond(layer, x)
    got, saturations = run_c(kernels, layer, x)
    np.testing.assert_array_equal(got, expected)
    assert saturations == clamped


@pytest.mark.parametrize("inputs", [191, 192, 193, 4093, 4096])
@pytest.mark.parametrize("outputs", [1, 3, 5])
def test_long_rows_at_the_rails(kernels: KernelHost, inputs: int, outputs: int) -> None:
    layer = layer_of(inputs, outputs, [2.0**-19], ["lowest", "zero"], "identity", 1)
    x = make_data("rails", 3, inputs, bits=8)
    expected, _ = respond(layer, x)
    np.testing.assert_array_equal(run_c(kernels, layer, x)[0], expected)


def rounded_fraction(value: Fraction) -> int:
    """Round halves away from zero."""
    return int(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


def rounded(value: float) -> int:
    """Round a double, halves away from zero."""
    return rounded_fraction(Fraction(value))


@exactly
@given(factor=factors, step=st.integers(1, 256), sign=st.sampled_from([1, -1]))
def test_integers_round_as_doubles_do(factor: float, step: int, sign: int) -> None:
    """Beside the accumulators where a step begins, which are the ones that can go wrong."""
    scale = Requantiser.from_real(factor)
    near = int((step - 0.5) / factor)
    for accumulator in range(near - 2, near + 4):
        if not 0 <= accumulator <= 2**31:
            continue
        value = sign * accumulator
        got = int(scale.apply(np.array([value], dtype=np.int64))[0])
        assert got == max(min(rounded(value * factor), 256), -256), accumulator


def test_c_rounds_what_doubles_have(kernels: KernelHost) -> None:
    """Sums at halves of short decimals, where the last place of the double decides."""
    decimals = [tenths / 10 * 2.0**-shift for tenths in range(1, 100, 2) for shift in (0, 3, 9)]
    decided = 0
    for factor in decimals:
        halves = np.arange(-120, 120) + 0.5
        sums = np.rint(halves / factor).astype(np.int64)
        exact = [rounded_fraction(Fraction(factor) * a) for a in sums.tolist()]
        double = [rounded(factor * a) for a in sums.tolist()]
        decided += exact != double
        layer = AffineDense(
            name="fc",
            weights=np.zeros((len(sums), 4), dtype=np.int8),
            bias=sums.astype(np.int32),
            activation="identity",
            source=Affine(1.0, 0),
            result=Affine(1.0, 0),
            weight_steps=(factor,),
        )
        got, _ = run_c(kernels, layer, np.zeros(4, dtype=np.int8))
        assert got.tolist() == double
    assert decided > 20


@pytest.mark.parametrize("factor", [0.3, 0.7])
def test_the_double_is_what_is_rounded(factor: float) -> None:
    """0.7 as a double is below 7/10. 5 times that is 3.5 in doubles, 45 times is below 31.5."""
    exact = [rounded_fraction(Fraction(factor) * a) for a in range(1, 200)]
    double = [rounded(factor * a) for a in range(1, 200)]
    assert exact != double
    got = Requantiser.from_real(factor).apply(np.arange(1, 200))
    assert got.tolist() == double


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf"), 2.0**20])
def test_factors_out_of_range_are_refused(factor: float) -> None:
    with pytest.raises(NetworkError, match="outside"):
        Requantiser.from_real(factor)


def test_the_smallest_factors_give_nothing() -> None:
    extremes = np.array([-(2**31), 2**31 - 1])
    for factor in (2.0**-60, 2.0**-40, 2.0**-33):
        assert Requantiser.from_real(factor).apply(extremes).tolist() == [0, 0]
    assert Requantiser.from_real(2.0**-32).apply(extremes).tolist() == [-1, 0]


def test_sums_beyond_int32_are_refused() -> None:
    layer = layer_of(3, 2, [1.0], ["highest", "zero"], "identity", 1)
    most = 2**31 - 1 - 3 * 127 * 255
    replace(layer, bias=np.array([0, -most], dtype=np.int32))
    with pytest.raises(NetworkError, match="layer fc: its bias is so large"):
        replace(layer, bias=np.array([0, most + 1], dtype=np.int32))
