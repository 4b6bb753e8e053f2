"""Comparing the tables with a database, so that Alembic can write a migration."""

from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Index,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_mock_engine,
    inspect,
)
from sqlalchemy.schema import CreateIndex, SchemaItem

from gql_app.db.migrations.branches import VERSION_TABLE, Branch
from gql_app.db.tables import Row
from gql_app.lib.database import Moment

MAX_NAME: Final = 63
"""The most characters of a name on PostgreSQL."""


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

    An index that this dialect lacks is left out, and a unique constraint that is there without a
    name, or under another one if the name is cut short. PostgreSQL returns expressions rewritten,
    so an index of expressions is compared by its existence alone.
    """
    if isinstance(item, Table):
        return name in branch.tables if branch else _is_ours(connection, name)
    metadata = branch.metadata if branch else Row.metadata
    if isinstance(item, UniqueConstraint) and other is None:
        return not (_is_cut(metadata, item) if reflected else _is_unnamed(connection, item))
    if not isinstance(item, Index) or reflected:
        return True
    if other is not None and not all(isinstance(each, Column) for each in item.expressions):
        return False
    return name in indexes_of(connection.dialect.name, metadata)


def _is_unnamed(connection: Connection, constraint: UniqueConstraint) -> bool:
    """Return whether a table has a constraint already, without its name, which SQLite gave none.

    PostgreSQL cuts a long one short in its own way.
    """
    columns = constraint.columns.keys()
    found = inspect(connection).get_unique_constraints(constraint.table.name)
    names = [each["name"] for each in found if each["column_names"] == columns]
    return bool(names) and (None in names or _is_long(constraint))


def _is_cut(metadata: MetaData, reflected: UniqueConstraint) -> bool:
    """Return whether a constraint of the database is one of the tables with a long name."""
    known = metadata.tables[reflected.table.name].constraints
    unique = (each for each in known if isinstance(each, UniqueConstraint) and _is_long(each))
    return any(each.columns.keys() == reflected.columns.keys() for each in unique)


def _is_long(constraint: UniqueConstraint) -> bool:
    return len(str(constraint.name)) > MAX_NAME


def _is_ours(connection: Connection, name: str | None) -> bool:
    """Return whether a table is the core's: a table without a class is, if there is no branch.

    Then it is a table that the core has given up, and no feature's.
    """
    if name in Row.metadata.tables:
        return True
    tables = inspect(connection).get_table_names()
    return not any(each.startswith(f"{VERSION_TABLE}_") for each in tables)


def compare_default(
    _: object, __: object, column: Column[object], stored: str | None, default: object, ___: object
) -> bool | None:
    """Return False for a text that is the database's default already; None leaves it to Alembic.

    Alembic takes quotes off the texts unevenly: one that is empty or has an apostrophe would always
    differ on SQLite.
    """
    text = getattr(default, "arg", None)
    if not isinstance(text, str) or stored is None:
        return None
    quoted = "'{}'".format(text.replace("'", "''"))
    known = (stored, stored.removeprefix("(").removesuffix(")"), stored.rpartition("::")[0])
    if quoted in known:
        return False
    return True if isinstance(column.type, String | JSON) else None


def render(kind: str, item: object, _: object) -> str | Literal[False]:
    """Return the source of a Moment's type for migrations, which needs no import; else False."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Moment) else False
