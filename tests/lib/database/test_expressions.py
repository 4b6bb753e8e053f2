"""Expressions of SQLAlchemy Core: the same values on both databases, or a refusal in words."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    SmallInteger,
    Uuid,
    bindparam,
    case,
    cast,
    extract,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from gql_app.lib.database import Database, Moment, any_of, dialect_of
from tests.lib.database.people import past

AT = datetime(2024, 2, 29, 23, 30, 0, 123, tzinfo=UTC)
DAY = date(2024, 2, 29)
DATA = {"a": 7, "b": {"c": [1, "x y"]}, "s": "text", "y": True, "f": 1.5, "null": None}


class Base(DeclarativeBase):
    """The base of this table."""


class ThingRow(Base):
    """A row with a column of each type."""

    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    small: Mapped[int] = mapped_column(SmallInteger)
    large: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int]
    real: Mapped[float]
    name: Mapped[str]
    is_new: Mapped[bool]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    key: Mapped[UUID] = mapped_column(Uuid())
    made_at: Mapped[datetime] = mapped_column(Moment)
    day: Mapped[date]


VALUES: dict[str, object] = {
    "id": 1,
    "small": -3,
    "large": 2**62,
    "number": 5,
    "real": 2.5,
    "name": "Ada",
    "is_new": True,
    "data": DATA,
    "key": UUID(int=5),
    "made_at": AT,
    "day": DAY,
}
ELSEWHERE = """
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo');
END $$
"""
Expression = ColumnElement[Any]
data = ThingRow.data


@pytest.fixture
async def things(database: Database, database_url: str) -> Database:
    """Store a row; on PostgreSQL, sessions begin in another time zone."""
    made = CreateTable(Base.metadata.tables["things"]).compile(dialect=dialect_of(database_url))
    async with database.transaction() as db:
        await db.execute(text(str(made)))
        await db.execute(insert(ThingRow), **VALUES)
    if database.dialect == "postgresql":
        await past(database_url, ELSEWHERE)
    return database


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (data["a"].as_integer(), 7),
        (data["a"].as_integer() + 1, 8),
        (data["a"].as_integer() == 7, True),
        (data["a"].as_string(), "7"),
        (data["s"].as_string() == "text", True),
        (data["y"].as_boolean(), True),
        (data["f"].as_float(), 1.5),
        (data["f"].as_numeric(10, 2), 1.5),
        (data["missing"].as_string().is_(None), True),
        (data["null"].as_string().is_(None), True),
        (data["b"], {"c": [1, "x y"]}),
        (data["b"]["c"][1].as_string(), "x y"),
        (data["b", "c", 1].as_string(), "x y"),
        (data["b", "c"], [1, "x y"]),
        (data["b", "missing"], None),
        (data.is_(None), False),
        (data[bindparam("name", "s")].as_string(), "text"),
        (data["b"][bindparam("name", "c")], [1, "x y"]),
    ],
    ids=str,
)
async def test_parts_of_json_are_read_and_compared(
    things: Database, expression: Expression, value: object
) -> None:
    [found] = await things.fetch_one(select(expression))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (ThingRow.number / 2, 2.5),
        (ThingRow.number / ThingRow.number, 1.0),
        (ThingRow.number * Decimal("1.5"), 7.5),
        (ThingRow.number // 2, 2),
        (ThingRow.number % 2, 1),
        (ThingRow.real / 2, 1.25),
        (-ThingRow.number, -5),
        (ThingRow.number / 2 > 2, True),
        (func.avg(ThingRow.number), 5.0),
        (func.sum(ThingRow.large), 2**62),
        (func.coalesce(func.sum(ThingRow.large), 0), 2**62),
        (func.sum(ThingRow.number) / 2, 2.5),
        (select(func.avg(ThingRow.number).label("mean")).subquery().c.mean, 5.0),
        (cast(ThingRow.number, Numeric), 5.0),
        (func.max(ThingRow.number), 5),
        (func.nullif(ThingRow.number / 5, 1), None),
        (literal(Decimal("0.5")), 0.5),
    ],
    ids=str,
)
async def test_numbers_are_computed(
    things: Database, expression: Expression, value: object
) -> None:
    [found] = await things.fetch_one(select(expression))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (cast(ThingRow.made_at, Date), DAY),
        (cast(ThingRow.made_at, Date) == DAY, True),
        (cast(ThingRow.day, Date), DAY),
        (extract("day", ThingRow.made_at), 29),
        (extract("hour", ThingRow.made_at) == 23, True),
        (extract("year", ThingRow.day), 2024),
        (extract("second", literal(AT.replace(microsecond=0), Moment())), 0),
        (func.max(ThingRow.made_at), AT),
        (func.coalesce(ThingRow.made_at, AT.replace(year=2000)), AT),
        (case((ThingRow.number == 0, ThingRow.made_at), else_=AT.replace(year=2000)) < AT, True),
        (type_coerce(literal(AT), Moment()), AT),
        (ThingRow.made_at < func.now(), True),
        (ThingRow.day < func.current_date(), True),
    ],
    ids=str,
)
async def test_dates_and_times_are_those_of_utc(
    things: Database, expression: Expression, value: object
) -> None:
    [found] = await things.fetch_one(select(expression).select_from(ThingRow))
    assert (found, type(found)) == (value, type(value))


async def test_now_is_a_moment_that_is_stored_and_found_again(things: Database) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    moments = select(func.now(), func.current_timestamp().label("there"), func.current_date())
    for moment in (await things.fetch_one(moments))[:2]:
        assert before < moment < before + timedelta(minutes=5)
        assert moment.utcoffset() == timedelta()
    async with things.transaction() as db:
        await db.execute(update(ThingRow).values(made_at=func.now()))
        [stored] = await db.fetch_one(select(ThingRow.made_at))
        same = select(ThingRow.id).where(ThingRow.made_at == bindparam("at"))
        assert await db.fetch_all(same, at=stored) == [(1,)]
    assert before < stored


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (data["a"] == 7, r"things\.data\[:data_1\] = :param_1 compares JSON.* as_integer\(\)"),
        (data["b", "c"].is_(None), r"things\.data.* compares JSON.* as_string\(\)"),
        (
            ThingRow.made_at + timedelta(days=1),
            r"things\.made_at \+ :made_at_1 can't be computed .* pass it as a bindparam\(\)",
        ),
        (
            ThingRow.made_at - ThingRow.made_at,
            r"things\.made_at - things\.made_at can't be computed .*",
        ),
        (ThingRow.day + 1, r"things\.day \+ :day_1 can't be computed .*"),
        (
            func.localtimestamp(),
            r"LOCALTIMESTAMP can't be read\. The type DateTime .* by type_coerce\(…, Row\.col",
        ),
        (literal(timedelta(1)), r"The parameter param_1 can't be sent\. The type Interval is not"),
    ],
    ids=str,
)
async def test_expression_without_a_common_meaning_is_refused_by_its_name(
    things: Database, expression: Expression, words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        await things.fetch_all(select(expression).select_from(ThingRow))


BEYOND = (2**15, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 2**70)


@pytest.mark.parametrize("name", ["small", "number", "large"])
async def test_integer_that_a_column_can_not_hold_finds_nothing(
    things: Database, name: str
) -> None:
    column = getattr(ThingRow, name)
    found: Any = VALUES[name]
    equal = select(ThingRow.id).where(column == bindparam("x"))
    listed = select(ThingRow.id).where(any_of(column, "x"))
    unlisted = select(ThingRow.id).where(~any_of(column, "x"))
    for number in BEYOND:
        assert await things.fetch_all(equal, x=number) == []
        assert await things.fetch_all(listed, x=[number]) == []
        assert await things.fetch_all(listed, x=[number, found]) == [(1,)]
        assert await things.fetch_all(unlisted, x=[number]) == [(1,)]
        for constant in (column == number, column.in_([number])):
            assert await things.fetch_all(select(ThingRow.id).where(constant)) == []
        some = column.in_([number, found])
        assert await things.fetch_all(select(ThingRow.id).where(some)) == [(1,)]
    between = select(ThingRow.id).where(column.between(bindparam("low"), bindparam("high")))
    assert await things.fetch_all(between, low=2**62 + 1, high=2**63 - 1) == []
    for statement, values in ((equal, {"x": found}), (between, {"low": found, "high": 2**63 - 1})):
        assert await things.fetch_all(statement, **values) == [(1,)]
    assert await things.fetch_one(select(column.between(found, found))) == (True,)


async def test_pairs_are_found_in_a_list(things: Database) -> None:
    both = tuple_(ThingRow.number, ThingRow.key)
    for key, found in ((UUID(int=5), [(1,)]), (UUID(int=6), [])):
        some = both.in_([(5, key), (6, UUID(int=5))])
        assert await things.fetch_all(select(ThingRow.id).where(some)) == found


async def test_type_of_a_function_may_be_given(things: Database) -> None:
    newest = select(func.coalesce(func.now(), ThingRow.made_at, type_=ThingRow.made_at.type))
    [moment] = await things.fetch_one(newest)
    assert moment > AT
    [number] = await things.fetch_one(select(func.length(ThingRow.name, type_=Integer)))
    assert number == 3
