# SPDX-License-Identifier: Apache-2.0
"""Secondpass: on-device learning for Arm Cortex-M with a second forward pass."""

__version__ = "0.1.0"
