"""What a column gives back is what was put in."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select, text

from gql_app.accounts.validation import MAX_NAME, Rules, check_new
from gql_app.db.tables import CustomerRow, Row, SessionRow
from gql_app.lib.clock import LATEST, new_id
from gql_app.lib.database import Database, IntegrityViolation, check_metadata
from gql_app.lib.text import MAX_EMAIL, MAX_KEY, email_key, search_key
from tests.accounts.rows import customer, store
from tests.rows import add, column, get_row, value

NOON = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON.replace(microsecond=0),
        NOON.replace(microsecond=1),
        NOON.replace(microsecond=999_999),
        datetime.min.replace(tzinfo=UTC),
        datetime(1, 1, 1, microsecond=1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        LATEST,
        datetime.max.replace(microsecond=999_998, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        NOON.astimezone(timezone(timedelta(hours=5, minutes=45))),
        datetime(2030, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=14))),
    ],
)
async def test_a_moment_comes_back_in_utc_to_the_microsecond(
    database: Database, moment: datetime
) -> None:
    row = customer("Ada")
    row.created_at = moment
    await store(database, [row])
    back = await value(database, select(CustomerRow.created_at))
    same = select(CustomerRow.id).where(CustomerRow.created_at == moment)
    assert await column(database, same) == [row.id]
    assert back == moment
    assert back.utcoffset() == timedelta()


async def test_an_absent_moment_stays_absent(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    session_id = new_id()
    async with database.transaction() as db:
        await add(
            db,
            SessionRow,
            id=session_id,
            customer_id=row.id,
            created_at=NOON,
            last_used_at=NOON,
            expires_at=NOON,
        )
    back = await get_row(database, SessionRow, session_id)
    assert (back.ended_at, back.expires_at) == (None, NOON)


async def test_an_address_is_unique_whatever_the_rules_do(database: Database) -> None:
    await store(database, [customer("Ada", "ada@example.com")])
    with pytest.raises(IntegrityViolation):
        await store(database, [customer("Bob", "ADA@example.com")])


async def test_the_longest_names_and_addresses_fit_into_the_orders_indexes(
    database: Database,
) -> None:
    chance = random.Random(1)  # noqa: S311 — no secret
    long = "ΐΰὒὔὖᾷῇῒῗῢῧῷ"  # each becomes three when its case is folded
    expanding = "\ufdfa" * 50  # and each of these eighteen in NFKC
    name = f"{''.join(chance.choices(long, k=MAX_NAME - len(expanding)))}{expanding}"
    address = f"{''.join(chance.choices(long[:2], k=32))}@{'.'.join([long[0] * 20] * 4)}.com"
    checked = check_new(name=name, email=address, password="correct horse battery", rules=Rules())
    assert MAX_KEY - 3 <= len(search_key(checked.name).encode()) <= MAX_KEY
    assert len(email_key(checked.email).encode()) > 2 * MAX_EMAIL
    await store(database, [customer(checked.name, checked.email)])


@pytest.mark.parametrize("column", ["name", "name_key", "email", "email_key", "created_at"])
async def test_what_a_customer_must_have_can_not_be_absent(database: Database, column: str) -> None:
    row = customer("Ada")
    values = {key.key: getattr(row, key.key) for key in CustomerRow.__table__.columns}
    with pytest.raises(IntegrityViolation):
        async with database.transaction() as db:
            await db.execute(insert(CustomerRow).values({**values, column: None}))


async def test_a_session_needs_a_customer(database: Database) -> None:
    with pytest.raises(IntegrityViolation):
        async with database.transaction() as db:
            await db.execute(
                insert(SessionRow).values(
                    id=new_id(),
                    customer_id=new_id(),
                    created_at=NOON,
                    last_used_at=NOON,
                    expires_at=NOON,
                )
            )


async def test_keys_are_sorted_by_code_point_on_either_database(database: Database) -> None:
    keys = ["Z", "a", "a b", "a-b", "ab", "b", "é", "小", "🎉"]
    rows = [customer(key) for key in keys[::-1]]
    for row in rows:
        row.name_key = row.name
    await store(database, rows)
    order = text("name_key")
    assert await column(database, select(CustomerRow.name_key).order_by(order)) == keys


def test_the_database_can_read_and_write_every_column() -> None:
    check_metadata(Row.metadata)
