# SPDX-License-Identifier: Apache-2.0
"""The emitted project: what PlatformIO reads in it, the library, a second model."""

import json
import re
import shutil
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from offline_pio import NETWORK, ROOT, RULE, Pio
from toy_networks import toy_network

from secondpass.boards import BOARDS_VARIABLE, board_ids, load_board
from secondpass.device import protocol
from secondpass.device.text import TextProfile
from secondpass.network import Network
from secondpass.pio.ini import PLATFORMS, receive_buffer
from secondpass.pio.project import write_project


@pytest.fixture(scope="module")
def sections(pio: Pio) -> dict[str, dict[str, Any]]:
    """The options of every environment, as `pio project config` reads them."""
    done = pio("project", "config", "--json-output")
    assert done.returncode == 0, done.stderr
    found = {name: dict(options) for name, options in json.loads(done.stdout)}
    return {name.removeprefix("env:"): options for name, options in found.items()}


def test_every_board_has_an_environment(sections: dict[str, dict[str, Any]]) -> None:
    assert set(sections) - {"platformio", "env"} == set(board_ids())
    assert sections["env"]["monitor_speed"] == 115200


@pytest.mark.parametrize(
    "board_id", [name for name in board_ids() if load_board(name).platformio is not None]
)
def test_the_environment_of_a_real_board(
    sections: dict[str, dict[str, Any]], board_id: str
) -> None:
    """It says what its description says, with versions that do not move."""
    board, options = load_board(board_id), sections[board_id]
    known = board.platformio
    assert known is not None
    assert options["platform"] == f"{known.platform}@{PLATFORMS[known.platform]}"
    assert (options["board"], options["framework"]) == (known.board, [known.framework])
    assert options["platform_packages"] == ["platformio/toolchain-gccarmnoneeabi@~1.120301.0"]
    assert options["build_unflags"] == ["-Os"]
    assert "-O2" in options["build_flags"]
    assert f"-DSERIAL_RX_BUFFER_SIZE={receive_buffer(NETWORK)}" in options["build_flags"]
    assert "'-DSP_TEXT_ID=\"kws01\"'" in options["build_flags"]


@pytest.mark.parametrize("widths", [(1, 2, 2), (21, 15, 5), (784, 100, 10), (64, 32, 200)])
def test_the_receive_buffer_holds_two_requests(widths: tuple[int, ...]) -> None:
    network: Network = toy_network(*widths)
    size = receive_buffer(network)
    largest = max(network.input.sample_bytes + 4 * network.classes, 136)
    assert size >= 2 * len(protocol.encode(0x04, 1, bytes([7]) * largest))
    assert size & (size - 1) == 0


def test_the_text_protocol_may_be_another_or_none(pio: Pio, tmp_path: Path) -> None:
    for text, expected in ((TextProfile("ad01"), "-DSP_TEXT_FLOAT=1"), (False, None)):
        write_project(NETWORK, RULE, tmp_path, text)
        ini = (tmp_path / "platformio.ini").read_text()
        boards = ini.count("[env:")
        assert boards > 10
        assert ini.count("SP_TEXT=1") == (boards if text else 0)
        assert ini.count(expected or "SP_TEXT") == (boards if text else 0)


def test_the_library_is_one_that_platformio_packs(pio: Pio, tmp_path: Path) -> None:
    """Headers and sources, and nothing that belongs to an application.

    Without its licence, whose name PlatformIO compares with a list that it downloads.
    """
    folder = shutil.copytree(ROOT / "firmware", tmp_path / "firmware")
    manifest = json.loads((folder / "library.json").read_text())
    assert manifest.pop("license") == "Apache-2.0"
    (folder / "library.json").write_text(json.dumps(manifest))
    done = pio("pkg", "pack", str(folder), "-o", str(tmp_path / "library.tar.gz"))
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(tmp_path / "library.tar.gz") as archive:
        names = archive.getnames()
    assert {"library.json", "include/secondpass/trainer.h", "src/trainer/trainer.c"} <= set(names)
    assert {name.split("/")[0] for name in names} <= {".piopm", "library.json", "include", "src"}


def test_the_library_has_the_version_of_the_package() -> None:
    version = json.loads((ROOT / "firmware" / "library.json").read_text())["version"]
    header = (ROOT / "firmware" / "include" / "secondpass" / "version.h").read_text()
    assert ".".join(re.findall(r"VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)) == version
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert package["project"]["version"] == version


def test_a_second_model_replaces_the_first(project: Path, tmp_path: Path) -> None:
    """And leaves what is not its own: another library, and files of the user's."""
    write_project(NETWORK, RULE, tmp_path)
    first = (tmp_path / "src" / "model" / "model.h").read_text()
    (tmp_path / "lib" / "other").mkdir()
    (tmp_path / "src" / "mine.c").touch()
    (tmp_path / "lib" / "secondpass" / "src" / "old.c").touch()
    write_project(toy_network(9, 7, 3), RULE, tmp_path)
    assert (tmp_path / "src" / "model" / "model.h").read_text() != first
    assert (tmp_path / "lib" / "other").is_dir()
    assert (tmp_path / "src" / "mine.c").is_file()
    assert not (tmp_path / "lib" / "secondpass" / "src" / "old.c").exists()


def test_a_board_of_ones_own_gets_an_environment(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a platform whose version nobody here has tried: the newest."""
    folder = tmp_path / "boards" / "my_teensy"
    folder.mkdir(parents=True)
    text = (ROOT / "boards" / "nucleo_f446re" / "board.toml").read_text()
    text = text.replace('"ststm32"', '"teensy"').replace('"nucleo_f446re"', '"teensy35"')
    (folder / "board.toml").write_text(text)
    monkeypatch.setenv(BOARDS_VARIABLE, str(folder.parent))
    assert load_board("my_teensy").proven == "neither"
    write_project(NETWORK, RULE, tmp_path / "project")
    ini = (tmp_path / "project" / "platformio.ini").read_text()
    own = ini.split("[env:my_teensy]")[1].split("[env:")[0]
    assert "platform = teensy\nboard = teensy35\n" in own
