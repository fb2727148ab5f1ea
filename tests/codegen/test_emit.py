# SPDX-License-Identifier: Apache-2.0
"""The generated C: reproducible, strict, refusing what does not fit, honest about its size."""

import itertools
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_networks import toy_network

from secondpass import resources
from secondpass.device.hostbuild import build_module
from secondpass.device.objects import MODEL_FREE, library_sources
from secondpass.errors import BuildError, NetworkError
from secondpass.network import SAMPLE_DTYPES, Network
from secondpass.rules import RULES, Mempepita, Pepita, Rule, make_rule
from secondpass.toolchain import WARNINGS, host_compiler, run_compiler
from secondpass_codegen import generate, write
from secondpass_codegen.memory import plan

SHAPES = [(1, 1, 1), (21, 15, 5), (20, 16, 10), (7, 3, 9, 2), (64, 33, 17, 8, 11)]
RULE = Pepita()
TESTS = Path(__file__).resolve().parents[1]


def shape_name(widths: tuple[int, ...]) -> str:
    return "-".join(map(str, widths))


def compile_model(folder: Path, *flags: str) -> None:
    run_compiler(
        [
            *host_compiler(),
            *("-std=c99", "-O2", *WARNINGS, f"-I{folder}", *flags),
            f"-I{resources.folder('firmware') / 'include'}",
            *("-c", folder / "model.c", "-o", folder / "model.o"),
        ],
        "model.c",
    )


def renamed(network: Network, *names: str) -> Network:
    layers = (replace(x, name=n) for x, n in zip(network.layers, names, strict=True))
    return replace(network, layers=tuple(layers))


def test_same_input_same_bytes_in_fresh_processes() -> None:
    program = (
        "import sys, hashlib; from toy_networks import toy_network\n"
        "from secondpass.rules import Pepita; from secondpass_codegen import generate\n"
        "files = generate(toy_network(21, 15, 5), Pepita())\n"
        "print(hashlib.sha256(repr(list(files.items())).encode()).hexdigest())\n"
    )
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed, "LC_ALL": locale},
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, locale, folder in (("1", "C", "/"), ("4242", "C.UTF-8", str(TESTS)))
    ]
    assert len(printed[0]) == 65
    assert printed[0] == printed[1]


def test_other_weights_other_bytes() -> None:
    first = generate(toy_network(21, 15, 5, seed=1), RULE)
    second = generate(toy_network(21, 15, 5, seed=2), RULE)
    assert first["model_weights.h"] != second["model_weights.h"]
    assert first["model.h"] != second["model.h"]  # the hash


def test_write_leaves_an_unchanged_file_alone(tmp_path: Path) -> None:
    network = toy_network(4, 3, 2)
    paths = write(network, RULE, tmp_path)
    for path in paths:
        os.utime(path, (1, 1))
    write(network, RULE, tmp_path)
    assert [path.stat().st_mtime for path in paths] == [1, 1, 1]
    write(toy_network(4, 3, 2, seed=9), RULE, tmp_path)
    assert all(path.stat().st_mtime > 1 for path in paths)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_compiles_without_warnings(name: str, tmp_path: Path) -> None:
    write(toy_network(7, 3, 9, 2, dtype="uint8"), make_rule(name, {}), tmp_path)
    compile_model(tmp_path)


@pytest.mark.parametrize("trainable", ["none", "bias"])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_compiles_where_nothing_or_little_learns(
    name: str, trainable: str, tmp_path: Path
) -> None:
    rule = make_rule(name, {"trainable": (trainable,) * 3})
    write(toy_network(7, 3, 9, 2, dtype="uint8"), rule, tmp_path)
    compile_model(tmp_path)


@pytest.mark.parametrize("output_error", ["first", "second"])
@pytest.mark.parametrize("presynaptic", ["first", "second"])
@pytest.mark.parametrize("second_pass", ["full", "short"])
def test_every_form_of_pepita_compiles_without_warnings(
    second_pass: str, presynaptic: str, output_error: str, tmp_path: Path
) -> None:
    rule = Pepita(presynaptic=presynaptic, output_error=output_error, second_pass=second_pass)
    write(toy_network(7, 3, 9, 2, dtype="uint8"), rule, tmp_path)
    compile_model(tmp_path)


@pytest.mark.parametrize("widths", SHAPES, ids=shape_name)
def test_every_shape_compiles_without_warnings(widths: tuple[int, ...], tmp_path: Path) -> None:
    write(toy_network(*widths), RULE, tmp_path)
    compile_model(tmp_path)


def test_extreme_numbers_compile(tmp_path: Path) -> None:
    network = toy_network(4, 3, 2)
    layers = [
        replace(
            layer,
            weights=np.full_like(layer.weights, -(2**15)),
            bias=np.resize(np.array([-(2**31), 2**31 - 1], np.int32), layer.bias.shape),
        )
        for layer in network.layers
    ]
    spec = replace(network.input, zero_point=-(2**15))
    rule = Pepita(projection_scale=0.5, projection_seed=2**32 - 1, dither_seed=2**32 - 1)
    write(replace(network, input=spec, layers=tuple(layers)), rule, tmp_path)
    compile_model(tmp_path)


