"""Errors that independent packages share, and that a program reports in words."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final


def sentence(text: str) -> str:
    """Return a text with a full stop, if it does not end with one: so another may follow it."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def root_of(error: BaseException) -> BaseException:
    """Return the root cause of an error: itself if it has none."""
    while isinstance(error.__cause__, Exception):  # a TimeoutError's is a CancelledError
        error = error.__cause__
    return error


class OperatorError(Exception):
    """An error that the operator has to mend, with every fault in words."""

    status: ClassVar = 1
    """The exit status of a command that fails with it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults: Final = tuple(faults)


class CannotStart(OperatorError):
    """An error that keeps the program from starting."""

    status = 2


class Unavailable(Exception):
    """The database can't be used at this moment.

    graphql-core lifts the dictionary `extensions` into the GraphQL error.
    """

    code: ClassVar = "SERVICE_UNAVAILABLE"
    advice: ClassVar = "The database can't be reached at this moment. Try again shortly."
    wait: ClassVar = 1
    """Seconds after which a retry may succeed."""
    event: ClassVar[str | None] = "The database is unavailable"
    """What the log says, None if the failure is logged where it happens."""

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
        """The root cause, such as the driver's error, in a line for the log."""
        error = root_of(self)
        return f"{type(error).__name__}: {error}"


class StatementError(Exception):
    """The database refuses a statement, so that a retry would fail as well.

    Its text names what is wrong and holds no value: that may be a password's hash.
    """


class IntegrityViolation(StatementError):
    """A constraint refuses a row: a unique key, a foreign key, or NOT NULL."""


class DependencyFailed(Unavailable):
    """Another service that the program depends on failed, or took too long."""

    advice = "A service that this server depends on does not answer at this moment. Try again."
    wait = 5
    event = None


class WorkCancelled(Exception):
    """Something that was awaited was cancelled, and not the task that awaits it."""


def fault_of(error: asyncio.CancelledError) -> Exception:
    """Return WorkCancelled in place of a CancelledError.

    Raise the CancelledError if the current task itself is cancelled: that must go on.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    fault = WorkCancelled("What was awaited was cancelled.")
    fault.__cause__ = error
    return fault


class CancellationsAsFaults:
    """A block that raises WorkCancelled if what it awaits is cancelled, and not its task."""

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise WorkCancelled in place of a CancelledError, unless the task is cancelled."""
        if isinstance(error, asyncio.CancelledError):
            raise fault_of(error)
