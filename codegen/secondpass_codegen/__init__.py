# SPDX-License-Identifier: Apache-2.0
"""Code generator: a network and a rule become C that infers and learns."""

from secondpass_codegen.emit import generate, write

__all__ = ["generate", "write"]
