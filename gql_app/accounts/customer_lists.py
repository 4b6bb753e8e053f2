"""Lists of customers: which, in which order, and what of them is shown to whom."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Uuid, bindparam, case, false, or_

from gql_app.accounts.validation import email_key
from gql_app.db.tables import CustomerRow
from gql_app.errors import AdminRequired, BadUserInput
from gql_app.lib.database import api_text
from gql_app.lib.pagination import Condition, Listing, ListQuery, TextSearch
from gql_app.lib.text import search_key
from gql_app.lib.text.normalization import LONGEST_DECOMPOSITION, MAX_MARKS, TooManyMarks, normalise

MAX_SEARCH: Final = 254
MAX_WORDS: Final = 8
"""Words of one search, each of which is looked for on its own."""
QUERIES: Final = 256
"""Kinds of lists that are kept; the least recently used go."""


class OrderField(StrEnum):
    """What a list of customers is sorted by."""

    CREATED_AT = "CREATED_AT"
    NAME = "NAME"
    EMAIL = "EMAIL"


PRIVATE: Final = frozenset(
    {"email", "email_key", "email_canonical", "phone", "password_hash", "is_active"}
)
"""Columns that are for the customer themself and for admins."""
API_TEXT: Final = frozenset({"id", "created_at", "updated_at"})
"""Columns that a page has as the API writes them, not as what they are."""
_Selected = Iterator[tuple[Condition, dict[str, object]]]
"""Conditions, each with the values that it compares with."""


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


def listing(
    which: Filter, order: Order, *, by_admin: bool, caller_id: UUID | None = None
) -> Listing:
    """Return a list of customers, to be paged through or counted.

    Unless it is for an admin, private columns are null but for the caller's own, and who is
    deactivated is left out.
    Raises AdminRequired if anybody else sorts by e-mail, and BadUserInput.
    """
    if order.field is OrderField.EMAIL and not by_admin:
        what = "Sorting by e-mail"
        raise AdminRequired(what)
    selected = dict(_selected(which, by_admin=by_admin))
    values: dict[str, object] = {"caller_id": caller_id}
    for compared in selected.values():
        values |= compared
    query = _query(tuple(selected), order.field, order.descending, by_admin)
    return Listing(query, values, identity=(which, order))


@lru_cache(QUERIES)
def _query(
    conditions: tuple[Condition, ...],
    field: OrderField,
    descending: bool,  # noqa: FBT001 — part of the key
    by_admin: bool,  # noqa: FBT001
) -> ListQuery:
    """Return the list of an order, whose own index answers some of the conditions."""
    indexed = tuple(each for each in conditions if each in _INDEXED[field])
    return _ORDERS[field]._replace(
        descending=descending,
        indexed=indexed if by_admin else (_VISIBLE, *indexed),
        filters=tuple(each for each in conditions if each not in indexed),
        visible_column=_column if by_admin else _masked_column,
    )


def _selected(which: Filter, *, by_admin: bool) -> _Selected:
    """Return the conditions of a filter. Raises BadUserInput."""
    if which.search:
        yield from _searched(which.search, by_admin=by_admin)
    if which.is_admin is not None:
        yield (_IS_ADMIN if which.is_admin else _IS_NO_ADMIN), {}
    if which.created_after is not None:
        yield _CREATED_AFTER, {"created_after": which.created_after}
    if which.created_before is not None:
        yield _CREATED_BEFORE, {"created_before": which.created_before}


def _searched(text: str, *, by_admin: bool) -> _Selected:
    """Return a condition for each word; no text has a NUL, which PostgreSQL would not take.

    A word is searched in the name as names' keys are folded, and in the address as theirs are.
    """
    if len(text) > MAX_SEARCH:
        message = f"search is {len(text)} characters long. Search for at most {MAX_SEARCH}."
        raise BadUserInput(message)
    if "\0" in text:
        yield _NOBODY, {}
        return
    try:
        text = normalise(text, longest=LONGEST_DECOMPOSITION * MAX_SEARCH)
    except TooManyMarks:
        message = f"search has more than {MAX_MARKS} combining marks in a row."
        raise BadUserInput(message) from None
    words = _words(text)
    if len(words) > MAX_WORDS:
        message = f"search has {len(words)} words. Search for at most {MAX_WORDS}."
        raise BadUserInput(message)
    for search, word in zip(_SEARCHES[by_admin], words, strict=False):
        yield search.filter(word if by_admin else word[:1])


def _words(text: str) -> list[tuple[str, str]]:
    """Return the words of a search, the longest first, but for those that another one holds.

    Each comes as in a name's key and as in an address's.
    """
    folded = {(search_key(word), email_key(word)) for word in text.split()}
    words: list[tuple[str, str]] = []
    for name, email in sorted(folded, key=lambda word: (-len(word[0]), word)):
        if not any(name in other_name and email in other for other_name, other in words):
            words.append((name, email))
    return words


def visible() -> ColumnElement[bool]:
    """Return the condition that anybody may see a customer: active ones, and the caller.

    Most are, so that no index is to find them: of a bare OR, PostgreSQL would look each side up.
    """
    itself = CustomerRow.id == bindparam("caller_id", type_=Uuid())
    return or_(CustomerRow.is_active.is_(True), itself).is_(True)


def masked(name: str, rows: FromClause = CustomerRow.__table__) -> ColumnElement[Any]:
    """Return a column of the caller's own row, and null of any other."""
    return case((rows.c.id == bindparam("caller_id", type_=Uuid()), rows.c[name]))


def _column(name: str, rows: FromClause) -> ColumnElement[Any]:
    return api_text(rows.c[name]) if name in API_TEXT else rows.c[name]


def _masked_column(name: str, rows: FromClause) -> ColumnElement[Any]:
    return masked(name, rows) if name in PRIVATE else _column(name, rows)


_ORDERS: Final = {
    OrderField.CREATED_AT: ListQuery(CustomerRow, ("created_at",)),
    OrderField.NAME: ListQuery(CustomerRow, ("name_key",)),
    OrderField.EMAIL: ListQuery(CustomerRow, ("email_key",), unique=True),
}
_VISIBLE: Final = Condition(visible())
_NOBODY: Final = Condition(false())
_IS_ADMIN: Final = Condition(CustomerRow.is_admin.is_(True))
_IS_NO_ADMIN: Final = Condition(CustomerRow.is_admin.is_(False))
_CREATED_AFTER: Final = Condition(CustomerRow.created_at > bindparam("created_after"))
_CREATED_BEFORE: Final = Condition(CustomerRow.created_at < bindparam("created_before"))
_INDEXED: Final = {
    OrderField.CREATED_AT: {_NOBODY, _CREATED_AFTER, _CREATED_BEFORE},
    OrderField.NAME: {_NOBODY},
    OrderField.EMAIL: {_NOBODY},
}
"""Conditions that each order's own index answers."""
_SEARCHES: Final = {
    False: [TextSearch(CustomerRow.name_key, name=f"word_{n}") for n in range(MAX_WORDS)],
    True: [
        TextSearch(CustomerRow.name_key, CustomerRow.email_key, name=f"word_{n}")
        for n in range(MAX_WORDS)
    ],
}
"""For admins a search is in addresses, too."""
