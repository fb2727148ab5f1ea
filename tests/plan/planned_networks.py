# SPDX-License-Identifier: Apache-2.0
"""Networks that no table was made from, with what is expected of the planner on them."""

from secondpass.plan.cases import Case
from secondpass.rules import FAST_PEPITA

BOARDS = ("mps2-an385-m0plus", "mps2-an385", "mps2-an386", "mps3-an547")
"""One board for each form of the kernels: no long multiplication, plain, DSP, MVE."""

CASES = (
    Case((64, 32, 10), "pepita", "a16w16", FAST_PEPITA, zeros=(0.5,)),
    Case((196, 57, 10), "pepita", "a16w8", FAST_PEPITA, zeros=(0.8,)),
    Case((100, 44, 26, 7), "pepita", "a8w8", {"projection": "sparse"}, zeros=(0.2,)),
    Case((150, 36, 11), "mempepita", "a16w16", centred=True),
    Case((86, 62, 14), "ftp", "a8w8", {"gate": 0.05}, zeros=(0.7,)),
    Case((240, 25, 34, 6), "ftp", "a16w16", {"target_function": "tanh"}, activation="tanh"),
    Case((400, 30, 10), "bp", "a16w8", centred=True),
    Case((75, 40, 5), "dfa", "a16w16", activation="hard_tanh", zeros=(0.4,)),
    Case((561, 64, 12), "last", "a8w8", zeros=(0.1,)),
    Case((128, 24, 8, 24, 128), "ftp", "a16w16", {"learning_rate": 3e-4}, head="reconstruction"),
    Case((52, 46, 1), "pepita", "a16w8", {"row_gate": 0.01}, head="sigmoid", dtype="int8"),
    Case(
        *((300, 48, 20, 9), "pepita", "a16w16"),
        {**FAST_PEPITA, "trainable": ("none", "all", "all")},
        zeros=(0.3,),
    ),
    Case((95, 33, 16), "hebbian", "a16w8", {"projection": "dense"}, zeros=(0.6,)),
)
