# SPDX-License-Identifier: Apache-2.0
"""Learning curves as CSV and PNG."""

import csv
from dataclasses import asdict, fields
from pathlib import Path

from secondpass.session import CurvePoint, History


def write_csv(path: Path, history: History) -> None:
    """Write one line a training step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(CurvePoint)])
        writer.writeheader()
        for point in history.points:
            row = asdict(point)
            row["prequential_accuracy"] = f"{point.prequential_accuracy:.4f}"
            row["loss"] = f"{point.loss:.5f}"
            writer.writerow(row)


def write_png(path: Path, history: History, title: str, test_accuracy: float | None) -> None:
    """Draw prequential accuracy and saturations over the training steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = [point.step for point in history.points]
    figure, accuracy = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    accuracy.plot(
        steps,
        [100 * point.prequential_accuracy for point in history.points],
        color="tab:blue",
        label="prequential accuracy (last 200 samples)",
    )
    if test_accuracy is not None:
        accuracy.axhline(
            100 * test_accuracy,
            color="tab:green",
            linestyle="--",
            label=f"held-out samples afterwards: {100 * test_accuracy:.1f} %",
        )
    accuracy.set(title=title, xlabel="training steps on the device", ylabel="accuracy in %")
    accuracy.set_ylim(0, 101)
    accuracy.grid(alpha=0.3)
    accuracy.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)
