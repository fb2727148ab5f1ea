# SPDX-License-Identifier: Apache-2.0
"""Build the trainer firmware for a board with arm-none-eabi-gcc."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from elftools.elf.elffile import ELFFile

from secondpass import resources
from secondpass.boards import Board
from secondpass.device.objects import MODEL_FREE, library_objects, library_sources
from secondpass.device.text import FOLDER as TEXT_FOLDER
from secondpass.device.text import TextProfile, default_profile
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass.toolchain import CROSS_COMPILER, WARNINGS, run_compiler
from secondpass_codegen import write

OPTIMISATION = "-O2"
SOFT_FLOAT: tuple[str, ...] = ()
"""No float unit: what the trainer is built with, as it computes in integers on every core."""
_CORE_FLAGS = {"cortex-m55": ("-mcpu=cortex-m55+nofp", "-mfloat-abi=hard")}
"""Cores that take more than their name: GCC gives integer MVE only to an ABI with its registers."""
_PORT_SOURCES = {
    "cmsdk": ("cmsdk_uart.c", "cmsdk_timer.c", "kept_ram.c"),
    "sse300": ("cmsdk_uart.c", "sse300_timer.c", "kept_ram.c"),
    "stm32f1": ("stm32_usart.c", "systick.c"),
    "stm32f4": ("stm32_usart.c", "stm32_timer.c"),
    "nrf51": ("nrf51.c",),
}
_WITH_FLASH = ("cmsdk", "sse300")
"""Families whose port has flash for checkpoints."""


@dataclass(frozen=True)
class Firmware:
    """A linked firmware and the memory it takes, in bytes read from the ELF."""

    elf: Path
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int


def build_firmware(
    network: Network, rule: Rule, board: Board, folder: Path, text: TextProfile | bool = True
) -> Firmware:
    """Generate `folder/model` and build the trainer for `board` as `folder/firmware.elf`.

    `text`: whether it also speaks the text protocol, or as which benchmark's device.
    Raises `ToolMissingError` without the cross compiler and `BuildError` when the code does not
    compile or does not fit the board.
    """
    board.require_port()
    generated = folder / "model"
    write(network, rule, generated)
    firmware = resources.folder("firmware")
    profile = default_profile(network) if text is True else text or None
    sources = [
        *library_sources(*MODEL_FREE, "trainer", *([TEXT_FOLDER] if profile else [])),
        *sorted((firmware / "apps" / "trainer").glob("*.c")),
        generated / "model.c",
    ]
    macros = profile.macros if profile else {}
    return build_image(sources, board, folder / "firmware.elf", [generated], macros=macros)


def build_image(
    sources: Sequence[Path],
    board: Board,
    elf: Path,
    include: Sequence[Path] = (),
    float_flags: Sequence[str] = SOFT_FLOAT,
    macros: Mapping[str, str] = MappingProxyType({}),
) -> Firmware:
    """Compile sources with a board's port and start-up code into an ELF file.

    `float_flags` are for code that computes with floating-point numbers, `macros` further
    preprocessor names.
    Raises `BuildError` for a board without a port.
    """
    port = board.require_port()
    compiler = CROSS_COMPILER.find()
    firmware = resources.folder("firmware")
    ports = firmware / "ports"
    elf.parent.mkdir(parents=True, exist_ok=True)
    flags = compiler_flags(board.core, float_flags)
    free = set(library_sources(*MODEL_FREE))
    objects = library_objects([compiler], flags) if free <= set(sources) else []
    command: list[str | Path] = [
        compiler,
        *flags,
        *(f"-I{path}" for path in (firmware / "include", ports, *include)),
        *(f"-D{name}={value}" for name, value in {**_definitions(board), **macros}.items()),
        *(source for source in sources if not objects or source not in free),
        *(ports / f"{name}.c" for name in ("startup", "sender", "clock", "dwt")),
        *(ports / name for name in _PORT_SOURCES[port.family]),
        *objects,
        *_link_flags(board, ports),
        "-lm",
        "-o",
        elf,
    ]
    run_compiler(command, f"the firmware for {board.id}")
    return measure(elf, board)


def compiler_flags(core: str, float_flags: Sequence[str] = SOFT_FLOAT) -> list[str]:
    """Return the flags that code for a core is compiled with."""
    integer = _CORE_FLAGS.get(core, (f"-mcpu={core}", "-mfloat-abi=soft"))
    return [
        *((f"-mcpu={core}", *float_flags) if float_flags else integer),
        *("-mthumb", "-std=gnu99", OPTIMISATION, "-g"),
        *("-ffunction-sections", "-fdata-sections", "-fno-common"),
        *WARNINGS,
    ]


def measure(elf: Path, board: Board) -> Firmware:
    """Read flash and static RAM (without stack) from an ELF file."""
    with elf.open("rb") as stream:
        sections = {s.name: int(s["sh_size"]) for s in ELFFile(stream).iter_sections()}
    data = sections.get(".data", 0)
    return Firmware(
        elf=elf,
        flash_bytes=sections.get(".text", 0) + sections.get(".ARM.exidx", 0) + data,
        ram_bytes=data + sections.get(".bss", 0),
        stack_bytes=board.memory.stack_bytes,
    )


def _definitions(board: Board) -> dict[str, str]:
    port = board.require_port()
    flash = {"SP_PORT_HAS_FLASH": "1"} if port.family in _WITH_FLASH else {}
    return flash | {
        "SP_BOARD_NAME": f'"{board.id}"',
        "SP_BOARD_CORE": f'"{board.core}"',
        "SP_PORT_UART": f"{port.uart:#x}u",
        "SP_PORT_UART_RX_IRQ": f"{port.uart_rx_irq}u",
        "SP_PORT_UART_TX_IRQ": f"{port.uart_tx_irq}u",
        "SP_PORT_TIMER": f"{port.timer:#x}u",
        "SP_PORT_TICKS_HZ": f"{port.timer_hz}u",
        "SP_PORT_CLOCK_HZ": f"{board.clock_hz}u",
    }


def _link_flags(board: Board, ports: Path) -> list[str]:
    memory = board.memory
    symbols = {
        "sp_flash_origin": memory.flash_origin,
        "sp_flash_length": memory.flash_bytes,
        "sp_ram_origin": memory.ram_origin,
        "sp_ram_length": memory.ram_bytes,
        "sp_stack_bytes": memory.stack_bytes,
    }
    return [
        "-nostartfiles",
        "--specs=nano.specs",
        "--specs=nosys.specs",
        "-Wl,--gc-sections",
        *(f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items()),
        f"-T{ports / 'cortex_m.ld'}",
    ]
