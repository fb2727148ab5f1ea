# SPDX-License-Identifier: Apache-2.0
"""The host twin: the generated C and the library, compiled for this computer."""

import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.affine import AFFINE8
from secondpass.device import checkpoint, twin_declarations
from secondpass.device.hostbuild import build_module
from secondpass.device.interface import (
    WEIGHTS,
    Evaluation,
    Inference,
    Sample,
    SaveReport,
    Statistics,
    Targets,
    Threshold,
    TrainStep,
    label_of,
    quantile_q15,
    real_score,
    real_threshold,
    require_labels,
    require_threshold,
    scored_targets,
    target_bytes,
    tensor_dtype,
)
from secondpass.device.local import LocalDevice
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.device.protocol import frozen_error
from secondpass.errors import NetworkError
from secondpass.fixedpoint import Scale
from secondpass.integer.state import Counters, LayerCounters, Target
from secondpass.learning import StepSettings
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass_codegen import write

_TRAINER = """
#include "secondpass/threshold.h"
#include "secondpass/trainer.h"

"""

_LEARN = """
static void set_projection(sp_model_t *m, uint32_t index, int16_t multiplier, uint8_t shift)
{
#if SP_MODEL_HAS_PROJECTIONS
    m->projections[index] = (sp_scale_t){multiplier, shift};
#else
    (void)m, (void)index, (void)multiplier, (void)shift;
#endif
}

static sp_threshold_t *threshold_of(sp_model_t *m)
{
#if SP_MODEL_HAS_THRESHOLD
    return &m->threshold;
#else
    (void)m;
    return NULL;
#endif
}

static void train_all(sp_model_t *m, const uint8_t *samples, const uint8_t *targets,
                      uint32_t count, uint16_t *predicted)
{
    sp_step_t step;

    for (uint32_t i = 0; i < count; ++i) {
        (void)sp_model_train(m, samples + (size_t)i * SP_MODEL_SAMPLE_BYTES,
                             targets + (size_t)i * SP_MODEL_TARGET_BYTES, &step);
        predicted[i] = step.predicted;
    }
}
"""

_EVALUATE = """
static void evaluate_all(sp_model_t *m, const uint8_t *samples, const uint8_t *targets,
                         uint32_t count, uint16_t *predicted, uint32_t *scores)
{
    sp_step_t step;

    for (uint32_t i = 0; i < count; ++i) {
        (void)sp_model_evaluate(m, samples + (size_t)i * SP_MODEL_SAMPLE_BYTES,
                                targets + (size_t)i * SP_MODEL_TARGET_BYTES, &step);
        predicted[i] = step.predicted;
        scores[i] = step.score;
    }
}
"""


