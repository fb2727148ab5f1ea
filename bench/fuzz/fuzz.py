# SPDX-License-Identifier: Apache-2.0
"""Fuzz the parser of the text protocol with libFuzzer: `python bench/fuzz/fuzz.py --runs 10000000`.

The corpus is one file of hexadecimal lines, so that a clone stays small. With `--keep` the inputs
that reach something new are merged into it. Needs clang-14 and libclang-rt-14-dev.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from secondpass import resources
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.device.text import FOLDER, TextProfile
from secondpass.network import Dense, Input, Network
from secondpass.rules import Pepita
from secondpass.toolchain import WARNINGS, Tool, run_compiler
from secondpass_codegen import write

HERE = Path(__file__).parent
CORPUS = HERE / "corpus.txt"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O2")
CLANG = Tool("clang-14", "libFuzzer", "clang-14 libclang-rt-14-dev")
PROFILES = ("kws01", "ad01")
HEADS = {"ad01": ("reconstruction", 9), "vww01": ("sigmoid", 1), "reg01": ("mse", 3)}
"""Head and outputs where they are not softmax and 3."""
LONGEST = 300
"""Bytes of an input: the longest frame twice, or more than three full commands."""


def network(profile: str) -> Network:
    """Return the smallest network that has all of a profile's code."""
    random = np.random.default_rng(3)
    head, outputs = HEADS.get(profile, ("softmax", 3))
    widths = (9, 4, outputs)
    layers = tuple(
        Dense(
            f"layer{i}",
            random.integers(-9000, 9000, (outputs, inputs)).astype(np.int16),
            random.integers(-9000, 9000, outputs).astype(np.int32),
            *(12, 12, activation),
        )
        for i, (inputs, outputs, activation) in enumerate(
            ((widths[0], widths[1], "relu"), (widths[1], widths[2], "identity"))
        )
    )
    made = Network(Input(9, "uint8", 0, 1 / 255, 12), layers)
    return replace(made, head=head)


def build(
    profile: str, folder: Path, compiler: Sequence[str], flags: Sequence[str], model: Network
) -> Path:
    """Compile the two protocols for this computer and return the program."""
    write(model, Pepita(), folder / "model")
    firmware = resources.folder("firmware")
    program = folder / f"fuzz-{profile}"
    macros = TextProfile(profile).macros
    run_compiler(
        [
            *compiler,
            *("-std=gnu99", *WARNINGS, *flags),
            *(f"-D{name}={value}" for name, value in macros.items()),
            *(f"-I{path}" for path in (firmware / "include", folder / "model")),
            *library_sources(*MODEL_FREE, "trainer", FOLDER),
            *(folder / "model" / "model.c", HERE / "text.c"),
            *("-lm", "-o", program),
        ],
        "the fuzzed parser",
    )
    return program


def unpack(folder: Path) -> list[Path]:
    """Write the corpus as one file an input."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, line in enumerate(CORPUS.read_text().split()):
        paths.append(folder / f"{index:04}")
        paths[-1].write_bytes(bytes.fromhex(line))
    return paths


def main() -> int:
    """Run libFuzzer and return its exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--profile", choices=PROFILES, default=PROFILES[0])
    options.add_argument("--keep", action="store_true", help="merge what is new into the corpus")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        flags = (*SANITIZERS, "-fsanitize=fuzzer")
        program = build(chosen.profile, scratch, [CLANG.find()], flags, network(chosen.profile))
        unpack(scratch / "seeds")
        (scratch / "found").mkdir()
        command = [program, f"-max_len={LONGEST}", "-print_final_stats=1", "-timeout=10"]
        command += ["-detect_leaks=0", "-print_new=0", "-print_pcs=0"]
        command += [f"-dict={HERE / 'words.dict'}", f"-artifact_prefix={Path.cwd()}/"]
        run = [f"-runs={chosen.runs}", scratch / "found", scratch / "seeds"]
        done = subprocess.run([*command, *run])
        if done.returncode == 0 and chosen.keep:
            (scratch / "merged").mkdir()
            folders = [scratch / part for part in ("merged", "seeds", "found")]
            subprocess.run(
                [program, "-merge=1", "-use_counters=0", f"-max_len={LONGEST}", *folders],
                check=True,
            )
            inputs = {path.read_bytes().hex() for path in folders[0].iterdir()} - {""}
            inputs |= set(CORPUS.read_text().split())  # also what only the other profile needs
            ordered = sorted(inputs, key=lambda line: (len(line), line))
            CORPUS.write_text("".join(f"{line}\n" for line in ordered))
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
