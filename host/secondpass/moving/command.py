# SPDX-License-Identifier: Apache-2.0
"""What `pull`, `push` and `export` do, with options already parsed."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from secondpass import modelfile
from secondpass.errors import DataError, NetworkError
from secondpass.modelfile import Origin, fingerprint
from secondpass.moving.convert import KINDS, MovedLayer, Tensor
from secondpass.network import Network
from secondpass.rules import Rule


def pull(port: str, model: Path, out: Path, console: Console) -> None:
    """Read a device's weights into `out`; `model` is what its firmware was built from."""
    from secondpass.moving import transfer

    if out.resolve() == model.resolve():
        raise NetworkError(f"--out is the model's own file {model}; name another one")
    device, rule = transfer.open_device(port, model)
    try:
        trained, origin = transfer.pull(device, rule, out)
    finally:
        device.close()
    console.print(f"{trained.shape}, {trained.format}, from {_described(origin)}", soft_wrap=True)
    console.print(f"{out}, weights {fingerprint(trained)}", soft_wrap=True, highlight=False)


def push(
    source: Path, port: str, model: Path | None, clip: bool, save: bool, console: Console
) -> None:
    """Write the weights of a file into a device whose firmware was built from `model`.

    Without `model`: from the file itself, or from that whose device it was pulled from.
    """
    from secondpass.moving import transfer

    trained, _, origin = modelfile.load_with_origin(source)
    if origin:
        console.print(f"{source} is from {_described(origin)}", soft_wrap=True)
    device, rule = transfer.open_device(port, model or source)
    try:
        pushed = transfer.push(device, rule, trained, clip)
        target = pushed.network
        console.print(_conversion(pushed.layers))
        _warn(pushed.layers, console)
        for index, kind in pushed.kept:
            name = target.layers[index].name
            console.print(f"{name}: {KINDS[kind]} are in flash and agree, not written")
        info = device.info
        console.print(
            f"{target.shape}, {target.format}, on {info.board} ({info.core}): weights "
            f"{fingerprint(target)}, read back and equal",
            soft_wrap=True,
            highlight=False,
        )
        if save:
            report = transfer.save(device)
            what = "was there already" if report.skipped else f"{report.bytes_written} bytes"
            console.print(f"saved in the device's flash: {what}", highlight=False)
    finally:
        device.close()


def export(
    source: Path,
    keras: Path | None,
    header: Path | None,
    npz: Path | None,
    dataset: str | None,
    console: Console,
) -> None:
    """Write a trained file as a Keras model, inference-only C or a NumPy archive.

    `dataset`: compare the Keras model with the integers on its held-out samples.
    """
    if not (keras or header or npz):
        raise NetworkError("nothing to export; name --keras FILE, --header FOLDER or --npz FILE")
    if dataset and not keras:
        raise NetworkError("--dataset compares a Keras model with the integers; add --keras FILE")
    network, rule = modelfile.load(source)
    if keras:
        _export_keras(network, rule, keras, dataset, console)
    if header:
        from secondpass_codegen import write

        for path in write(network, None, header):
            console.print(str(path), soft_wrap=True)
    if npz:
        from secondpass.moving.export import write_npz

        write_npz(network, npz)
        console.print(str(npz), soft_wrap=True)


def _export_keras(
    network: Network, rule: Rule, path: Path, dataset: str | None, console: Console
) -> None:
    from secondpass.moving import export as exports

    held_out = _held_out(dataset, network.input.size, network.classes) if dataset else None
    exports.write_keras(network, path)
    spec = network.input
    console.print(
        f"{path}, takes (sample - {spec.zero_point}) * {spec.step:.9g}",
        soft_wrap=True,
        highlight=False,
    )
    if held_out:
        found = exports.agreement(network, rule, path, *held_out)
        console.print(
            f"{found.same} of {found.samples} predictions are the integers'; right: Keras "
            f"{_share(found.keras, found.samples)}, integers "
            f"{_share(found.integers, found.samples)}; probabilities within "
            f"{found.distance:.2g}",
            soft_wrap=True,
            highlight=False,
        )


def _held_out(
    name: str, size: int, classes: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.integer]]:
    """Return samples and labels that nothing was trained on, as many as a session evaluates."""
    from secondpass import datasets
    from secondpass.errors import require_choice
    from secondpass.presets import PRESETS

    require_choice("dataset", name, PRESETS)
    data = datasets.load(name)
    if (data.size, data.classes) != (size, classes):
        raise DataError(
            f"{name} has {data.size} values a sample and {data.classes} classes; the network takes "
            f"{size} and tells {classes} apart"
        )
    count = PRESETS[name].evaluated
    return data.test_samples[:count], data.test_labels[:count]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %"


def _described(origin: Origin) -> str:
    return (
        f"{origin.board} ({origin.core}), model {origin.model_hash:016x}, {origin.step} training "
        "steps"
    )


def _conversion(layers: tuple[MovedLayer, ...]) -> Table:
    """Return a table of what every tensor cost."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("layer", "tensor", "values", "rounded", "to zero", "saturated", "largest", "of"):
        side = "left" if column in ("layer", "tensor") else "right"
        table.add_column(column, no_wrap=True, justify=side)  # type: ignore[arg-type]
    for layer in layers:
        for title, tensor in (("weights", layer.weights), ("bias", layer.bias)):
            table.add_row(layer.name, title, *_costs(tensor))
    return table


def _costs(tensor: Tensor) -> tuple[str, ...]:
    counts = (tensor.values.size, tensor.rounded, tensor.vanished, tensor.saturated)
    return (*(str(count) for count in counts), f"{tensor.largest:.4g}", f"{tensor.limit:.4g}")


def _warn(layers: tuple[MovedLayer, ...], console: Console) -> None:
    for layer in layers:
        saturated = layer.weights.saturated + layer.bias.saturated
        if saturated:
            console.print(f"[yellow]{layer.name}: {saturated} values were clipped[/]")
        if layer.narrower:
            before, now = layer.narrower
            console.print(
                f"[yellow]{layer.name}: results reach +-{now:g} here and +-{before:g} where the "
                "weights were trained; the device counts those that saturate[/]",
                soft_wrap=True,
            )
