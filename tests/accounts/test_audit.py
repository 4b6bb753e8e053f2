"""The audit: what is recorded, listed, streamed, and forgotten."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import pytest

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.paging import Window
from gql_app.accounts.records import AuditRecord
from gql_app.db.engine import Database
from gql_app.errors import BadUserInput
from gql_app.resources import Resources
from gql_app.security.ids import new_id
from tests.accounts.conftest import NOON
from tests.conftest import SetClock

ADA, BOB = new_id(), new_id()
BY_ADA = Origin("192.0.2.1", "a browser", ADA)
BY_BOB = Origin("192.0.2.2", "another browser", BOB)


class Deed(NamedTuple):
    """What is recorded once a minute."""

    action: Action
    origin: Origin
    customer_id: UUID | None


DEEDS = (
    Deed(Action.CUSTOMER_CREATED, BY_ADA, BOB),
    Deed(Action.LOGIN_FAILED, Origin("192.0.2.3"), None),
    Deed(Action.LOGIN, BY_BOB, BOB),
    Deed(Action.LOGIN, BY_ADA, ADA),
)


@pytest.fixture
async def database(resources: Resources, set_clock: SetClock) -> Database:
    """Open a database, and record some deeds in it."""
    async with resources.database.write() as db:
        for minute, deed in enumerate(DEEDS):
            set_clock(NOON + timedelta(minutes=minute))
            audit.record(db, deed.action, deed.origin, customer_id=deed.customer_id)
    return resources.database


async def streamed(database: Database) -> Sequence[AuditRecord]:
    """Read every event."""
    async with database.read() as db:
        return [row async for row in audit.stream(db)]


async def test_event_says_who_did_what_to_whom_when_and_where_from(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON + timedelta(hours=1))
    async with database.write() as db:
        fields = ("email", "name")
        audit.record(db, Action.CUSTOMER_CHANGED, BY_ADA, customer_id=BOB, fields=fields)
    *_, row = await streamed(database)
    assert (row.action, row.actor_id, row.customer_id) == ("customer:update", ADA, BOB)
    assert (row.ip_address, row.user_agent) == ("192.0.2.1", "a browser")
    assert row.fields == ["email", "name"]
    assert row.at == NOON + timedelta(hours=1)


async def test_event_goes_with_the_transaction_of_its_deed(database: Database) -> None:
    async def fail_halfway() -> None:
        async with database.write() as db:
            audit.record(db, Action.CUSTOMER_DELETED, BY_ADA, customer_id=BOB)
            await db.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await fail_halfway()
    assert [row.action for row in await streamed(database)] == [deed.action for deed in DEEDS]


async def test_stream_is_the_oldest_first_to_the_microsecond(
    database: Database, set_clock: SetClock
) -> None:
    early = [NOON - timedelta(days=1) + timedelta(microseconds=late) for late in range(9)]
    async with database.write() as db:
        for moment in reversed(early):
            set_clock(moment)
            audit.record(db, Action.LOGOUT, BY_ADA, customer_id=ADA)
    moments = [row.at for row in await streamed(database)]
    assert moments == early + [NOON + timedelta(minutes=minute) for minute in range(4)]


async def test_stream_holds_more_than_one_fetch(database: Database) -> None:
    async with database.write() as db:
        for _ in range(1200):
            audit.record(db, Action.REUSE, BY_BOB, customer_id=BOB)
    rows = await streamed(database)
    assert len({row.id for row in rows}) == len(rows) == 1204
    keys = [(row.at, row.id) for row in rows]
    assert keys == sorted(keys)


FIELDS = AuditRecord._fields
LISTS: tuple[tuple[UUID | None, str | None, list[str]], ...] = (
    (None, None, ["session:login", "session:login", "session:login_failed", "customer:create"]),
    (BOB, None, ["session:login", "customer:create"]),
    (ADA, None, ["session:login"]),
    (None, "session:login", ["session:login", "session:login"]),
    (BOB, "customer:create", ["customer:create"]),
    (ADA, "customer:create", []),
    (new_id(), None, []),
    (None, "session:reuse", []),
    (None, "session:Login", []),
    (None, "", []),
    (None, "no\0action", []),
    (None, "session:" + "x" * 100, []),
)


async def test_list_is_the_newest_first_of_one_customer_and_action(database: Database) -> None:
    async with database.read() as db:
        for customer_id, action, expected in LISTS:
            listing = audit.listing(customer_id=customer_id, action=action)
            page = await listing.page(db, Window(), FIELDS)
            assert [row.action for row in map(AuditRecord._make, page.rows)] == expected
            assert await listing.count(db) == len(expected)
            moments = [row.at for row in map(AuditRecord._make, page.rows)]
            assert moments == sorted(moments, reverse=True)


async def test_cursor_carries_on_its_own_list_and_no_other(database: Database) -> None:
    everything, of_bob = (audit.listing(customer_id=who, action=None) for who in (None, BOB))
    async with database.read() as db:
        first = await everything.page(db, Window(size=1), FIELDS)
        cursor = first.cursor(first.rows[0])
        rest = await everything.page(db, Window(after=cursor), FIELDS)
        with pytest.raises(BadUserInput, match="another order or filter"):
            await of_bob.page(db, Window(after=cursor), FIELDS)
    assert [row.action for row in map(AuditRecord._make, rest.rows)] == [
        deed.action for deed in reversed(DEEDS[:3])
    ]


async def test_forgetting_a_customer_keeps_the_deeds_without_where_from(
    database: Database,
) -> None:
    async with database.write() as db:
        await audit.forget(db, BOB)
    rows = await streamed(database)
    assert [(row.action, row.actor_id, row.customer_id) for row in rows] == [
        (deed.action, deed.origin.actor_id, deed.customer_id) for deed in DEEDS
    ]
    assert [(row.ip_address, row.user_agent) for row in rows] == [
        ("192.0.2.1", "a browser"),
        ("192.0.2.3", None),
        (None, None),
        ("192.0.2.1", "a browser"),
    ]


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
