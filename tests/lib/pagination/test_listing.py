"""Lists of any table: the README's example, each type of key, and what is declared wrongly."""

import gc
from datetime import timedelta
from itertools import product
from uuid import UUID
from weakref import ref

import pytest
from sqlalchemy import bindparam

from gql_app.lib.database import Database
from gql_app.lib.pagination import (
    DEFAULT_SIZE,
    MAX_SIZE,
    Condition,
    InvalidArgument,
    Listing,
    ListQuery,
    Selection,
    Window,
)
from tests.lib.pagination.orders import (
    LABELLED,
    START,
    OrderRow,
    ParcelRow,
    fill,
    newest,
    parcels,
)

ORDERS = [(("grams",), False), (("label",), True), (("sent_at",), False), (("id",), False)]


async def test_the_example_of_the_readme_pages_through_orders(database: Database) -> None:
    rows = [
        {
            "id": UUID(int=n),
            "status": "SENT" if n % 2 else "OPEN",
            "created_at": START + timedelta(seconds=n // 4),
        }
        for n in range(20)
    ]
    await fill(database, OrderRow, rows)
    for status, numbers in ((None, range(19, -1, -1)), ("SENT", range(19, -1, -2))):
        seen: list[UUID] = []
        arguments: dict[str, object] = {"first": 3}
        has_next = True
        while has_next:
            found, has_next, count = await newest(database, status, **arguments)
            seen += [row[0] for _, row in found]
            arguments["after"] = found[-1][0]
            assert count == len(numbers)
        assert seen == [UUID(int=n) for n in numbers]
    with pytest.raises(InvalidArgument, match="another order or filter"):
        await newest(database, "OPEN", **arguments)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("order_by", "unique"), ORDERS)
async def test_every_type_of_key_sorts_pages_both_ways(
    database: Database, order_by: tuple[str, ...], *, unique: bool, descending: bool
) -> None:
    rows = parcels([f"parcel {n}" for n in range(10)])
    await fill(database, ParcelRow, rows)
    query = ListQuery(ParcelRow, order_by, unique=unique, descending=descending)
    of = Listing(query, {}, identity="parcels")
    expected = sorted(rows, key=lambda row: [row[key] for key in query.keys], reverse=descending)
    for size, backward in product((1, 4, 10), (False, True)):
        pages = []
        cursor: str | None = None
        while True:
            after, before = (None, cursor) if backward else (cursor, None)
            window = Window(size, backward=backward, after=after, before=before)
            page = await of.page(database, window, ["label"], cursors=True)
            pages.append([row[0] for row in page.rows])
            if not (page.has_previous if backward else page.has_next):
                break
            cursor = page.cursor(page.rows[0 if backward else -1])
        seen = [label for each in (pages[::-1] if backward else pages) for label in each]
        assert seen == [row["label"] for row in expected]


def test_the_primary_key_is_added_to_an_order_that_is_not_unique() -> None:
    assert ListQuery(ParcelRow, ("grams",)).keys == ("grams", "id")
    assert ListQuery(ParcelRow, ("id",)).keys == ("id",)
    assert ListQuery(ParcelRow, ("label",), unique=True).keys == ("label",)


@pytest.mark.parametrize("key", ["note", "weight"])
def test_a_list_is_not_sorted_by_what_may_be_null_or_no_cursor_is_made_of(key: str) -> None:
    query = ListQuery(ParcelRow, (key,))
    with pytest.raises(TypeError, match=f"parcels can't be sorted by .*{key}"):
        assert query.keys


async def test_a_misspelt_column_or_parameter_is_an_error(database: Database) -> None:
    await fill(database, ParcelRow, [])
    with pytest.raises(KeyError, match="gramms"):
        await Listing(ListQuery(ParcelRow, ("gramms",)), {}, identity="").page(
            database, Window(), ["label"]
        )
    of = Listing(ListQuery(ParcelRow, ("grams",), filters=(LABELLED,)), {}, identity="")
    with pytest.raises(KeyError, match="labell"):
        await of.page(database, Window(), ["labell"])
    missing = "There is no value for the column or parameter label in"
    with pytest.raises(TypeError, match=missing):
        await of.page(database, Window(), ["label"])
    with pytest.raises(TypeError, match=missing):
        await of.count(database)


