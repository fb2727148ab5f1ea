# SPDX-License-Identifier: Apache-2.0
"""The errors that a user is meant to read: one line, what was wrong and what to do."""

from collections.abc import Iterable


class SecondpassError(Exception):
    """Base of every error that is reported to the user as one line."""


class NetworkError(SecondpassError):
    """A network, a rule or a number format that cannot be built."""


class ToolMissingError(SecondpassError):
    """A program that a command needs is not installed."""


class BuildError(SecondpassError):
    """A compiler refused generated or library code."""


class DeviceError(SecondpassError):
    """A device did not answer, or answered something that cannot be used."""


class ConnectionLostError(DeviceError):
    """The byte stream to a device broke: a cable was pulled, or the other end went away."""

    def __init__(self, port: str, cause: Exception) -> None:
        super().__init__(f"the connection on {port} broke ({cause})")


class NoAnswerError(DeviceError):
    """Nothing on the port answers a request to open a session."""


class DeviceRestartedError(DeviceError):
    """The device answers, but knows nothing of the session: it was reset or lost its power."""


class CheckpointError(SecondpassError):
    """A checkpoint that is missing, damaged or of another model; `status` is the firmware's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class DataError(SecondpassError):
    """A data set is missing, damaged or of the wrong shape."""


def require_choice(what: str, value: object, accepted: Iterable[object]) -> None:
    """Raise `NetworkError` naming the accepted values unless `value` is one of them."""
    choices = list(accepted)
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise NetworkError(f"{what} is {value!r}; accepted: {listed}")
