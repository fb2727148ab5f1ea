# SPDX-License-Identifier: Apache-2.0
"""Which compiler is taken, and what is said where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from secondpass import toolchain
from secondpass.boards import Core, load_board
from secondpass.crosscompiler import COMPILER_VARIABLE, COMPILERS, choose, cross_compiler
from secondpass.device import hostbuild
from secondpass.device.crossbuild import build_image, compiler_flags
from secondpass.errors import BuildError, DataError, NetworkError, ToolMissingError
from secondpass.toolchain import ZIG, host_compiler

PATH = os.environ["PATH"]


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No compiler is named and PATH is an empty folder."""
    for name in (COMPILER_VARIABLE, "CC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture(params=[True, False])
def zig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the package ziglang is there."""
    find = toolchain.importlib.util.find_spec

    def find_spec(name: str) -> object:
        return (object() if request.param else None) if name == "ziglang" else find(name)

    monkeypatch.setattr(toolchain.importlib.util, "find_spec", find_spec)
    return request.param


def program(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_gcc_comes_first(nothing_chosen: Path, zig: bool) -> None:
    program(nothing_chosen, "arm-none-eabi-gcc")
    assert cross_compiler().name == "gcc"
    assert cross_compiler().command() == [str(nothing_chosen / "arm-none-eabi-gcc")]


def test_zig_serves_where_no_gcc_is(zig: bool) -> None:
    if zig:
        assert cross_compiler().name == "zig"
        assert cross_compiler().command() == list(ZIG)
        return
    with pytest.raises(ToolMissingError) as caught:
        cross_compiler()
    for part in ("arm-none-eabi-gcc", "apt-get install", "pip install ziglang"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_variable_names_is_taken_or_missed(
    nothing_chosen: Path, zig: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(nothing_chosen, "arm-none-eabi-gcc")
    monkeypatch.setenv(COMPILER_VARIABLE, "zig")
    assert cross_compiler().name == "zig"
    if not zig:
        with pytest.raises(ToolMissingError, match=r"pip install 'secondpass\[zig\]'"):
            cross_compiler().command()
    (nothing_chosen / "arm-none-eabi-gcc").unlink()
    monkeypatch.setenv(COMPILER_VARIABLE, "gcc")
    with pytest.raises(ToolMissingError, match="apt-get install"):
        cross_compiler().command()


def test_an_unknown_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPILER_VARIABLE, "icc")
    with pytest.raises(BuildError, match="SECONDPASS_COMPILER is 'icc'; accepted: gcc, zig"):
        cross_compiler()
    with pytest.raises(NetworkError, match="compiler is 'icc'; accepted: gcc, zig"):
        choose("icc")


def test_a_choice_holds_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPILER_VARIABLE, "gcc")
    choose(None)
    assert cross_compiler().name == "gcc"
    choose("zig")
    assert cross_compiler().name == os.environ[COMPILER_VARIABLE] == "zig"


def test_the_host_compiler_falls_back_too(
    nothing_chosen: Path, zig: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if zig:
        assert host_compiler()[: len(ZIG)] == list(ZIG)
    else:
        with pytest.raises(ToolMissingError, match="host C compiler"):
            host_compiler()
    program(nothing_chosen, "cc")
    assert host_compiler() == ["cc"]
    monkeypatch.setenv("CC", "no-such-compiler")  # what is named is not replaced
    with pytest.raises(ToolMissingError, match="no-such-compiler"):
        host_compiler()


def test_a_python_without_headers_is_told(
    monkeypatch: pytest.MonkeyPatch, nothing_chosen: Path
) -> None:
    program(nothing_chosen, "cc")
    monkeypatch.setattr(hostbuild.sysconfig, "get_path", lambda _: str(nothing_chosen))
    with pytest.raises(ToolMissingError, match=r"Python\.h.*python3-dev"):
        hostbuild.build_module("", "", [])


def test_committed_figures_are_gcc_s(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from secondpass.bench import command
    from secondpass.bench.matrix import Selection

    monkeypatch.setenv(COMPILER_VARIABLE, "zig")
    with pytest.raises(DataError, match="--update-counts writes figures of gcc, not of zig"):
        command.update_counts(Console(quiet=True))
    with pytest.raises(DataError, match="--update-docs writes figures of gcc, not of zig"):
        command.measure(Selection(), nothing_to_write(), True, Console(quiet=True))


def nothing_to_write() -> Path:
    return Path(os.devnull)


@pytest.mark.parametrize("name", COMPILERS)
def test_only_code_that_asks_for_it_uses_a_float_unit(name: str) -> None:
    """Both compilers compute in software without a word when a flag is missing."""
    compiler = COMPILERS[name]
    for core in ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"):
        integer, floating = (compiler_flags(core, unit, compiler) for unit in (False, True))
        assert integer != floating
    for core in ("cortex-m0plus", "cortex-m3"):
        assert compiler_flags(core, True, compiler) == compiler_flags(core, False, compiler)


def test_a_model_that_does_not_fit_is_told_as_by_gcc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bench leaves boards out by this message, whichever linker says it."""
    pytest.importorskip("ziglang")
    from secondpass.bench.matrix import is_too_large

    monkeypatch.setenv(COMPILER_VARIABLE, "zig")
    board = load_board("stm32vldiscovery")
    for kind, what in (("ram", "static char"), ("flash", "static const char")):
        source = tmp_path / f"{kind}.c"
        source.write_text(
            f"{what} large[1 << 20] = {{{1 if kind == 'flash' else ''}}};\n"
            "extern void sp_on_fault(unsigned s);\nvoid sp_on_fault(unsigned s) { (void)s; }\n"
            "volatile int at;\n"
            "int main(void) { const volatile char *p = large; return p[at]; }\n"
        )
        with pytest.raises(BuildError) as caught:
            build_image([source], board, tmp_path / kind / "large.elf")
        assert is_too_large(caught.value), str(caught.value)


@pytest.mark.parametrize("core", get_args(Core))
@pytest.mark.parametrize("name", COMPILERS)
def test_cores_have_the_instructions_that_kernels_look_for(
    name: str, core: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them the bits are the same and the work is twice as much: only this tells."""
    monkeypatch.setenv("PATH", PATH)
    try:
        command = COMPILERS[name].command()
    except ToolMissingError as error:
        pytest.skip(str(error))
    (tmp_path / "empty.c").write_text("")
    flags = compiler_flags(core, False, COMPILERS[name])
    done = subprocess.run(
        [*command, *flags, "-dM", "-E", str(tmp_path / "empty.c")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "ZIG_LOCAL_CACHE_DIR": str(tmp_path / "cache")},
    )
    macros = dict(
        line.split(" ", 2)[1:] for line in done.stdout.splitlines() if line.count(" ") > 1
    )
    dsp = core in ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
    assert macros.get("__ARM_FEATURE_DSP", "0") == ("1" if dsp else "0")
    assert macros.get("__ARM_FEATURE_MVE", "0") == ("1" if core == "cortex-m55" else "0")
    assert "__ARM_FP" not in macros
    assert ("__ARM_ARCH_6M__" in macros) == core.startswith("cortex-m0")
    assert ("__ARM_ARCH_7M__" in macros) == (core == "cortex-m3")


def test_this_python_runs_zig() -> None:
    assert ZIG[0] == sys.executable
    assert shutil.which(ZIG[0])
