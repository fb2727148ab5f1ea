# SPDX-License-Identifier: Apache-2.0
"""Build the trainer firmware for a board with the chosen compiler (docs/compilers.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from elftools.elf.elffile import ELFFile

from secondpass import resources
from secondpass.boards import Board
from secondpass.crosscompiler import COMPILERS, CrossCompiler, cross_compiler
from secondpass.device import safety_build
from secondpass.device.objects import MODEL_FREE, library_objects, library_sources
from secondpass.device.text import FOLDER as TEXT_FOLDER
from secondpass.device.text import TextProfile, profile_of
from secondpass.network import Network
from secondpass.rules import Rule
from secondpass.toolchain import WARNINGS, run_compiler
from secondpass_codegen import write

OPTIMISATION = "-O2"
_PORT_SOURCES = {
    "cmsdk": ("cmsdk_uart.c", "cmsdk_timer.c", "kept_ram.c"),
    "sse300": ("cmsdk_uart.c", "sse300_timer.c", "kept_ram.c"),
    "stm32f1": ("stm32_usart.c", "systick.c"),
    "stm32f4": ("stm32_usart.c", "stm32_timer.c"),
    "nrf51": ("nrf51.c",),
}
_KEPT_RAM = ("cmsdk", "sse300")
"""Families that use RAM as flash for checkpoints; others need a [flash]."""


CRASH_RECORD_BYTES = 64
"""What the linker script keeps above the stack for the report of a crash."""


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

    `text`: whether it also speaks the text protocol, and as which benchmark's device.
    Raises `ToolMissingError` without the cross compiler and `BuildError` when the code does not
    compile or does not fit the board; what cannot fit is refused, with a plan, before it is built.
    """
    from secondpass.plan.refuse import refuse_what_cannot_fit

    board.require_port()
    refuse_what_cannot_fit(network, rule, board, text)
    generated = folder / "model"
    write(network, rule, generated)
    firmware = resources.folder("firmware")
    profile = profile_of(network, text)
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
    float_unit: bool = False,
    macros: Mapping[str, str] = MappingProxyType({}),
) -> Firmware:
    """Compile sources with a board's port and start-up code into an ELF file.

    `float_unit`: for code that computes with floating-point numbers; the trainer has none. `macros`
    are further preprocessor names.
    Raises `BuildError` for a board without a port.
    """
    board.require_port()
    compiler = cross_compiler()
    firmware = resources.folder("firmware")
    ports = firmware / "ports"
    elf.parent.mkdir(parents=True, exist_ok=True)
    flags = [*compiler_flags(board.core, float_unit, compiler), *compiler.include_flags()]
    free = set(library_sources(*MODEL_FREE))
    objects = library_objects(compiler.command(), flags) if free <= set(sources) else []
    command: list[str | Path] = [
        *compiler.command(),
        *flags,
        *(f"-I{path}" for path in (firmware / "include", ports, *include)),
        *(f"-D{name}={value}" for name, value in {**definitions(board), **macros}.items()),
        *(source for source in sources if not objects or source not in free),
        *(ports / name for name in port_sources(board)),
        *objects,
        *compiler.link_flags(ports / "cortex_m.ld", _memory_symbols(board), elf.parent),
        "-o",
        elf,
    ]
    run_compiler(command, f"the firmware for {board.id}")
    return measure(elf, board)


def compiler_flags(
    core: str, float_unit: bool = False, compiler: CrossCompiler | None = None
) -> list[str]:
    """Return the flags that code for a core is compiled with, by the chosen compiler."""
    return [
        *(compiler or cross_compiler()).core_flags(core, float_unit),
        *("-std=gnu99", OPTIMISATION, "-g"),
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


def port_sources(board: Board) -> list[str]:
    """Return the files of `firmware/ports` that a board is built with."""
    names = ("startup", "fault", "crash", "sender", "clock", "dwt")
    family = _PORT_SOURCES[board.require_port().family]
    return [*(f"{name}.c" for name in names), *family, *safety_build.sources(board)]


def definitions(board: Board) -> dict[str, str]:
    """Return the macros that tell ports and application about a board."""
    port = board.require_port()
    flash = {"SP_PORT_HAS_FLASH": "1"} if port.family in _KEPT_RAM else {}
    return flash | {
        **safety_build.definitions(board),
        **board_definitions(board),
        "SP_PORT_UART": f"{port.uart:#x}u",
        "SP_PORT_UART_RX_IRQ": f"{port.uart_rx_irq}u",
        "SP_PORT_UART_TX_IRQ": f"{port.uart_tx_irq}u",
        "SP_PORT_TIMER": f"{port.timer:#x}u",
        "SP_PORT_TICKS_HZ": f"{port.timer_hz}u",
    }


def board_definitions(board: Board) -> dict[str, str]:
    """Return the macros that every application takes, also on another port than ours."""
    return {
        "SP_BOARD_NAME": f'"{board.id}"',
        "SP_BOARD_CORE": f'"{board.core}"',
        "SP_PORT_CLOCK_HZ": f"{board.clock_hz}u",
    }


def link_flags(board: Board, ports: Path) -> list[str]:
    """Return GCC's linker flags for a board, with `cortex_m.ld` in the folder `ports`."""
    return COMPILERS["gcc"].link_flags(ports / "cortex_m.ld", _memory_symbols(board), ports)


def _memory_symbols(board: Board) -> dict[str, int]:
    """Return what the linker script needs to know of a board."""
    memory = board.memory
    return {
        "sp_flash_origin": memory.flash_origin,
        "sp_flash_length": safety_build.code_bytes(board),
        "sp_ram_origin": memory.ram_origin,
        "sp_ram_length": memory.ram_bytes,
        "sp_stack_bytes": memory.stack_bytes,
    }


def has_kept_ram(board: Board) -> bool:
    """Tell whether a board's port keeps checkpoints in the RAM that is left."""
    return board.port is not None and board.port.family in _KEPT_RAM