def test_a_condition_equals_itself_alone() -> None:
    same = ListQuery(ParcelRow, ("grams",), filters=(LABELLED,))
    assert same == ListQuery(ParcelRow, ("grams",), filters=(LABELLED,))
    other = Condition(ParcelRow.label == bindparam("label"))
    assert same != same._replace(filters=(other,))


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_a_cursor_of_a_number_that_no_column_holds_is_refused(number: int) -> None:
    of = Listing(ListQuery(ParcelRow, ("grams",)), {}, identity="parcels")
    with pytest.raises(InvalidArgument, match="broken") as why:
        of.read(of.cursor([number, UUID(int=1)]))
    assert why.value.extensions == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_a_cursor_of_every_number_that_a_column_holds_is_taken(number: int) -> None:
    of = Listing(ListQuery(ParcelRow, ("grams",)), {}, identity="parcels")
    assert of.read(of.cursor([number, UUID(int=1)])) == (number, UUID(int=1))


@pytest.mark.parametrize("label", ["x" * 5_000, '"' * 2_700, "\x01" * 2_700])
def test_a_cursor_of_a_long_text_is_taken(label: str) -> None:
    of = Listing(ListQuery(ParcelRow, ("label",), unique=True), {}, identity="parcels")
    assert of.read(of.cursor([label])) == (label,)


def test_nothing_of_a_filter_is_kept_after_its_list() -> None:
    class Text(str):
        """A text that can be referred to weakly."""

        __slots__ = ("__weakref__",)

    searched = Text("x" * 100_000)
    of = Listing(ListQuery(ParcelRow, ("id",)), {}, identity=("parcels", searched))
    assert of.read(of.cursor([UUID(int=1)])) == (UUID(int=1),)
    kept = ref(searched)
    del of, searched
    gc.collect()
    assert kept() is None


def test_a_window_is_the_first_50_unless_something_else_is_asked_for() -> None:
    assert Window.of(first=None, after=None, last=None, before=None) == Window(50)
    assert (DEFAULT_SIZE, MAX_SIZE) == (50, 500)


@pytest.mark.parametrize(
    ("first", "last", "size", "backward"),
    [(1, None, 1, False), (500, None, 500, False), (None, 1, 1, True), (None, 500, 500, True)],
)
def test_a_window_goes_with_either_cursor_whichever_way_it_is_paged(
    first: int | None, last: int | None, size: int, *, backward: bool
) -> None:
    window = Window.of(first=first, after="a", last=last, before="b")
    assert window == Window(size, backward=backward, after="a", before="b")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0, None),
        (-1, None),
        (501, None),
        (2**31 - 1, None),
        (None, 0),
        (None, -1),
        (None, 501),
        (10, 10),
        (0, 0),
    ],
)
def test_a_window_of_no_size_or_too_large_a_one_or_both_ways_is_refused(
    first: int | None, last: int | None
) -> None:
    with pytest.raises(InvalidArgument) as why:
        Window.of(first=first, after=None, last=last, before=None)
    assert why.value.extensions == {"code": "BAD_USER_INPUT"}
    assert ("first" in why.value.message) is (first is not None)
    assert ("last" in why.value.message) is (last is not None)


@pytest.mark.parametrize(
    ("selected", "columns", "cursors"),
    [
        ({(): {"nodes"}, ("nodes",): {"label"}}, ["label"], set()),
        ({(): {"edges"}, ("edges",): {"cursor"}}, [], {"cursor"}),
        ({(): {"edges"}, ("edges",): {"node"}, ("edges", "node"): {"label"}}, ["label"], set()),
        ({(): {"page_info"}, ("page_info",): {"has_next_page"}}, [], set()),
        ({(): {"page_info"}, ("page_info",): {"end_cursor"}}, [], {"end_cursor"}),
        ({(): {"total_count"}}, [], set()),
        ({(): {"total_count", "nodes"}, ("nodes",): {"label"}}, ["label"], set()),
        ({(): {"__typename"}}, [], set()),
    ],
)
async def test_what_is_selected_is_read_and_nothing_else(
    database: Database,
    selected: dict[tuple[str, ...], set[str]],
    columns: list[str],
    cursors: set[str],
) -> None:
    await fill(database, ParcelRow, parcels(["one", "two", "three"]))
    chosen = Selection.of(lambda *path: frozenset(selected.get(path, ())), sorted)
    of = Listing(ListQuery(ParcelRow, ("grams",)), {}, identity="parcels")
    page, count = await chosen.read(database, of, Window(2))
    asked = selected[()]
    assert chosen.columns == columns
    assert chosen.cursors == cursors
    assert count == (3 if "total_count" in asked else 0)
    assert len(page.rows) == (2 if asked & {"nodes", "edges", "page_info"} else 0)
    assert (page.info(chosen.cursors)["end_cursor"] is None) is ("end_cursor" not in cursors)
    assert not page.rows or set(page.columns) >= set(columns)
