# SPDX-License-Identifier: Apache-2.0
"""PlatformIO projects of a model, and ways onto a board (docs/platformio.md)."""
