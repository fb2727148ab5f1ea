# SPDX-License-Identifier: Apache-2.0
"""The anomaly threshold in C: after every score of any stream the same words as in NumPy."""

from dataclasses import asdict
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from kernel_host import KernelHost, exactly, words

from secondpass.integer.threshold import (
    LEVEL_MAX,
    QUANTILE_MAX,
    QUANTILE_MIN,
    Threshold,
    level,
    score_of,
)

FIELDS = ("mean", "spread", "width", "count", "quantile", "calibrating")
EDGES = (0, 1, 2, 2**26 - 1, 2**26, 2**27 - 1, 2**27, 2**27 + 1, 2**31 - 1, 2**31, 2**32 - 1)

quantiles = st.one_of(
    st.sampled_from([QUANTILE_MIN, 29491, 31130, 32440, QUANTILE_MAX]),
    st.integers(QUANTILE_MIN, QUANTILE_MAX),
)
scores = st.one_of(words, st.sampled_from(EDGES), st.integers(0, 9), st.integers(10**5, 10**6))
samples = st.tuples(scores, st.integers(0, 4))
levels = st.integers(0, LEVEL_MAX)
counts = st.one_of(
    st.integers(0, 200), st.sampled_from([2**15 - 1, 2**15, 2**31, 2**32 - 2, 2**32 - 1])
)


def both(kernels: KernelHost, **state: int) -> tuple[Threshold, Any]:
    expected = Threshold(**state)
    return expected, kernels.ffi.new("sp_threshold_t *", asdict(expected))


def assert_same(kernels: KernelHost, expected: Threshold, state: Any) -> None:
    assert {name: getattr(state, name) for name in FIELDS} == asdict(expected)
    assert kernels.lib.sp_threshold_score(state) == expected.score


def run(kernels: KernelHost, expected: Threshold, state: Any, stream: list[Any]) -> None:
    for score, kind in stream:
        normal = kind > 0  # a fifth of the samples is judged only
        said = kernels.lib.sp_threshold_judge(state, score, normal)
        assert said == expected.judge(score, normal)
        assert_same(kernels, expected, state)


@exactly
@given(quantile=quantiles, stream=st.lists(samples, max_size=300))
@example(32440, [(700_000 + 1000 * (i % 97), 1) for i in range(300)])
@example(QUANTILE_MIN, [(0, 1)] * 50 + [(2**32 - 1, 1)] * 50 + [(0, 1)] * 50)
@example(QUANTILE_MAX, [(2**32 - 1, 1)] * 50 + [(1, 1)] * 100)
def test_streams(kernels: KernelHost, quantile: int, stream: list[Any]) -> None:
    expected, state = both(kernels, quantile=quantile)
    kernels.lib.sp_threshold_restart(state)
    assert_same(kernels, expected, state)
    run(kernels, expected, state, stream)


@exactly
@given(
    state=st.fixed_dictionaries(
        {"mean": levels, "spread": levels, "width": words, "count": counts, "quantile": quantiles}
    ),
    stream=st.lists(samples, min_size=1, max_size=5),
)
@example(
    {"mean": LEVEL_MAX, "spread": LEVEL_MAX, "width": 2**32 - 1, "count": 2**32 - 1},
    [(0, 1), (2**32 - 1, 1)],
)
@example({"mean": 0, "spread": LEVEL_MAX, "width": 2**32 - 1}, [(2**32 - 1, 1), (2**32 - 1, 1)])
@example({"mean": 0, "spread": 1, "width": 2**32 - 2, "count": 2**32 - 2}, [(2**32 - 1, 1)])
@example({"mean": 2**30, "spread": 0, "width": 5}, [(0, 1), (2**16, 1), (2**16 + 1, 1)])
def test_every_state(kernels: KernelHost, state: dict[str, int], stream: list[Any]) -> None:
    """Whatever a checkpoint may hold: no step leaves the types."""
    run(kernels, *both(kernels, **state), stream)


@exactly
@given(score=words, other=words)
def test_levels_grow_with_scores(score: int, other: int) -> None:
    assert 0 <= level(score) <= LEVEL_MAX
    if score < other:
        assert level(score) <= level(other)
    largest = score_of(level(score))
    assert largest >= score
    assert level(largest) == level(score)
    assert largest == 2**32 - 1 or level(largest + 1) > level(score)
    if 0 < score < 2**27:
        assert largest == score


def test_a_restart_forgets_scores_and_nothing_else(kernels: KernelHost) -> None:
    expected, state = both(kernels, quantile=20000, calibrating=1)
    run(kernels, expected, state, [(12345 + i, 1) for i in range(40)])
    expected.restart()
    kernels.lib.sp_threshold_restart(state)
    assert_same(kernels, expected, state)
    assert expected == Threshold(quantile=20000, calibrating=True)
