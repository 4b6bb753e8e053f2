"""Errors that packages raise which know nothing of each other, and a program tells in words."""

from collections.abc import Sequence
from typing import ClassVar, Final


class OperatorError(Exception):
    """What an operator has to mend, every fault in words."""

    status: ClassVar = 1
    """The exit status of a command that ends by it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults: Final = tuple(faults)


class CannotStart(OperatorError):
    """What keeps the program from starting."""

    status = 2


class Unavailable(Exception):
    """The database can't be used at this moment.

    graphql-core lifts the dictionary `extensions` into the GraphQL error.
    """

    code: ClassVar = "SERVICE_UNAVAILABLE"
    advice: ClassVar = "The database can't be reached at this moment. Try again shortly."
    wait: ClassVar = 1
    """Seconds after which to try again is worth it."""

    def __init__(self, **details: bool) -> None:
        super().__init__(self.advice)
        self.message: Final[str] = self.advice
        self.extensions: Final[dict[str, str | int]] = {
            "code": self.code,
            "retryAfter": self.wait,
            **details,
        }

    @property
    def cause(self) -> str:
        """The driver's error that this comes from, in a line for the log."""
        error: Exception = self
        while isinstance(error.__cause__, Exception):  # a time-out ends by being cancelled
            error = error.__cause__
        return f"{type(error).__name__}: {error}"


class DependencyFailed(Unavailable):
    """Another service that the program depends on failed, or took too long."""

    advice = "A service that this server depends on does not answer at this moment. Try again."
    wait = 5
