# SPDX-License-Identifier: Apache-2.0
"""What the project wants to reach, and how a measurement compares."""

from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.bench.results import LayerResult, ModelResult

_DENSE = "inference per MAC, 784x100 and 128x128, dense"
_EIGHT_BIT = "same, a16w8 and a8w8"
_RATIO = "steady step / inference, same network"
_FAST_NETWORKS = ("784-100-10", "784-100-10-centred")
_ENCODER = "640-128-8-128-640"

PER_MAC: dict[str, dict[str, float]] = {
    _DENSE: {
        **{"cortex-m3": 4.5, "cortex-m4": 1.4, "cortex-m7": 1.4},
        **{"cortex-m33": 1.4, "cortex-m55": 0.6},
    },
    _EIGHT_BIT: {
        **{"cortex-m0plus": 6.0, "cortex-m3": 3.2, "cortex-m4": 1.6, "cortex-m7": 1.6},
        **{"cortex-m33": 1.6, "cortex-m55": 0.5},
    },
}
"""Bounds of instructions per multiply-accumulate; on the M0+ only a8w8 has one."""

STEADY: dict[str, float] = {
    **{"cortex-m3": 0.5e6, "cortex-m4": 0.2e6, "cortex-m7": 0.2e6},
    **{"cortex-m33": 0.2e6, "cortex-m55": 0.08e6},
}
EARLY: dict[str, float] = {
    **{"cortex-m3": 0.7e6, "cortex-m4": 0.3e6, "cortex-m7": 0.3e6},
    **{"cortex-m33": 0.3e6, "cortex-m55": 0.1e6},
}
RATIO: dict[str, float] = {
    **{"cortex-m3": 2.0, "cortex-m4": 1.7, "cortex-m7": 1.7},
    **{"cortex-m33": 1.7, "cortex-m55": 1.8},
}
ENCODER: dict[str, dict[str, float]] = {
    "ftp-fast": {"cortex-m4": 0.75e6},
    "pepita-fast": {"cortex-m4": 0.9e6},
}
HOST_STEPS = 10_000
"""Training steps a second of the host twin, 784-100-10 on one core of a PC."""


@dataclass(frozen=True)
class Verdict:
    """A measured figure beside its target; `bound` None: it is only reported."""

    what: str
    board: str
    measured: float
    bound: float | None
    real_data: bool = True

    @property
    def outcome(self) -> str:
        """Return "met", "missed" or why there is no verdict."""
        if self.bound is None:
            return "reported"
        if not self.real_data:
            return "no real data"
        return "met" if self.measured <= self.bound else "missed"


def verdicts(models: Sequence[ModelResult], layers: Sequence[LayerResult]) -> list[Verdict]:
    """Compare what was measured with every target it has."""
    found = [_layer_verdict(result) for result in layers]
    for result in models:
        fast = (result.rule, result.format) == ("pepita-fast", "a16w16")
        if fast and result.network in _FAST_NETWORKS:
            found += _fast_verdicts(result)
        elif result.network == _ENCODER and result.rule in ENCODER and result.format == "a16w16":
            what = f"{result.rule} step {_ENCODER}, a16w16, steady"
            bound = ENCODER[result.rule].get(result.core)
            found.append(Verdict(what, result.board, result.steady.step, bound, result.real_data))
    return sorted(found, key=lambda verdict: verdict.what)


def _layer_verdict(result: LayerResult) -> Verdict:
    row = _DENSE if result.format == "a16w16" else _EIGHT_BIT
    bound = PER_MAC[row].get(result.core)
    if result.core == "cortex-m0plus" and result.format != "a8w8":
        bound = None
    what = f"layer {result.inputs}x{result.outputs} {result.format}, instructions per MAC"
    return Verdict(what, result.board, result.per_mac, bound)


def _fast_verdicts(result: ModelResult) -> list[Verdict]:
    steady, early = STEADY.get(result.core), EARLY.get(result.core)
    ratio = RATIO.get(result.core)
    what, real = f"PEPITA step {result.network}, fast path, a16w16", result.real_data
    return [
        Verdict(f"{what}, steady", result.board, result.steady.step, steady, real),
        Verdict(f"{what}, early", result.board, result.early.step, early, real),
        Verdict(f"{what}: {_RATIO}", result.board, result.ratio, ratio, real),
    ]
