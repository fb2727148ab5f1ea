# SPDX-License-Identifier: Apache-2.0
"""Every rule in every format, with heads, activations and options spread over them."""

from dataclasses import replace
from itertools import cycle

from models import Case, stored_matrix

from secondpass.network import ACTIVATIONS, FORMATS, HEADS
from secondpass.rules import (
    FAST_PEPITA,
    Backprop,
    BiasOnly,
    Dfa,
    Ftp,
    Hebbian,
    LastLayer,
    Mempepita,
    Pepita,
    Rule,
    TimeLocal,
)

STEPS = 120
WIDTHS = (63, 33, 17, 9)

SHORT = Pepita(second_pass="short")
FAST = Pepita(**FAST_PEPITA)
RULES: dict[str, Rule] = {
    "pepita": Pepita(projection="dense"),
    "short-sign": SHORT,
    "short-sparse": replace(SHORT, projection="sparse"),
    "mempepita": Mempepita(projection="sparse", modulation="add"),
    "hebbian": Hebbian(learning_rate=0.01),
    "tl": TimeLocal(learning_rate=0.01, projection="dense"),
    "ftp": Ftp(projection_scale=0.1, projection="sparse"),
    "ftp-tanh": Ftp(target_function="tanh", projection="dense", projection_scale=0.3),
    "ftp-sign": Ftp(target_function="sign", target_scale=0.05),
    "dfa": Dfa(projection_scale=0.1, error_signal="sign"),
    "bp": Backprop(),
    "bias": BiasOnly(),
    "last": LastLayer(),
}
NOT_IN_A8W8 = ("hebbian", "tl")


def _spread() -> list[Case]:
    """Rotate heads, activations and tight formats over rules: each rule sees several."""
    cases = []
    kinds = cycle([(head, kind) for kind in ACTIVATIONS for head in HEADS])
    seed = 20
    for name, rule in RULES.items():
        for format in FORMATS:
            head, activation = next(kinds)
            if format == "a8w8" and name in NOT_IN_A8W8:
                continue
            seed += 1
            seeded = replace(rule, dither_seed=seed, learning_rate=rule.learning_rate * 3)
            cases.append(
                Case(
                    f"{name}-{format}-{head}-{activation}",
                    WIDTHS,
                    seeded,
                    seed,
                    format=format,
                    head=head,
                    activation=activation,
                    second_activation=ACTIVATIONS[seed % 4],
                    centred=seed % 2 == 0,
                    head_room=1.5 if seed % 5 == 0 else 4.0,
                    steps=STEPS,
                )
            )
    return cases


def _option(name: str, rule: Rule, **settings: object) -> Case:
    return Case(name, WIDTHS, replace(rule, learning_rate=0.05), 70, steps=STEPS, **settings)


OPTIONS = [
    _option("decay", Ftp(projection_scale=0.1, decay_steps=7, decay_factor=0.9)),
    _option("gate-clip", Pepita(gate=0.9, clip=0.02, layer_rates=(1.0, 0.5, 2.0)), format="a16w8"),
    _option("row-gate", replace(SHORT, gate=0.1, row_gate=0.3, projection="sparse")),
    _option("row-gate-mempepita", Mempepita(row_gate=0.3), format="a8w8", activation="tanh"),
    _option("row-gate-ftp", Ftp(projection_scale=0.1, row_gate=0.2), format="a16w8"),
    _option("row-gate-hebbian", Hebbian(row_gate=0.5)),
    _option("row-gate-tl", TimeLocal(row_gate=0.5), format="a16w8"),
    _option("row-gate-bias", BiasOnly(row_gate=0.1), format="a8w8"),
    _option("fast", replace(FAST, gate=0.8, row_gate=0.1), blank=True),
    _option("fast-a16w8", replace(FAST, gate=0.8, row_gate=0.1), blank=True, format="a16w8"),
    _option("fast-a8w8", replace(FAST, gate=0.8, row_gate=0.1), blank=True, format="a8w8"),
    _option("blank-ftp", Ftp(projection="sparse", projection_scale=0.1), blank=True),
    _option("blank-bp", Backprop(), blank=True, format="a16w8"),
    _option("frozen-first", Pepita(trainable=("none", "all", "bias")), activation="tanh"),
    _option("frozen-first-short", replace(SHORT, trainable=("none", "bias", "all"))),
    _option("frozen-top", SHORT, centred=True),
    _option("bias-below", Ftp(trainable=("bias", "none", "all"), projection_scale=0.1)),
    _option("frozen-middle", Backprop(trainable=("all", "none", "all")), format="a8w8"),
    _option("frozen-lockstep", Mempepita(trainable=("all", "none", "all")), format="a8w8"),
    _option(
        "short-second",
        replace(SHORT, projection="dense", presynaptic="second", output_error="second"),
    ),
    _option(
        "lockstep-second",
        Mempepita(presynaptic="second", output_error="second", projection_scale=0.05),
        head="mse",
        activation="hard_tanh",
    ),
    _option(
        "stored",
        Pepita(second_pass="short", projection="stored", matrix=stored_matrix(63, 9)),
        format="a16w8",
    ),
    _option("stored-target", Ftp(projection="stored", matrix=stored_matrix(33, 9))),
    _option(
        "sigmoid-tanh-targets", Ftp(target_function="tanh", projection_scale=0.3), head="sigmoid"
    ),
    _option("int8-samples", SHORT, dtype="int8"),
    _option("int8-samples-centred", Backprop(), dtype="int8", format="a8w8", centred=True),
]
COMBINATIONS = [*_spread(), *OPTIONS]
