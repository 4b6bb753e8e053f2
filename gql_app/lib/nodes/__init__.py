"""Nodes: objects of several tables that are found by an id alone, for Relay's node(id:)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, FromClause, Select, Uuid, bindparam, column, func, select
from sqlalchemy.orm import InstrumentedAttribute

from gql_app.lib.database import JsonList, Query, Reader, any_of

__all__ = ["NodeKind", "NodeTables"]

C = TypeVar("C")


@dataclass(frozen=True, eq=False)
class NodeKind(Generic[C]):
    """A type whose objects are found by their ids."""

    type: type
    """The class of its objects."""
    ids: InstrumentedAttribute[UUID]
    """The primary key of their table."""
    load: Callable[[C, UUID], Awaitable[object | None]]
    """Returns the object of an id, None if it does not exist or the caller may not see it."""


class NodeTables(Generic[C]):
    """Tables whose ids are unique over all of them, such as UUIDs."""

    def __init__(self, kinds: Sequence[NodeKind[C]]) -> None:
        """Take the kinds of nodes, one for each table."""
        self._kinds: Final = kinds
        of_arrays = func.unnest(bindparam("ids", type_=ARRAY(Uuid())))
        of_json = func.json_each(bindparam("ids", type_=JsonList(Uuid())))
        arrays = of_arrays.table_valued(column("value", Uuid()), name="ids").render_derived()
        lists = of_json.table_valued(column("value", Uuid()), name="ids")
        self._queries: Final = {
            "postgresql": Query(self._places(arrays), tuple),
            "sqlite": Query(self._places(lists), tuple),
        }

    async def __call__(self, db: Reader, ids: list[UUID]) -> list[NodeKind[C] | None]:
        """Return the kind of each id, None if it is in no table, by a single statement."""
        rows = await db.fetch_all(self._queries[db.dialect], ids=ids)
        places = {
            key: kind
            for key, *there in rows
            for kind, is_there in zip(self._kinds, there, strict=True)
            if is_there
        }
        return [places.get(key) for key in ids]

    def _places(self, ids: FromClause) -> Select[Any]:
        """Return a SELECT that looks each id up in the primary key of every table.

        No subquery is correlated: a distributed database runs each separately.
        """
        key = ids.c.value
        tables = (each.ids for each in self._kinds)
        found = (key.in_(select(each).where(any_of(each, "ids"))) for each in tables)
        return select(key, *found).select_from(ids)
