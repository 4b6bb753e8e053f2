"""Lists of customers: filters, orders, and the columns that a caller may see."""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, bindparam

from gql_app.accounts.permissions import READ_PRIVATE
from gql_app.accounts.records import customer_column, masked, visible
from gql_app.db.tables import CustomerRow
from gql_app.errors import AdminRequired
from gql_app.lib.database import api_text
from gql_app.lib.pagination import NOTHING, Condition, Listing, ListQuery, TextSearch
from gql_app.lib.text import email_key, search_key

MAX_QUERIES: Final = 256
"""The most queries of lists that are cached; the least recently used are dropped."""


class OrderField(StrEnum):
    """The field by which a list of customers is sorted."""

    CREATED_AT = "CREATED_AT"
    NAME = "NAME"
    EMAIL = "EMAIL"


API_TEXT: Final = frozenset(
    each.key for each in CustomerRow.__table__.c if each.type.python_type in {UUID, datetime}
)
"""Columns that a page has as text in the format of the API, not in their own type."""


class Order(NamedTuple):
    """How a list of customers is sorted."""

    field: OrderField = OrderField.CREATED_AT
    descending: bool = False


class Filter(NamedTuple):
    """Which customers are listed; None leaves a condition out, both dates are exclusive."""

    search: str | None = None
    is_admin: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    is_invited: bool | None = None
    """Whether they were invited and have not answered."""

    def __repr__(self) -> str:
        """Return the text that cursors are bound to; `is_invited`, which is newer, only if set."""
        fields = self._asdict()
        if self.is_invited is None:
            del fields["is_invited"]
        return f"Filter({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


def listing(
    which: Filter, order: Order, *, reads_private: bool, caller_id: UUID | None = None
) -> Listing:
    """Return a list of customers, to be paged through or counted.

    Unless `reads_private`, private columns are null except in the caller's own row, deactivated
    customers are left out, and a filter by invitation finds at most the caller.
    Raises AdminRequired if it sorts by e-mail without `reads_private`, and InvalidArgument.
    """
    if order.field is OrderField.EMAIL and not reads_private:
        raise AdminRequired(READ_PRIVATE, "Sorting by e-mail")
    conditions = _SEARCHES[reads_private].filters(which.search) if which.search else {}
    if which.is_admin is not None:
        conditions[_IS_ADMIN if which.is_admin else _IS_NO_ADMIN] = {}
    if which.is_invited is not None:
        conditions[_INVITED[which.is_invited, reads_private]] = {}
    if which.created_after is not None:
        conditions[_CREATED_AFTER] = {"created_after": which.created_after}
    if which.created_before is not None:
        conditions[_CREATED_BEFORE] = {"created_before": which.created_before}
    values: dict[str, object] = {"caller_id": caller_id}
    for compared in conditions.values():
        values |= compared
    query = _query(tuple(conditions), order.field, order.descending, reads_private)
    return Listing(query, values, identity=(which, order))


@lru_cache(MAX_QUERIES)
def _query(
    conditions: tuple[Condition, ...],
    field: OrderField,
    descending: bool,  # noqa: FBT001 — part of the key
    reads_private: bool,  # noqa: FBT001
) -> ListQuery:
    """Return the query of an order, whose own index answers some of the conditions."""
    order, by_index = _ORDERS[field]
    indexed = tuple(each for each in conditions if each in by_index | _OWN)
    return order._replace(
        descending=descending,
        indexed=indexed if reads_private else (_VISIBLE, *indexed),
        filters=tuple(each for each in conditions if each not in indexed),
        visible_column=_column if reads_private else _masked_column,
    )


def _column(name: str, rows: FromClause) -> ColumnElement[Any]:
    return api_text(rows.c[name]) if name in API_TEXT else customer_column(name, rows)


def _masked_column(name: str, rows: FromClause) -> ColumnElement[Any]:
    return masked(name, rows, _column)


_VISIBLE: Final = Condition(visible())
_IS_ADMIN: Final = Condition(CustomerRow.is_admin.is_(True))
_IS_NO_ADMIN: Final = Condition(CustomerRow.is_admin.is_(False))
_CREATED_AFTER: Final = Condition(CustomerRow.created_at > bindparam("created_after"))
_CREATED_BEFORE: Final = Condition(CustomerRow.created_at < bindparam("created_before"))
_IS_CALLER: Final = CustomerRow.id == bindparam("caller_id")
_INVITED: Final = {
    (True, True): Condition(CustomerRow.invited_at.is_not(None)),
    (False, True): Condition(CustomerRow.invited_at.is_(None)),
    (True, False): Condition(_IS_CALLER & CustomerRow.invited_at.is_not(None)),
    (False, False): Condition(_IS_CALLER & CustomerRow.invited_at.is_(None)),
}
"""The condition by whether invited customers are wanted, and whether private columns are read."""
_OWN: Final = {_INVITED[True, False], _INVITED[False, False]}
"""Conditions that find at most one row, whatever the order."""
_ORDERS: Final = {
    OrderField.CREATED_AT: (
        ListQuery(CustomerRow, ("created_at",)),
        {NOTHING, _CREATED_AFTER, _CREATED_BEFORE, _INVITED[True, True]},
    ),
    OrderField.NAME: (ListQuery(CustomerRow, ("name_key",)), {NOTHING}),
    OrderField.EMAIL: (ListQuery(CustomerRow, ("email_key",), unique=True), {NOTHING}),
}
"""Each order, and the conditions that its own index answers."""
_NAME: Final = (CustomerRow.name_key, search_key)
_SEARCHES: Final = {
    False: TextSearch(_NAME),
    True: TextSearch(_NAME, (CustomerRow.email_key, email_key)),
}
"""By whether private columns are read: if so, each word is searched in addresses, too."""
