# SPDX-License-Identifier: Apache-2.0
"""Back ends: what runs a model, and how this computer reaches it."""
