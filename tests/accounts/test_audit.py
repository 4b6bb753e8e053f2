"""The audit: what is recorded, listed, streamed, and forgotten."""

from collections.abc import Iterator, MutableMapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import AuditRecord
from gql_app.cli.audit import stream
from gql_app.db.tables import DeletedActorRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.pagination import InvalidArgument, Window
from gql_app.resources import Resources
from tests.accounts.conftest import NOON
from tests.conftest import SetClock

ADA, BOB = new_id(), new_id()
BY_ADA = Origin("192.0.2.1", "a browser", ADA)
BY_BOB = Origin("192.0.2.2", "another browser", BOB)


class Event(NamedTuple):
    """What is recorded once a minute."""

    action: Action
    origin: Origin
    customer_id: UUID | None


EVENTS = (
    Event(Action.CUSTOMER_CREATED, BY_ADA, BOB),
    Event(Action.LOGIN_FAILED, Origin("192.0.2.3"), None),
    Event(Action.LOGIN, BY_BOB, BOB),
    Event(Action.LOGIN, BY_ADA, ADA),
)


@pytest.fixture
def capture() -> Iterator[list[MutableMapping[str, Any]]]:
    """Take down what is logged."""
    with capture_logs() as log:
        yield log


@pytest.fixture
async def database(resources: Resources, set_clock: SetClock) -> Database:
    """Open a database, and record some events in it."""
    async with resources.database.transaction() as db:
        for minute, event in enumerate(EVENTS):
            set_clock(NOON + timedelta(minutes=minute))
            await audit.record(db, event.action, event.origin, customer_id=event.customer_id)
    return resources.database


async def streamed(database: Database) -> Sequence[AuditRecord]:
    """Read every event."""
    return [row async for row in stream(database)]


async def test_event_says_who_did_what_to_whom_when_and_where_from(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON + timedelta(hours=1))
    async with database.transaction() as db:
        fields = ("email", "name")
        await audit.record(db, Action.CUSTOMER_CHANGED, BY_ADA, customer_id=BOB, fields=fields)
    *_, row = await streamed(database)
    assert (row.action, row.actor_id, row.customer_id) == ("customer:update", ADA, BOB)
    assert (row.ip_address, row.user_agent) == ("192.0.2.1", "a browser")
    assert row.fields == ["email", "name"]
    assert row.at == NOON + timedelta(hours=1)


async def test_event_goes_with_the_transaction_of_its_deed(database: Database) -> None:
    async def fail_halfway() -> None:
        async with database.transaction() as db:
            await audit.record(db, Action.CUSTOMER_DELETED, BY_ADA, customer_id=BOB)
            raise LookupError

    with pytest.raises(LookupError):
        await fail_halfway()
    assert [row.action for row in await streamed(database)] == [event.action for event in EVENTS]


async def test_stream_is_the_oldest_first_to_the_microsecond(
    database: Database, set_clock: SetClock
) -> None:
    early = [NOON - timedelta(days=1) + timedelta(microseconds=late) for late in range(9)]
    async with database.transaction() as db:
        for moment in reversed(early):
            set_clock(moment)
            await audit.record(db, Action.LOGOUT, BY_ADA, customer_id=ADA)
    moments = [row.at for row in await streamed(database)]
    assert moments == early + [NOON + timedelta(minutes=minute) for minute in range(4)]


async def test_stream_holds_more_than_one_fetch(database: Database) -> None:
    async with database.transaction() as db:
        for _ in range(1200):
            await audit.record(db, Action.REUSE, BY_BOB, customer_id=BOB)
    rows = await streamed(database)
    assert len({row.id for row in rows}) == len(rows) == 1204
    keys = [(row.at, row.id) for row in rows]
    assert keys == sorted(keys)


