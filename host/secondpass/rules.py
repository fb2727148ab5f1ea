# SPDX-License-Identifier: Apache-2.0
"""Learning rules as settings. What they become for a network is in `step_settings`."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

from secondpass.errors import NetworkError, require_choice

PROJECTIONS = ("dense", "sign", "sparse", "stored")
ERROR_SIGNALS = ("error", "sign")
PASSES = ("first", "second")
MODULATIONS = ("add", "subtract")
SECOND_PASSES = ("full", "short")
TARGET_FUNCTIONS = ("linear", "tanh", "sign")
TRAINABLE = ("all", "bias", "none")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every learning rule has.

    `learning_rate`: step size at batch size 1.
    `layer_rates`: a factor of the learning rate for each layer; empty: all 1.
    `trainable`: for each layer `all`, `bias` (its weights are frozen) or `none`; empty: all `all`.
    `decay_steps`, `decay_factor`: the device multiplies its rates by the factor, in [0.5, 1], after
    every so many steps; 0: never.
    `gate`: a sample whose largest error component is smaller is not learned; 0: all are.
    `clip`: largest change of a weight by an input of one; 0: only the number format limits it.
    `row_gate`: of a layer's deltas that are smaller (in units of its result; of the output error in
    the output layer), some become this and the rest nothing, at random and right on average: fewer
    rows of weights to update. For speed only; 0: off.
    `dither_seed`: of the rounding of updates and of the row gate.
    """

    name: ClassVar[str]
    two_pass: ClassVar[bool] = False
    """Whether hidden layers learn from a second forward pass."""

    learning_rate: float = 0.01
    layer_rates: tuple[float, ...] = ()
    trainable: tuple[str, ...] = ()
    decay_steps: int = 0
    decay_factor: float = 1.0
    gate: float = 0.0
    clip: float = 0.0
    row_gate: float = 0.0
    dither_seed: int = 1

    def __post_init__(self) -> None:
        for what in ("learning_rate", "decay_factor", "gate", "clip", "row_gate"):
            value = float(getattr(self, what))  # 1 and 1.0 are one rule with one hash
            object.__setattr__(self, what, value)
            if not (math.isfinite(value) and value >= 0):
                raise NetworkError(f"{what.replace('_', ' ')} {value} must be 0 or more")
        object.__setattr__(self, "layer_rates", tuple(float(v) for v in self.layer_rates))
        object.__setattr__(self, "trainable", tuple(self.trainable))
        if any(not (math.isfinite(v) and v >= 0) for v in self.layer_rates):
            raise NetworkError(f"layer rates {self.layer_rates} must be 0 or more")
        for what in self.trainable:
            require_choice("trainable", what, TRAINABLE)
        if not 0.5 <= self.decay_factor <= 1.0:
            raise NetworkError(f"decay factor {self.decay_factor} is outside [0.5, 1]")
        require_uint32("decay_steps", self.decay_steps)
        require_uint32("dither_seed", self.dither_seed)

    def describe(self) -> dict[str, Any]:
        """Return the rule as plain data."""
        return {"rule": self.name, **asdict(self)}

    def layer_trainable(self, layers: int) -> tuple[str, ...]:
        """Return for each of so many layers what of it learns."""
        return per_layer("trainable", self.trainable, "all", layers)


@dataclass(frozen=True, kw_only=True)
class ProjectedRule(Rule):
    """A rule that projects the output error with a fixed random matrix.

    `projection`: distribution of the matrix; generated, never stored, but for `stored`: int8
    elements in `matrix` (`secondpass.mirroring` makes them).
    `projection_scale`: standard deviation of its elements; the unit depends on the rule.
    `error_signal`: what is projected, the output `error` or only its `sign`.
    """

    projection: str = "sign"
    projection_scale: float = 0.2
    projection_seed: int = 1
    error_signal: str = "error"
    matrix: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("projection", self.projection, PROJECTIONS)
        require_choice("error_signal", self.error_signal, ERROR_SIGNALS)
        require_uint32("projection_seed", self.projection_seed)
        scale = float(self.projection_scale)
        object.__setattr__(self, "projection_scale", scale)
        if not (math.isfinite(scale) and scale >= 0):
            raise NetworkError(f"projection scale {scale} must be 0 or more")
        if (self.projection == "stored") != bool(self.matrix):
            raise NetworkError("the projection 'stored', and only it, takes a matrix")


