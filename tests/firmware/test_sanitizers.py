# SPDX-License-Identifier: Apache-2.0
"""The firmware's tests once more, under the address and undefined-behaviour sanitizers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from secondpass.device.hostbuild import CFLAGS_VARIABLE
from secondpass.toolchain import ZIG, host_compiler

FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -g -O1"
TESTS = Path(__file__).resolve().parents[1]
RERUN = {
    "kernels": [
        "firmware/test_arithmetic.py",
        "firmware/test_layers.py",
        "firmware/test_updates.py",
        "firmware/test_activations.py",
        "firmware/test_vectors.py",
        "firmware/test_heads.py",
        "firmware/test_projections.py",
        "firmware/test_steps.py",
        "firmware/test_threshold_c.py",
        "features/test_spectrum.py",
    ],
    "programs": [
        "firmware/test_sweep.py",
        "firmware/test_generated_models.py",
        "firmware/test_store.py",
        "firmware/test_twin_checkpoint.py",
    ],
    "trainer": [
        "device/test_protocol.py",
        "device/test_session.py",
        "device/test_fuzz.py",
        "device/test_checkpoint.py",
        "device/test_threshold_verb.py",
    ],
}
"""Never this file: it would start itself."""
FORMS = (
    "(not dsp or layers or updates or projections or sweep)"
    " and (not split or arithmetic or vectors or projections or sweep or spectrum)"
)
"""The kernels that have a form of their own are in these files: the others need not run again."""
LEAST = {"kernels": 100, "programs": 7, "trainer": 10}
"""So many tests of each must pass: a run that skips everything proves nothing."""
SEEN = "SECONDPASS_TEST_SANITIZED"


def runtime_libraries() -> list[str]:
    """Return what Python must load first, or skip."""
    found = []
    if host_compiler()[: len(ZIG)] == list(ZIG):
        pytest.skip("Zig brings no address sanitizer: install gcc or clang")
    for name in ("libasan.so", "libubsan.so", "libstdc++.so"):
        command = [*host_compiler(), f"-print-file-name={name}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if os.path.isabs(path):
            found.append(os.path.realpath(path))
    if not any("asan" in path for path in found):
        pytest.skip("the compiler has no address sanitizer (libasan)")
    return found


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        CFLAGS_VARIABLE: FLAGS,
        SEEN: "1",
        "LD_PRELOAD": " ".join(runtime_libraries()),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # The sanitizer sees every buffer only when it is one block of its own, without guards.
        "PYTHONMALLOC": "malloc",
        "SECONDPASS_TEST_GUARD_WORDS": "0",
        "SECONDPASS_TEST_EXAMPLES": "8",
        "SECONDPASS_TEST_FUZZ_BYTES": "20000",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=TESTS, capture_output=True, text=True
    )


@pytest.mark.skipif(SEEN in os.environ, reason="this is the run under the sanitizers")
@pytest.mark.parametrize("part", RERUN)
def test_firmware_under_sanitizers(part: str) -> None:
    flags = ["-q", "-x", "-p", "no:cacheprovider", "-m", "not emulated", "-k", FORMS]
    done = run(["-m", "pytest", *flags, *RERUN[part]])
    output = done.stdout[-3000:] + done.stderr[-6000:]
    assert done.returncode == 0, output
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, output
    assert int(passed.group(1)) >= LEAST[part], output


OVERRUN = """
import numpy as np
from kernel_host import KernelHost
kernels = KernelHost("plain")
values = np.zeros(5, np.int16)
print("before", flush=True)
kernels.lib.sp_argmax(kernels.pointer(values), {length})
print("after", flush=True)
"""


@pytest.mark.skipif(SEEN in os.environ, reason="this is the run under the sanitizers")
def test_the_sanitizer_sees_a_read_outside() -> None:
    """Without this the run above could be green because nothing is watched."""
    path = [str(TESTS / "firmware")]
    program = f"import sys; sys.path[:0] = {path}\n" + OVERRUN
    inside = run(["-c", program.format(length=5)])
    assert inside.stdout.split() == ["before", "after"], inside.stderr
    outside = run(["-c", program.format(length=6)])
    assert outside.stdout.split() == ["before"]
    assert "heap-buffer-overflow" in outside.stderr
