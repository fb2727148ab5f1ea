# SPDX-License-Identifier: Apache-2.0
"""What is, and what is not, in a firmware image."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from toy_networks import toy_network

from secondpass import resources
from secondpass.boards import load_board
from secondpass.crosscompiler import cross_compiler
from secondpass.device.crossbuild import build_firmware, build_image, compiler_flags
from secondpass.device.objects import MODEL_FREE, library_objects, library_sources
from secondpass.rules import Pepita

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("cross_tools")]

FORBIDDEN = re.compile(
    r"__aeabi_[fd](?!iv0)|__aeabi_\w+2[fd]$|__(add|sub|mul|div|float\w*|fix\w*)[sd]f|"
    r"_?(malloc|free|calloc|realloc|sbrk)(_r)?$|\w*printf|__kernel_|expf?$|logf?$|powf?$"
)
"""Soft floating point of GCC and the Arm run-time ABI, the heap, formatted output."""
BOARDS = {"mps2-an385-m0plus": False, "mps2-an386": True, "mps2-an505": True}
"""Boards and whether their core has the DSP extension."""


@pytest.fixture(scope="module", params=BOARDS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    network = toy_network(21, 15, 5, dtype="uint8")
    rule = Pepita(projection="dense", presynaptic="second", output_error="second")
    return build_firmware(network, rule, load_board(request.param), folder).elf


@pytest.fixture(scope="module")
def every_kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an image with every kernel, whatever models make of them, for the smallest core."""
    sweep = Path(__file__).parent / "sweep"
    sources = [*sorted(sweep.glob("*.c")), *library_sources(*MODEL_FREE)]
    elf = tmp_path_factory.mktemp("every_kernel") / "sweep.elf"
    return build_image(sources, load_board("mps2-an385-m0plus"), elf).elf


def symbols(elf: Path) -> set[str]:
    with elf.open("rb") as stream:
        tables = ELFFile(stream).iter_sections()
        return {
            symbol.name
            for table in tables
            if isinstance(table, SymbolTableSection)
            for symbol in table.iter_symbols()
        }


def test_no_float_no_heap_no_printf(image: Path) -> None:
    names = symbols(image)
    assert {"sp_trainer_answer", "sp_model_train", "sp_update_a16w16"} <= names
    assert not {name for name in names if FORBIDDEN.match(name)}


def test_no_kernel_needs_more(every_kernel: Path) -> None:
    """Every function of the headers is in the sweep's image, and nothing forbidden is."""
    names = symbols(every_kernel)
    include = resources.folder("firmware") / "include" / "secondpass"
    declared = set()
    for header in ("kernels.h", "projection.h", "rules.h"):
        text = (include / header).read_text()
        declared |= set(re.findall(r"^[a-z]\w+ (sp_\w+)\(", text, re.MULTILINE))
    assert len(declared) > 50
    assert declared - names == set()
    assert not {name for name in names if FORBIDDEN.match(name)}


def test_no_long_multiply_on_the_smallest_core() -> None:
    """An Armv6-M core has none, and the compiler's library takes some 20 instructions.

    Not of the image: Zig's library multiplies in its own division.
    """
    compiler = cross_compiler()
    flags = [*compiler_flags("cortex-m0plus"), *compiler.include_flags()]
    names = {name for path in library_objects(compiler.command(), flags) for name in symbols(path)}
    assert "sp_fc_a16w16" in names
    assert not {name for name in names if re.match("__(aeabi_lmul|muldi3)", name)}


def test_forbidden_names_are_recognised() -> None:
    for name in (
        *("__aeabi_fadd", "__aeabi_dmul", "__aeabi_i2f", "__aeabi_f2iz", "__aeabi_ul2d"),
        *("__addsf3", "__muldf3", "__floatsisf", "malloc", "_malloc_r", "_free_r", "_sbrk"),
        *("printf", "_vfprintf_r", "siprintf", "exp", "expf"),
    ):
        assert FORBIDDEN.match(name), name
    for name in ("__aeabi_uidiv", "__aeabi_lmul", "__aeabi_idiv0", "memcpy", "sp_mix32"):
        assert not FORBIDDEN.match(name), name


def test_dsp_form_only_where_the_core_has_it(image: Path) -> None:
    if shutil.which("arm-none-eabi-objdump") is None:
        pytest.skip("arm-none-eabi-objdump (binutils-arm-none-eabi) is not installed")
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", image], capture_output=True, text=True, check=True
    ).stdout
    dsp = next(has for board, has in BOARDS.items() if board in str(image))
    for instruction in ("smlald", "smla[bt][bt]", "pkhtb", "ssub16"):
        assert bool(re.search(rf"\t{instruction}\t", listing)) == dsp, instruction