@dataclass(frozen=True, kw_only=True)
class Mempepita(ProjectedRule):
    """PEPITA with few activations in memory (Pau & Aymone, COINS 2023).

    The first pass is computed again beside the second, layer by layer, so that no activation of it
    is kept. Same weights as PEPITA, bit for bit. Settings as for `Pepita`.
    """

    name: ClassVar[str] = "mempepita"
    two_pass: ClassVar[bool] = True

    projection_scale: float = 0.5
    modulation: str = "subtract"
    presynaptic: str = "first"
    output_error: str = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("modulation", self.modulation, MODULATIONS)
        require_choice("presynaptic", self.presynaptic, PASSES)
        require_choice("output_error", self.output_error, PASSES)


@dataclass(frozen=True, kw_only=True)
class Pepita(Mempepita):
    """PEPITA (Dellaferrera & Kreiman, ICML 2022): the error modulates the input of a second pass.

    `projection_scale`: standard deviation of F in units of sqrt(2 / inputs).
    `modulation`: the paper adds F e to the input, Srinivasan et al. (ICLR 2024) `subtract` it,
    which trains better.
    `presynaptic`: which pass supplies the presynaptic activations of an update.
    `output_error`: which pass supplies the error of the output layer.
    `second_pass`: `short` keeps Q = W1 F beside the weights of the first layer, so that its second
    pass costs (units x outputs) instead of (inputs x units); equal but for rounding.

    The paper's setting is `dense`, 0.05, `add`, `second`, `second`; the defaults train better. Its
    code has a variant with the `sign` of the error, and F scaled by a further 0.1.
    """

    name: ClassVar[str] = "pepita"

    second_pass: str = "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("second_pass", self.second_pass, SECOND_PASSES)


FAST_PEPITA: dict[str, Any] = {
    "second_pass": "short",
    "projection": "sparse",
    "gate": 0.05,
    "row_gate": 0.0125,
}
"""Settings that make a PEPITA step of a classifier cheap: the defaults of the data sets' presets.

Measured against `Pepita()` in docs/results.md (accuracy) and docs/performance.md (instructions).
"""


@dataclass(frozen=True, kw_only=True)
class Hebbian(ProjectedRule):
    """PEPITA-Hebbian (Srinivasan et al., ICLR 2024): each pass learns from its own activations.

    A layer changes by -h pre^T of the first pass and +h pre^T of the second; the output layer by
    the prediction in the first and the target in the second. `modulation` and `projection_scale`
    as for `Pepita`.
    """

    name: ClassVar[str] = "hebbian"
    two_pass: ClassVar[bool] = True

    learning_rate: float = 0.003
    projection_scale: float = 0.35
    modulation: str = "subtract"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("modulation", self.modulation, MODULATIONS)


@dataclass(frozen=True, kw_only=True)
class TimeLocal(Hebbian):
    """PEPITA-TL (Srinivasan et al., ICLR 2024): `Hebbian`, local in time.

    Each pass updates a layer as soon as it has its activation, so the second pass sees the weights
    that the first one changed, and nothing of the first pass is kept.
    """

    name: ClassVar[str] = "tl"

    learning_rate: float = 0.001

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gate:
            raise NetworkError("the rule tl learns before it knows the error; it takes no gate")


@dataclass(frozen=True, kw_only=True)
class Ftp(ProjectedRule):
    """Forward target propagation (As-Saquib et al., 2025).

    The target of the first hidden layer is its activation plus g(G y) - g(G prediction); further
    targets follow from forward passes. Each hidden layer learns the difference to its target, times
    its activation's derivative, with first-pass presynaptic activity. With one hidden layer and a
    linear g this is direct feedback alignment.

    `projection_scale`: standard deviation of G in units of sqrt(2 / outputs).
    `target_function`: g, `linear`, `tanh` or `sign`.
    `target_scale`: factor of the difference of targets.
    """

    name: ClassVar[str] = "ftp"
    two_pass: ClassVar[bool] = True

    target_function: str = "linear"
    target_scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("target_function", self.target_function, TARGET_FUNCTIONS)
        object.__setattr__(self, "target_scale", float(self.target_scale))
        if not (math.isfinite(self.target_scale) and self.target_scale >= 0):
            raise NetworkError(f"target scale {self.target_scale} must be 0 or more")
        if self.target_function != "linear" and self.error_signal != "error":
            raise NetworkError("the sign of the error needs the target function 'linear'")


