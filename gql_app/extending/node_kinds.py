"""Node kinds: types of features whose rows `node` finds by id, as far as the caller sees them."""

from collections.abc import Sequence
from functools import lru_cache
from inspect import isawaitable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from strawberry.types.base import get_object_definition

from gql_app.accounts.sessions import Caller
from gql_app.errors import Refusal
from gql_app.extending.loaders import LoadFor
from gql_app.extending.nodes import NodeColumns
from gql_app.extending.permissions import declared_permissions
from gql_app.extending.visibility import MAX_KNOWN, Visibility, Visible, visible_faults
from gql_app.lib.database import Query, Reader, any_of
from gql_app.lib.nodes import NodeKind
from gql_app.lib.pagination import Condition
from gql_app.schema.context import Info
from gql_app.schema.permissions import IsAuthenticated, Permission
from gql_app.schema.types import Node


def node(
    kind: type,
    rows: type[DeclarativeBase],
    *,
    visible: Visible | None = None,
    permissions: Sequence[Permission] = (IsAuthenticated,),
) -> NodeKind[Info]:
    """Return an entry of `Feature.nodes`, by which `node` and `nodes` find objects of a type.

        Feature("shop", nodes=[node(Line, LineRow, visible=owned_by(LineRow.customer_id))])

    Types of a connection() need none. As there, fields without a resolver are columns of the same
    names, and `visible` and `permissions` decide which rows a caller sees; other rows are null.
    Callers who are not signed in see none, even without permissions.
    Raises TypeError unless the type has `id: strawberry.ID`, which is a UUID and the only primary
    key, and with every other fault of the declaration.
    """
    columns = NodeColumns(kind, rows, ["id"], (), "node", visible_faults(visible, rows))
    seen = Visibility(visible, columns.table)
    taker = f"node({kind.__name__}, {rows.__name__})"
    made = node_kind(columns, seen, declared_permissions(taker, permissions))
    if made is None:
        message = f"{taker}: {kind.__name__} has no id: strawberry.ID."
        raise TypeError(message)
    return made


def node_kind(
    columns: NodeColumns, visibility: Visibility, permissions: Sequence[Any]
) -> NodeKind[Info] | None:
    """Return how a type's objects are found by id, None if its id is not the primary key."""
    if columns.ids is None:
        return None
    asked = [*permissions, *columns.guards["id"]]
    return NodeKind(
        columns.node, columns.ids, _RowsById(columns, columns.ids, visibility, asked).load
    )


def implement_node(kind: type) -> None:
    """Add Node to the interfaces of a type, in every schema that is built later."""
    definition = get_object_definition(kind, strict=True)
    interface = get_object_definition(Node, strict=True)
    if all(each is not interface for each in definition.interfaces):
        definition.interfaces.append(interface)


class _RowsById:
    """The statements that read the objects of one type by their ids."""

    def __init__(
        self,
        columns: NodeColumns,
        ids: InstrumentedAttribute[UUID],
        visibility: Visibility,
        permissions: Sequence[Any],
    ) -> None:
        self._columns: Final = columns
        self._ids: Final = ids
        self._build: Final = columns.builder(columns.names)
        self._visibility: Final = visibility
        self._permissions: Final = permissions
        self._query: Final = lru_cache(MAX_KNOWN)(self._made)

    async def load(self, info: Info, key: UUID) -> object | None:
        """Return the object of an id, None if hidden; a request's loads are read in one batch."""
        try:
            for each in self._permissions:
                lets_in = each.has_permission(None, info)
                if not (await lets_in if isawaitable(lets_in) else lets_in):
                    return None
            caller = await info.context.caller()
        except Refusal:
            return None
        return await info.context.load(LoadFor(self.read, (caller,)), key)

    async def read(self, db: Reader, ids: list[UUID], caller: Caller) -> list[object | None]:
        """Return the object of each id, None for those that the caller may not see."""
        conditions, values = self._visibility.of(caller)
        rows = await db.fetch_all(self._query(conditions), **values, node_ids=ids)
        place = self._columns.names.index("id")
        found = {row[place]: self._build(row) for row in rows}
        return [found.get(str(key)) for key in ids]

    def _made(self, conditions: tuple[Condition, ...]) -> Query[Any]:
        """Return the statement with these conditions; it is cached by the conditions' identity."""
        shown = [self._columns.shown(name, self._columns.table) for name in self._columns.names]
        found = select(*shown).where(any_of(self._ids, "node_ids"))
        return Query(found.where(*(each.row_condition for each in conditions)), tuple)
