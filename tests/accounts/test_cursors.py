"""Cursors: good for the list that wrote them, and refused in any other shape."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.lib.database import Database
from gql_app.lib.pagination import InvalidArgument, Listing, Window
from tests.accounts.rows import (
    EVERYBODY,
    ORDERS,
    START,
    cursor,
    customer,
    everybody,
    in_order,
    names,
    read,
    store,
    walk,
)

BY_TIME, BY_NAME, BY_EMAIL = (Order(field) for field in OrderField)
ID = str(UUID(int=7))
FILTERS = [
    EVERYBODY,
    Filter(search="a"),
    Filter(search="b"),
    Filter(is_admin=True),
    Filter(is_admin=False),
    Filter(is_invited=True),
    Filter(is_invited=False),
    Filter(created_after=START),
    Filter(created_before=START),
    Filter(created_after=START + timedelta(microseconds=1)),
]


WRITTEN = [
    (
        EVERYBODY,
        BY_TIME,
        (
            "WyI5Yjg4Zjg3ODdhMWQiLDE4OTYwOTEyMDAxMjM0NTYsIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAw"
            "NyJd"
        ),
    ),
    (
        EVERYBODY,
        Order(OrderField.NAME, descending=True),
        (
            "WyIxOTU5Y2VjNzRhYzAiLCLDqVwiXFxcbvCfpop_4oCoIiwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAw"
            "MDA3Il0"
        ),
    ),
    (EVERYBODY, BY_EMAIL, "WyIzMTk5MjNhOGIwZjgiLCJhZGFAZXhhbXBsZS5jb20iXQ"),
    (
        Filter("a", is_admin=True, created_after=START, created_before=START),
        BY_TIME,
        (
            "WyI3YTg4M2Y3M2QyMzciLDE4OTYwOTEyMDAxMjM0NTYsIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAw"
            "NyJd"
        ),
    ),
]
"""Cursors that clients may have kept."""


def encoded(raw: bytes) -> str:
    """Write bytes as a cursor is written."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(order: Order, *keys: object) -> str:
    """Write a cursor of a list with keys that no row may have."""
    name = everybody(order).digest
    return encoded(json.dumps([name, *keys], separators=(",", ":")).encode())


async def refuse(of: Listing, given: str) -> None:
    """See a cursor refused on either side, with advice, before any database is asked."""
    for window in (Window(after=given), Window(before=given, backward=True)):
        with pytest.raises(InvalidArgument, match="cursor") as why:
            await read(Database("sqlite:////no/such.db"), of, window)
        assert why.value.extensions == {"code": "BAD_USER_INPUT"}
        assert not given or given not in why.value.message


@pytest.mark.parametrize(
    "given",
    [
        "",
        "=",
        "A",
        "AAAA",
        "no cursor",
        "%",
        "é",
        "\0",
        "\ud800",
        "🎉" * 10,
        "A" * 4096,
        "A" * 5000,
        "é" * 1_000_000,
        encoded(b"\xff\xfe"),
        encoded(b"{}"),
        encoded(b"[]"),
        encoded(b"{"),
        encoded(b"null"),
        encoded(b"7"),
        encoded(b'"text"'),
        encoded(b"NaN"),
        encoded(b"[" * 3000),
        encoded(b"9" * 3000),
        encoded(b'["another list",0]'),
    ],
)
@pytest.mark.parametrize("order", [BY_TIME, BY_EMAIL])
async def test_what_no_list_wrote_is_refused(order: Order, given: str) -> None:
    await refuse(everybody(order), given)


