# SPDX-License-Identifier: Apache-2.0
"""Compiled library files, cached by content: models differ, kernels do not."""

import hashlib
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import platformdirs

from secondpass import resources
from secondpass.toolchain import program_version, run_compiler

MODEL_FREE = ("features", "kernels", "rules", "link", "store")
"""Folders of `firmware/src` whose files know no generated model."""


def library_sources(*folders: str) -> list[Path]:
    """Return the C files of `firmware/src/<folder>` in a fixed order."""
    source = resources.folder("firmware") / "src"
    return sorted(path for folder in folders for path in (source / folder).glob("*.c"))


def library_objects(compiler: Sequence[str], flags: Sequence[str]) -> list[Path]:
    """Return the object files of the library's model-free part, compiled when they are not yet.

    `flags` need no include path. Raises `BuildError` when the compiler refuses the code.
    """
    sources = library_sources(*MODEL_FREE)
    return [_object(source, tuple(compiler), tuple(flags)) for source in sources]


def _object(source: Path, compiler: tuple[str, ...], flags: tuple[str, ...]) -> Path:
    digest = hashlib.sha256(_header_digest())
    for part in (*compiler, _version(compiler), *flags):
        digest.update(part.encode() + b"\0")
    digest.update(source.read_bytes())
    name = f"{source.stem}_{digest.hexdigest()[:20]}.o"
    target = Path(platformdirs.user_cache_dir("secondpass")) / "objects" / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    include = resources.folder("firmware") / "include"
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        built = Path(scratch) / name
        run_compiler([*compiler, *flags, f"-I{include}", "-c", source, "-o", built], str(source))
        built.replace(target)  # whole or not at all, also when two processes build it
    return target


def _header_digest() -> bytes:
    """Return the hash of all headers that library files may include."""
    digest = hashlib.sha256()
    for path in sorted(resources.folder("firmware").rglob("*.h")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()


@cache
def _version(compiler: tuple[str, ...]) -> str:
    """Return what a compiler says it is: another one makes other objects."""
    return program_version(compiler)
