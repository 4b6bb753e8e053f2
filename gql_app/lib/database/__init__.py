"""SQLite and PostgreSQL from asyncio: connection pools, transactions, retries, SQLAlchemy Core."""

from gql_app.lib.database.batches import Batch
from gql_app.lib.database.causes import Cause, cause_of
from gql_app.lib.database.citus import distributed_tables, unreachable_machines
from gql_app.lib.database.database import Database, Reader, Transaction
from gql_app.lib.database.errors import (
    Busy,
    Conflict,
    LockTimeout,
    unavailable,
)
from gql_app.lib.database.expressions import (
    any_of,
    api_text,
    insert_or_ignore,
    insert_row,
    upsert,
)
from gql_app.lib.database.postgresql import Servers
from gql_app.lib.database.probing import SharedResult
from gql_app.lib.database.sqlite import sqlite_file, unwritable
from gql_app.lib.database.statements import (
    ColumnQuery,
    EitherDialect,
    JsonList,
    Moment,
    Query,
    Statement,
    scalars,
)
from gql_app.lib.database.table_checks import check_metadata, table_faults
from gql_app.lib.database.urls import SSL_MODES, in_the_clear, options_of
from gql_app.lib.faults import IntegrityViolation, StatementError, Unavailable

__all__ = [
    "SSL_MODES",
    "Batch",
    "Busy",
    "Cause",
    "ColumnQuery",
    "Conflict",
    "Database",
    "EitherDialect",
    "IntegrityViolation",
    "JsonList",
    "LockTimeout",
    "Moment",
    "Query",
    "Reader",
    "Servers",
    "SharedResult",
    "Statement",
    "StatementError",
    "Transaction",
    "Unavailable",
    "any_of",
    "api_text",
    "cause_of",
    "check_metadata",
    "distributed_tables",
    "in_the_clear",
    "insert_or_ignore",
    "insert_row",
    "options_of",
    "scalars",
    "sqlite_file",
    "table_faults",
    "unavailable",
    "unreachable_machines",
    "unwritable",
    "upsert",
]
