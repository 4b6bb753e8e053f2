"""Column types: those that are known, and what is said of one that is not."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from math import inf, nan
from typing import Any, Final

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    Select,
    Table,
    Text,
    Time,
    Uuid,
    bindparam,
    func,
    insert,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from gql_app.lib.database import Database, Moment, Query, check_metadata
from tests.lib.database.people import Row


class Shouted(TypeDecorator[str]):
    """Text whose values are changed on their way."""

    impl = Text
    cache_ok = True


def table(*columns: Column[Any]) -> MetaData:
    """Return the metadata of a table."""
    metadata = MetaData()
    Table("things", metadata, *columns)
    return metadata


def test_tables_of_known_types_are_fine() -> None:
    check_metadata(Row.metadata)
    check_metadata(
        table(
            Column("sorted", Text().with_variant(Text(collation="C"), "postgresql")),
            Column("json", JSON().with_variant(JSONB(), "postgresql")),
            Column("bytes", LargeBinary()),
            Column("at", Moment()),
            Column("on", Date()),
            Column("is_new", Boolean(), default=True),
        )
    )


@pytest.mark.parametrize(
    "kind",
    [Numeric(), Interval(), Time(), Enum("a", "b"), ARRAY(Text()), Shouted()],
    ids=lambda kind: type(kind).__name__,
)
def test_table_of_a_type_that_is_not_known_says_which_are(kind: TypeEngine[object]) -> None:
    with pytest.raises(TypeError, match=rf"{type(kind).__name__} .*Use text, integers, .*dates"):
        check_metadata(table(Column("x", kind)))


def test_uuids_are_not_those_that_are_texts() -> None:
    words = r"The type Uuid\(as_uuid=False\) is not known .* UUIDs \(Uuid\(\)\), datetimes"
    with pytest.raises(TypeError, match=words):
        check_metadata(table(Column("x", Uuid(as_uuid=False))))


def test_default_that_is_computed_is_to_be_written_in_each_statement() -> None:
    columns: list[Column[datetime]] = [
        Column("at", Moment(), default=lambda: datetime.now(UTC)),
        Column("at", Moment(), onupdate=lambda: datetime.now(UTC)),
    ]
    for column in columns:
        with pytest.raises(TypeError, match=r"things\.at has a default that is no plain value"):
            check_metadata(table(column))


async def test_date_is_stored_without_a_time(database: Database) -> None:
    days = table(Column("id", Integer(), primary_key=True), Column("on", Date())).tables["things"]
    newest = Query(select(days.c.on).where(days.c.on >= bindparam("since")).order_by("id"), tuple)
    async with database.transaction() as transaction:
        await transaction.execute(text('CREATE TABLE things (id INTEGER PRIMARY KEY, "on" DATE)'))
        noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
        for key, day in enumerate([date(1, 2, 3), date(2024, 2, 29), noon, None]):
            await transaction.execute(insert(days), id=key, on=day)
    found = await database.fetch_all(newest, since=date(2024, 2, 29))
    assert found == [(date(2024, 2, 29),), (date(2030, 1, 1),)]
    assert not any(isinstance(day, datetime) for (day,) in found)
    assert [row.on for row in await database.fetch_all(select(days.c.on).order_by(days.c.id))] == [
        date(1, 2, 3), date(2024, 2, 29), date(2030, 1, 1), None,
    ]  # fmt: skip


async def test_statement_of_a_type_that_is_not_known_is_not_sent(database: Database) -> None:
    with pytest.raises(TypeError, match="Interval is not known"):
        await database.fetch_all(select(bindparam("x", type_=Interval())), x=None)


JSON_VALUES: Final[Sequence[object]] = (
    *(0, 7, -1, 2**53 + 1, 2**63, 2**64 - 1, 1.0, 1.5, 1e300, 0.1),
    -2.217641671383913e-296,  # whose text SQLite reads as another number
    *(True, False, "", "7", "1.5", "text", [], [1, 2.0], {}, {"a": 2**64 - 1}, None),
)


@pytest.mark.parametrize("declared", ["JSON", "JSONB"])
async def test_each_json_value_is_read_as_it_was_written(database: Database, declared: str) -> None:
    kind = JSON().with_variant(JSONB(), "postgresql") if declared == "JSONB" else JSON()
    things = table(Column("id", Integer(), primary_key=True), Column("json", kind)).tables["things"]
    async with database.transaction() as db:
        await db.execute(text(f"CREATE TABLE things (id INTEGER PRIMARY KEY, json {declared})"))
        for key, value in enumerate(JSON_VALUES):
            await db.execute(insert(things), id=key, json=value)
    found = [row.json for row in await database.fetch_all(select(things.c.json).order_by("id"))]
    assert found == [*JSON_VALUES]
    assert [type(each) is bool for each in found] == [type(each) is bool for each in JSON_VALUES]
    if database.dialect == "sqlite":  # whose JSON functions may take bytes for JSONB
        stored = select(text("typeof(json) AS kind")).select_from(things).order_by(things.c.id)
        kinds = [row[0] for row in await database.fetch_all(stored)]
        are_wide = [value in (2**63, 2**64 - 1) for value in JSON_VALUES]
        assert [kind == "blob" for kind in kinds] == are_wide


@pytest.mark.parametrize("value", [nan, -inf, [1, inf], {"a": [None, {"b": nan}]}, (nan,)], ids=str)
async def test_number_that_json_has_not_is_not_stored_as_null(
    database: Database, value: object
) -> None:
    things = table(Column("id", Integer(), primary_key=True), Column("json", JSON()))
    with pytest.raises(TypeError, match="JSON has no number that is infinite or NaN"):
        await database.fetch_all(insert(things.tables["things"]), id=1, json=value)


async def test_number_that_sqlite_stored_as_its_own_is_read_as_json(database: Database) -> None:
    things = table(Column("id", Integer(), primary_key=True), Column("json", JSON()))
    read = select(things.tables["things"].c.json).order_by("id")
    async with database.transaction() as db:
        await db.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, json JSON)"))
        await db.execute(text("INSERT INTO things VALUES (1, '7'), (2, '1.5'), (3, '0')"))
    assert [row.json for row in await database.fetch_all(read)] == [7, 1.5, 0]


async def test_computed_numbers_are_integers_or_floats(database: Database) -> None:
    columns: list[Column[Any]] = [Column("n", BigInteger()), Column("f", Float())]
    nums = table(Column("id", Integer(), primary_key=True), *columns).tables["things"]
    total, (n, f) = func.sum(nums.c.n), (nums.c.n, nums.c.f)
    within = select(total.label("total")).subquery()
    computed: Sequence[tuple[Select[Any], object]] = [
        (select(total), 2**41 + 1),
        (select(within.c.total), 2**41 + 1),
        (select(func.sum(func.abs(n))), 2**41 + 1),
        (select(func.coalesce(total, 0)), 2**41 + 1),
        (select(total).where(n < 0), None),
        (select(func.avg(n)), 2**40 + 0.5),
        (select(type_coerce(func.avg(n), Float)), 2**40 + 0.5),
        (select(func.avg(n)).where(n < 0), None),
        (select(func.sum(f)), 2.0),
        (select(func.avg(f)), 1.0),
        (select(func.count()).select_from(nums), 2),
        (select(func.max(n)), 2**40 + 1),
    ]
    async with database.transaction() as db:
        made = "CREATE TABLE things (id INTEGER PRIMARY KEY, n BIGINT, f FLOAT)"
        await db.execute(text(made))
        for key in range(2):
            await db.execute(insert(nums), id=key, n=2**40 + key, f=1.0)
    for statement, expected in computed:
        [[found]] = await database.fetch_all(statement)
        assert (type(found), found) == (type(expected), expected), statement
