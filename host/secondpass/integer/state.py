# SPDX-License-Identifier: Apache-2.0
"""Counters and results of a model, and what passes between the parts of a learning step."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from secondpass.integer.kernels import Activation
from secondpass.network import Int16Array

Target = int | np.integer | Int16Array
"""A label, or for the head `mse` an int16 vector (outputs,)."""


@dataclass
class LayerCounters:
    """What one layer did since the counters were cleared (each modulo 2**32 on a device)."""

    activation_saturations: int = 0
    error_saturations: int = 0
    weight_saturations: int = 0
    active_rows: int = 0


@dataclass
class Counters:
    """What a model did since the counters were cleared.

    `step` is the number of training steps since reset; clearing leaves it alone. For the head
    `reconstruction` a sample is predicted right when it was no alarm.
    """

    step: int = 0
    trained: int = 0
    trained_correct: int = 0
    evaluated: int = 0
    evaluated_correct: int = 0
    input_saturations: int = 0
    skipped: int = 0
    layers: list[LayerCounters] = field(default_factory=list)

    @property
    def alarms(self) -> int:
        """Samples above the threshold, of the head `reconstruction`."""
        right = self.trained_correct + self.evaluated_correct
        return (self.trained + self.evaluated - right) % 2**32

    @property
    def saturations(self) -> int:
        """All saturations together."""
        return self.input_saturations + sum(
            x.activation_saturations + x.error_saturations + x.weight_saturations
            for x in self.layers
        )


@dataclass(frozen=True)
class StepResult:
    """The outcome of one sample: the prediction is made before the update (prequential).

    `label_probability` is Q15; `score`, for heads without labels, is the mean squared error with
    twice the fractional bits of the output error.
    """

    predicted: int
    label_probability: int = 0
    score: int = 0


@dataclass(frozen=True)
class Response:
    """What a layer makes of its input: pre-activation, result, and what the next layer reads.

    `out` is the result itself, or its int8 form in the format a8w8.
    """

    z: Int16Array
    result: Int16Array
    out: Activation


@dataclass(frozen=True)
class Outcome:
    """The output error of a sample, and what would have been right.

    `wanted`: one-hot with 2^15 at the label (outputs,), or the target in the error's format.
    `prediction`: what the network said, in the format of `error`: probabilities or outputs.
    """

    error: Int16Array
    wanted: npt.NDArray[np.int64]
    prediction: Int16Array
    probability: int = 0
