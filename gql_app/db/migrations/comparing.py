"""Comparing the tables with a database, so that Alembic can write a migration."""

from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    Column,
    Connection,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    create_mock_engine,
    inspect,
)
from sqlalchemy.schema import CreateIndex, SchemaItem

from gql_app.db.migrations.branches import VERSION_TABLE, Branch
from gql_app.db.tables import Row
from gql_app.lib.database import Moment


@cache
def indexes_of(dialect: str, metadata: MetaData = Row.metadata) -> frozenset[str]:
    """Return the names of the indexes that the tables have in this dialect."""
    made: list[Any] = []
    engine = create_mock_engine(f"{dialect}://", lambda each, *_, **__: made.append(each))
    metadata.create_all(engine, checkfirst=False)
    return frozenset(str(each.element.name) for each in made if isinstance(each, CreateIndex))


def is_compared(
    connection: Connection,
    branch: Branch | None,
    item: SchemaItem,
    name: str | None,
    _: str,
    reflected: bool,  # noqa: FBT001 — as Alembic calls it
    other: SchemaItem | None,
) -> bool:
    """Return whether an item of the tables, or of the database if `reflected`, is compared.

    An index that this dialect lacks is left out, and a unique constraint that an older migration
    made without a name. PostgreSQL returns expressions rewritten, so an
    index of expressions is compared by its existence alone.
    """
    if isinstance(item, Table):
        return name in branch.tables if branch else _is_ours(connection, name)
    if isinstance(item, UniqueConstraint) and not reflected and other is None:
        return not _is_unnamed(connection, item)
    if not isinstance(item, Index) or reflected:
        return True
    if other is not None and not all(isinstance(each, Column) for each in item.expressions):
        return False
    metadata = branch.metadata if branch else Row.metadata
    return name in indexes_of(connection.dialect.name, metadata)


def _is_unnamed(connection: Connection, constraint: UniqueConstraint) -> bool:
    """Return whether a table has a constraint already, without a name: SQLite gives it none."""
    columns = [each.name for each in constraint.columns]
    found = inspect(connection).get_unique_constraints(constraint.table.name)
    return any(not each["name"] and each["column_names"] == columns for each in found)


def _is_ours(connection: Connection, name: str | None) -> bool:
    """Return whether a table is the core's: a table without a class is, if there is no branch.

    Then it is a table that the core has given up, and no feature's.
    """
    if name in Row.metadata.tables:
        return True
    tables = inspect(connection).get_table_names()
    return not any(each.startswith(f"{VERSION_TABLE}_") for each in tables)


def render(kind: str, item: object, _: object) -> str | Literal[False]:
    """Return the source of a Moment's type for migrations, which needs no import; else False."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Moment) else False
