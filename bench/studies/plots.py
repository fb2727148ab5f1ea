# SPDX-License-Identifier: Apache-2.0
"""Draw what the studies found, from their lines of results, into docs/images/."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from common import read_lines

matplotlib.use("svg")
import matplotlib.pyplot as plt

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def drift(records: list[dict[str, Any]], rules: tuple[str, ...]) -> plt.Figure:
    """Draw the areas under the curve at both places against the passes of adaptation."""
    records = [r for r in records if r["passes"] >= 0]
    modes = list(dict.fromkeys(r["mode"] for r in records))
    figure, axes = plt.subplots(1, len(modes), figsize=(9, 3), sharey=True, layout="constrained")
    for axis, mode in zip(axes, modes, strict=True):
        for colour, rule in enumerate(rules):
            for place, style in (("deploy", "-"), ("home", "--")):
                rows = [r for r in records if r["rule"] == rule and r["mode"] == mode]
                passes = sorted({r["passes"] for r in rows})
                values = [[r[place] for r in rows if r["passes"] == p] for p in passes]
                axis.errorbar(
                    passes,
                    np.mean(values, axis=1),
                    np.std(values, axis=1, ddof=1),
                    color=f"C{colour}",
                    linestyle=style,
                    label=f"{rule}, {'new' if place == 'deploy' else 'first'} place",
                )
        rehearsal = mode.startswith("rehearsal")
        axis.set_title(mode if rehearsal else f"rates for {mode}", fontsize=9)
        axis.set_xscale("symlog", linthresh=1)
        axis.set_xticks(passes, [str(p) for p in passes])
        axis.set_xlabel("passes over 143 windows")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("area under ROC curve")
    axes[-1].legend(fontsize=7, loc="lower right")
    return figure


def personalise(records: list[dict[str, Any]]) -> plt.Figure:
    """Draw each user's accuracy before and after adaptation, one panel for a number of windows."""
    counts = list(dict.fromkeys(r["windows"] for r in records))
    rules = ("pepita", "ftp", "bp", "last")
    figure, axes = plt.subplots(
        1, len(counts), figsize=(9, 3.4), sharex=True, sharey=True, layout="constrained"
    )
    for axis, count in zip(axes, counts, strict=True):
        for rule, marker in zip(rules, "os^x", strict=True):
            rows = [r for r in records if r["rule"] == rule and r["windows"] == count]
            users = sorted({r["user"] for r in rows})
            before, after = (
                [100 * np.mean([r[what] for r in rows if r["user"] == u]) for u in users]
                for what in ("before", "after")
            )
            axis.plot(before, after, marker, markersize=4, alpha=0.7, label=rule)
        ends = axis.get_xlim()
        axis.plot(ends, ends, color="grey", linewidth=0.8)
        axis.set_title(f"{count} labelled windows", fontsize=9)
        axis.set_xlabel("accuracy before, %")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy after, %")
    axes[0].legend(fontsize=7, loc="lower right")
    return figure


def main() -> None:
    """Draw both figures."""
    # no random ids, so that drawing again changes nothing
    matplotlib.rcParams["svg.hashsalt"] = "secondpass"
    figures = {
        "drift-fan": drift(read_lines("drift_fan"), ("pepita", "ftp", "bp")),
        "personalise-hapt": personalise(read_lines("personalise_hapt_folds")),
    }
    for name, figure in figures.items():
        figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