@dataclass(frozen=True, kw_only=True)
class Dfa(ProjectedRule):
    """Direct feedback alignment (Noekland, NeurIPS 2016): every hidden layer gets B e.

    `projection_scale`: standard deviation of B in units of sqrt(2 / outputs).
    """

    name: ClassVar[str] = "dfa"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projection == "stored":
            raise NetworkError("the rule dfa has one matrix a layer; it takes none that is stored")


@dataclass(frozen=True, kw_only=True)
class Backprop(Rule):
    """Back-propagation, the baseline that needs a backward pass."""

    name: ClassVar[str] = "bp"


@dataclass(frozen=True, kw_only=True)
class BiasOnly(Backprop):
    """Back-propagation that moves biases only: no weight needs to be in RAM."""

    name: ClassVar[str] = "bias"

    def layer_trainable(self, layers: int) -> tuple[str, ...]:
        """Return for each layer that only its bias learns, or what `trainable` says less."""
        chosen = super().layer_trainable(layers)
        return tuple("none" if value == "none" else "bias" for value in chosen)


@dataclass(frozen=True, kw_only=True)
class LastLayer(Rule):
    """Training of the last layer only, on frozen hidden layers."""

    name: ClassVar[str] = "last"

    def layer_trainable(self, layers: int) -> tuple[str, ...]:
        """Return that no hidden layer learns."""
        return (*("none",) * (layers - 1), super().layer_trainable(layers)[-1])


@dataclass(frozen=True, kw_only=True)
class NoRule(Rule):
    """The rule of a network that only infers: nothing learns, and there is nothing to set."""

    name: ClassVar[str] = "none"

    def describe(self) -> dict[str, Any]:
        """Return the rule as plain data."""
        return {"rule": self.name}

    def layer_trainable(self, layers: int) -> tuple[str, ...]:
        """Return that of each of so many layers nothing learns."""
        return ("none",) * layers


RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (Pepita, Mempepita, Hebbian, TimeLocal, Ftp, Dfa, Backprop, BiasOnly, LastLayer)
}
"""Rules by the name that commands take."""


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
    if settings == {"rule": NoRule.name}:
        return NoRule()
    return make_rule(str(settings.pop("rule", None)), settings)


def parse_settings(name: str, texts: Iterable[str]) -> dict[str, Any]:
    """Read `setting=value` texts for a rule; values of tuples are separated by commas.

    Raises `NetworkError` for a setting that the rule does not have, or a value of another type.
    """
    require_choice("rule", name, RULES)
    types = {field.name: _type_name(field.type) for field in fields(RULES[name])}
    settings: dict[str, Any] = {}
    for text in texts:
        setting, separator, value = text.partition("=")
        if not separator or setting not in types:
            listed = ", ".join(types)
            raise NetworkError(
                f"{text!r} is no setting of the rule {name}; it takes NAME=VALUE with {listed}"
            )
        try:
            settings[setting] = _READERS[types[setting]](value)
        except ValueError:
            what = "a whole number" if types[setting] == "int" else "numbers"
            raise NetworkError(f"{setting} is {value!r}; it takes {what}") from None
    return settings


def _type_name(annotation: Any) -> str:
    return annotation.__name__ if annotation in (int, float, str) else str(annotation)


_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "tuple[float, ...]": lambda text: tuple(float(part) for part in text.split(",")),
    "tuple[str, ...]": lambda text: tuple(text.split(",")),
}


def with_seed(rule: Rule, seed: int) -> Rule:
    """Return the rule with `seed` for all that it draws."""
    if isinstance(rule, ProjectedRule):
        return replace(rule, dither_seed=seed, projection_seed=seed)
    return replace(rule, dither_seed=seed)


def per_layer(what: str, values: tuple[Any, ...], default: Any, layers: int) -> tuple[Any, ...]:
    """Return one value a layer: `values`, or the default for all when there are none."""
    if values and len(values) != layers:
        raise NetworkError(f"{what} has {len(values)} values for {layers} layers")
    return values or (default,) * layers


def require_uint32(what: str, value: int) -> None:
    """Raise `NetworkError` unless an integer fits uint32."""
    if not 0 <= value < 2**32:
        raise NetworkError(f"{what} {value} is outside [0, 2**32)")
