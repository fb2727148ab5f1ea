# SPDX-License-Identifier: Apache-2.0
"""What a model takes on a board, and what to change so that it fits (docs/planning.md)."""
