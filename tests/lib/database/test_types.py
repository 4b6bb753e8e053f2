"""Column types: those that are known, and what is said of one that is not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Enum,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    bindparam,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from gql_app.lib.database import Database, Moment, check_metadata
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
            Column("is_new", Boolean(), default=True),
        )
    )


@pytest.mark.parametrize(
    "kind",
    [Numeric(), Interval(), Enum("a", "b"), ARRAY(Text()), Shouted()],
    ids=lambda kind: type(kind).__name__,
)
def test_table_of_a_type_that_is_not_known_says_what_to_add(kind: TypeEngine[object]) -> None:
    with pytest.raises(TypeError, match=rf"{type(kind).__name__} .*Add how .*statements\.py"):
        check_metadata(table(Column("x", kind)))


def test_default_that_is_computed_is_to_be_written_in_each_statement() -> None:
    columns: list[Column[datetime]] = [
        Column("at", Moment(), default=lambda: datetime.now(UTC)),
        Column("at", Moment(), onupdate=lambda: datetime.now(UTC)),
    ]
    for column in columns:
        with pytest.raises(TypeError, match=r"things\.at has a default that is no plain value"):
            check_metadata(table(column))


async def test_statement_of_a_type_that_is_not_known_is_not_sent(database: Database) -> None:
    with pytest.raises(TypeError, match="Interval is not known"):
        await database.fetch_all(select(bindparam("x", type_=Interval())), x=None)
