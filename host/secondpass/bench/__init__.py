# SPDX-License-Identifier: Apache-2.0
"""Instruction counts of inference and training on emulated cores (docs/performance.md)."""
