"""Lists of customers: pages, cursors, counts, and what they cost."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from gql_app.cli import samples
from gql_app.db.tables import CustomerRow
from gql_app.lib.clock import rfc3339
from tests.api import Answer, Api
from tests.people import Person, add_customer, password_hash, sign_in
from tests.rows import change

LIST: Final = """
query List(
  $first: Int, $after: String, $last: Int, $before: String,
  $filter: CustomerFilter, $orderBy: CustomerOrder
) {
  customers(
    first: $first, after: $after, last: $last, before: $before,
    filter: $filter, orderBy: $orderBy
  ) {
    nodes { id name email createdAt }
    edges { cursor node { id name email createdAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
NAMES: Final = ("Zoë", "adam", "Émile", "Bea", "çelik", "Adam")
ORDERS: Final = [
    {"field": field, "direction": direction}
    for field in ("CREATED_AT", "NAME", "EMAIL")
    for direction in ("ASC", "DESC")
]
BAD_ARGUMENTS: Final[Sequence[Mapping[str, object]]] = [
    *({size: number} for size in ("first", "last") for number in (0, -1, 501, 2**31 - 1)),
    {"first": 1, "last": 1},
    {"first": 501, "last": None},
    *({name: text} for name in ("after", "before") for text in ("", "!", "bnVsbA", "WzFd")),
    {"filter": {"search": "x" * 255}},
]
LENGTHS: Final[list[tuple[dict[str, object], int]]] = [
    ({}, 50),
    (dict.fromkeys(["first", "after", "last", "before", "filter", "orderBy"]), 50),
    ({"filter": dict.fromkeys(["search", "isAdmin", "createdAfter", "createdBefore"])}, 50),
    ({"filter": {"search": ""}}, 50),
    ({"first": 1}, 1),
    ({"first": None, "last": 1}, 1),
    ({"first": 500, "last": None}, 500),
    ({"last": 500}, 500),
]


async def add_many(api: Api, count: int) -> None:
    """Add made-up customers."""
    for rows in samples.batches(count, password_hash=password_hash(), seed=1):
        async with api.database.transaction() as db:
            await db.execute_many(samples.INSERT, rows)


async def ask(api: Api, person: Person, **arguments: object) -> Answer:
    """Ask for a page, whatever comes of it."""
    variables: dict[str, Any] = arguments
    return await api.run(LIST, token=person.token, **variables)


async def page(api: Api, person: Person, **arguments: object) -> dict[str, Any]:
    """Read a page; its nodes are its edges' nodes."""
    found: dict[str, Any] = (await ask(api, person, **arguments)).data["customers"]
    assert found["nodes"] == [edge["node"] for edge in found["edges"]]
    return found


async def refused(api: Api, person: Person, **arguments: object) -> Answer:
    """Ask for a page that is refused as BAD_USER_INPUT, with a message for a person."""
    answer = await ask(api, person, **arguments)
    assert answer.body["data"] == {"customers": None}
    assert answer.code("customers") == "BAD_USER_INPUT"
    assert len(answer.error("customers")["message"].split()) > 5
    return answer


async def walk(
    api: Api, person: Person, size: str, cursor: str, **order: object
) -> list[list[dict[str, Any]]]:
    """Read all pages of two; `first` goes with `after`, and `last` with `before`."""
    forward = size == "first"
    more, at = ("hasNextPage", "endCursor") if forward else ("hasPreviousPage", "startCursor")
    arguments: dict[str, object] = {size: 2, **order}
    pages: list[list[dict[str, Any]]] = []
    while True:
        found = await page(api, person, **arguments)
        info, edges = found["pageInfo"], found["edges"]
        assert info["startCursor"] == edges[0]["cursor"]
        assert info["endCursor"] == edges[-1]["cursor"]
        assert info["hasPreviousPage" if forward else "hasNextPage"] == bool(pages)
        pages.append(found["nodes"])
        if not info[more]:
            return pages
        arguments[cursor] = info[at]


@pytest.fixture
async def reader(api: Api) -> Person:
    """Sign in an admin among customers whose names want folding."""
    for number, name in enumerate(NAMES):
        await add_customer(api.database, name, f"{9 - number}@example.com")
    return await sign_in(api.resources, await add_customer(api.database, "Root", is_admin=True))


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: " ".join(order.values()))
async def test_cursors_lead_through_the_list_both_ways(
    api: Api, reader: Person, order: dict[str, str]
) -> None:
    whole = (await page(api, reader, orderBy=order))["nodes"]
    forward = await walk(api, reader, "first", "after", orderBy=order)
    back = await walk(api, reader, "last", "before", orderBy=order)
    assert [node for nodes in forward for node in nodes] == whole
    assert [node for nodes in reversed(back) for node in nodes] == whole
    assert [len(nodes) for nodes in forward] == [len(nodes) for nodes in back] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("CREATED_AT", ["Zoë", "adam", "Émile", "Bea", "çelik", "Adam", "Root"]),
        ("NAME", ["adam", "Adam", "Bea", "Root", "Zoë", "çelik", "Émile"]),
        ("EMAIL", ["Adam", "çelik", "Bea", "Émile", "adam", "Zoë", "Root"]),
    ],
)
async def test_list_is_in_the_order_asked_for(
    api: Api, reader: Person, field: str, expected: list[str]
) -> None:
    rising = await page(api, reader, orderBy={"field": field})
    falling = await page(api, reader, orderBy={"field": field, "direction": "DESC"})
    assert [node["name"] for node in rising["nodes"]] == expected
    assert [node["name"] for node in falling["nodes"]] == expected[::-1]


async def test_list_is_by_creation_by_default(api: Api, reader: Person) -> None:
    by_creation = await page(api, reader, orderBy={"field": "CREATED_AT", "direction": "ASC"})
    assert await page(api, reader) == await page(api, reader, orderBy=None) == by_creation


async def test_after_and_before_each_go_with_first_or_last(api: Api, reader: Person) -> None:
    edges = (await page(api, reader))["edges"]
    between = {"after": edges[1]["cursor"], "before": edges[5]["cursor"]}
    for size, expected in (("first", edges[2:4]), ("last", edges[3:5])):
        found = await page(api, reader, **between, **{size: 2})
        assert found["edges"] == expected
        assert found["pageInfo"]["hasNextPage"] is found["pageInfo"]["hasPreviousPage"] is True


async def test_page_of_nobody_has_no_cursors(api: Api, reader: Person) -> None:
    found = await page(api, reader, filter={"search": "nobody"})
    assert found["nodes"] == []
    assert found["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_bad_arguments_are_refused(api: Api, plain: Person) -> None:
    for arguments in BAD_ARGUMENTS:
        await refused(api, plain, **arguments)


async def test_page_size_that_is_no_int_is_refused(api: Api, plain: Person) -> None:
    for number in (2**31, 1.5, "1", True):
        assert (await ask(api, plain, first=number)).code() == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "other",
    [
        {"orderBy": {"field": "CREATED_AT", "direction": "DESC"}},
        {"orderBy": {"field": "NAME"}},
        {"orderBy": {"field": "EMAIL"}},
        {"filter": {"search": "a"}},
        {"filter": {"isAdmin": False}},
        {"filter": {"createdAfter": "2001-01-01T00:00:00Z"}},
        {"filter": {"createdBefore": "2101-01-01T00:00:00Z"}},
    ],
    ids=str,
)
async def test_cursor_of_another_order_or_filter_is_refused(
    api: Api, reader: Person, other: dict[str, object]
) -> None:
    ours, theirs = await page(api, reader), await page(api, reader, **other)
    await refused(api, reader, after=ours["pageInfo"]["endCursor"], **other)
    await refused(api, reader, before=theirs["pageInfo"]["startCursor"])


async def test_page_is_as_long_as_asked_for_or_50(api: Api, admin: Person) -> None:
    await add_many(api, 500)
    for arguments, expected in LENGTHS:
        assert len((await page(api, admin, **arguments))["nodes"]) == expected, arguments


@pytest.mark.parametrize(
    ("asked", "statements"),
    [
        ("nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage }", 1),
        ("totalCount", 1),
        ("totalCount pageInfo { hasNextPage }", 2),
        ("nodes { id sessions { id } } edges { node { sessions { id } } }", 2),
    ],
)
async def test_page_costs_one_statement_and_one_for_each_extra(
    api: Api, admin: Person, selects: list[str], asked: str, statements: int
) -> None:
    await add_many(api, 60)
    found = (await api.run(f"{{ customers {{ {asked} }} }}", token=admin.token)).data["customers"]
    assert found.get("totalCount", 61) == 61
    counts = [statement for statement in selects if "count(" in statement]
    assert len(counts) == asked.count("totalCount")
    assert len(selects) == 1 + statements  # the first tells who is asking
    selects.clear()
    again = await api.run(f"{{ customers {{ {asked} }} }}", token=admin.token)
    assert again.data["customers"] == found
    assert len(selects) == statements  # and now one of the others does


@pytest.mark.parametrize("microsecond", [0, 1, 120_000, 999_999])
async def test_moment_is_spelt_in_a_list_as_it_is_of_one_customer(
    api: Api, admin: Person, microsecond: int
) -> None:
    row = await add_customer(api.database, "Mona Moment")
    moment = datetime(2030, 1, 31, 12, 0, 0, microsecond, tzinfo=UTC)
    async with api.database.transaction() as db:
        await change(db, CustomerRow, row.id, created_at=moment)
    document = f"""{{
      customers(filter: {{search: "Mona"}}) {{ nodes {{ id createdAt }} }}
      customer(id: "{row.id}") {{ id createdAt }}
    }}"""
    data = (await api.run(document, token=admin.token)).data
    assert data["customers"]["nodes"] == [data["customer"]]
    assert data["customer"]["createdAt"] == rfc3339(moment)
