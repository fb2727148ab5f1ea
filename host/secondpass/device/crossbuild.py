# SPDX-License-Identifier: Apache-2.0
"""Build the trainer firmware for a board with arm-none-eabi-gcc."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from secondpass import resources
from secondpass.boards import Board
from secondpass.device.objects import MODEL_FREE, library_objects, library_sources
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


def build_firmware(network: Network, rule: Rule, board: Board, folder: Path) -> Firmware:
    """Generate `folder/model` and build the trainer for `board` as `folder/firmware.elf`.

    Raises `ToolMissingError` without the cross compiler and `BuildError` when the code does not
    compile or does not fit the board; what cannot fit is refused, with a plan, before it is built.
    """
    from secondpass.plan.refuse import refuse_what_cannot_fit

    board.require_port()
    refuse_what_cannot_fit(network, rule, board)
    generated = folder / "model"
    write(network, rule, generated)
    firmware = resources.folder("firmware")
    sources = [
        *library_sources(*MODEL_FREE, "trainer"),
        *sorted((firmware / "apps" / "trainer").glob("*.c")),
        generated / "model.c",
    ]
    return build_image(sources, board, folder / "firmware.elf", [generated])


def build_image(
    sources: Sequence[Path],
    board: Board,
    elf: Path,
    include: Sequence[Path] = (),
    float_flags: Sequence[str] = SOFT_FLOAT,
) -> Firmware:
    """Compile sources with a board's port and start-up code into an ELF file.

    `float_flags` are for code that computes with floating-point numbers.
    Raises `BuildError` for a board without a port.
    """
    board.require_port()
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
        *(f"-D{name}={value}" for name, value in definitions(board).items()),
        *(source for source in sources if not objects or source not in free),
        *port_sources(board),
        *objects,
        *link_flags(board),
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


def port_sources(board: Board) -> list[Path]:
    """Return the C files of start-up and port of a board."""
    ports = resources.folder("firmware") / "ports"
    names = [f"{name}.c" for name in ("startup", "sender", "clock", "dwt")]
    return [ports / name for name in (*names, *_PORT_SOURCES[board.require_port().family])]


def definitions(board: Board) -> dict[str, str]:
    """Return the macros that code for a board is compiled with."""
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


def link_flags(board: Board) -> list[str]:
    """Return what the linker is told: the board's memory and what to leave out."""
    ports = resources.folder("firmware") / "ports"
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


def has_kept_ram(board: Board) -> bool:
    """Tell whether a board's port keeps checkpoints in the RAM that is left."""
    return board.port is not None and "kept_ram.c" in _PORT_SOURCES[board.port.family]
