# SPDX-License-Identifier: Apache-2.0
"""Compile the library's C into a Python module (cffi, out-of-line API mode), cached by content."""

import contextlib
import hashlib
import importlib.util
import io
import os
import platform
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import cffi
import platformdirs

from secondpass import resources
from secondpass.device.objects import MODEL_FREE, library_objects, library_sources
from secondpass.errors import BuildError, ToolMissingError
from secondpass.toolchain import WARNINGS, host_compiler, run_compiler

__all__ = ["build_module", "library_sources"]

CFLAGS_VARIABLE = "SECONDPASS_HOST_CFLAGS"
"""Environment variable with additional compiler flags, such as sanitizers."""


def build_module(
    declarations: str,
    preamble: str,
    sources: Sequence[Path],
    include: Sequence[Path] = (),
    flags: Sequence[str] = (),
) -> ModuleType:
    """Return a module with `ffi` and `lib` for the declared functions.

    Raises `ToolMissingError` without a C compiler and `BuildError` when the code is refused.
    """
    compiler = host_compiler()
    _require_python_header()
    include = [resources.folder("firmware") / "include", *include]
    headers = sorted(path for folder in include for path in folder.rglob("*.h"))
    headers += sorted((resources.folder("firmware") / "src").rglob("*.h"))
    all_flags = [*flags, *shlex.split(os.environ.get(CFLAGS_VARIABLE, ""))]
    digest = hashlib.sha256()
    for part in (declarations, preamble, *compiler, *all_flags, platform.python_version()):
        digest.update(part.encode() + b"\0")
    for path in (*sources, *headers):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    name = f"_secondpass_{digest.hexdigest()[:20]}"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    cached = Path(platformdirs.user_cache_dir("secondpass")) / "host" / f"{name}{suffix}"
    if not cached.exists():
        _compile(name, cached, compiler, declarations, preamble, sources, include, all_flags)
    return _load(name, cached)


def _compile(
    name: str,
    target: Path,
    compiler: Sequence[str],
    declarations: str,
    preamble: str,
    sources: Sequence[Path],
    include: Sequence[Path],
    flags: Sequence[str],
) -> None:
    ffi = cffi.FFI()
    ffi.cdef(declarations)
    ffi.set_source(name, preamble)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        wrapper = folder / "wrapper.c"
        with contextlib.redirect_stdout(io.StringIO()):  # it reports the temporary file's name
            ffi.emit_c_code(str(wrapper))
        common = ["-O3", "-fPIC", *flags, *(f"-I{path}" for path in include)]
        objects = [folder / "wrapper.o"]
        python_include = sysconfig.get_path("include")
        run_compiler(
            [*compiler, *common, f"-I{python_include}", "-c", wrapper, "-o", objects[0]],
            "the host twin's Python binding",
        )
        free = set(library_sources(*MODEL_FREE))
        if free <= set(sources):
            objects += library_objects(compiler, ("-std=c99", *WARNINGS, "-O3", "-fPIC", *flags))
            sources = [source for source in sources if source not in free]
        for index, source in enumerate(sources):
            objects.append(folder / f"{index}_{source.stem}.o")
            run_compiler(
                [*compiler, "-std=c99", *WARNINGS, *common, "-c", source, "-o", objects[-1]],
                str(source),
            )
        built = folder / target.name
        # macOS: the symbols of Python are found when it loads the module
        late = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()
        run_compiler([*compiler, "-shared", *late, *flags, *objects, "-o", built], "the host twin")
        built.replace(target)  # whole or not at all, also when two processes build it


def _require_python_header() -> None:
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.is_file():
        raise ToolMissingError(
            f"{header}, which the host twin's binding includes, is not installed: "
            "sudo apt-get install python3-dev, or a Python that brings it (python.org, conda, uv)"
        )


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BuildError(f"{path} is not a Python module; delete it and try again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
