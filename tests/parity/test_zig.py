# SPDX-License-Identifier: Apache-2.0
"""What Zig's compiler makes gives the same bits: a part of the matrix, on the extreme cores.

`SECONDPASS_COMPILER=zig pytest tests/parity` runs all of it.
"""

import os
import shutil
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest
from combinations import COMBINATIONS, OPTIONS, RULES
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from models import FTP, Case, assert_equal, reference, stream
from test_parity import CORES, exercise_board

from secondpass import resources
from secondpass.boards import load_board
from secondpass.crosscompiler import COMPILERS
from secondpass.device.crossbuild import build_firmware, build_image, compiler_flags
from secondpass.device.objects import library_objects
from secondpass.network import FORMATS
from secondpass.rules import RULES as ALL_RULES
from secondpass.toolchain import EMULATOR

EXTREMES = ("cortex-m0plus", "cortex-m55")
"""No long multiply, no DSP; and vectors."""


def _part() -> list[tuple[str, Case]]:
    """Return every rule once on each extreme core, formats rotated, then the fast path on all."""
    chosen: list[tuple[str, Case]] = []
    for start, core in enumerate(EXTREMES):
        wanted = cycle([*FORMATS][start:] + [*FORMATS][:start])
        for rule in RULES:
            cases = [case for case in COMBINATIONS if case.name.startswith(f"{rule}-a")]
            format = next(wanted)
            chosen.append((core, next((c for c in cases if c.format == format), cases[0])))
    fast = cycle(case for case in OPTIONS if case.name.startswith("fast"))
    return chosen + [(core, next(fast)) for core in CORES if core not in EXTREMES]


PART = _part()


@pytest.fixture
def zig(monkeypatch: pytest.MonkeyPatch, cross_tools: None) -> None:
    """Compile with Zig from here on."""
    pytest.importorskip("ziglang", reason="pip install ziglang")
    monkeypatch.setenv("SECONDPASS_COMPILER", "zig")


@pytest.mark.emulated
@pytest.mark.parametrize(("core", "case"), PART, ids=[f"{c}-{case.name}" for c, case in PART])
def test_zig_gives_the_same_bits(core: str, case: Case, zig: None) -> None:
    assert_equal(exercise_board(CORES[core], case), reference(case))


def test_the_part_has_every_rule_format_and_core() -> None:
    assert {case.rule.name for _, case in PART} == set(ALL_RULES)
    assert {core for core, _ in PART} == set(CORES)
    for core in EXTREMES:
        assert {case.format for at, case in PART if at == core} == set(FORMATS)


@pytest.mark.emulated
def test_both_compilers_were_used(zig: None, tmp_path: Path) -> None:
    """The image says who made it: a variable that nobody reads would compare GCC with itself."""
    case = FTP[0]
    elf = build_firmware(stream(case)[0], case.rule, load_board("mps2-an386"), tmp_path).elf
    with elf.open("rb") as opened:
        comment = ELFFile(opened).get_section_by_name(".comment").data()
    assert b"clang" in comment
    assert b"GCC" not in comment


def undefined(objects: list[Path]) -> dict[str, set[str]]:
    """Return what each object file calls and does not hold."""
    found = {}
    for path in objects:
        with path.open("rb") as opened:
            table = ELFFile(opened).get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            symbols = [s for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF"]
            found[path.name.rsplit("_", 1)[0]] = {s.name for s in symbols}
    return found


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
def test_words_are_loaded_and_not_copied(core: str) -> None:
    """A 4-byte memcpy is a load: as a call it makes the layers ten times slower."""
    pytest.importorskip("ziglang")
    compiler = COMPILERS["zig"]
    flags = [*compiler_flags(core, False, compiler), *compiler.include_flags()]
    calls = undefined(library_objects(compiler.command(), flags))
    layers = {name: names for name, names in calls.items() if name.startswith(("fc_", "update_"))}
    kernels = resources.folder("firmware") / "src" / "kernels"
    sources = [*kernels.glob("fc_*.c"), *kernels.glob("update_*.c")]
    assert layers.keys() == {path.stem for path in sources}
    assert not {name for name, names in layers.items() if "memcpy" in names}


@pytest.mark.emulated
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_the_float_baseline_uses_the_float_unit(core: str, zig: None, tmp_path: Path) -> None:
    """Zig falls back to software without a word."""
    source = tmp_path / "float.c"
    source.write_text(
        "#include <math.h>\nextern void sp_on_fault(unsigned s);\n"
        "void sp_on_fault(unsigned s) { (void)s; }\n"
        "volatile float at = 2.0f;\n"
        "int main(void) { return (int)(expf(at) * at + at / 3.0f); }\n"
    )
    board = load_board(CORES[core])
    elf = build_image([source], board, tmp_path / "float.elf", float_unit=True).elf
    with elf.open("rb") as opened:
        table = ELFFile(opened).get_section_by_name(".symtab")
        names = {symbol.name for symbol in table.iter_symbols()}
    assert "expf" in names
    assert not names & {"__aeabi_fmul", "__aeabi_fadd", "__aeabi_fdiv", "__mulsf3", "__addsf3"}


PIP_ONLY = """
import shutil, sys
sys.path[:0] = {path!r}
from models import FTP, assert_equal, exercise, reference, stream
from secondpass.device.emulator import emulated_device
from secondpass.device.twin import HostTwin
assert not [name for name in ("cc", "gcc", "ld", "as", "arm-none-eabi-gcc") if shutil.which(name)]
case = FTP[0]
network = stream(case)[0]
assert_equal(exercise(HostTwin(network, case.rule), case), reference(case))
with emulated_device(network, case.rule, "mps2-an386") as device:
    assert_equal(exercise(device, case), reference(case))
print("equal")
"""


@pytest.mark.emulated
def test_no_compiler_but_pip_s(zig: None, tmp_path: Path) -> None:
    """Twin and firmware where PATH holds the emulator and nothing else."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "qemu-system-arm").symlink_to(shutil.which(EMULATOR.program) or "")
    hidden = {"CC", "SECONDPASS_COMPILER", "SECONDPASS_HOST_CFLAGS", "LD_PRELOAD"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= {"PATH": str(tmp_path / "bin"), "PYTHONPATH": os.pathsep.join(sys.path)}
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", PIP_ONLY.format(path=[here])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stdout == "equal\n", done.stdout + done.stderr


def test_the_headers_are_few() -> None:
    """Where clang has its own, ours would hide it."""
    folder = resources.folder("firmware") / "freestanding"
    assert {path.name for path in folder.iterdir()} == {"math.h", "string.h"}
