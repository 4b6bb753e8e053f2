"""Comparing the tables with a database, for Alembic to write a migration."""

from functools import cache
from typing import Any, Literal

from sqlalchemy import Column, Index, create_mock_engine
from sqlalchemy.schema import CreateIndex, SchemaItem

from gql_app.db.tables import Row
from gql_app.lib.database import Moment


@cache
def indexes_of(dialect: str) -> frozenset[str]:
    """Return the names of the indexes that the tables have on a database of this dialect."""
    made: list[Any] = []
    engine = create_mock_engine(f"{dialect}://", lambda each, *_, **__: made.append(each))
    Row.metadata.create_all(engine, checkfirst=False)
    return frozenset(str(each.element.name) for each in made if isinstance(each, CreateIndex))


def is_compared(
    dialect: str,
    item: SchemaItem,
    name: str | None,
    _: str,
    reflected: bool,  # noqa: FBT001 — as Alembic calls it
    other: SchemaItem | None,
) -> bool:
    """Return whether an item of the tables, or of the database if `reflected`, is compared.

    An index that this dialect has not is left out. Expressions come back from PostgreSQL in its own
    words, so an index of them is there or not, and never another one.
    """
    if not isinstance(item, Index) or reflected:
        return True
    if other is not None and not all(isinstance(each, Column) for each in item.expressions):
        return False
    return name in indexes_of(dialect)


def render(kind: str, item: object, _: object) -> str | Literal[False]:
    """Return the type that a Moment is stored as, for which a migration needs no import."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Moment) else False
