"""Values of clients and of objects, compared with columns of every type."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

import pytest
import strawberry
from sqlalchemy import BigInteger, SmallInteger
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from strawberry.scalars import JSON

from gql_app.db.tables import SORTABLE
from gql_app.extending.connections import connection
from gql_app.extending.feature import Feature
from gql_app.extending.merging import parts_of
from gql_app.extending.nested import nested
from gql_app.lib.clock import new_id, rfc3339
from gql_app.lib.database import Moment, insert_row
from gql_app.settings import Settings
from tests.extending.graph import Graph, create_tables, graph

LARGE: Final = 2**53 - 1
MOMENT: Final = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


class Base(DeclarativeBase):
    """The base of this table."""


class SampleRow(Base):
    """A row with a column of each type."""

    __tablename__ = "samples"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int]
    small: Mapped[int] = mapped_column(SmallInteger)
    large: Mapped[int] = mapped_column(BigInteger)
    listed: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(SORTABLE)
    code: Mapped[str]
    description: Mapped[str]
    fields: Mapped[str]
    decorate: Mapped[bool]
    made_at: Mapped[datetime] = mapped_column(Moment)


@strawberry.enum
class Colour(Enum):
    """What is stored under another name."""

    RED = "the first"
    BLUE = strawberry.enum_value("the second", name="VERY_BLUE")


@strawberry.enum
class Rank(Enum):
    """What is stored as a number."""

    FIRST = 1
    SECOND = 2


@strawberry.type
class Found:
    """A row that a list has found."""

    number: strawberry.ID


SHOWN: Final[Mapping[str, Any]] = {
    "id": strawberry.ID,
    "number": strawberry.ID,
    "small": int,
    "large": float,
    "listed": Rank,
    "name": str,
    "code": strawberry.ID,
    "description": Colour,
    "fields": str,
    "decorate": bool,
    "made_at": datetime,
}
"""The type that each column is shown as."""
VALUES: Final[Mapping[str, object]] = {
    "number": 7,
    "small": -32_768,
    "large": LARGE,
    "listed": 2,
    "name": "Ada",
    "code": "é",
    "description": "the second",
    "fields": "",
    "decorate": True,
    "made_at": MOMENT,
}
GIVEN: Final[Mapping[str, object]] = {
    **VALUES,
    "number": "7",
    "listed": "SECOND",
    "description": "VERY_BLUE",
    "large": float(LARGE),
}
"""The filters that find the row."""
TEXTS: Final = ("\0", "a\0b", "x" * 100_000, "nothing")
HOSTILE: Final[Mapping[Any, Sequence[object]]] = {
    str: TEXTS,
    strawberry.ID: (*TEXTS, "", "07", "-0", " 7", "7.0", "\u0667", "9" * 20, "-" + "9" * 5_000, 8),
    int: (2**31 - 1, -(2**31), 99_999),
    float: (1e30, -1e30, 1.5, 2.0**63, -(2.0**63), 1.7e308, 0),
    Rank: ("FIRST",),
    Colour: ("RED",),
    bool: (False,),
}
"""The filters that find nothing, by the type of the filter."""

Sample: Any = strawberry.type(
    type(
        "Sample",
        (),
        {
            "__annotations__": dict(SHOWN),
            "label": strawberry.field(resolver=lambda: "resolved", graphql_type=str),
            **{
                f"same_{name}": nested(
                    Found,
                    SampleRow,
                    by=getattr(SampleRow, name),
                    key=name,
                    order_by="number",
                    limit=2,
                )
                for name in SHOWN
            },
            "wider": nested(
                Found, SampleRow, by=SampleRow.small, key="large", order_by="id", limit=2
            ),
            "named": nested(Found, SampleRow, by=SampleRow.id, key="name", order_by="id", limit=2),
        },
    )
)


@strawberry.type
class Samples:
    """The list of all rows."""

    samples = connection(
        Sample,
        SampleRow,
        order_by=["number", "large", "small", "name"],
        filters=[*SHOWN],
        permissions=[],
    )


@pytest.fixture
async def samples(settings: Settings) -> AsyncIterator[Graph]:
    """Run an application with the list, of one row."""
    async with graph(settings, [Feature("samples", queries=[Samples])]) as opened:
        await create_tables(opened.resources.database, Base)
        await store(opened, VALUES)
        yield opened


async def store(opened: Graph, *rows: Mapping[str, object]) -> None:
    """Store rows."""
    async with opened.resources.database.transaction() as db:
        await db.execute_many(insert_row(SampleRow), [{"id": new_id(), **row} for row in rows])


async def count(samples: Graph, **which: object) -> int:
    """Return how many rows a filter finds."""
    query = "query Q($f: SampleFilter) { samples(filter: $f) { totalCount nodes { number } } }"
    found = (await samples.data(query, f=which))["samples"]
    assert found["totalCount"] == len(found["nodes"])
    number: int = found["totalCount"]
    return number


async def test_every_column_is_filtered_by_what_it_holds_and_by_what_it_can_not(
    samples: Graph,
) -> None:
    for name, value in GIVEN.items():
        if name == "made_at":
            continue
        assert await count(samples, **{name: value}) == 1, name
        for other in HOSTILE[SHOWN[name]]:
            assert await count(samples, **{name: other}) == 0, (name, other)
    for after, found in ((MOMENT, 0), (MOMENT.replace(microsecond=0), 1)):
        assert await count(samples, madeAfter=rfc3339(after)) == found
    for moment, found in (("0001-01-01T00:00:00Z", 0), ("9999-12-31T23:59:59Z", 1)):
        assert await count(samples, madeBefore=moment) == found


@pytest.mark.parametrize("beside", ["", "label"])
@pytest.mark.parametrize("shape", ["nodes {{ {} }}", "edges {{ node {{ {} }} }}"])
async def test_every_column_is_a_key_of_nested_lists(
    samples: Graph, shape: str, beside: str
) -> None:
    for name in SHOWN:
        field = f"same{''.join(each.title() for each in name.split('_'))}"
        asked = shape.format(f"{field} {{ number }} {beside}")
        found = (await samples.data(f"{{ samples {{ {asked} }} }}"))["samples"]
        [row] = found.get("nodes") or [each["node"] for each in found["edges"]]
        assert row[field] == [{"number": "7"}], name


@pytest.mark.parametrize("beside", ["", "label"])
async def test_key_that_the_column_can_not_hold_finds_nothing(samples: Graph, beside: str) -> None:
    await store(samples, {**VALUES, "number": 8, "large": -32_768})
    asked = f"{{ samples {{ nodes {{ wider {{ number }} named {{ number }} {beside} }} }} }}"
    first, second = (await samples.data(asked))["samples"]["nodes"]
    assert (first["wider"], first["named"], second["named"]) == ([], [], [])
    assert len(second["wider"]) == 2


@pytest.mark.parametrize("order", ["LARGE", "NAME", "SMALL", "NUMBER"])
async def test_every_cursor_of_a_page_is_taken(samples: Graph, order: str) -> None:
    odd = ["\x01" * 2_000, '"' * 2_500, "\U0001f980" * 600, "a" * 2_600]
    numbers = [2**63 - 1, -(2**63), 2**31, -(2**31) - 1]
    rows = [
        {**VALUES, "number": n, "large": large, "name": name}
        for n, (large, name) in enumerate(zip(numbers, odd, strict=True))
    ]
    await store(samples, *rows)
    query = """query Q($after: String, $order: SampleOrderOrField) {
      samples(first: 1, after: $after, orderBy: {field: $order}) {
        nodes { id } pageInfo { hasNextPage endCursor }
      }
    }""".replace("SampleOrderOrField", "SampleOrderField!")
    seen, cursor = set(), None
    while True:
        page = (await samples.data(query, after=cursor, order=order))["samples"]
        seen |= {each["id"] for each in page["nodes"]}
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == 5


def test_what_can_not_be_compared_is_told_at_once() -> None:
    @strawberry.type
    class Odd:
        id: strawberry.ID
        number: list[int]
        small: Colour
        name: float
        code: Rank
        decorate: int
        fields: JSON

    filters = ["number", "small", "name", "code", "decorate", "fields", "id", "made_at"]
    with pytest.raises(TypeError) as raised:
        connection(Odd, SampleRow, order_by=["number"], filters=filters)
    assert str(raised.value) == " ".join(
        f"connection(Odd, SampleRow): filters names {name}, which is shown as a type that can't "
        "be compared with it."
        for name in filters[:5]
    ) + "".join(
        f" connection(Odd, SampleRow): Odd.{name} can't have the values of its column, which are "
        f"{stored}."
        for name, stored in (("number", "int"), ("small", "int"), ("name", "str"), ("code", "str"))
    )


def test_filters_and_orders_of_one_name_are_told() -> None:
    class ClashRow(Base):
        __tablename__ = "clashes"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        created: Mapped[datetime] = mapped_column(Moment)
        created_at: Mapped[datetime] = mapped_column(Moment)
        created_after: Mapped[str]
        nameKey: Mapped[str]  # noqa: N815 — as a table may have it
        name_key: Mapped[str]
        NAME_KEY: Mapped[str]

    @strawberry.type
    class Clash:
        id: strawberry.ID

    with pytest.raises(TypeError) as raised:
        connection(
            Clash,
            ClashRow,
            order_by=["name_key", "NAME_KEY"],
            filters=["created", "created_at", "created_after", "nameKey", "name_key", "name_key"],
        )
    clashing = (
        ("filters", "created", "created_at", "createdAfter"),
        ("filters", "created", "created_at", "createdBefore"),
        ("filters", "created", "created_after", "createdAfter"),
        ("filters", "nameKey", "name_key", "nameKey"),
        ("order_by", "name_key", "NAME_KEY", "NAME_KEY"),
    )
    assert str(raised.value) == " ".join(
        f"connection(Clash, ClashRow): {what} names {one} and {other}, which would both be {name}: "
        "leave one out."
        for what, one, other, name in clashing
    )


def test_connections_of_one_name_are_told() -> None:
    @strawberry.type
    class Twice:
        every = connection(Found, SampleRow, order_by=["number"], filters=["small"])
        alike = connection(Found, SampleRow, order_by=["number"], filters=["small"])
        by_size = connection(Found, SampleRow, order_by=["large"])
        by_name = connection(Found, SampleRow, order_by=["name"], name="Named")

    faults: list[str] = []
    parts_of([Feature("twice", queries=[Twice])], faults)
    [fault] = faults
    assert fault == (
        "Query.by_size would share the types of Query.every, such as FoundOrder: give it a name of "
        "its own."
    )


def test_key_of_another_type_is_told() -> None:
    @strawberry.type
    class Keyed:
        number: int
        odd = nested(Found, SampleRow, by=SampleRow.id, key="number", order_by="id", limit=1)
        fine = nested(Found, SampleRow, by=SampleRow.large, key="number", order_by="id", limit=1)

    @strawberry.type
    class Queries:
        keyed = connection(Keyed, SampleRow, order_by=["number"])

    faults: list[str] = []
    parts_of([Feature("keyed", queries=[Queries])], faults)
    assert faults == [
        "Keyed.odd is read by number, whose type can't be compared with SampleRow.id."
    ]
