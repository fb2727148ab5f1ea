# SPDX-License-Identifier: Apache-2.0
"""Tables and the figure of docs/results.md from what `mnist_rules` and `mnist_float` found.

python bench/studies/mnist_tables.py
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from mnist_rules import DATASETS, FORMATS, VARIANTS
from runs import RESULTS, results

IMAGES = Path(__file__).parents[2] / "docs" / "images"
Line = dict[str, Any]


def variant_of(line: Line) -> str:
    """Return the variant's name of a result."""
    marks = {"second_pass": "short", "target_function": "tanh"}
    for name, (rule, settings) in VARIANTS.items():
        chosen = {key: line["settings"].get(key) for key in marks if key in line["settings"]}
        if rule == line["rule"] and settings == chosen:
            return name
    return str(line["rule"])


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation of some seeds, or the value of one."""
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:.2f} (1)"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def formats() -> None:
    """Print the big table: rules by formats, for each data set, and float32 beside them."""
    cells: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for line in results(RESULTS / "mnist_formats.jsonl"):
        cells[line["dataset"], variant_of(line), line["format"]].append(line["test"][-1])
    for line in results(RESULTS / "mnist_float.jsonl"):
        cells[line["dataset"], variant_of(line), "float32"].append(line["test"][-1])
    for dataset in DATASETS:
        columns = ("float32", *FORMATS)
        rows = [[name, *(spread(cells[dataset, name, f]) for f in columns)] for name in VARIANTS]
        table([f"{dataset}: rule", *columns], rows)


def telemetry() -> None:
    """Print what the device counted in the last epoch, seed 1."""
    rows = [
        [
            line["dataset"],
            variant_of(line),
            line["format"],
            ", ".join(str(count) for count in line["saturations"][-1]),
            ", ".join(str(count) for count in line["active_rows"][-1]),
        ]
        for line in results(RESULTS / "mnist_formats.jsonl")
        if line["seed"] == 1 and sum(line["saturations"][-1]) > 100
    ]
    table(["data set", "rule", "format", "saturations by layer", "rows a step"], rows)


def room() -> None:
    """Print the table of head-rooms."""
    lines = results(RESULTS / "mnist_room.jsonl")
    rooms = sorted({line["weight_head_room"] for line in lines}, reverse=True)
    cells = {
        (line["dataset"], line["format"], line["weight_head_room"]): (
            f"{line['test'][-1]:.2f} ({sum(line['saturations'][-1])})"
        )
        for line in lines
    }
    rows = [
        [dataset, format, *(cells.get((dataset, format, size), "") for size in rooms)]
        for dataset in DATASETS
        for format in ("a16w8", "a8w8")
    ]
    table(["data set", "format", *(f"head-room {size:g}" for size in rooms)], rows)


def depth() -> None:
    """Print the table of two hidden layers."""
    cells: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    for line in results(RESULTS / "mnist_depth.jsonl"):
        settings = ", ".join(f"{key} {value}" for key, value in line["settings"].items())
        cells[line["dataset"], line["rule"], line["activation"], settings].append(line)
    rows = [
        [
            *key,
            spread([line["test"][-1] for line in cells[key]]),
            ", ".join(str(sum(line["saturations"][-1])) for line in cells[key]),
        ]
        for key in sorted(cells, key=lambda key: (DATASETS.index(key[0]), key[1:]))
    ]
    table(["data set", "rule", "units", "settings", "test", "saturations by seed"], rows)


def long() -> None:
    """Print and draw the long runs."""
    cells: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
    for line in results(RESULTS / "mnist_long.jsonl"):
        cells[line["dataset"], line["rule"], line["format"]].append(line)
    rows = [
        [
            *key,
            ", ".join(f"{line['test'][-1]:.2f}" for line in cells[key]),
            spread([line["test"][-1] for line in cells[key]]),
            ", ".join(f"{count:.0f}" for count in cells[key][0]["active_rows"][-1]),
            str(sum(sum(epoch) for epoch in cells[key][0]["saturations"])),
        ]
        for key in sorted(cells, key=lambda key: (DATASETS.index(key[0]), key[1] == "bp", key[2]))
    ]
    telemetry = ("rows updated a step, last epoch", "saturations, all epochs")
    table(["data set", "rule", "format", "seeds 1, 2, 3", "mean", *telemetry], rows)
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots(1, len(DATASETS))
    colours = {"ftp a16w16": "tab:blue", "ftp a16w8": "tab:green", "ftp a8w8": "tab:orange"}
    for axis, dataset in zip(axes, DATASETS, strict=True):
        for (name, rule, format), members in cells.items():
            title = f"{rule} {format}"
            for index, line in enumerate(members if name == dataset else []):
                axis.plot(
                    range(1, len(line["test"]) + 1),
                    line["test"],
                    color=colours.get(title, "tab:gray"),
                    label=None if index else title,
                    linewidth=1,
                )
        axis.set(title=dataset, xlabel="epoch", ylabel="test accuracy in %")
        axis.grid(alpha=0.3)
    axes[0].legend(loc="lower right")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "secondpass"}):  # one drawing, one file
        figure.savefig(IMAGES / "mnist-long.svg", metadata={"Date": None})


def against_float() -> None:
    """Print integer and float accuracy of the same runs."""
    cells: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for name in ("formats", "float"):
        for line in results(RESULTS / f"mnist_{name}.jsonl"):
            if line["format"] == "a16w16":
                key = line["dataset"], variant_of(line), line["arithmetic"]
                cells[key][line["seed"]] = line["test"][-1]
    rows = []
    for dataset in DATASETS:
        for name in VARIANTS:
            integer, real = cells[dataset, name, "integer"], cells[dataset, name, "float"]
            seeds = sorted(integer.keys() & real.keys())
            if seeds:
                differences = [integer[seed] - real[seed] for seed in seeds]
                each = ", ".join(f"{value:+.2f}" for value in differences)
                chosen = [spread([part[seed] for seed in seeds]) for part in (real, integer)]
                mean = f"{statistics.mean(differences):+.2f}"
                rows.append([dataset, name, *chosen, each, mean])
    table(["data set", "rule", "float32", "a16w16", "differences by seed", "mean"], rows)


def main() -> None:
    """Print all tables and draw the figure."""
    for part in (formats, telemetry, long, room, depth, against_float):
        print(f"<!-- {part.__name__} -->\n")
        part()


if __name__ == "__main__":
    main()
