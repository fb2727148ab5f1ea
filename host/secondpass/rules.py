# SPDX-License-Identifier: Apache-2.0
"""Learning rules as settings, and what they become for a given network."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from secondpass.errors import NetworkError, require_choice
from secondpass.fixedpoint import Scale
from secondpass.network import Network
from secondpass.projection import element_magnitude

PROJECTIONS = ("dense", "sign", "sparse")
ERROR_SIGNALS = ("error", "sign")
PASSES = ("first", "second")
ERROR_FRAC = 15
"""Fractional bits of the output error."""


@dataclass(frozen=True)
class Pepita:
    """PEPITA (Dellaferrera & Kreiman, ICML 2022): the error modulates the input of a second pass.

    `projection`: distribution of the fixed random matrix F, generated and never stored.
    `projection_scale`: standard deviation of F in units of sqrt(2 / inputs). The paper adds F e to
    the input; a negative scale subtracts it (Srinivasan et al., ICLR 2024), which trains better.
    `presynaptic`: which pass supplies the presynaptic activations of an update.
    `output_error`: which pass supplies the error of the output layer.
    `error_signal`: what is projected, the output `error` or only its `sign` (the paper's code has
    this variant and scales F by a further 0.1 for it).
    `learning_rate`: step size at batch size 1.

    The paper's setting is `dense`, 0.05, `second`, `second`; the defaults train better.
    """

    projection: str = "sign"
    projection_scale: float = -0.35
    projection_seed: int = 1
    presynaptic: str = "first"
    output_error: str = "first"
    learning_rate: float = 0.01
    dither_seed: int = 1
    error_signal: str = "error"

    def __post_init__(self) -> None:
        require_choice("presynaptic", self.presynaptic, PASSES)
        require_choice("output_error", self.output_error, PASSES)
        _check_common(self)

    @property
    def name(self) -> str:
        """Short name used in reports and on the wire."""
        return "pepita"

    def describe(self) -> dict[str, Any]:
        """Return the rule as plain data."""
        return {"rule": self.name, **asdict(self)}

    def projection_factor(self, network: Network) -> float:
        """Return what turns a projected error in Q0.15 into steps of the input."""
        magnitude = element_magnitude(
            self.projection,
            math.sqrt(2.0 / network.input.size),
            network.classes,
            self.projection_scale,
        )
        return magnitude * 2.0 ** (network.input.frac_bits - ERROR_FRAC)


@dataclass(frozen=True)
class Ftp:
    """Forward target propagation (As-Saquib et al., 2025), with a linear target projection.

    The target of the first hidden layer is its activation minus G e; further targets follow from
    forward passes. Each hidden layer learns the difference to its target, times its activation's
    derivative, with first-pass presynaptic activity. With one hidden layer this is direct feedback
    alignment with the feedback matrix G.

    `projection`: distribution of the fixed random matrix G, generated and never stored.
    `projection_scale`: standard deviation of G in units of sqrt(2 / classes).
    `error_signal`: what is projected, the output `error` or only its `sign`.
    `learning_rate`: step size at batch size 1.
    """

    projection: str = "sign"
    projection_scale: float = 0.05
    projection_seed: int = 1
    learning_rate: float = 0.01
    dither_seed: int = 1
    error_signal: str = "error"

    def __post_init__(self) -> None:
        _check_common(self)

    @property
    def name(self) -> str:
        """Short name used in reports and on the wire."""
        return "ftp"

    @property
    def presynaptic(self) -> str:
        """Which pass supplies the presynaptic activations: always the first."""
        return "first"

    @property
    def output_error(self) -> str:
        """Which pass supplies the error of the output layer: always the first."""
        return "first"

    def describe(self) -> dict[str, Any]:
        """Return the rule as plain data."""
        return {"rule": self.name, **asdict(self)}

    def projection_factor(self, network: Network) -> float:
        """Return what turns a projected error in Q0.15 into steps of the first hidden layer.

        Negative: the target is the activation minus G e.
        """
        magnitude = element_magnitude(
            self.projection,
            math.sqrt(2.0 / network.classes),
            network.classes,
            self.projection_scale,
        )
        return -magnitude * 2.0 ** (network.layers[0].out_frac - ERROR_FRAC)


Rule = Pepita | Ftp
RULES: dict[str, type[Pepita] | type[Ftp]] = {"pepita": Pepita, "ftp": Ftp}


def _check_common(rule: Rule) -> None:
    """Check the settings that all rules share; 1 and 1.0 become one rule with one hash."""
    require_choice("projection", rule.projection, PROJECTIONS)
    require_choice("error_signal", rule.error_signal, ERROR_SIGNALS)
    if not (math.isfinite(rule.learning_rate) and rule.learning_rate >= 0):
        raise NetworkError(f"learning rate {rule.learning_rate} must be 0 or more")
    for what in ("projection_scale", "learning_rate"):
        object.__setattr__(rule, what, float(getattr(rule, what)))
    for what in ("projection_seed", "dither_seed"):
        if not 0 <= getattr(rule, what) < 2**32:
            raise NetworkError(f"{what} {getattr(rule, what)} is outside [0, 2**32)")


def make_rule(name: str, settings: dict[str, Any]) -> Rule:
    """Return a rule by name; raises `NetworkError` for a setting that it does not have."""
    require_choice("rule", name, RULES)
    known = [field.name for field in fields(RULES[name])]
    for setting in settings:
        if setting not in known:
            raise NetworkError(
                f"the rule {name} has no setting {setting}; it takes {', '.join(known)}"
            )
    return RULES[name](**settings)


def rule_from_description(description: dict[str, Any]) -> Rule:
    """Rebuild a rule from its `describe`."""
    settings = dict(description)
    return make_rule(str(settings.pop("rule", None)), settings)


@dataclass(frozen=True)
class StepSettings:
    """What a device may be told at run time: scales and seeds of the learning step.

    `rates[l]` turns the delta of layer l into its row error (docs/numerics.md, section 6).
    """

    projection: Scale
    projection_seed: int
    dither_seed: int
    rates: tuple[Scale, ...]


def step_settings(
    network: Network,
    rule: Rule,
    learning_rate: float | None = None,
    layer_rates: tuple[float, ...] | None = None,
) -> StepSettings:
    """Express a rule in the number formats of a network.

    `learning_rate` overrides the rule's, `layer_rates` multiplies it layer by layer.
    """
    rate = rule.learning_rate if learning_rate is None else learning_rate
    factors = layer_rates or (1.0,) * len(network.layers)
    if len(factors) != len(network.layers):
        raise NetworkError(f"{len(factors)} layer rates for {len(network.layers)} layers")
    last = len(network.layers) - 1
    rates = []
    for index, layer in enumerate(network.layers):
        delta_frac = ERROR_FRAC if index == last else layer.out_frac
        exponent = layer.weight_frac + 16 - network.in_frac(index) - delta_frac
        rates.append(Scale.from_real(rate * factors[index] * 2.0**exponent))
    projection = Scale.from_real(rule.projection_factor(network))
    return StepSettings(projection, rule.projection_seed, rule.dither_seed, tuple(rates))
