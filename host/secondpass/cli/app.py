# SPDX-License-Identifier: Apache-2.0
"""The command `secondpass`. Each command imports what it needs, so that it starts fast."""

from typing import Annotated

import typer

app = typer.Typer(help="On-device learning for Arm Cortex-M.", no_args_is_help=True)


NO_TEXT_HELP = "leave out the text protocol (docs/text-protocol.md)"
PROFILE_HELP = "what it answers to 'profile': kws01, ad01, ic01, vww01 or a name of your own"
NoText = Annotated[bool, typer.Option("--no-text", help=NO_TEXT_HELP)]
ProfileId = Annotated[str | None, typer.Option(help=PROFILE_HELP)]


@app.callback()
def _root() -> None:
    """On-device learning for Arm Cortex-M."""