FIELDS = AuditRecord._fields
GONE = "shop:close"
"""An action of a feature that the application no longer has."""
LISTS: tuple[tuple[UUID | None, str | None, list[str]], ...] = (
    (
        None,
        None,
        ["session:login", "session:login", "session:login_failed", "customer:create", GONE],
    ),
    (BOB, None, ["session:login", "customer:create"]),
    (ADA, None, ["session:login"]),
    (None, "session:login", ["session:login", "session:login"]),
    (BOB, "customer:create", ["customer:create"]),
    (ADA, "customer:create", []),
    (new_id(), None, []),
    (None, "session:reuse", []),
    (None, "session:Login", []),
    (None, GONE, [GONE]),
    (None, "", []),
    (None, "no\0action", []),
    (None, "session:" + "x" * 100, []),
)


async def test_list_is_the_newest_first_of_one_customer_and_action(database: Database) -> None:
    async with database.transaction() as db:
        await audit.record(db, GONE, BY_ADA, at=NOON - timedelta(minutes=1))
    for customer_id, action, expected in LISTS:
        listing = audit.listing(customer_id=customer_id, action=action)
        page = await listing.page(database, Window(), FIELDS)
        assert [row.action for row in map(AuditRecord._make, page.rows)] == expected
        assert await listing.count(database) == len(expected)
        moments = [row.at for row in map(AuditRecord._make, page.rows)]
        assert moments == sorted(moments, reverse=True)


async def test_cursor_carries_on_its_own_list_and_no_other(database: Database) -> None:
    everything, of_bob = (audit.listing(customer_id=who, action=None) for who in (None, BOB))
    first = await everything.page(database, Window(size=1), FIELDS)
    cursor = first.cursor(first.rows[0])
    rest = await everything.page(database, Window(after=cursor), FIELDS)
    with pytest.raises(InvalidArgument, match="another order or filter"):
        await of_bob.page(database, Window(after=cursor), FIELDS)
    assert [row.action for row in map(AuditRecord._make, rest.rows)] == [
        event.action for event in reversed(EVENTS[:3])
    ]


async def forget(database: Database, *customers: UUID) -> None:
    """Forget customers."""
    async with database.transaction() as db:
        for customer_id in customers:
            await audit.forget(db, customer_id)


async def purge(database: Database, *, batch: int = 100) -> int:
    """Purge what is kept for a day."""
    return await database.transact(audit.purge, batch=batch, kept=timedelta(days=1))


async def known_from(database: Database) -> list[tuple[str, str | None]]:
    """Return the events of which it is known where they came from."""
    rows = await streamed(database)
    return [(row.action, row.ip_address) for row in rows if row.ip_address or row.user_agent]


async def test_forgetting_a_customer_keeps_the_deeds_without_where_from(
    database: Database,
) -> None:
    await forget(database, BOB)
    rows = await streamed(database)
    assert [(row.action, row.actor_id, row.customer_id) for row in rows] == [
        (event.action, event.origin.actor_id, event.customer_id) for event in EVENTS
    ]
    assert [(row.ip_address, row.user_agent) for row in rows] == [
        ("192.0.2.1", "a browser"),
        ("192.0.2.3", None),
        (None, None),
        ("192.0.2.1", "a browser"),
    ]


async def test_what_was_done_to_others_and_what_others_did_keeps_its_origin(
    database: Database,
) -> None:
    nobody = Origin("192.0.2.9", "a program")
    async with database.transaction() as db:
        await audit.record(db, Action.LOGIN_FAILED, nobody, customer_id=ADA)
        await audit.record(db, Action.LOGIN_FAILED, nobody, customer_id=BOB)
        await audit.record(db, Action.CUSTOMERS_EXPORTED, BY_ADA)
        await audit.record(db, Action.ADMIN_REVOKED, BY_BOB, customer_id=ADA)
    await forget(database, ADA)
    assert sorted(await known_from(database)) == [
        ("admin:revoke", "192.0.2.2"),
        ("customer:create", "192.0.2.1"),
        ("session:login", "192.0.2.2"),
        ("session:login_failed", "192.0.2.3"),
        ("session:login_failed", "192.0.2.9"),
    ]
    [of_ada] = [row for row in await streamed(database) if row.action == "customer:create"]
    assert (of_ada.actor_id, of_ada.user_agent) == (ADA, "a browser")