def test_another_library_version_is_refused(tmp_path: Path) -> None:
    write(toy_network(4, 3, 2), RULE, tmp_path)
    header = resources.folder("firmware") / "include" / "secondpass" / "version.h"
    other = tmp_path / "secondpass" / "version.h"
    other.parent.mkdir()
    text = header.read_text()
    other.write_text(text)
    compile_model(tmp_path)  # the copy in front of the library's changes nothing
    changed = re.sub(r"(SP_VERSION_PATCH) \d+", r"\1 99", text)
    assert changed != text
    other.write_text(changed)
    with pytest.raises(BuildError, match="generate it again or use that library"):
        compile_model(tmp_path)


@pytest.mark.parametrize("name", ["Hidden", "1st", "a-b", "", "a b", "a\n", "ä", "a;int b", "_a"])
def test_names_that_are_not_c_are_refused(name: str) -> None:
    with pytest.raises(NetworkError, match="cannot be a C name"):
        generate(renamed(toy_network(4, 3, 2), name, "output"), RULE)


def test_names_must_differ() -> None:
    with pytest.raises(NetworkError, match="not unique"):
        generate(renamed(toy_network(4, 3, 2), "same", "same"), RULE)


@pytest.mark.parametrize(
    "name", ["int", "layer", "step", "m", "label", "error", "memcpy", "input_scale", "row", "main"]
)
def test_names_that_c_or_the_templates_use_compile(name: str, tmp_path: Path) -> None:
    write(renamed(toy_network(4, 3, 3, 2), name, f"{name}_first", "output"), RULE, tmp_path)
    compile_model(tmp_path)


def test_name_of_the_input_is_refused() -> None:
    with pytest.raises(NetworkError, match="taken by the input"):
        generate(renamed(toy_network(4, 3, 2), "x", "output"), RULE)


def stated_bytes(header: str) -> tuple[int, int]:
    """Return the sum of the memory map's parts and its total."""
    parts = [int(n) for n in re.findall(r"^ \*\s+(\d+) (?!bytes together)", header, re.M)]
    total = re.search(r"(\d+) bytes together", header)
    assert total is not None
    return sum(parts), int(total.group(1))


def size_of_model(network: Network, rule: Rule, folder: Path) -> tuple[int, str]:
    """Return what the compiler says the model takes, and the generated header."""
    write(network, rule, folder)
    module = build_module(
        "typedef struct { ...; } sp_model_t; void sp_model_reset(sp_model_t *m);",
        '#include "model.h"\n',
        [*library_sources(*MODEL_FREE), folder / "model.c"],
        [folder],
    )
    return module.ffi.sizeof("sp_model_t"), (folder / "model.h").read_text()


@pytest.mark.parametrize("dtype", SAMPLE_DTYPES)
@pytest.mark.parametrize("widths", SHAPES, ids=shape_name)
def test_memory_map_is_the_size_of_the_model(
    widths: tuple[int, ...], dtype: str, tmp_path: Path
) -> None:
    network = toy_network(*widths, dtype=dtype)
    size, header = size_of_model(network, RULE, tmp_path)
    assert stated_bytes(header) == (size, size)
    assert plan(network, RULE).total == size


@pytest.mark.parametrize("name", RULES)
def test_memory_map_holds_for_every_rule(name: str, tmp_path: Path) -> None:
    network, rule = toy_network(21, 15, 9, 5), make_rule(name, {})
    size, header = size_of_model(network, rule, tmp_path)
    assert stated_bytes(header) == (size, size)


def test_a_short_second_pass_takes_memory_for_q(tmp_path: Path) -> None:
    network = toy_network(21, 15, 9, 5)
    rule = Pepita(second_pass="short")
    size, header = size_of_model(network, rule, tmp_path)
    assert stated_bytes(header) == (size, size)
    assert plan(network, rule).folded == 4 * (15 * 5 + 5 + 1)


def test_mempepita_takes_less_memory_than_pepita(tmp_path: Path) -> None:
    """Activations of the first pass are not kept: the deeper the network, the more it saves."""
    network = toy_network(16, 40, 40, 40, 40, 4)
    sizes, arenas = {}, {}
    for rule in (Pepita(), Mempepita()):
        sizes[rule.name], _ = size_of_model(network, rule, tmp_path / rule.name)
        arenas[rule.name] = plan(network, rule).arena
    assert sizes["pepita"] - sizes["mempepita"] == arenas["pepita"] - arenas["mempepita"]
    assert arenas["mempepita"] <= arenas["pepita"] - 2 * 2 * 40


def test_vectors_alive_together_do_not_overlap() -> None:
    for rule in (Pepita(), Mempepita(), make_rule("ftp", {}), make_rule("bp", {})):
        placed = plan(toy_network(21, 15, 9, 33, 5), rule).placed
        assert len(placed) > 6
        for one, other in itertools.combinations(placed, 2):
            if one.first <= other.last and other.first <= one.last:
                assert one.end <= other.offset or other.end <= one.offset
