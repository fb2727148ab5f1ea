# SPDX-License-Identifier: Apache-2.0
"""Weights from a device into a `.spn` file, and from a file into a device."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from secondpass import modelfile
from secondpass.device.interface import BIAS, WEIGHTS, SaveReport, read_weights
from secondpass.device.link import LinkDevice
from secondpass.device.protocol import RefusedError, Status
from secondpass.device.transport import SerialTransport
from secondpass.errors import DeviceError, NetworkError
from secondpass.modelfile import Origin
from secondpass.moving.convert import KINDS, MovedLayer, convert
from secondpass.network import Network
from secondpass.rules import Rule

HELLO_SECONDS = 10.0


@dataclass(frozen=True, eq=False)
class Pushed:
    """What a push wrote: the network as the device has it now, and every layer's conversion.

    `kept`: layers and kinds that the device has in flash and agree with what should be there.
    """

    network: Network
    layers: tuple[MovedLayer, ...]
    kept: tuple[tuple[int, int], ...]


def open_device(port: str, model: Path, patience: float = HELLO_SECONDS) -> tuple[LinkDevice, Rule]:
    """Open the device on a port, whose firmware was built from the file `model`.

    A file that was pulled from such a device serves too: it knows the hash of its model. Raises
    `NetworkError` for a file that is none and `DeviceError` for another model or no answer.
    """
    network, rule, origin = modelfile.load_with_origin(model)
    transport = SerialTransport(port)
    try:
        known_as = (origin.model_hash,) if origin else ()
        return LinkDevice(transport, network, rule, patience, known_as=known_as), rule
    except BaseException:
        transport.close()
        raise


def pull(device: LinkDevice, rule: Rule, path: Path) -> tuple[Network, Origin]:
    """Read every tensor of a device and write `path`, whole or not at all.

    Returns the network with the device's weights and where they came from. Raises `DeviceError`
    when the device learned meanwhile: the weights would belong to different steps.
    """
    before = device.statistics().counters.step
    trained = device.network.with_weights(read_weights(device))
    step = device.statistics().counters.step
    if step != before:
        raise DeviceError(
            f"the device learned while it was read (steps {before} to {step}); stop it and pull "
            "again"
        )
    info = device.info
    origin = Origin(info.model_hash, info.board, info.core, step)
    modelfile.save(path, trained, rule, origin)
    return trained, origin


def push(device: LinkDevice, rule: Rule, source: Network, clip: bool = False) -> Pushed:
    """Write the weights of `source` into a device and read them back.

    `rule` is that of the device's firmware. Everything that can be known before is checked before
    the first write (`convert`, frozen layers). Raises `NetworkError`, or `DeviceError` when the
    device goes away or does not hold what was written. Settings, counters and `step` stay as they
    are.
    """
    layers = convert(source, device.network, clip)
    kept = _frozen_as_they_are(device, rule, layers)
    try:
        for index, layer in enumerate(layers):
            for kind, tensor in layer.tensors():
                if (index, kind) not in kept:
                    device.write_tensor(index, kind, tensor.values)
        held = read_weights(device)
    except DeviceError as error:
        raise DeviceError(
            f"{error}; the device may hold a part of the weights: push again, or reset it"
        ) from error
    for index, layer in enumerate(layers):
        for kind, tensor in layer.tensors():
            different = int((held[index][kind] != tensor.values).sum())
            if (index, kind) not in kept and different:
                raise DeviceError(
                    f"layer {index} ({layer.name!r}): {different} of {tensor.values.size} values "
                    f"of the {KINDS[kind]} read back are not those that were written: push again, "
                    "or reset the device"
                )
    return Pushed(device.network.with_weights(held), layers, tuple(kept))


def save(device: LinkDevice) -> SaveReport:
    """Save what a push has written in the device's flash; errors say that it was written."""
    try:
        return device.save_checkpoint()
    except RefusedError as error:
        if error.status is Status.STORE:
            raise DeviceError(
                f"the weights are written, but {device.info.board} has no checkpoint store to save "
                "them in: they last until its next reset"
            ) from None
        raise DeviceError(f"the weights are written, but not saved: {error}") from error


def frozen_tensors(rule: Rule, layers: int) -> list[tuple[int, int]]:
    """Return layer and kind of the tensors that a firmware with this rule has in flash."""
    frozen = []
    for index, what in enumerate(rule.layer_trainable(layers)):
        if what != "all":
            frozen.append((index, WEIGHTS))
        if what == "none":
            frozen.append((index, BIAS))
    return frozen


def _frozen_as_they_are(
    device: LinkDevice, rule: Rule, layers: tuple[MovedLayer, ...]
) -> list[tuple[int, int]]:
    """Return the tensors in the device's flash; raise `NetworkError` when they should be others.

    Values that moved between formats were rounded once more than those in flash: a step is allowed.
    """
    frozen = frozen_tensors(rule, len(layers))
    for index, kind in frozen:
        tensor = dict(layers[index].tensors())[kind]
        held = device.read_tensor(index, kind).astype(np.int64)
        distance = np.abs(held - tensor.values)
        different = int((distance > (0 if tensor.exact else 1)).sum())
        if different:
            raise NetworkError(
                f"layer {index} ({layers[index].name!r}) is frozen in the device's flash, and "
                f"{different} of {held.size} values of its {KINDS[kind]} are others; nothing was "
                "written. Build and flash the firmware from the trained file, or let the layer "
                "learn (trainable)"
            )
    return frozen
