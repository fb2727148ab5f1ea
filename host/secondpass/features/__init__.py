# SPDX-License-Identifier: Apache-2.0
"""Feature front ends: from what a sensor gives to what a network reads, on the host."""
