# SPDX-License-Identifier: Apache-2.0
"""The platformio.ini of a model: one environment a board."""

import numpy as np

from secondpass.boards import Board
from secondpass.device.crossbuild import (
    OPTIMISATION,
    board_definitions,
    definitions,
    port_sources,
)
from secondpass.device.text import TextProfile
from secondpass.device.transport import DEFAULT_BAUD
from secondpass.network import Network

PLATFORMS = {"ststm32": "19.6.0", "nordicnrf52": "10.11.0", "raspberrypi": "1.19.0"}
"""PlatformIO's platforms by the version that a project asks for."""
TOOLCHAIN = "platformio/toolchain-gccarmnoneeabi@~1.120301.0"
"""GCC 12.3: what some platforms take otherwise (7.2, 8.2, 9.2) lacks the DSP intrinsics."""

_HEAD = """\
; {shape}, {format}, for PlatformIO: pio run -e BOARD, then -t upload. See docs/platformio.md.
; Environments of emulated boards need no download: PLATFORMIO_CORE_DIR=offline/core.

[platformio]
default_envs = {default}

[env]
monitor_speed = {baud}
monitor_filters = hexlify
monitor_encoding = latin-1
"""

_EMULATED = """
[env:{id}]
platform = symlink://offline/platform
board = {id}
build_src_filter = {sources}
build_flags =
    {flags}
"""

_ARDUINO = """
; {name}
[env:{id}]
platform = {platform}
board = {pio_board}
framework = {framework}
platform_packages = {toolchain}
build_src_filter = {sources}
build_unflags = -Os
build_flags =
    {flags}
"""

_INCLUDES = ("-Isrc/model", "-Isrc/ports")


def has_environment(board: Board) -> bool:
    """Whether PlatformIO can build for a board: it is emulated, or its description says how."""
    return board.emulator is not None or board.platformio is not None


def write_ini(network: Network, boards: list[Board], text: TextProfile | None) -> str:
    """Return the text of a platformio.ini with an environment for each of `boards`."""
    head = _HEAD.format(
        shape=network.shape, format=network.format, default=boards[0].id, baud=DEFAULT_BAUD
    )
    return head + "".join(_environment(network, board, text) for board in boards)


def receive_buffer(network: Network) -> int:
    """Return the bytes of a serial receive buffer that holds two requests, a power of two.

    The sketch refuses to compile with a buffer that is smaller than its largest request.
    """
    widest = max(network.sample.sample_bytes, 128, 64)
    targets = 4 * network.layers[-1].outputs
    frame = widest + targets + 16 + 16 * len(network.layers) + 16
    return int(2 ** np.ceil(np.log2(2 * (frame + frame // 254 + 2))))


def arduino_flags(network: Network, board: Board, text: TextProfile | None) -> list[str]:
    """Return the flags that a board's environment adds to those of its Arduino core."""
    return [
        OPTIMISATION,
        *_INCLUDES,
        "-Isrc/ports/arduino",
        f"-DSERIAL_RX_BUFFER_SIZE={receive_buffer(network)}",
        *_macros(board_definitions(board)),
        *_macros(text.macros if text else {}),
    ]


def arduino_sources() -> list[str]:
    """Return what is built for an Arduino core, relative to `src`, beside the library."""
    arduino = ("apps/arduino/sketch.cpp", "apps/trainer/text.c", "ports/arduino/arduino_port.cpp")
    return ["model/model.c", *arduino, "ports/clock.c", "ports/dwt.c"]


def emulated_sources(board: Board) -> list[str]:
    """Return what is built for an emulated board, relative to `src`, beside the library."""
    return ["model/model.c", "apps/trainer/*.c", *(f"ports/{name}" for name in port_sources(board))]


def _environment(network: Network, board: Board, text: TextProfile | None) -> str:
    own = text.macros if text else {}
    if board.emulator is not None:
        return _EMULATED.format(
            id=board.id,
            sources=_filter(emulated_sources(board)),
            flags=_lines([*_INCLUDES, *_macros(definitions(board) | own)]),
        )
    known = board.platformio
    assert known is not None
    version = PLATFORMS.get(known.platform)
    return _ARDUINO.format(
        id=board.id,
        name=board.name,
        platform=f"{known.platform}@{version}" if version else known.platform,
        pio_board=known.board,
        framework=known.framework,
        toolchain=TOOLCHAIN,
        sources=_filter(arduino_sources()),
        flags=_lines(arduino_flags(network, board, text)),
    )


def _filter(sources: list[str]) -> str:
    return "-<*> " + " ".join(f"+<{source}>" for source in sources)


def _macros(definitions: dict[str, str]) -> list[str]:
    return [f"-D{name}={value}" for name, value in definitions.items()]


def _lines(flags: list[str]) -> str:
    return "\n    ".join(_quoted(flag) for flag in flags)


def _quoted(flag: str) -> str:
    """Keep the quotes of a C string from the shell-like way in which PlatformIO reads a line."""
    return f"'{flag}'" if '"' in flag else flag
