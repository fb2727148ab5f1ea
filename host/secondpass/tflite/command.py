# SPDX-License-Identifier: Apache-2.0
"""The verb: import a `.tflite` file, say what it is, and write the network and its C."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console

from secondpass import modelfile
from secondpass.affine import AffineNetwork
from secondpass.errors import DataError, NetworkError, require_choice
from secondpass.network import FORMATS, Dense, Network
from secondpass.quantise import FloatLayer
from secondpass.rules import NoRule, Rule, make_rule, parse_settings
from secondpass.tflite.convert import (
    Real,
    output_values,
    partly_trainable,
    reconstruction_error,
    same_labels,
    trainable,
)
from secondpass.tflite.graph import FloatModel, load
from secondpass.tflite.samples import load_samples
from secondpass_codegen import write


@dataclass(frozen=True)
class ImportOptions:
    """What is imported, and into what.

    `format`: None leaves an int8 network frozen; else it is one that learns, from the layer
    `trainable_from` on where that is given. `samples`: a file of
    real samples (`load_samples`). `head`: None takes what the file suggests.
    """

    file: Path
    out: Path
    format: str | None = None
    samples: Path | None = None
    stack: int = 1
    head: str | None = None
    rule: str = "pepita"
    settings: list[str] = field(default_factory=list)
    inference_only: bool = False
    trainable_from: str | None = None


def run(options: ImportOptions, console: Console) -> Network:
    """Import a file and write `network.spn` and its C into `options.out`."""
    if options.format is not None:
        require_choice("--trainable", options.format, FORMATS)
    rule: Rule = NoRule()
    if options.format is not None:
        rule = make_rule(options.rule, parse_settings(options.rule, options.settings))
    model = load(options.file, options.head)
    _describe(model, console)
    samples = None
    if options.samples is not None:
        size = model.layers[0].weights.shape[1 if isinstance(model, AffineNetwork) else 0]
        samples = load_samples(options.samples, size, options.stack)
    network = _chosen(model, options, samples)
    if samples is not None:
        _compare(model, network, samples, console)
    modelfile.save(options.out / "network.spn", network, rule)
    written = write(network, None if options.inference_only else rule, options.out)
    for path in [options.out / "network.spn", *written]:
        console.print(str(path), soft_wrap=True)
    return network


def _chosen(
    model: AffineNetwork | FloatModel, options: ImportOptions, samples: Real | None
) -> Network:
    """Return the frozen network, or the one that learns."""
    if options.trainable_from is not None and options.format is None:
        raise NetworkError("--trainable-from needs --trainable FORMAT, in which those layers learn")
    if options.format is None:
        if isinstance(model, AffineNetwork):
            return model
        raise NetworkError(
            f"{options.file} is a float model; a device computes in integers: choose a format with "
            f"--trainable ({', '.join(FORMATS)})"
        )
    if samples is None:
        raise DataError(
            "--trainable needs samples that choose the number formats: --samples FILE, a .npy file "
            "(count, inputs) or raw float32 (.bin)"
        )
    if options.trainable_from is None:
        return trainable(model, samples, options.format)
    if not isinstance(model, AffineNetwork):
        raise NetworkError(f"{options.file} is a float model; only int8 layers can stay frozen")
    return partly_trainable(model, options.trainable_from, samples, options.format)


def _describe(model: AffineNetwork | FloatModel, console: Console) -> None:
    is_float = isinstance(model, FloatModel)
    layers: Sequence[FloatLayer | Dense] = model.layers
    parts = []
    for layer in layers:
        inputs, outputs = layer.weights.shape[:: 1 if is_float else -1]
        parts.append(f"{layer.name} {inputs}x{outputs} {layer.activation}")
    kind = "float" if is_float else "frozen int8"
    console.print(f"{kind}, head {model.head}: {', '.join(parts)}", soft_wrap=True)


def _compare(
    model: AffineNetwork | FloatModel, network: Network, samples: Real, console: Console
) -> None:
    """Say what a model makes of samples, and what the conversion changed."""
    before = output_values(model, samples)
    after = before if network is model else output_values(network, samples)
    count = f"{len(samples)} samples"
    if model.head == "reconstruction":
        errors = [reconstruction_error(values, samples) for values in (before, after)]
        text = f"mean error of {count}: {errors[0]:.4f} in the file"
        if network is not model:
            change = errors[1] - errors[0]
            text += f", {errors[1]:.4f} in {network.format} ({change:+.4f})"
        console.print(text)
    elif network is not model:
        largest = float(np.abs(after - before).max())
        text = f"{count}: outputs differ by {largest:.4g} at most"
        if model.head != "mse":
            text += f"; {same_labels(before, after)} of them get the same label"
        console.print(text)
