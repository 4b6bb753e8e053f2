"""Errors of the database, by what they mean for the caller."""

import sqlite3
from collections.abc import Mapping
from typing import Final

import asyncpg

from gql_app.lib.faults import IntegrityViolation, StatementError, Unavailable

DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that is just being lost
    sqlite3.Error,
    OSError,
)
"""Errors that the drivers raise."""

POOLER_ERRORS: Final = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)
"""Errors of prepared statements that a pooler leaves behind: 26000 and 42P05."""


class ConnectionLost(Unavailable):
    """A connection was lost, or none can be opened; nothing was committed."""


class Conflict(Unavailable):
    """A transaction was rolled back because of a concurrent one."""

    advice = "Too many others are changing the same things. Try again shortly."


class Busy(Unavailable):
    """A connection or a lock was in use by others until the time-out."""

    advice = "The server has too much to do at this moment. Try again shortly."


class LockTimeout(Busy):
    """A lock was held by others for longer than the transaction's lock_timeout."""


class Full(Unavailable):
    """The disk is full, read-only or failing, or memory ran out: the operator has to mend that."""

    advice = "The database takes no changes at this moment. Try again later."
    wait = 10


class Unresponsive(Unavailable):
    """The last probe was not answered; nothing else is sent until one is."""


class CommitOutcomeUnknown(Unavailable):
    """The connection was lost while the transaction was being committed."""

    advice = (
        "The database was lost while this was being finished, so it isn't known whether it was "
        "done. Look before you try again."
    )

    def __init__(self) -> None:
        super().__init__(mayBeDone=True)


_BY_SQLSTATE: Final[Mapping[str, type[Unavailable]]] = {
    "08": ConnectionLost,
    "25006": ConnectionLost,  # a server that was the primary, and is read-only now
    "25P03": ConnectionLost,  # idle in a transaction for too long
    "25P04": ConnectionLost,  # a transaction that took too long
    "40001": Conflict,
    "40P01": Conflict,
    "40003": CommitOutcomeUnknown,
    "53": Busy,
    "53100": Full,
    "55P03": LockTimeout,
    "57014": Busy,  # longer than the operator's statement_timeout
    "57P": ConnectionLost,
    "58000": Full,
    "58030": Full,
}
"""Errors by their SQLSTATE, or its first two or three characters (PostgreSQL, appendix A)."""
_BY_SQLITE_CODE: Final[Mapping[int, type[Unavailable]]] = {
    sqlite3.SQLITE_BUSY: Busy,
    sqlite3.SQLITE_LOCKED: Busy,
    sqlite3.SQLITE_CANTOPEN: Unavailable,
    sqlite3.SQLITE_NOMEM: Full,
    sqlite3.SQLITE_READONLY: Full,
    sqlite3.SQLITE_IOERR: Full,
    sqlite3.SQLITE_FULL: Full,
}
_PRIMARY: Final = 0xFF
"""The bits of SQLite's extended result codes that are the primary code."""


def unavailable(error: BaseException) -> Unavailable | None:
    """Return what a driver's error means; None unless the database is unavailable."""
    kind: type[Unavailable] | None = None
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, (asyncpg.InvalidCachedStatementError, *POOLER_ERRORS)):
        kind = ConnectionLost  # a new connection has no stale statements
    elif isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        kind = _BY_SQLSTATE.get(code) or _BY_SQLSTATE.get(code[:3]) or _BY_SQLSTATE.get(code[:2])
    elif isinstance(error, sqlite3.Error):
        kind = _BY_SQLITE_CODE.get(primary_code(error))
    elif isinstance(error, DRIVER_ERRORS) and not isinstance(error, ValueError):
        kind = ConnectionLost  # a ValueError is about a value that the driver can't send
    return kind() if kind else None


def translate(error: BaseException) -> None:
    """Raise what a driver's error means; return if it is not a driver's.

    Unless it is Unavailable, the driver's error is not chained: its details hold values.
    """
    if found := unavailable(error):
        if found is error:
            return
        raise found from error
    if isinstance(error, sqlite3.IntegrityError | asyncpg.IntegrityConstraintViolationError):
        raise IntegrityViolation(_words(error)) from None
    if isinstance(error, DRIVER_ERRORS):
        raise StatementError(_words(error)) from None


def _words(error: BaseException) -> str:
    """Return a driver's message in a line, without PostgreSQL's details and what quotes a value."""
    kind = type(error).__name__
    quotes = isinstance(error, asyncpg.DataError | asyncpg.InterfaceError)
    return kind if quotes else f"{kind}: {error.args[0]}"


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 if there is none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY
