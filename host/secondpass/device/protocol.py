# SPDX-License-Identifier: Apache-2.0
"""The wire format of docs/protocol.md: frames, verbs, errors and bodies."""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from cobs import cobs

from secondpass.affine import AFFINE8
from secondpass.device.fault import ResetCause
from secondpass.device.interface import (
    WEIGHTS,
    Autosave,
    DeviceInfo,
    Evaluation,
    Inference,
    SaveReport,
    Statistics,
    Threshold,
    TrainStep,
    quantile_q15,
    real_score,
    real_threshold,
)
from secondpass.errors import DeviceError
from secondpass.integer.state import Counters, LayerCounters
from secondpass.learning import StepSettings
from secondpass.network import Network

VERSION = 3
REPLY = 0x80
_HEADER = struct.Struct("<BBH")
_HELLO = struct.Struct("<QBBBBHHIIIIII24s16s")
_TRAIN = struct.Struct("<HHIIII")
_COUNTERS = struct.Struct("<11I")
_LAYER_COUNTERS = struct.Struct("<4I")
_SAVE = struct.Struct("<IIBI")
_STEP = struct.Struct("<I")
_SAFETY = struct.Struct("<4I3B")
_SET_THRESHOLD = struct.Struct("<BBH")
_THRESHOLD = struct.Struct("<IIHB")
TENSOR_HEADER = struct.Struct("<BBIH")


class Verb(IntEnum):
    """What a request asks for."""

    HELLO = 0x01
    CONFIGURE = 0x02
    INFER = 0x03
    TRAIN = 0x04
    EVALUATE = 0x05
    STATISTICS = 0x06
    READ_TENSOR = 0x07
    WRITE_TENSOR = 0x08
    SAVE = 0x09
    LOAD = 0x0A
    RESET = 0x0B
    FAULT = 0x0C
    AUTOSAVE = 0x0D
    THRESHOLD = 0x0E


class Status(IntEnum):
    """First byte of every answer's body."""

    OK = 0
    CRC = 1
    FRAME = 2
    VERSION = 3
    VERB = 4
    LENGTH = 5
    SAMPLE = 6
    LABEL = 7
    SEQUENCE = 8
    TENSOR = 9
    VALUE = 10
    OVERRUN = 11
    FAULT = 12
    STORE = 13
    EMPTY = 14
    MODEL = 15
    DAMAGED = 16
    FLASH = 17
    SPACE = 18
    FROZEN = 19
    INFERS = 20


MEANING = {
    Status.CRC: "the checksum of a frame was wrong",
    Status.FRAME: "a frame could not be decoded",
    Status.VERSION: "the firmware speaks another protocol version: build and flash it again",
    Status.VERB: "the firmware does not know this request: build and flash it again",
    Status.LENGTH: "the request had the wrong length",
    Status.SAMPLE: "the sample does not have the size of the network's input",
    Status.LABEL: "the label is not a class of the network",
    Status.SEQUENCE: "the request was out of order",
    Status.TENSOR: "there is no such tensor, or the range is outside it",
    Status.VALUE: "a setting is out of range",
    Status.OVERRUN: "a frame was lost because two others were waiting",
    Status.FAULT: "the firmware crashed and restarted: what it learned since its last save is lost",
    Status.STORE: "this board has no checkpoint store",
    Status.EMPTY: "no checkpoint was saved yet",
    Status.MODEL: "the checkpoint is of another model, or in another layout",
    Status.DAMAGED: "the checkpoint is damaged",
    Status.FLASH: "the flash refused, or did not keep what was written",
    Status.SPACE: "a checkpoint does not fit a slot of the flash",
    Status.FROZEN: "the tensor is frozen in flash",
    Status.INFERS: "the model infers and does not learn",
}


class DamagedError(DeviceError):
    """An answer was damaged on the way."""


class RefusedError(DeviceError):
    """The device answered a request with an error code, which `detail` explains better."""

    def __init__(self, status: Status, verb: int, detail: str = "") -> None:
        self.status = status
        name = Verb(verb).name.lower() if verb in list(Verb) else f"verb {verb:#04x}"
        super().__init__(
            f"the device refused '{name}': {detail or MEANING[status]} (error {int(status)})"
        )


