"""Expressions and statements for both databases: lists of values, the API's texts, upserts."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    Insert,
    String,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from gql_app.lib.database.statements import (
    ApiMoment,
    ApiUuid,
    EitherDialect,
    JsonList,
    default_of,
)

_RFC3339: Final[ColumnElement[str]] = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""")
_ENDS: Final[Mapping[ColumnElement[Any], ColumnElement[str]]] = {
    literal_column("'-infinity'"): literal_column("'0001-01-01T00:00:00Z'"),
    literal_column("'infinity'"): literal_column("'9999-12-31T23:59:59.999999Z'"),
}
"""The API's text of -infinity and infinity, as which asyncpg sends datetime.min and datetime.max.

They compare with other values as those do.
"""


def any_of(column: ColumnElement[Any] | InstrumentedAttribute[Any], name: str) -> EitherDialect:
    """Return the condition that a column's value is in a list, which is a single parameter."""
    item = Text() if isinstance(column.expression.type, String) else column.expression.type
    values = func.json_each(bindparam(name, type_=JsonList(item)))
    listed = column.in_(select(literal_column("value")).select_from(values))
    return EitherDialect(listed, column == any_(bindparam(name, type_=ARRAY(item))))


def api_text(column: ColumnElement[Any] | InstrumentedAttribute[Any]) -> EitherDialect:
    """Return a column of UUIDs or moments as the text that the API writes.

    PostgreSQL writes it in less time than Python needs for an object and its text; SQLite would
    take longer than Python.
    """
    if isinstance(column.expression.type, Uuid):
        return EitherDialect(type_coerce(column, ApiUuid()), cast(column, Text()))
    written = func.to_char(func.timezone(literal_column("'UTC'"), column), _RFC3339)
    short = func.replace(written, literal_column("'.000000Z'"), literal_column("'Z'"))
    return EitherDialect(type_coerce(column, ApiMoment()), case(_ENDS, value=column, else_=short))


def insert_row(table: type[DeclarativeBase]) -> Insert:
    """Return an INSERT of every column, each with a parameter of its name.

    The parameter of a column that may be NULL, or has a default, may be left out.
    """
    return insert(table).values(_parameters(table))


def upsert(table: type[DeclarativeBase], update: Collection[str] | None = None) -> Insert:
    """Return an INSERT that updates the row of the same primary key, if there is one.

    `update` names the columns that are updated, by default all others. If it is empty, an existing
    row stays as it is, but is locked until the transaction ends.
    """
    statement = postgresql.insert(table).values(_parameters(table))  # SQLite has the same clauses
    keys = [column.key for column in table.__table__.primary_key]
    others = [name for name in _parameters(table) if name not in keys]
    changed = (others if update is None else update) or keys
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in changed}
    )


def insert_or_ignore(table: type[DeclarativeBase]) -> Insert:
    """Return an INSERT that does nothing if any unique key is taken."""
    return postgresql.insert(table).values(_parameters(table)).on_conflict_do_nothing()


def _parameters(table: type[DeclarativeBase]) -> dict[str, BindParameter[Any]]:
    return {
        each.key: bindparam(
            each.key,
            default_of(each),
            type_=each.type,
            required=each.default is None and not each.nullable,
        )
        for each in table.__table__.columns
        if isinstance(each, Column)
    }
