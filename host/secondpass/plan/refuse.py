# SPDX-License-Identifier: Apache-2.0
"""Refuse what cannot fit a board before it is built."""

from secondpass.boards import Board
from secondpass.device.text import TextProfile
from secondpass.network import Network
from secondpass.plan.frozen import planner_of
from secondpass.plan.tables import UnmeasuredError
from secondpass.rules import Rule


def refuse_what_cannot_fit(
    network: Network, rule: Rule, board: Board, text: TextProfile | bool = True
) -> None:
    """Raise `BuildError` with plan and advice for a model that is too large for a board.

    `text`: as `build_firmware` takes it.

    What is over by less than the plan may be off is left to the linker, and so is a core or a port
    that the planner does not know, and networks that learn above frozen int8 layers.
    """
    if network.frozen:
        return
    try:
        planned = planner_of(network, rule, text).on(board)
    except UnmeasuredError:
        return
    if planned.cannot_fit:
        from secondpass.plan.advice import advise
        from secondpass.plan.report import refusal

        raise refusal(planned, advise(network, rule, board, text))
