# SPDX-License-Identifier: Apache-2.0
"""The command `secondpass`. Each command imports what it needs, so that it starts fast."""

import typer

app = typer.Typer(help="On-device learning for Arm Cortex-M.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """On-device learning for Arm Cortex-M."""
