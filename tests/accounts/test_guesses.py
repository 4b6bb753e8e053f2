"""Guesses: the first of a kind is recorded at once, a flood by its number, and none is lost."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from gql_app.accounts import audit, customers
from gql_app.accounts.audit import GUESS_INTERVAL, MAX_GUESS_COUNTS, Action, Guesses, Origin
from gql_app.db.tables import AuditRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, StatementError, Unavailable
from tests.locks import until_it_waits
from tests.people import NOWHERE, add_customer

ADA = new_id()
HOME, AWAY = Origin("192.0.2.1", "a browser", ADA), Origin("198.51.100.1")
Recorded = tuple[str, str | None, list[str]]


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def watch() -> Watch:
    """Make a clock."""
    return Watch()


async def guesses(database: Database) -> Sequence[Any]:
    """Return the events of guesses."""
    of_guesses = AuditRow.action != Action.CUSTOMER_CREATED
    query = select(AuditRow).where(of_guesses).order_by(AuditRow.at, AuditRow.id)
    return await database.fetch_all(query)


async def recorded(database: Database) -> Sequence[Recorded]:
    """Return what the audit knows of guesses."""
    return [(row.action, row.ip_address, row.fields) for row in await guesses(database)]


async def total(database: Database) -> int:
    """Return how many guesses the audit knows of."""
    each = [fields for _, _, fields in await recorded(database)]
    return sum(int(fields[0].split()[0]) if fields else 1 for fields in each)


async def rename(database: Database, before: str, after: str) -> None:
    """Rename a table."""
    async with database.transaction() as db:
        await db.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


async def test_first_is_recorded_at_once_and_the_others_once_a_minute(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    for _ in range(3):
        noted.note(Action.TOKEN_REFUSED, AWAY)
    assert noted.first.is_set()
    assert await noted.record(database) == 1
    for second in range(1, GUESS_INTERVAL):
        watch.now = second
        noted.note(Action.TOKEN_REFUSED, AWAY)
        assert await noted.record(database) == 0
    watch.now = GUESS_INTERVAL
    assert await noted.record(database) == 1
    assert await noted.record(database) == 0
    assert await recorded(database) == [
        ("token:refused", "198.51.100.1", ["3 times"]),
        ("token:refused", "198.51.100.1", ["59 times"]),
    ]


async def test_each_kind_client_and_account_has_a_count_of_its_own(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    noted.note(Action.PROOF_FAILED, HOME, ADA)
    noted.note(Action.PROOF_FAILED, HOME, new_id())
    noted.note(Action.PROOF_FAILED, AWAY, ADA)
    noted.note(Action.REFRESH_REFUSED, AWAY)
    assert await noted.record(database) == 4
    rows = await database.fetch_all(select(AuditRow))
    assert {(row.customer_id, row.actor_id) for row in rows} >= {(ADA, ADA), (ADA, None)}
    assert all(row.fields == [] for row in rows)


async def test_after_a_quiet_minute_the_next_is_recorded_at_once(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    for minute in range(3):
        watch.now = minute * 2 * GUESS_INTERVAL
        noted.first.clear()
        noted.note(Action.RESET_REFUSED, AWAY)
        assert noted.first.is_set() == (minute != 1)
        assert await noted.record(database) == 1
        watch.now += GUESS_INTERVAL
        assert await noted.record(database) == 0
        if minute == 0:  # recorded again while it is remembered still
            noted.note(Action.RESET_REFUSED, AWAY)
    assert [fields for _, _, fields in await recorded(database)] == [[], ["2 times"], []]


async def test_clients_beyond_the_share_of_an_action_count_as_one(
    database: Database, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MAX_GUESS_COUNTS", 4)
    assert MAX_GUESS_COUNTS == 1_000
    noted = Guesses(watch)
    for number in range(10):
        noted.note(Action.TOKEN_REFUSED, Origin(f"192.0.2.{number}", "a browser", ADA))
    assert await noted.record(database) == 3
    assert await recorded(database) == [
        ("token:refused", "192.0.2.0", []),
        ("token:refused", "192.0.2.1", []),
        ("token:refused", None, ["8 times"]),
    ]


async def test_addresses_of_one_client_count_together(database: Database, watch: Watch) -> None:
    noted, ada = Guesses(watch), (await add_customer(database, "Ada")).id
    for number in range(3):
        for who in (ada, None):
            noted.note(Action.PROOF_FAILED, Origin(f"2001:db8:1:2::{number}"), who)
    noted.note(Action.PROOF_FAILED, Origin("2001:db8:1:3::1"), ada)
    noted.note(Action.PROOF_FAILED, Origin(), ada)
    assert await noted.record(database) == 4
    assert sorted(await recorded(database), key=str) == [
        ("password:proof_failed", "2001:db8:1:2::2", ["3 times"]),
        ("password:proof_failed", "2001:db8:1:2::2", ["3 times"]),
        ("password:proof_failed", "2001:db8:1:3::1", []),
        ("password:proof_failed", None, []),
    ]


def flood(noted: Guesses, *kinds: tuple[Action, UUID | None]) -> int:
    """Guess from as many clients as there are counts, at each of some kinds; return how often."""
    for number in range(MAX_GUESS_COUNTS):
        for action, customer_id in kinds:
            noted.note(action, Origin(f"2001:db8:1:{number:x}::1"), customer_id)
    return MAX_GUESS_COUNTS * len(kinds)


async def test_flood_of_many_clients_leaves_others_their_client_and_account(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    bob, eve = [(await add_customer(database, name)).id for name in ("Bob", "Eve")]
    strangers = (Action.TOKEN_REFUSED, Action.REFRESH_REFUSED, Action.RESET_REFUSED)
    mine = (Action.PROOF_FAILED, Action.SECOND_FACTOR_FAILED)
    flooded = [*((action, None) for action in strangers), *((action, eve) for action in mine)]
    number = flood(noted, *flooded)
    guessed = [(Action.LINK_REFUSED, None), *((action, bob) for action in mine)]
    for action, customer_id in guessed:
        noted.note(action, AWAY, customer_id)
    events = await noted.record(database)
    rows = await guesses(database)
    found = [(row.action, row.customer_id) for row in rows if row.ip_address == AWAY.ip_address]
    assert sorted(found, key=str) == sorted(guessed, key=str)
    beyond = [row for row in rows if row.ip_address is None]
    assert {(row.action, row.customer_id) for row in beyond} == {*flooded}
    assert await total(database) == number + len(guessed)
    assert len(rows) == events <= MAX_GUESS_COUNTS


async def test_guesses_at_any_number_of_accounts_take_a_bounded_number_of_events(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    for number in range(MAX_GUESS_COUNTS):
        whose = new_id()
        for client in range(2):
            noted.note(Action.PROOF_FAILED, Origin(f"10.{number // 256}.{number % 256}.1"), whose)
            noted.note(Action.PROOF_FAILED, Origin(f"10.{number // 256}.{client}.2"), whose)
    events = await noted.record(database)
    assert MAX_GUESS_COUNTS < events <= 2 * MAX_GUESS_COUNTS
    assert await total(database) == 4 * MAX_GUESS_COUNTS
    watch.now = GUESS_INTERVAL
    assert await noted.record(database) == 0
    bob = (await add_customer(database, "Bob")).id
    noted.note(Action.PROOF_FAILED, AWAY, bob)
    assert await noted.record(database) == 1
    (row,) = [row for row in await guesses(database) if row.customer_id == bob]
    assert row.ip_address == AWAY.ip_address


async def test_what_could_not_be_recorded_is_recorded_later(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    noted.note(Action.TOKEN_REFUSED, AWAY)
    broken = Database("sqlite:////nowhere/at/all.db")
    with pytest.raises(Unavailable):
        await noted.record(broken)
    await broken.close()
    await rename(database, "audit_events", "mislaid")
    with pytest.raises(StatementError, match="audit_events"):
        await noted.record(database)
    await rename(database, "mislaid", "audit_events")
    noted.note(Action.TOKEN_REFUSED, AWAY)
    assert await noted.record(database) == 1
    assert await recorded(database) == [("token:refused", "198.51.100.1", ["2 times"])]


async def test_last_of_all_everything_is_recorded(database: Database, watch: Watch) -> None:
    noted = Guesses(watch)
    for _ in range(2):
        noted.note(Action.TOKEN_REFUSED, AWAY)
        await noted.record(database)
    noted.note(Action.TOKEN_REFUSED, AWAY)
    assert await noted.record(database, last=True) == 1
    assert [fields for _, _, fields in await recorded(database)] == [[], ["2 times"]]


async def test_who_is_deleted_before_their_guesses_are_recorded_leaves_no_origin(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    ada, bob = [(await add_customer(database, name)).id for name in ("Ada", "Bob")]
    for who in (ada, bob, None):
        noted.note(Action.PROOF_FAILED, Origin("192.0.2.1", "a browser", who), who)
    async with database.transaction() as db:
        await customers.delete(db, ada, origin=NOWHERE)
        recording = asyncio.create_task(noted.record(database))
        await until_it_waits(db, recording)
        assert not recording.done()
    assert await recording == 3
    failed = AuditRow.action == Action.PROOF_FAILED
    rows = await database.fetch_all(select(AuditRow).where(failed))
    known = ("192.0.2.1", "a browser")
    assert {(row.customer_id, row.actor_id): (row.ip_address, row.user_agent) for row in rows} == {
        (ada, ada): (None, None),
        (bob, bob): known,
        (None, None): known,
    }


async def test_those_who_record_at_once_record_each_guess_once(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    noted.note(Action.TOKEN_REFUSED, AWAY)
    assert sorted(await asyncio.gather(*(noted.record(database) for _ in range(5))))[-2:] == [0, 1]
    assert len(await recorded(database)) == 1


async def test_one_guess_has_a_line_in_the_log_and_many_have_none(
    database: Database, watch: Watch
) -> None:
    noted = Guesses(watch)
    with capture_logs() as log:
        noted.note(Action.TOKEN_REFUSED, AWAY)
        await noted.record(database)
        for _ in range(5):
            noted.note(Action.TOKEN_REFUSED, AWAY)
        await noted.record(database, last=True)
    assert [(line["event"], line["action"]) for line in log] == [("Audit", "token:refused")]
