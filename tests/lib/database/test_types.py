"""Column types: those that are known, and what is said of one that is not."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    Enum,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Time,
    Uuid,
    bindparam,
    insert,
    select,
    text,
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
