# SPDX-License-Identifier: Apache-2.0
"""The NumPy reference: the executable form of docs/numerics.md."""