def frozen_error(network: Network, layer: int, kind: int) -> RefusedError:
    """Return the error of writing a tensor that the firmware keeps in flash."""
    what = "weights" if kind == WEIGHTS else "bias"
    if network.format == AFFINE8:
        detail = f"the {what} of layer {layer} ({network.layers[layer].name!r}) are frozen int8"
        return RefusedError(Status.FROZEN, Verb.WRITE_TENSOR, detail)
    detail = (
        f"layer {layer} ({network.layers[layer].name!r}) is frozen in flash, the rule never "
        f"changes its {what}; generate and flash the firmware with the new values, or let the "
        "layer learn (trainable)"
    )
    return RefusedError(Status.FROZEN, Verb.WRITE_TENSOR, detail)


@dataclass(frozen=True)
class Reply:
    """A decoded answer."""

    verb: int
    sequence: int
    status: Status
    body: bytes


def encode(verb: int, sequence: int, body: bytes = b"", version: int = VERSION) -> bytes:
    """Return a request as it goes over the wire, with its final zero."""
    frame = _HEADER.pack(version, verb, sequence & 0xFFFF) + body
    encoded: bytes = cobs.encode(frame + struct.pack("<I", zlib.crc32(frame)))
    return encoded + b"\0"


def decode(encoded: bytes) -> Reply:
    """Decode an answer without its final zero.

    Raises `DamagedError`, or `DeviceError` when it is intact but of another protocol version.
    """
    try:
        frame = cobs.decode(encoded)
    except cobs.DecodeError as error:
        raise DamagedError(f"an answer of the device could not be decoded ({error})") from error
    if len(frame) < _HEADER.size + 5:
        raise DamagedError(f"an answer of the device is too short ({len(frame)} bytes)")
    if zlib.crc32(frame[:-4]) != struct.unpack("<I", frame[-4:])[0]:
        raise DamagedError("an answer of the device has a wrong checksum")
    version, verb, sequence = _HEADER.unpack_from(frame)
    if not verb & REPLY:
        raise DamagedError("a request came back instead of an answer")
    if version != VERSION:
        raise DeviceError(
            f"the device speaks protocol version {version}, this tool {VERSION}: build and flash "
            "the firmware again"
        )
    try:
        status = Status(frame[_HEADER.size])
    except ValueError:
        raise DeviceError(f"the device sent an unknown error {frame[_HEADER.size]}") from None
    return Reply(verb & ~REPLY, sequence, status, frame[_HEADER.size + 1 : -4])


def pack_settings(settings: StepSettings) -> bytes:
    """Return the body of `configure`."""
    body = struct.pack(
        "<IIIHH",
        settings.projection_seed,
        settings.dither_seed,
        settings.decay_steps,
        settings.decay_factor,
        settings.gate,
    )
    per_layer = zip(settings.rates, settings.clips, settings.row_gates, strict=True)
    for rate, clip, row_gate in per_layer:
        body += struct.pack("<hBHH", rate.multiplier, rate.shift, clip, row_gate)
    for scale in settings.projections:
        body += struct.pack("<hB", scale.multiplier, scale.shift)
    return body


def _unpack(layout: struct.Struct, body: bytes, offset: int = 0) -> tuple[Any, ...]:
    try:
        return layout.unpack_from(body, offset)
    except struct.error as error:
        raise DeviceError(f"an answer of the device has the wrong length ({error})") from error


