# SPDX-License-Identifier: Apache-2.0
"""What docs/numerics-example.md says: its network, its rules and its numbers."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from secondpass.network import Dense, Input, Network
from secondpass.rules import Pepita

DOCS = Path(__file__).parents[2] / "docs"


def listed(text):
    """Every `name = [numbers]` (the equals sign is optional) of a text: name to its lists."""
    found = defaultdict(list)
    for name, numbers in re.findall(
        r"([A-Za-z]\S*(?: [^\s=]\S*)*?) +(?:= )?(\[\[?-?\d[-\d, \[\]]*\])", text
    ):
        found[name].append(ast.literal_eval(numbers))
    return found


def scales(text):
    """Every scale that a text gives as `(multiplier, shift)`."""
    return [(int(m), int(s)) for m, s in re.findall(r"\((-?\d+), (\d+)\)", text)]


def words(text):
    return [int(word, 16) for word in re.findall(r"\b[0-9A-F]{8}\b", text)]


EXAMPLE = (DOCS / "numerics-example.md").read_text(encoding="utf-8")
GIVEN, FIRST_PASS, *_ = re.findall(r"```\n(.*?)```", EXAMPLE, re.DOTALL)
HASHES = re.search(r"Generator:.*?(?=\*\*Setting A)", EXAMPLE, re.DOTALL)[0]
SETTINGS = dict(re.findall(r"(\*\*Setting [ABC]:[^`]*`.*?)```\n(.*?)```", EXAMPLE, re.DOTALL))
SAMPLE = np.array(listed(GIVEN)["raw"][0], np.uint8)
SEED, LABEL = (int(re.search(rf"{name} (\d+)", GIVEN)[1]) for name in ("dither_seed", "label ="))


def example_network():
    given = listed(GIVEN)
    zero_point, steps, frac = re.search(
        r"uint8, zero_point (\d+), step 1/(\d+), frac_bits (\d+)", GIVEN
    ).groups()
    layers = re.findall(r"layer (\d): weight_frac (\d+), out_frac (\d+), (\w+)", GIVEN)
    return Network(
        Input(3, "uint8", int(zero_point), 1 / int(steps), int(frac)),
        tuple(
            Dense(
                f"fc{index}",
                np.array(given["W"][int(index)], np.int16),
                np.array(given["b"][int(index)], np.int32),
                int(weight_frac),
                int(out_frac),
                activation.lower(),
            )
            for index, weight_frac, out_frac, activation in layers
        ),
    )


def example_rule(heading):
    """The rule of a setting, named by its heading."""
    projection, modulation, presynaptic, output_error, second_pass = re.findall(
        r"`(\w+)`", heading
    )[:5]
    scale, seed, rate = re.search(
        r"projection_scale (\S+), projection_seed (\d+),.* learning_rate (\S+)", GIVEN
    ).groups()
    return Pepita(
        projection=projection,
        modulation=modulation,
        presynaptic=presynaptic,
        output_error=output_error,
        second_pass=second_pass,
        projection_scale=float(scale),
        projection_seed=int(seed),
        learning_rate=float(rate),
        dither_seed=SEED,
    )
