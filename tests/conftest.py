# SPDX-License-Identifier: Apache-2.0
"""Fixtures that tests of several folders share."""

import pytest
from secondpass.errors import ToolMissingError
from secondpass.toolchain import CROSS_COMPILER, EMULATOR


@pytest.fixture(scope="session")
def cross_tools() -> None:
    """Skip when the cross compiler or the emulator is missing, saying how to get it."""
    for tool in (CROSS_COMPILER, EMULATOR):
        try:
            tool.find()
        except ToolMissingError as error:
            pytest.skip(str(error))
