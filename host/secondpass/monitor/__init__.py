# SPDX-License-Identifier: Apache-2.0
"""A watched training session: runner, log of events, terminal dashboard."""
