# SPDX-License-Identifier: Apache-2.0
"""Fixed-point numbers as three decimals: what C's printf writes, or its digits cut off."""

import fuzz
import numpy as np
import pytest

from secondpass import resources
from secondpass.device.hostbuild import build_module
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.device.text import FOLDER, TextProfile
from secondpass.rules import Pepita
from secondpass_codegen import write

DECLARATIONS = "int format_fixed(uint32_t value, unsigned frac, char *out); int turns_taken(void);"
PREAMBLE = """
#include "text.h"

static char *end;
static int turns;

static void turn(void)
{
    ++turns;
}

static void keep(const uint8_t *data, uint32_t length)
{
    memcpy(end, data, length);
    end += length;
}

static int format_fixed(uint32_t value, unsigned frac, char *out)
{
    static sp_trainer_t trainer;
    sp_text_t text;

    end = out;
    sp_text_init(&text, &trainer, keep, turn);
    sp_text_put_fixed(&text, value, frac);
    sp_text_end(&text);
    return (int)(end - out) - 2;
}

static int turns_taken(void)
{
    return turns;
}
"""


@pytest.fixture(scope="module", params=["kws01", "ic01"])
def formatter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Return the profile's function from a number and its fractional bits to text."""
    folder = tmp_path_factory.mktemp(request.param)
    write(fuzz.network(request.param), Pepita(), folder)
    own = resources.folder("firmware") / "src" / FOLDER
    flags = [f"-D{k}={v}" for k, v in TextProfile(request.param).macros.items()]
    module = build_module(
        DECLARATIONS,
        "#include <string.h>\n" + PREAMBLE,
        [*library_sources(*MODEL_FREE, "trainer", FOLDER), folder / "model.c"],
        [folder, own],
        flags,
    )
    out = module.ffi.new("char[32]")

    def text(value: int, frac: int) -> str:
        length = module.lib.format_fixed(value, frac, out)
        return bytes(module.ffi.buffer(out, length)).decode()

    return request.param, text, module.lib.turns_taken


def expected(profile: str, value: int, frac: int) -> str:
    if profile == "kws01":
        thousandths = value * 1000 >> frac
        return f"{thousandths // 1000}.{thousandths % 1000:03}"
    return f"{value / 2.0**frac:.3f}"  # exact: a double holds 32 bits


def test_every_probability(formatter) -> None:
    """With the ties: 2048 is 0.0625."""
    profile, text, _ = formatter
    wrong = [p for p in range(2**15 + 1) if text(p, 15) != expected(profile, p, 15)]
    assert wrong == []


def test_scores(formatter) -> None:
    profile, text, _ = formatter
    random = np.random.default_rng(1)
    for frac in range(31):
        values = [0, 1, 2**frac - 1, 2**frac, 2**32 - 1, *random.integers(0, 2**32, 100).tolist()]
        ties = [(2 * k + 1) << (frac - 4) for k in range(30)] if frac >= 4 else []
        for value in values + ties:
            assert text(value, frac) == expected(profile, value, frac), (value, frac)


def test_every_piece_of_a_line_is_a_turn(formatter) -> None:
    """A watchdog is fed while a long answer leaves."""
    _, text, turns = formatter
    before = turns()
    text(1, 15)
    assert turns() == before + 1
