"""Counts of lists, and how frequent it is that a row matches a filter."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    bindparam,
    case,
    false,
    func,
    select,
    true,
)

from gql_app.db.questions import Question
from gql_app.lib.pagination.list_query import SHAPES, Shape

_MOST: Final = bindparam("most", type_=Integer())
_REACH: Final = bindparam("reach", type_=Integer())
_SAMPLE: Final = bindparam("sample", type_=Integer())
_MANY: Final = bindparam("many", type_=Integer())


@lru_cache(SHAPES)
def count(shape: Shape) -> Question[int]:
    """Ask how many rows there are, up to a bound.

    What is frequent is counted among the first rows of the list: the index that finds what is
    searched for finds all of them, however many, before any.
    """
    sought = _count(select(true()).select_from(shape.table).where(*shape.sought).limit(_MOST))
    if not shape.matching:
        return Question(select(sought), lambda row: int(row[0]))
    first = select(shape.matches).where(*shape.bounds).order_by(*shape.order(shape.table))
    is_enough = _matching(first.limit(_REACH), _MOST) >= _MOST
    is_more = case((_is_frequent(shape, backward=False), is_enough), else_=false())
    return Question(select(case((is_more, _MOST), else_=sought)), lambda row: int(row[0]))


@lru_cache(SHAPES)
def frequency(
    shape: Shape,
    backward: bool,  # noqa: FBT001 — part of the key
) -> Question[bool]:
    """Ask whether many of a sample match, taken far from where a page is looked for."""
    return Question(select(_is_frequent(shape, backward=backward)), lambda row: bool(row[0]))


def _is_frequent(shape: Shape, *, backward: bool) -> ColumnElement[bool]:
    """Look at the latest rows for a page of the oldest, and the other way round."""
    ids = shape.directed((shape.table.c[name] for name in shape.ids), backward=not backward)
    return _matching(select(shape.matches).order_by(*ids).limit(_SAMPLE), _MANY) >= _MANY


def _matching(rows: Select[Any], most: ColumnElement[int]) -> ColumnElement[int]:
    """Count those of these rows that match, up to a bound."""
    those = rows.subquery()
    return _count(select(true()).where(those.c.matches).limit(most))


def _count(rows: Select[Any]) -> ColumnElement[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()