def build_twin(
    network: Network, rule: Rule, flags: tuple[str, ...] = (), frozen_in_flash: bool = True
) -> ModuleType:
    """Generate and compile a network for this computer; return its cffi module."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(network, rule, folder, frozen_in_flash)
        if network.format == AFFINE8:
            declarations, preamble = twin_declarations.FROZEN, ""
        else:
            declarations = twin_declarations.LEARNING + checkpoint.DECLARATIONS
            preamble = _LEARN + checkpoint.PREAMBLE
        return build_module(
            declarations + twin_declarations.TRAINER,
            _TRAINER + preamble + _EVALUATE,
            [*library_sources(*MODEL_FREE, "trainer"), folder / "model.c"],
            [folder],
            flags,
        )


def _scale(scale: Scale) -> dict[str, int]:
    return {"multiplier": scale.multiplier, "shift": scale.shift}


class HostTwin(LocalDevice):
    """The generated C on this computer, called directly.

    Without `frozen_in_flash`, weights that never learn can be replaced too: twins that are shared
    between networks need it.
    """

    def __init__(
        self,
        network: Network,
        rule: Rule,
        flags: tuple[str, ...] = (),
        frozen_in_flash: bool = True,
    ) -> None:
        super().__init__(network, rule, "twin")
        self._module = build_twin(network, rule, flags, frozen_in_flash)
        self._ffi, self._lib = self._module.ffi, self._module.lib
        self._model = self._ffi.new("sp_model_t *")
        self._step = self._ffi.new("sp_step_t *")
        self._saves_to: Path | None = None
        self.reset()

    def configure(self, settings: StepSettings) -> None:
        """Change scales and seeds of the learning step."""
        self.network.require_trainable()
        if len(settings.rates) != self.info.layers:
            raise NetworkError(f"{len(settings.rates)} rates for {self.info.layers} layers")
        self._model.settings = {
            "projection_seed": settings.projection_seed,
            "dither_seed": settings.dither_seed,
            "decay_steps": settings.decay_steps,
            "decay_factor": settings.decay_factor,
            "gate": settings.gate,
        }
        for index, scale in enumerate(settings.projections):
            self._lib.set_projection(self._model, index, scale.multiplier, scale.shift)
        per_layer = zip(settings.rates, settings.clips, settings.row_gates, strict=True)
        for index, (rate, clip, row_gate) in enumerate(per_layer):
            self._model.rates[index] = {"scale": _scale(rate), "clip": clip, "row_gate": row_gate}
        self._changed(0)

    def infer(self, sample: Sample) -> Inference:
        """Return the logits of a raw sample (size,)."""
        self._lib.sp_model_infer(self._model, self._pointer(sample))
        outputs = self._ffi.unpack(self._model.logits, self.network.outputs)
        predicted = self._lib.sp_model_predicted(self._model)
        return Inference(np.array(outputs, dtype=np.int16), predicted)

    def train(self, sample: Sample, target: Target) -> TrainStep:
        """Predict, then learn one sample."""
        self.network.require_trainable()
        wanted = target_bytes(self.network, self.check_target(target))
        self._lib.sp_model_train(self._model, self._pointer(sample), wanted, self._step)
        self.stepped(self._model.counters.step)
        return TrainStep(
            label_of(self.network, target),
            self._step.predicted,
            self._step.label_probability / 2**15,
            self._model.counters.step,
            self._saturations(),
            score=real_score(self._step.score, self.network.error_frac),
        )

    def evaluate_one(self, sample: Sample, target: Target) -> Evaluation:
        """Return the outcome of one sample."""
        wanted = target_bytes(self.network, self.check_target(target))
        self._lib.sp_model_evaluate(self._model, self._pointer(sample), wanted, self._step)
        score = real_score(self._step.score, self.network.error_frac)
        return Evaluation(self._step.predicted, score=score)

    def train_all(self, samples: Sample, targets: Targets) -> npt.NDArray[np.uint16]:
        """Train on samples (count, size) in order, without a word from each: for studies.

        Returns the predictions (count,) made before each update.
        """
        self.network.require_trainable()
        raw, wanted = self._batch(samples, targets)
        predicted = np.zeros(len(raw), dtype=np.uint16)
        inputs = self._ffi.from_buffer("uint8_t[]", raw.view(np.uint8))
        outputs = self._ffi.from_buffer("uint16_t[]", predicted)
        labels = self._ffi.from_buffer("uint8_t[]", wanted)
        sizes = self.network.sample.sample_bytes, len(wanted) // max(len(raw), 1)
        at = 0
        while at < len(raw):
            count = min(len(raw) - at, self.steps_to_save(self._model.counters.step))
            places = inputs + at * sizes[0], labels + at * sizes[1]
            self._lib.train_all(self._model, *places, count, outputs + at)
            at += count
            self.stepped(self._model.counters.step)
        return predicted

    def evaluate(self, samples: Sample, labels: Targets) -> int:
        """Return how many samples (count, size) are predicted right."""
        require_labels(self.network)
        predicted, _ = self._evaluate_all(samples, labels)
        return int(np.count_nonzero(predicted == np.asarray(labels)))

    def scores(self, samples: Sample, targets: Targets | None = None) -> npt.NDArray[np.float64]:
        """Return the mean squared error (count,) of every sample, for heads without labels."""
        wanted = scored_targets(self.network, len(samples), targets)
        _, scores = self._evaluate_all(samples, wanted)
        return scores / 2.0 ** (2 * self.network.error_frac)

    def _evaluate_all(
        self, samples: Sample, targets: Targets
    ) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
        raw, wanted = self._batch(samples, targets)
        predicted = np.zeros(len(raw), dtype=np.uint16)
        scores = np.zeros(len(raw), dtype=np.uint32)
        self._lib.evaluate_all(
            self._model,
            self._ffi.from_buffer("uint8_t[]", raw.view(np.uint8)),
            wanted,
            len(raw),
            self._ffi.from_buffer("uint16_t[]", predicted),
            self._ffi.from_buffer("uint32_t[]", scores),
        )
        return predicted, scores

    def _batch(self, samples: Sample, targets: Targets) -> tuple[Sample, bytes]:
        """Return checked samples and their targets as the device takes them."""
        raw = self.network.sample.check_samples(samples)
        wanted = self.check_targets(targets)
        if len(raw) != len(wanted):
            raise NetworkError(f"{len(raw)} samples with {len(wanted)} targets")
        return raw, target_bytes(self.network, wanted)

    def statistics(self, clear: bool = False) -> Statistics:
        """Return the counters, and clear them afterwards when asked."""
        counters = self._model.counters
        result = Counters(
            counters.step,
            counters.trained,
            counters.trained_correct,
            counters.evaluated,
            counters.evaluated_correct,
            counters.input_saturations,
            counters.skipped,
            [
                LayerCounters(
                    layer.activation_saturations,
                    layer.error_saturations,
                    layer.weight_saturations,
                    layer.active_rows,
                )
                for layer in self._layer_counters()
            ],
        )
        if clear:
            self._clear(self._ffi.addressof(self._model, "counters"))
            self._clear(self._ffi.addressof(self._model, "layer_counters"))
            self._model.counters.step = result.step
        return Statistics(counters=result)

    def read_tensor(self, layer: int, kind: int) -> npt.NDArray[Any]:
        """Return a layer's weights or bias."""
        return self._tensor(layer, kind).copy()

    def write_tensor(self, layer: int, kind: int, values: npt.NDArray[Any]) -> None:
        """Replace a layer's weights or bias; those in flash refuse it (`RefusedError`)."""
        checked = self.check_tensor(layer, kind, values)
        if not self._view(layer, kind).writable:
            raise frozen_error(self.network, layer, kind)
        self._tensor(layer, kind)[...] = checked
        if kind == WEIGHTS:
            self._changed(layer)

    def threshold(self) -> Threshold:
        """Return the anomaly threshold."""
        require_threshold(self.network)
        kept = self._lib.threshold_of(self._model)
        score = self._lib.sp_threshold_score(kept)
        frac = self.network.error_frac
        return real_threshold(score, kept.count, kept.quantile, bool(kept.calibrating), frac)

    def set_threshold(
        self, quantile: float, calibrate: bool = False, restart: bool = False
    ) -> Threshold:
        """Choose the share of normal samples that are no alarm; see `Device`."""
        require_threshold(self.network)
        kept = self._lib.threshold_of(self._model)
        kept.quantile, kept.calibrating = quantile_q15(quantile), calibrate
        if restart:
            self._lib.sp_threshold_restart(kept)
        return self.threshold()

    def reset(self) -> None:
        """Return to the first weights and settings; clear every counter."""
        self._lib.sp_model_reset(self._model)

    def save(self, path: Path) -> SaveReport:
        """Save a checkpoint into a file of two slots (docs/checkpoints.md), made when missing.

        Raises `CheckpointError` when the file holds something else; then it is unchanged.
        """
        self.network.require_trainable()
        return checkpoint.save(self._module, self._model, path)

    def load(self, path: Path) -> None:
        """Load the newest checkpoint of a file: training goes on to the same bits.

        Raises `CheckpointError` when there is none of this model; then nothing is changed.
        """
        self.network.require_trainable()
        checkpoint.load(self._module, self._model, path)

    def autosave(self, every: int, path: Path | None = None) -> None:
        """Save into `path` after every training step whose number `every` divides; 0: never.

        Without `path` the file stays the one that was named before.
        """
        if path is not None:
            self._saves_to = path
        if every and self._saves_to is None:
            raise NetworkError("the twin saves into a file: name its path")
        super().autosave(every)

    def save_now(self) -> None:
        """Save a checkpoint into the file of `autosave`."""
        assert self._saves_to is not None
        self.save(self._saves_to)

    def state(self) -> bytes:
        """Return the whole model as it lies in memory: the same bytes on a device."""
        return bytes(self._ffi.buffer(self._model))

    def _pointer(self, sample: Sample) -> Any:
        checked = self.network.sample.check_samples(sample[None])
        return self._ffi.from_buffer("uint8_t[]", checked.view(np.uint8))

    def _changed(self, layer: int) -> None:
        rows = self.network.layers[layer].outputs
        self._lib.sp_model_changed(self._model, layer, 0, rows)

    def _layer_counters(self) -> list[Any]:
        return [self._model.layer_counters[index] for index in range(self.info.layers)]

    def _clear(self, field: Any) -> None:
        self._ffi.memmove(field, bytes(self._ffi.sizeof(field[0])), self._ffi.sizeof(field[0]))

    def _saturations(self) -> int:
        return int(
            self._model.counters.input_saturations
            + sum(
                x.activation_saturations + x.error_saturations + x.weight_saturations
                for x in self._layer_counters()
            )
        )

    def _view(self, layer: int, kind: int) -> Any:
        """Return where the model has a layer's weights or bias: a `sp_tensor_t`."""
        self.check_layer(layer, kind)
        tensor = self._ffi.new("sp_tensor_t *")
        self._lib.sp_model_tensor(self._model, layer, kind, tensor)
        return tensor

    def _tensor(self, layer: int, kind: int) -> npt.NDArray[Any]:
        """Return a view (rows, columns) or (rows,) of the model's memory."""
        tensor = self._view(layer, kind)
        data = self._ffi.cast("void *", tensor.data)
        memory = self._ffi.buffer(data, tensor.rows * tensor.stride * tensor.element_size)
        dtype = tensor_dtype(self.network, layer, kind)
        whole = np.frombuffer(memory, dtype=dtype).reshape(tensor.rows, tensor.stride)
        return whole[:, : tensor.columns] if kind == WEIGHTS else whole[:, 0]
