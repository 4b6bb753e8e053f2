"""What a database's trouble means for whoever asked: this is where drivers' errors end."""

import sqlite3
from collections.abc import Mapping
from typing import Final

import asyncpg
import stamina
from sqlalchemy.engine import ExceptionContext
from stamina.instrumentation import set_on_retry_hooks

from gql_app.errors import Unavailable

DRIVERS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that is being lost this very moment
    sqlite3.Error,
    OSError,
)
"""What the drivers raise."""


class Lost(Unavailable):
    """A connection is of no more use, or none can be opened; nothing was committed by it."""


class Closed(Lost):
    """A connection was found closed, before anything was sent by it."""


class Conflict(Unavailable):
    """A transaction was rolled back because of another that ran beside it."""

    advice = "Too many others are changing the same things. Try again shortly."


class Busy(Unavailable):
    """What is needed is in use by others, for longer than anybody waits."""

    advice = "The server has too much to do at this moment. Try again shortly."


class Full(Unavailable):
    """There is no room, or the disk fails: only the operator can mend that."""

    advice = "The database takes no changes at this moment. Try again later."
    wait = 10


class Unknown(Unavailable):
    """The connection was lost while the transaction was being committed."""

    advice = (
        "The database was lost while this was being finished, so it isn't known whether it was "
        "done. Look before you try again."
    )

    def __init__(self) -> None:
        super().__init__(mayBeDone=True)


PASSING: Final = (Lost, Conflict)
"""What was surely undone, and may well work when it is tried again."""

_STATES: Final[Mapping[str, type[Unavailable]]] = {
    "08": Lost,
    "25006": Lost,  # a server that was the primary, and only lets read now
    "25P03": Lost,  # idle in a transaction for too long
    "25P04": Lost,  # a transaction that took too long
    "40001": Conflict,
    "40P01": Conflict,
    "40003": Unknown,
    "53": Busy,
    "53100": Full,
    "55P03": Busy,
    "57014": Busy,  # longer than the operator of the database lets statements take
    "57P": Lost,
    "58000": Full,
    "58030": Full,
}
"""By the SQLSTATE, or as much of it as they have in common (PostgreSQL, appendix A)."""
_CODES: Final[Mapping[int, type[Unavailable]]] = {
    sqlite3.SQLITE_BUSY: Busy,
    sqlite3.SQLITE_LOCKED: Busy,
    sqlite3.SQLITE_CANTOPEN: Unavailable,
    sqlite3.SQLITE_NOMEM: Full,
    sqlite3.SQLITE_READONLY: Full,
    sqlite3.SQLITE_IOERR: Full,
    sqlite3.SQLITE_FULL: Full,
}
_PRIMARY: Final = 0xFF
"""The bits of SQLite's result codes that aren't details."""

# stamina would count and log by itself, and what it logs are the arguments: customers' data.
set_on_retry_hooks(())
asking_again: Final = stamina.AsyncRetryingCaller(
    attempts=4, timeout=1.0, wait_initial=0.05, wait_max=0.4, wait_jitter=0.2
).on(PASSING)
"""Tries that who lost a connection gets: a few, within a second."""
colliding_again: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=3.0, wait_initial=0.01, wait_max=0.2, wait_jitter=0.1
).on(PASSING)
"""Tries that a transaction gets which collides with others: each time, one gets through."""


def judged(error: BaseException) -> Unavailable | None:
    """Tell what an error means; None if it is no trouble of the database's."""
    kind: type[Unavailable] | None = None
    match error:
        case Unavailable():
            return error
        case asyncpg.PostgresError():
            kind = _of_state(error)
        case sqlite3.Error():
            kind = _CODES.get(primary(error))
        case ValueError():
            pass  # a value that the driver can't send
        case asyncpg.InterfaceError():
            kind = Closed
        case asyncpg.InternalClientError() | OSError():
            kind = Lost
    return kind() if kind else None


def primary(error: sqlite3.Error) -> int:
    """Tell SQLite's code without its details, 0 if there is none: locked has several."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY


def translate(context: ExceptionContext) -> Unavailable | None:
    """Have SQLAlchemy raise what an error means; if one connection is lost, the others are, too."""
    error = context.original_exception
    fault = judged(error) or (judged(error.__cause__) if error.__cause__ else None)
    context.is_disconnect = context.is_disconnect or isinstance(fault, Lost)
    return fault


def _of_state(error: asyncpg.PostgresError) -> type[Unavailable] | None:
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return Lost  # a new connection has no old statements
    state = error.sqlstate or ""
    return _STATES.get(state) or _STATES.get(state[:3]) or _STATES.get(state[:2])