async def test_origin_of_what_was_done_to_others_is_forgotten_in_its_time(
    database: Database, set_clock: SetClock
) -> None:
    gone = NOON + timedelta(hours=1)
    set_clock(gone)
    before = await known_from(database)
    assert await purge(database) == 0
    await forget(database, ADA)
    kept = [("customer:create", "192.0.2.1"), *before[1:3]]
    for age in (timedelta(), timedelta(days=1)):
        set_clock(gone + age)
        assert await purge(database) == 0
        assert await known_from(database) == kept
    set_clock(gone + timedelta(days=1, microseconds=1))
    assert [await purge(database), await purge(database)] == [1, 0]
    assert await known_from(database) == before[1:3]
    assert await database.fetch_all(select(DeletedActorRow)) == []


async def test_many_deeds_are_forgotten_some_at_a_time(
    database: Database, set_clock: SetClock
) -> None:
    people = [new_id() for _ in range(3)]
    async with database.transaction() as db:
        for actor_id in people:
            for _ in range(4):
                origin = Origin(None, "a browser", actor_id)
                await audit.record(db, Action.CUSTOMER_CHANGED, origin, customer_id=BOB)
    before = await known_from(database)
    await forget(database, *people)
    set_clock(NOON + timedelta(days=3))
    assert [await purge(database, batch=5) for _ in range(4)] == [5, 5, 2, 0]
    assert await known_from(database) == [each for each in before if each[1]]
    assert await database.fetch_all(select(DeletedActorRow)) == []


async def test_who_did_nothing_to_others_is_remembered_no_longer(database: Database) -> None:
    await forget(database, BOB)
    assert await database.fetch_all(select(DeletedActorRow)) == []


async def test_each_event_has_a_line_in_the_log_once_it_is_committed(
    database: Database, capture: list[MutableMapping[str, Any]]
) -> None:
    async with database.transaction() as db:
        await audit.record(db, Action.CUSTOMER_CHANGED, BY_ADA, customer_id=BOB, fields=["email"])
        assert capture == []
    assert capture == [
        {
            "event": "Audit",
            "log_level": "info",
            "action": "customer:update",
            "actor": ADA,
            "customer": BOB,
            "client": "192.0.2.1",
            "fields": ["email"],
        }
    ]


async def test_event_that_is_rolled_back_has_no_line_in_the_log(
    database: Database, capture: list[MutableMapping[str, Any]]
) -> None:
    async def fail() -> None:
        async with database.transaction() as db:
            await audit.record(db, Action.CUSTOMER_CHANGED, Origin(), customer_id=BOB)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert capture == []


async def test_event_of_many_says_how_many_and_has_no_line_in_the_log(
    database: Database, capture: list[MutableMapping[str, Any]]
) -> None:
    async with database.transaction() as db:
        await audit.record(db, Action.TOKEN_REFUSED, Origin("192.0.2.1"), times=12)
    [row] = [row for row in await streamed(database) if row.action == "token:refused"]
    assert row.fields == ["12 times"]
    assert capture == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((None, None), (None, None)),
        (("", ""), (None, None)),
        (("192.0.2.1", "a browser"), ("192.0.2.1", "a browser")),
        (("x" * 46, "y" * 301), ("x" * 45, "y" * 300)),
        (("x" * 45, "é" * 300), ("x" * 45, "é" * 300)),
    ],
)
def test_origin_is_cut_to_what_is_kept(
    given: tuple[str | None, str | None], kept: tuple[str | None, str | None]
) -> None:
    assert Origin.of(*given) == Origin(*kept)


def test_every_action_is_a_noun_and_a_verb() -> None:
    assert all(len(action.split(":")) == 2 for action in Action)


async def test_a_command_records_and_logs_nothing(
    noon: Database, capture: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "is_configured", lambda: False)
    await noon.transact(audit.record, Action.LOGIN, BY_ADA, customer_id=ADA)
    assert [event.action async for event in stream(noon)] == [Action.LOGIN]
    assert capture == []
