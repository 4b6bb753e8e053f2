"""Callers: who is asking, for how long a token is good, and when its session was last used."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from gql_app.accounts import callers, customers
from gql_app.accounts.records import SessionRecord
from gql_app.accounts.sessions import SignedIn
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, Transaction
from gql_app.security.tokens import Claims, Identity
from tests.accounts.rows import statements
from tests.accounts.test_sessions import (
    HOUR,
    MICROSECOND,
    NOON,
    SetClock,
    end,
    end_all,
    living,
    open_session,
)
from tests.people import NOWHERE, ROLES, add_customer
from tests.rows import get_row


async def ask(database: Database, customer_id: UUID, session_id: UUID) -> SignedIn | None:
    """Find who bears a token of a session."""
    claims = Claims(customer_id, session_id, NOON, NOON, "key")
    return await callers.find(database, claims)


async def last_used(database: Database, session: SessionRecord) -> datetime:
    """Read when a session was last used."""
    row = await get_row(database, SessionRow, session.id)
    moment: datetime = row.last_used_at
    return moment


async def test_a_living_session_tells_who_is_asking(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    session = await open_session(database, ada)
    with statements() as seen:
        caller = await ask(database, ada.id, session.id)
    assert caller is not None
    assert (caller.customer.id, caller.session.id) == (ada.id, session.id)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("after", "lives"), [(HOUR - MICROSECOND, True), (HOUR, False), (HOUR + MICROSECOND, False)]
)
async def test_a_session_lives_until_it_expires(
    database: Database, set_clock: SetClock, after: timedelta, *, lives: bool
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    session = await open_session(database, ada)
    set_clock(NOON + after)
    assert (await ask(database, ada.id, session.id) is not None) is lives
    assert await living(database, ada) == ({ada.id: [session.id]} if lives else {})


async def deactivate(db: Transaction, session: SessionRecord) -> None:
    """Shut the customer out, behind the session's back."""
    await db.execute(
        update(CustomerRow).where(CustomerRow.id == session.customer_id).values(is_active=False)
    )


async def remove(db: Transaction, session: SessionRecord) -> None:
    """Remove the customer."""
    await customers.delete(db, session.customer_id, origin=NOWHERE)


@pytest.mark.parametrize("change", [deactivate, remove, end, end_all])
async def test_nobody_asks_any_more_after(
    database: Database, change: Callable[[Transaction, SessionRecord], Awaitable[None]]
) -> None:
    ada, bob = await add_customer(database, "Ada"), await add_customer(database, "Bob")
    session, other = await open_session(database, ada), await open_session(database, bob)
    async with database.transaction() as db:
        await change(db, session)
    assert await ask(database, ada.id, session.id) is None
    assert await ask(database, bob.id, other.id) is not None


async def test_a_session_is_good_for_its_own_customer_only(database: Database) -> None:
    ada, bob = await add_customer(database, "Ada"), await add_customer(database, "Bob")
    session = await open_session(database, ada)
    await open_session(database, bob)
    assert await ask(database, bob.id, session.id) is None
    assert await ask(database, new_id(), session.id) is None
    assert await ask(database, ada.id, new_id()) is None


async def test_callers_see_what_is_private_of_themselves_and_admins_of_everybody(
    database: Database,
) -> None:
    ada = await add_customer(database, "Ada", is_admin=True)
    bob = await add_customer(database, "Bob")
    admin = SignedIn(ada, await open_session(database, ada)).caller(ROLES)
    plain = SignedIn(bob, await open_session(database, bob)).caller(ROLES)
    assert (admin.may_see(ada.id), admin.may_see(bob.id)) == (True, True)
    assert (plain.may_see(ada.id), plain.may_see(bob.id)) == (False, True)


async def test_a_sessions_last_use_is_known_to_the_minute(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    session = await open_session(database, await add_customer(database, "Ada"))
    minute = timedelta(minutes=1)
    for after, lately in ((timedelta(), True), (minute - MICROSECOND, True), (minute, False)):
        set_clock(NOON + after)
        assert callers.used_lately(session) is lately


async def test_a_use_is_noted_and_never_turned_back(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    used, other = await open_session(database, ada), await open_session(database, ada)
    for moment in (NOON + HOUR, NOON + MICROSECOND):
        set_clock(moment)
        async with database.transaction() as db:
            await callers.touch(db, used)
    assert await last_used(database, used) == NOON + HOUR
    assert await last_used(database, other) == NOON


async def test_session_of_the_version_before_was_proven_when_it_was_opened(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    session = await open_session(database, ada)
    for authenticated_at, proven_at in ((NOON + HOUR / 2, NOON + HOUR / 2), (None, NOON)):
        async with database.transaction() as db:
            await db.execute(update(SessionRow).values(authenticated_at=authenticated_at))
        found = await ask(database, ada.id, session.id)
        assert found is not None
        assert found.session == session._replace(authenticated_at=proven_at)


async def test_a_session_wrote_when_it_was_opened_and_whenever_that_is_noted(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    session, other = await open_session(database, ada), await open_session(database, ada)
    for wrote_at in (NOON, NOON + HOUR / 2):
        set_clock(wrote_at)
        async with database.transaction() as db:
            await callers.note_write(db, Identity(ada.id, session.id))
        found = await ask(database, ada.id, session.id)
        assert found is not None
        assert found.session == session._replace(wrote_at=wrote_at)
        for within, lately in ((HOUR, True), (timedelta(), False)):
            assert callers.wrote_lately(found.session, within) is lately
    set_clock(NOON + HOUR)
    assert not callers.wrote_lately(other, HOUR)
    assert callers.wrote_lately(other, HOUR + MICROSECOND)
