"""Audit events that are older than some days: all go, no other does, and one event says so."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from gql_app.accounts.audit import Action, Origin
from gql_app.cli.audit import delete_older
from gql_app.db.tables import AuditRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, Transaction
from tests.accounts.rows import statements
from tests.accounts.test_filter_plans import plan_of, plan_on_sqlite, used
from tests.conftest import SetClock
from tests.rows import add_all

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
AGE = timedelta(days=30)
LIMIT = NOW - AGE
BY_ADA = Origin("192.0.2.1", "a browser", UUID(int=1))


class Crash(Exception):
    """The end of a process amid its purge."""


async def happen(database: Database, *moments: datetime) -> None:
    """Record an event of each moment."""
    async with database.transaction() as db:
        event = {"action": Action.LOGIN, "customer_id": UUID(int=1), "fields": []}
        rows = [{"id": new_id(), "at": moment, **event, **BY_ADA._asdict()} for moment in moments]
        await add_all(db, AuditRow, rows)


async def events(database: Database) -> list[tuple[datetime, str, list[str]]]:
    """Return what the audit knows, the oldest first."""
    rows = await database.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.id))
    return [(row.at, row.action, row.fields) for row in rows]


async def test_what_is_older_goes_and_one_event_says_how_much_did(
    database: Database, set_clock: SetClock
) -> None:
    second = timedelta(seconds=1)
    kept = [LIMIT, LIMIT + second, NOW + timedelta(days=1)]
    await happen(database, *kept, *(LIMIT - n * second for n in range(1, 8)))
    set_clock(NOW)
    assert await delete_older(database, AGE, batch=3) == 7
    left = [(moment, Action.LOGIN, list[str]()) for moment in kept]
    left.insert(2, (NOW, Action.AUDIT_PURGED, ["7 times"]))
    assert await events(database) == left
    for batch in (1, 100):
        assert await delete_older(database, AGE, batch=batch) == 0
    assert await events(database) == left
    set_clock(NOW + AGE + second)
    assert await delete_older(database, AGE, batch=2) == 3
    [(_, _, fields)] = [each for each in await events(database) if each[0] > NOW + second][1:]
    assert fields == ["3 times"]


async def test_a_single_one_is_an_event_of_no_number(
    database: Database, set_clock: SetClock
) -> None:
    await happen(database, LIMIT - AGE)
    set_clock(NOW)
    assert await delete_older(database, AGE, batch=10) == 1
    assert await events(database) == [(NOW, Action.AUDIT_PURGED, [])]


async def test_who_is_ended_amid_it_has_said_what_is_gone(
    database: Database, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await happen(database, *(LIMIT - timedelta(seconds=n) for n in range(1, 8)))
    set_clock(NOW)
    begin = database.transaction
    begun: list[Transaction] = []

    def transaction() -> Transaction:
        if len(begun) == 2:
            raise Crash
        begun.append(begin())
        return begun[-1]

    with monkeypatch.context() as patched:
        patched.setattr(database, "transaction", transaction)
        with pytest.raises(Crash):
            await delete_older(database, AGE, batch=3)
    found = await events(database)
    assert len(found) == 2
    assert found[-1] == (NOW, Action.AUDIT_PURGED, ["6 times"])


async def test_the_oldest_are_found_by_the_index(
    database: Database, database_url: str, set_clock: SetClock
) -> None:
    await happen(database, *(LIMIT - timedelta(seconds=n) for n in range(1, 8)))
    set_clock(NOW)
    with statements() as seen:
        await delete_older(database, AGE, batch=3)
    found = next(each for each in seen if each[0].startswith("WITH batch"))
    if database.dialect == "sqlite":
        assert "ix_audit_events_at" in str(await plan_on_sqlite(database_url, *found))
    else:
        assert used(await plan_of(database_url, *found)) == {"ix_audit_events_at"}
