"""Lists of customers: which, in which order, and what of them is shown to whom."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Uuid, bindparam, case, false, or_

from gql_app.accounts.validation import email_key
from gql_app.db.questions import Spelt
from gql_app.db.tables import CustomerRow, Moment
from gql_app.errors import AdminRequired, BadUserInput
from gql_app.lib.pagination.list_query import SHAPES, Shape, Source
from gql_app.lib.pagination.pages import Listing
from gql_app.lib.pagination.text_search import by_grams, by_trigrams, grams, holds, pattern, pieces
from gql_app.lib.text import (
    LONGEST_DECOMPOSITION,
    MAX_MARKS,
    TooManyMarks,
    normalise,
    search_key,
)

MAX_SEARCH: Final = 254
MAX_WORDS: Final = 8
"""Words of one search, each of which is looked for on its own."""


class OrderField(StrEnum):
    """What a list of customers is sorted by."""

    CREATED_AT = "CREATED_AT"
    NAME = "NAME"
    EMAIL = "EMAIL"


PRIVATE: Final = frozenset(
    {"email", "email_key", "email_canonical", "phone", "password_hash", "is_active"}
)
"""Columns that are for the customer themself and for admins."""
SPELT: Final = frozenset({"id", "created_at", "updated_at"})
"""Columns that a page has as they are written, not as what they are."""
_KEYS: Final[Mapping[OrderField, tuple[str, ...]]] = {
    OrderField.CREATED_AT: ("created_at", "id"),
    OrderField.NAME: ("name_key", "id"),
    OrderField.EMAIL: ("email_key",),
}
"""Each order's columns, unique together, which one index holds."""
_DATES: Final = frozenset({"created_after", "created_before"})
_SEARCHED: Final = ("name_key", "email_key")
"""Columns that are searched, the second for admins."""
_TABLE: Final = CustomerRow.__table__


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
    """Describe a list of customers, to be paged through or counted.

    Unless it is for an admin, private columns are null but for the caller's own, and who is
    deactivated is left out.
    Raises AdminRequired if anybody else sorts by e-mail, and BadUserInput.
    """
    if order.field is OrderField.EMAIL and not by_admin:
        what = "Sorting by e-mail"
        raise AdminRequired(what)
    conditions: list[str] = []
    values: dict[str, object] = {"caller_id": caller_id}
    for condition, compared in _given(which):
        conditions.append(condition)
        values |= compared
    shape = _shape(tuple(conditions), order.field, order.descending, by_admin)
    return Listing(shape, values, identity=(which, order))


@lru_cache(SHAPES)
def _shape(
    conditions: tuple[str, ...],
    field: OrderField,
    descending: bool,  # noqa: FBT001 — part of the key
    by_admin: bool,  # noqa: FBT001
) -> Shape:
    """Tell the conditions that the order's own index answers from the others."""
    answered = _DATES | {"is_nobody"} if field is OrderField.CREATED_AT else {"is_nobody"}
    within = [name for name in conditions if name in answered]
    return Shape(
        _SOURCE,
        within=tuple(within if by_admin else ["visible", *within]),
        matching=tuple(name for name in conditions if name not in answered),
        keys=_KEYS[field],
        descending=descending,
        by_admin=by_admin,
    )


def _given(which: Filter) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Name the conditions, and what each compares with. Raises BadUserInput."""
    if which.search:
        yield from _searched(which.search)
    if which.is_admin is not None:
        yield ("is_admin" if which.is_admin else "is_no_admin"), {}
    if which.created_after is not None:
        yield "created_after", {"created_after": which.created_after}
    if which.created_before is not None:
        yield "created_before", {"created_before": which.created_before}


def _searched(text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Look for each word, literally; no text holds a NUL, which PostgreSQL would not take.

    A word is sought in the name as names' keys are folded, and in the address as theirs are.
    """
    if len(text) > MAX_SEARCH:
        message = f"search is {len(text)} characters long. Search for at most {MAX_SEARCH}."
        raise BadUserInput(message)
    if "\0" in text:
        yield "is_nobody", {}
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
    for number, word in enumerate(words):
        is_short = any(map(grams, word))
        name = "short_search" if is_short else "search"
        values: dict[str, object] = {}
        for column, key in zip(_SEARCHED, word, strict=True):
            of = f"_{column}_{number}"
            values |= {f"text{of}": key, f"pattern{of}": pattern(key)}
            values |= {f"grams{of}": pieces(key)} if is_short else {}
        yield f"{name}:{number}", values


def _words(text: str) -> list[tuple[str, str]]:
    """Split a search into its words, the longest first, but for those that another one holds.

    Each is told as in a name's key and as in an address's.
    """
    folded = {(search_key(word), email_key(word)) for word in text.split()}
    words: list[tuple[str, str]] = []
    for name, email in sorted(folded, key=lambda word: (-len(word[0]), word)):
        if not any(name in other_name and email in other for other_name, other in words):
            words.append((name, email))
    return words


def _at_hand(shape: Shape, name: str) -> ColumnElement[bool]:
    """Write a condition, whose values are parameters, as a row at hand is asked."""
    kind, _, number = name.partition(":")
    match kind:
        case "search" | "short_search":
            return or_(*(holds(*key) for key in _searched_keys(shape, number)))
        case "visible":
            return visible()
        case "is_nobody":
            return false()
        case "is_admin" | "is_no_admin":
            return CustomerRow.is_admin.is_(kind == "is_admin")
        case "created_after":
            return CustomerRow.created_at > bindparam(name, type_=Moment())
        case _:
            return CustomerRow.created_at < bindparam(name, type_=Moment())


def _sought(shape: Shape, name: str) -> ColumnElement[bool]:
    """Write it as an index is asked, which knows short texts by their grams."""
    kind, _, number = name.partition(":")
    match kind:
        case "search":
            return or_(*(by_trigrams(*key) for key in _searched_keys(shape, number)))
        case "short_search":
            return or_(*(by_grams(*key) for key in _searched_keys(shape, number)))
        case _:
            return _at_hand(shape, name)


def _searched_keys(shape: Shape, number: str) -> Iterator[tuple[ColumnElement[str], str]]:
    """Tell the columns that a word is looked for in, and how its parameters' names end."""
    for column in _SEARCHED if shape.by_admin else _SEARCHED[:1]:
        yield _TABLE.c[column], f"_{column}_{number}"


def visible() -> ColumnElement[bool]:
    """Say whom anybody may see: who is active, and the caller themself.

    Most are, so that no index is to find them: of a bare OR, PostgreSQL would look each side up.
    """
    itself = CustomerRow.id == bindparam("caller_id", type_=Uuid())
    return or_(CustomerRow.is_active.is_(True), itself).is_(True)


def _shown(shape: Shape, name: str, rows: FromClause) -> ColumnElement[Any]:
    """Show a column, if it may be seen."""
    if name in SPELT:
        return Spelt(rows.c[name])
    return masked(name, rows) if name in PRIVATE and not shape.by_admin else rows.c[name]


def masked(name: str, rows: FromClause = _TABLE) -> ColumnElement[Any]:
    """Show a column of the caller's own row, and null of any other."""
    return case((rows.c.id == bindparam("caller_id", type_=Uuid()), rows.c[name]))


_SOURCE: Final = Source(CustomerRow, _at_hand, _sought, _shown)