def unpack_hello(body: bytes) -> DeviceInfo:
    """Read the answer to `hello`."""
    model_hash, major, minor, patch, layers, classes, inputs, *sizes, board, core = _unpack(
        _HELLO, body
    )
    sample_bytes, tensor_chunk, ticks_hz, model_bytes, link_bytes, stack_bytes = sizes
    return DeviceInfo(
        model_hash=model_hash,
        firmware_version=f"{major}.{minor}.{patch}",
        layers=layers,
        classes=classes,
        inputs=inputs,
        sample_bytes=sample_bytes,
        board=board.rstrip(b"\0").decode("ascii", "replace"),
        core=core.rstrip(b"\0").decode("ascii", "replace"),
        ticks_hz=ticks_hz,
        counts_cycles=body[_HELLO.size : _HELLO.size + 1] == b"\x01",  # older firmware: no byte
        crash_pending=body[_HELLO.size + 1 : _HELLO.size + 2] == b"\x01",
        model_bytes=model_bytes,
        link_bytes=link_bytes,
        stack_bytes=stack_bytes,
        tensor_chunk=tensor_chunk,
    )


def unpack_infer(body: bytes, outputs: int) -> Inference:
    """Read the answer to `infer`."""
    fields = _unpack(struct.Struct(f"<HI{outputs}h"), body)
    return Inference(np.array(fields[2:], dtype=np.int16), fields[0], fields[1])


def unpack_train(body: bytes, label: int, error_frac: int) -> TrainStep:
    """Read the answer to `train`."""
    predicted, probability, step, saturations, ticks, score = _unpack(_TRAIN, body)
    return TrainStep(
        label,
        predicted,
        probability / 2**15,
        step,
        saturations,
        ticks,
        real_score(score, error_frac),
    )


def unpack_evaluate(body: bytes, error_frac: int) -> Evaluation:
    """Read the answer to `evaluate`."""
    predicted, ticks, score = _unpack(struct.Struct("<HII"), body)
    return Evaluation(predicted, ticks, real_score(score, error_frac))


def unpack_save(body: bytes) -> SaveReport:
    """Read the answer to `save`."""
    written, erased, skipped, ticks = _unpack(_SAVE, body)
    return SaveReport(written, erased, bool(skipped), ticks)


def unpack_load(body: bytes) -> int:
    """Read the answer to `load`: the training steps of the checkpoint."""
    (step,) = _unpack(_STEP, body)
    return int(step)


READ_THRESHOLD = bytes(_SET_THRESHOLD.size)
"""Body of a `threshold` that changes nothing."""


def pack_threshold(quantile: float, calibrate: bool, restart: bool) -> bytes:
    """Return the body of a `threshold` that sets it; raise `NetworkError` out of range."""
    return _SET_THRESHOLD.pack(2 if restart else 1, calibrate, quantile_q15(quantile))


def unpack_threshold(body: bytes, error_frac: int) -> Threshold:
    """Read the answer to `threshold`."""
    score, count, quantile, calibrating = _unpack(_THRESHOLD, body)
    return real_threshold(score, count, quantile, bool(calibrating), error_frac)


def unpack_statistics(body: bytes, layers: int) -> Statistics:
    """Read the answer to `statistics`."""
    fields = _unpack(_COUNTERS, body)
    per_layer = [
        LayerCounters(*_unpack(_LAYER_COUNTERS, body, _COUNTERS.size + 16 * index))
        for index in range(layers)
    ]
    step, trained, trained_correct, evaluated, evaluated_correct, saturations = fields[:6]
    crc_errors, frame_errors, overruns, stack_used, skipped = fields[6:11]
    counters = Counters(
        *(step, trained, trained_correct, evaluated, evaluated_correct, saturations, skipped),
        per_layer,
    )
    statistics = Statistics(counters, crc_errors, frame_errors, overruns, stack_used)
    tail = _COUNTERS.size + _LAYER_COUNTERS.size * layers
    if len(body) > tail:  # older firmware ends here
        every, saved, failed, longest, status, whole, cause = _unpack(_SAFETY, body, tail)
        statistics.autosave = Autosave(every, saved, failed, longest, status)
        statistics.stack_whole = {0: False, 1: True}.get(whole)
        statistics.reset_cause = ResetCause(cause) if cause in list(ResetCause) else 0
    return statistics


def unpack_tensor(body: bytes, dtype: str) -> npt.NDArray[Any]:
    """Read the answer to `read_tensor`: elements of the little-endian type `dtype`."""
    return np.frombuffer(body, dtype=dtype)
