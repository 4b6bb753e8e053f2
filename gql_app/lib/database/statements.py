"""Statements: SQLAlchemy Core, compiled once for each database."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CompoundSelect,
    Insert,
    Select,
    TextClause,
    UpdateBase,
)
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.functions import FunctionElement

T = TypeVar("T")


class Upsert:
    """An INSERT … ON CONFLICT, as each database writes it."""

    def returning(self, *columns: InstrumentedAttribute[Any]) -> "Upsert":
        """Return the same statement, which answers columns of the rows that it writes."""
        raise NotImplementedError


Statement: TypeAlias = (
    Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]] | UpdateBase | Upsert | TextClause
)
"""What can be sent: SQLAlchemy Core with named parameters."""


class Query(Generic[T]):
    """A statement with named parameters, and what is built of each row of its answer."""

    def __init__(self, statement: Statement, build: Callable[[Sequence[Any]], T]) -> None:
        self.statement: Final = statement
        self.build: Final = build


class AnyOf(FunctionElement[bool]):
    """Whether a column's value is one of a list's."""

    inherit_cache = True
    type = Boolean()


class ApiText(FunctionElement[str]):
    """A value as the API writes it."""

    inherit_cache = True


def any_of(column: InstrumentedAttribute[Any], name: str) -> AnyOf:
    """Return the condition that a column's value is in a list, which is one parameter."""
    raise NotImplementedError


def api_text(column: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ApiText:
    """Return a UUID or a Moment column as the text that the API writes."""
    raise NotImplementedError


def insert_row(table: type[DeclarativeBase]) -> Insert:
    """Return an INSERT of every column, each of which is a parameter of the column's name."""
    raise NotImplementedError


def upsert(table: type[DeclarativeBase], update: Collection[str] | None = None) -> Upsert:
    """Return an INSERT that updates the row which has its primary key, if there is one.

    By default all other columns are updated; `update` names those that are. With none the row
    that is there stays as it is, but is locked until the transaction ends.
    """
    raise NotImplementedError


def insert_or_ignore(table: type[DeclarativeBase]) -> Upsert:
    """Return an INSERT that does nothing where any unique key is taken."""
    raise NotImplementedError
