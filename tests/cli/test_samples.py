"""Made-up customers are as good as any."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from gql_app.accounts.validation import Rules, check_new
from gql_app.cli.samples import BATCH, INSERT, batches
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database
from gql_app.lib.text import email_key, search_key
from tests.people import PASSWORD
from tests.rows import get_row, value

NOON = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def make(count: int, seed: int | None = 1) -> list[dict[str, object]]:
    """Make up customers."""
    return [row for rows in batches(count, password_hash="hash", seed=seed) for row in rows]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (BATCH, [BATCH]), (BATCH + 1, [BATCH, 1]), (2 * BATCH, [BATCH, BATCH])],
)
def test_there_are_as_many_as_asked_for_in_batches(count: int, sizes: list[int]) -> None:
    assert [len(rows) for rows in batches(count, password_hash="hash", seed=1)] == sizes


def test_their_ids_and_addresses_are_unique_within_a_run_and_between_runs() -> None:
    rows = [*make(5000), *make(5000, None), *make(5000, None)]
    assert len({row["id"] for row in rows}) == 15_000
    assert len({row["email_key"] for row in rows}) == 15_000


def test_every_field_of_theirs_would_be_taken_from_a_caller() -> None:
    for row in make(2000):
        name, email, phone = (str(row[field]) for field in ("name", "email", "phone"))
        new = check_new(name=name, email=email, phone=phone, password=PASSWORD, rules=Rules())
        assert (new.name, new.email, new.phone) == (name, email, phone)
        assert (row["name_key"], row["email_key"]) == (search_key(name), email_key(email))


def test_they_share_a_hash_and_are_no_admins_and_few_are_inactive() -> None:
    rows = make(2000)
    assert {row["password_hash"] for row in rows} == {"hash"}
    assert {row["is_admin"] for row in rows} == {False}
    assert 20 <= [row["is_active"] for row in rows].count(False) <= 100


def test_they_were_added_in_the_last_two_years(set_clock: Callable[[datetime], None]) -> None:
    set_clock(NOON)
    for row in make(2000):
        assert isinstance(row["created_at"], datetime)
        assert NOON - timedelta(days=730) < row["created_at"] <= NOON
        assert row["updated_at"] == row["created_at"]


def test_a_seed_makes_the_same_people_again(set_clock: Callable[[datetime], None]) -> None:
    set_clock(NOON)
    once, again, others = ([{**row, "id": None} for row in make(50, n)] for n in (7, 7, 8))
    assert once == again
    assert [row["email"] for row in once] != [row["email"] for row in others]


async def test_they_can_be_stored(database: Database) -> None:
    rows = make(500)
    async with database.transaction() as db:
        await db.execute_many(INSERT, rows)
    assert await value(database, select(func.count()).select_from(CustomerRow)) == 500
    row = await get_row(database, CustomerRow, rows[7]["id"])
    assert {key: getattr(row, key) for key in rows[7]} == rows[7]
