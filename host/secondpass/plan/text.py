# SPDX-License-Identifier: Apache-2.0
"""What the text protocol takes in a firmware: measured code, and buffers that follow the sample."""

from dataclasses import dataclass

from secondpass.device.text import TextProfile
from secondpass.network import Network

FLOAT = "float"
"""What code for float32 samples adds, whatever the head."""


@dataclass(frozen=True)
class TextSizes:
    """Measured bytes: `ram` beside `buffers`; `flash` of the code by head, and of `FLOAT`."""

    ram: int
    flash: dict[str, int]

    def ram_of(self, network: Network, profile: TextProfile) -> int:
        """Return the bytes of RAM in a network's firmware."""
        return self.ram + buffers(network, profile)

    def flash_of(self, network: Network, profile: TextProfile) -> int:
        """Return the bytes of flash in a network's firmware."""
        return self.flash[network.head] + self.flash[FLOAT] * profile.float_samples


def buffers(network: Network, profile: TextProfile) -> int:
    """Return the bytes of results and sample in `sp_text_t` (secondpass/ascii.h)."""
    values = {"sigmoid": 2, "reconstruction": 1}.get(network.head, network.outputs)
    raw = network.sample.sample_bytes
    sample = 4 * network.sample.size + raw if profile.float_samples else raw
    return _words(2 * values) + _words(sample)


def _words(size: int) -> int:
    return (size + 3) // 4 * 4