@pytest.mark.parametrize(
    ("order", "keys"),
    [
        (BY_TIME, []),
        (BY_TIME, [0]),
        (BY_TIME, [0, ID, ID]),
        (BY_TIME, ["0", ID]),
        (BY_TIME, [0.0, ID]),
        (BY_TIME, [True, ID]),
        (BY_TIME, [None, ID]),
        (BY_TIME, [[0], ID]),
        (BY_TIME, [float("nan"), ID]),
        (BY_TIME, [float("inf"), ID]),
        (BY_TIME, [10**18, ID]),
        (BY_TIME, [-(10**18), ID]),
        (BY_TIME, [10**300, ID]),
        (BY_TIME, [10**2500, ID]),
        (BY_TIME, [0, 7]),
        (BY_TIME, [0, None]),
        (BY_TIME, [0, True]),
        (BY_TIME, [0, ""]),
        (BY_TIME, [0, "no id"]),
        (BY_TIME, [0, f"{{{ID}}}"]),
        (BY_TIME, [0, ID.replace("-", "")]),
        (BY_TIME, [0, f"urn:uuid:{ID}"]),
        (BY_TIME, [0, {"id": ID}]),
        (BY_NAME, ["ada"]),
        (BY_NAME, [7, ID]),
        (BY_NAME, [None, ID]),
        (BY_NAME, [False, ID]),
        (BY_NAME, ["a\0da", ID]),
        (BY_NAME, ["\ud800", ID]),
        (BY_NAME, [["ada"], ID]),
        (BY_EMAIL, []),
        (BY_EMAIL, [7]),
        (BY_EMAIL, ["\0"]),
        (BY_EMAIL, ["\udfff"]),
        (BY_EMAIL, ["ada@example.com", ID]),
        (BY_EMAIL, [{}]),
    ],
)
async def test_a_cursor_with_the_wrong_keys_is_refused(
    order: Order, keys: Sequence[object]
) -> None:
    await refuse(everybody(order), forged(order, *keys))


@pytest.mark.parametrize("more", ["=", "==", "A", "!", "\n", "é", "-", " "])
async def test_a_cursor_with_anything_added_is_refused(more: str) -> None:
    good = cursor(everybody(), customer("Ada"))
    for changed in (f"{more}{good}", f"{good[:8]}{more}{good[8:]}", f"{good}{more}"):
        await refuse(everybody(), changed)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
async def test_a_cursor_that_is_spelt_otherwise_is_refused(encoding: str) -> None:
    spelt = f'["{everybody(BY_EMAIL).digest}", "ada@example.com"]'
    await refuse(everybody(BY_EMAIL), encoded(spelt.encode(encoding)))


@pytest.mark.parametrize(("one", "another"), list(permutations(ORDERS, 2)))
async def test_a_cursor_of_another_order_or_direction_is_refused(
    one: Order, another: Order
) -> None:
    await refuse(everybody(another), cursor(everybody(one), customer("Ada")))


@pytest.mark.parametrize(("one", "another"), list(permutations(FILTERS, 2)))
async def test_a_cursor_of_another_filter_is_refused(one: Filter, another: Filter) -> None:
    written = cursor(listing(one, BY_TIME, reads_private=True), customer("Ada"))
    await refuse(listing(another, BY_TIME, reads_private=True), written)


@pytest.mark.parametrize(("which", "order", "written"), WRITTEN)
def test_cursor_is_spelt_as_it_always_was(which: Filter, order: Order, written: str) -> None:
    row = customer("Ada", "ada@example.com")
    row.id, row.name_key = UUID(ID), 'é"\\\n🦊\x7f\u2028'
    of = listing(which, order, reads_private=True)
    assert cursor(of, row) == written
    assert of.read(written) == tuple(getattr(row, key) for key in of.query.keys)


@pytest.mark.parametrize("name", ["🎉" * 200, "\u0390" * 200, '"\\' * 100, "n"])
async def test_the_cursor_of_any_customer_is_taken_in_every_order(
    database: Database, name: str
) -> None:
    row, _ = await store(database, [customer(name), customer("Bob")])
    for of in map(everybody, ORDERS):
        after = await read(database, of, Window(after=cursor(of, row)))
        before = await read(database, of, Window(before=cursor(of, row)))
        assert names([*before.rows, *after.rows]) == ["Bob"]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("order", [BY_TIME, BY_TIME._replace(descending=True)])
async def test_pages_go_on_at_either_end_of_time(
    database: Database, order: Order, *, backward: bool
) -> None:
    stored = [customer(name) for name in ("first", "first too", "Ada", "last", "last too")]
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for row, moment in zip(stored, (first, first, START, last, last), strict=True):
        row.created_at = row.updated_at = moment
    await store(database, stored)
    found = [page.rows async for page in walk(database, everybody(order), 1, backward=backward)]
    assert [row for [row] in found] == in_order(order, stored)[:: -1 if backward else 1]


@pytest.mark.parametrize("key", [-62135596800000000, 253402300799999999])
async def test_a_cursor_may_stand_at_either_end_of_time(database: Database, key: int) -> None:
    await store(database, [customer("Ada")])
    page = await read(database, everybody(), Window(after=forged(BY_TIME, key, ID)))
    assert names(page.rows) == (["Ada"] if key < 0 else [])
