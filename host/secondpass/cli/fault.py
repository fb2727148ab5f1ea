# SPDX-License-Identifier: Apache-2.0
"""Commands about a device that crashed."""

from pathlib import Path
from typing import Annotated

import typer

from secondpass.cli.app import app


@app.command()
def fault(
    port: Annotated[str, typer.Option(help="serial device, pty or socket://host:port")],
    elf: Annotated[
        Path | None, typer.Option(help="the firmware.elf on the device: names functions and lines")
    ] = None,
    clear: Annotated[bool, typer.Option(help="forget the report once it is shown")] = False,
) -> None:
    """Print why a device restarted itself: fault, stack overflow or watchdog, and where."""
    from secondpass.device.fault import Symbols
    from secondpass.device.fault_reader import read_report
    from secondpass.device.transport import SerialTransport

    symbols = Symbols(elf) if elf is not None else None
    transport = SerialTransport(port)
    try:
        report = read_report(transport, clear)
    finally:
        transport.close()
    print("no crash was recorded" if report is None else report.describe(symbols))
