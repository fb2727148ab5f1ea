# SPDX-License-Identifier: Apache-2.0
"""What `train` does with its options: own data, or a data set that the tools know."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from secondpass import commands
from secondpass.device.text import chosen_profile
from secondpass.errors import DataError


def train(
    console: Console,
    *,
    csv: Path | None = None,
    wav: Path | None = None,
    dataset: str | None = None,
    model: Path | None = None,
    port: str | None = None,
    samples: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    keep: bool = False,
    **own: Any,
) -> None:
    """Train a device; `own` are the options that only own data take, as `own_options` takes them.

    Raises `DataError` for options that do not go together.
    """
    if csv is None and wav is None:
        if port is None:
            raise DataError(
                "give own data as --csv FILE --label COLUMN or --wav FOLDER, or the --port of a "
                "device to train on a data set"
            )
        source = model or commands.MODEL
        name = dataset or "digits"
        commands.train(port, source, name, samples, epochs, seed, not keep, console)
        return
    if dataset is not None or samples is not None:
        raise DataError("--dataset and --samples do not go with own data")
    from secondpass import own_training

    options = own_training.OwnOptions(
        csv=csv,
        wav=wav,
        model=model,
        port=port,
        epochs=epochs,
        seed=seed,
        keep=keep,
        **own_options(**own),
    )
    own_training.run(options, console)


def own_options(
    *,
    regression: bool = False,
    anomaly: bool = False,
    classes: str | None = None,
    ignore: Sequence[str] | None = None,
    hidden: str = "32",
    setting: Sequence[str] | None = None,
    out: Path = Path("build/own"),
    no_text: bool = False,
    profile_id: str | None = None,
    **same: Any,
) -> dict[str, Any]:
    """Return options as `OwnOptions` takes them; `same` are those that it takes as they are."""
    if regression and anomaly:
        raise DataError("--regression and --anomaly are two goals; give one")
    names = [name.strip() for name in (classes or "").split(",")]
    return {
        **same,
        "goal": "regression" if regression else "anomaly" if anomaly else "classify",
        "classes": tuple(name for name in names if name),
        "ignored": tuple(ignore or ()),
        "hidden": commands.hidden_widths(hidden),
        "settings": tuple(setting or ()),
        "folder": out,
        "text": chosen_profile(no_text, profile_id),
    }
