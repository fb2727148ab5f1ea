# SPDX-License-Identifier: Apache-2.0
"""Read the crash report of a device whatever model it runs."""

from secondpass.device.fault import FaultReport
from secondpass.device.link import LinkDevice
from secondpass.device.transport import Transport


class _AnyModel(LinkDevice):
    """A session for requests that need no model."""

    def __init__(self, transport: Transport, timeout: float) -> None:
        self.connect(transport, timeout)


def read_report(
    transport: Transport, clear: bool = False, timeout: float = 10.0
) -> FaultReport | None:
    """Return why the firmware crashed, None: it did not; and clear the report when asked.

    Raises `DeviceError` when no firmware answers, or one that keeps no reports.
    """
    return _AnyModel(transport, timeout).fault_report(clear)
