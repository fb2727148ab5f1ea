# SPDX-License-Identifier: Apache-2.0
"""What a build says of itself in the text protocol (docs/text-protocol.md)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secondpass.errors import BuildError

if TYPE_CHECKING:
    from secondpass.network import Network

FOLDER = "ascii"
"""Folder of `firmware/src` that holds the protocol."""
_BY_HEAD = {"softmax": "kws01", "sigmoid": "vww01", "reconstruction": "ad01", "mse": "reg01"}
_READINGS = "readings"
_FLOAT_SAMPLES = ("ad01",)
_TRUNCATED = ("kws01",)
_FINAL_COMMA = ("vww01",)
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
_MOST_CHARACTERS = 16


@dataclass(frozen=True)
class TextProfile:
    """The benchmark that a model answers for, by the id that `profile` gives.

    `ad01` takes float32 samples, as that benchmark's hosts send them; every other id takes raw
    ones. `kws01` truncates results, the others round.
    """

    id: str

    def __post_init__(self) -> None:
        fits = 1 <= len(self.id) <= _MOST_CHARACTERS
        if not fits or not set(self.id) <= set(_CHARACTERS) or "m-ready" in self.id:
            raise BuildError(
                f"--profile-id is {self.id!r}; it takes 1 to {_MOST_CHARACTERS} letters, digits "
                "and -_., such as kws01"
            )

    @property
    def float_samples(self) -> bool:
        """Whether samples come as float32."""
        return self.id in _FLOAT_SAMPLES

    @property
    def macros(self) -> dict[str, str]:
        """Preprocessor names of `secondpass/ascii.h` and their values."""
        return {
            "SP_TEXT": "1",
            "SP_TEXT_ID": f'"{self.id}"',
            "SP_TEXT_FLOAT": str(int(self.float_samples)),
            "SP_TEXT_TRUNCATE": str(int(self.id in _TRUNCATED)),
            "SP_TEXT_FINAL_COMMA": str(int(self.id in _FINAL_COMMA)),
        }


def default_profile(network: "Network") -> TextProfile:
    """Return the profile of the benchmark whose results have the form of a network's head.

    A detector that makes its features itself takes readings as they are: float32 would take more
    memory than all else.
    """
    from secondpass.spectral import SpectralNetwork

    if isinstance(network, SpectralNetwork) and network.head == "reconstruction":
        return TextProfile(_READINGS)
    return TextProfile(_BY_HEAD[network.head])


def profile_of(network: "Network", text: TextProfile | bool) -> TextProfile | None:
    """Return what a build's `text` means for a network: True takes the default, False is none."""
    return default_profile(network) if text is True else text or None


def chosen_profile(no_text: bool, profile_id: str | None) -> TextProfile | bool:
    """Return what `build_firmware` takes for the options of a command.

    Raises `BuildError` for an id that cannot be one, or that is given with `no_text`.
    """
    if profile_id is None:
        return not no_text
    if no_text:
        raise BuildError("--no-text leaves out what --profile-id is for: give one of them")
    return TextProfile(profile_id)
