# SPDX-License-Identifier: Apache-2.0
"""Runs inference-only C in a folder: on this computer, and on an emulated board."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass import resources
from secondpass.boards import Board
from secondpass.device.crossbuild import Firmware, build_image
from secondpass.device.hostbuild import build_module, library_sources
from secondpass.device.objects import MODEL_FREE
from secondpass.network import Int16Array, Network
from secondpass.toolchain import EMULATOR
from secondpass_codegen.memory import plan

LIBRARY = library_sources(*MODEL_FREE)
MAIN = Path(__file__).parent / "codegen" / "inference" / "main.c"
DECLARATIONS = """
typedef struct { int16_t logits[...]; ...; } sp_model_t;
void sp_model_infer(sp_model_t *m, const uint8_t *sample);
uint16_t sp_model_predicted(const sp_model_t *m);
"""


def infer_on_host(network: Network, folder: Path, samples: npt.NDArray[Any]) -> Int16Array:
    """Return outputs and label (count, outputs + 1), from working memory that held anything."""
    sources = [*LIBRARY, folder / "model.c"]
    module = build_module(DECLARATIONS, '#include "model.h"\n', sources, [folder])
    model, size = module.ffi.new("sp_model_t *"), module.ffi.sizeof("sp_model_t")
    assert size == plan(network, None).total
    module.ffi.memmove(model, b"\xa5" * size, size)
    answers = []
    for sample in samples:
        module.lib.sp_model_infer(model, sample.tobytes())
        predicted = module.lib.sp_model_predicted(model)
        answers.append([*module.ffi.unpack(model.logits, network.outputs), predicted])
    return np.array(answers, dtype=np.int16)


def build_app(board: Board, folder: Path) -> Firmware:
    """Build the application around the model in `folder`."""
    app = resources.folder("firmware") / "apps" / "bench"  # for its semihosting
    sources = [MAIN, *LIBRARY, folder / "model.c"]
    return build_image(sources, board, folder / "inference.elf", [app, folder])


def run_app(elf: Path, board: Board, samples: npt.NDArray[Any], outputs: int) -> Int16Array:
    """Return what the board answers: outputs and label (count, outputs + 1)."""
    (elf.parent / "samples.bin").write_bytes(samples.tobytes())
    command = [
        EMULATOR.find(),
        *("-M", board.require_emulator().machine, "-kernel", str(elf.resolve())),
        *("-display", "none", "-monitor", "none", "-serial", "null"),
        *("-semihosting-config", "enable=on,target=native"),
    ]
    assert subprocess.run(command, cwd=elf.parent, timeout=120).returncode == 0
    answers = np.fromfile(elf.parent / "answers.bin", dtype="<i2")
    return answers.reshape(len(samples), outputs + 1)
