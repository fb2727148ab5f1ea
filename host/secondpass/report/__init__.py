# SPDX-License-Identifier: Apache-2.0
"""What a session looks like: live display, curves, tables."""
