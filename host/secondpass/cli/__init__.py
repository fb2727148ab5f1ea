# SPDX-License-Identifier: Apache-2.0
"""The command line: importing a module of this package adds its commands to the application."""

import sys

from secondpass.cli import (
    bench,
    boards,
    demo,
    devices,
    fan,
    fault,
    models,
    monitor,
    moving,
    plan,
    train,
)
from secondpass.cli.app import app
from secondpass.errors import SecondpassError

__all__ = [
    "app",
    "bench",
    "boards",
    "demo",
    "devices",
    "fan",
    "fault",
    "main",
    "models",
    "monitor",
    "moving",
    "plan",
    "train",
]


def main() -> None:
    """Run the command line; an error that a user is meant to read is one line, exit code 1."""
    try:
        app()
    except SecondpassError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
