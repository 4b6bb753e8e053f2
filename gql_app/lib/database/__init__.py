"""SQLite and PostgreSQL: reading, transactions and retries; SQLAlchemy Core writes the SQL."""

from gql_app.lib.database.database import Database, Reader, Transaction
from gql_app.lib.database.errors import (
    Busy,
    CommitOutcomeUnknown,
    Conflict,
    ConnectionClosed,
    ConnectionLost,
    Full,
    IntegrityViolation,
    StatementError,
    Unavailable,
)
from gql_app.lib.database.statements import (
    Query,
    Upsert,
    any_of,
    api_text,
    insert_or_ignore,
    insert_row,
    upsert,
)
from gql_app.lib.database.types import Moment, check_metadata

__all__ = [
    "Busy",
    "CommitOutcomeUnknown",
    "Conflict",
    "ConnectionClosed",
    "ConnectionLost",
    "Database",
    "Full",
    "IntegrityViolation",
    "Moment",
    "Query",
    "Reader",
    "StatementError",
    "Transaction",
    "Unavailable",
    "Upsert",
    "any_of",
    "api_text",
    "check_metadata",
    "insert_or_ignore",
    "insert_row",
    "upsert",
]
