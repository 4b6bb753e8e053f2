"""Credentials that change while somebody else is at them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from gql_app.accounts import authentication, customers, refresh_tokens, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.authentication import Attempt
from gql_app.accounts.customers import set_password
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Opened
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import Rules, check_changes
from gql_app.db.tables import CustomerRow, KnownClientRow
from gql_app.errors import Fault, Rejected
from gql_app.lib.database import Database, Transaction
from gql_app.mail import access_links
from tests.accounts.outbox import ask_reset, claim, token_of
from tests.locks import until_it_waits
from tests.people import LIFETIMES, NOWHERE, add_customer, current
from tests.rows import column, get_row

THROTTLE = Throttle(key=b"key of the tests", attempts=100, client_attempts=1000, window=60)


async def reset(database: Database, token: str, password_hash: str) -> str | None:
    """Use a link; return the code it is rejected with, if it is."""
    try:
        async with database.transaction() as db:
            await access_links.reset(
                db, token, THROTTLE, password_hash=password_hash, origin=NOWHERE
            )
    except Rejected as why:
        return why.faults[0].code
    return None


async def stored(database: Database, customer: CustomerRecord) -> str:
    """Read a customer's hash."""
    return (await current(database, customer.id)).password_hash


async def test_of_two_who_use_one_link_at_once_one_does(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    await ask_reset(database, ada)
    (letter,) = await claim(database)
    token = token_of(letter)
    async with database.transaction() as db:
        await access_links.reset(db, token, THROTTLE, password_hash="first", origin=NOWHERE)
        second = asyncio.create_task(reset(database, token, "second"))
        await until_it_waits(db, second)
    assert await second == "TOKEN_INVALID"
    assert await stored(database, ada) == "first"


async def test_an_unknown_link_resets_nothing(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    assert await reset(database, "gap_" + "A" * 43, "another") == "TOKEN_INVALID"
    assert await stored(database, ada) == ada.password_hash


async def sign_in(database: Database, attempt: Attempt) -> Opened | None:
    """Sign in within a transaction that may do more."""
    async with database.transaction() as db:
        opened = await authentication.sign_in(db, attempt, THROTTLE, LIFETIMES, origin=NOWHERE)
        return opened if isinstance(opened, Opened) else None


def proven(customer: CustomerRecord) -> Attempt:
    """Prove a customer's password."""
    limits = THROTTLE.of_password("sign-in", customer.email, None)
    return Attempt(limits, customer, succeeded=True)


async def test_who_signs_in_waits_for_a_password_that_is_being_changed(
    database: Database,
) -> None:
    ada = await add_customer(database, "Ada")
    async with database.transaction() as db:
        row = await current(db, ada.id)
        await set_password(db, row, "newer", action=Action.PASSWORD_CHANGED, origin=NOWHERE)
        signing_in = asyncio.create_task(sign_in(database, proven(ada)))
        await until_it_waits(db, signing_in)
        assert not signing_in.done()
    assert await signing_in is None


async def test_who_signs_in_by_an_address_that_is_being_left_has_no_session(
    database: Database,
) -> None:
    ada = await add_customer(database, "Ada")
    changes = check_changes(ada, {"email": "ada@example.org"}, Rules())
    async with database.transaction() as db:
        await customers.update(db, ada.id, changes, origin=NOWHERE)
        await sessions.end_all(db, ada.id)
        signing_in = asyncio.create_task(sign_in(database, proven(ada)))
        await until_it_waits(db, signing_in)
        assert not signing_in.done()
    assert await signing_in is None
    [living] = await sessions.living(database, [ada.id])
    assert living == []


async def test_who_sign_in_at_the_same_moment_have_no_more_sessions_than_one_by_one(
    database: Database,
) -> None:
    ada = await add_customer(database, "Ada")
    for _ in range(sessions.MAX_SESSIONS):
        latest = await sign_in(database, proven(ada))
    async with database.transaction() as db:
        assert await get_row(db, CustomerRow, ada.id, for_update=True)
        first = await sessions.open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
        signing_in = asyncio.create_task(sign_in(database, proven(ada)))
        await until_it_waits(db, signing_in)
        assert not signing_in.done()
    second = await signing_in
    [living] = await sessions.living(database, [ada.id])
    assert second
    assert latest
    assert len(living) == sessions.MAX_SESSIONS
    assert [each.id for each in living][:3] == [
        opened.session.id for opened in (second, first, latest)
    ]


async def test_who_signs_in_while_a_role_is_withdrawn_is_without_it(database: Database) -> None:
    clerk = await add_customer(database, "Bob", roles=["clerk"])
    changes = check_changes(clerk, {"roles": []}, Rules(roles=["clerk"]))
    async with database.transaction() as db:
        await customers.update(db, clerk.id, changes, origin=NOWHERE)
        signing_in = asyncio.create_task(sign_in(database, proven(clerk)))
        await until_it_waits(db, signing_in)
        assert not signing_in.done()
    opened = await signing_in
    assert opened
    assert opened.customer.roles == ""


async def rotate(database: Database, token: str) -> Opened | Fault:
    """Refresh a session from an address."""
    origin = Origin.of("192.0.2.1", "client of the tests")
    async with database.transaction() as db:
        return await refresh_tokens.rotate(db, token, origin, LIFETIMES)


async def test_who_refreshes_while_the_session_is_ended_gets_and_leaves_nothing(
    database: Database,
) -> None:
    ada = await add_customer(database, "Ada")
    opened = await sign_in(database, proven(ada))
    assert opened
    async with database.transaction() as db:
        await sessions.end_all(db, ada.id)
        await sessions.forget_clients(db, ada.id)
        refreshing = asyncio.create_task(rotate(database, opened.refresh_token))
        await until_it_waits(db, refreshing)
        assert not refreshing.done()
    assert await refreshing is refresh_tokens.ENDED
    assert await column(database, select(KnownClientRow.client)) == []


async def test_session_that_is_ended_once_its_token_is_spent_is_not_extended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await add_customer(database, "Ada")
    opened = await sign_in(database, proven(ada))
    assert opened
    read = Transaction.fetch_all

    async def read_and_end(db: Transaction, *args: Any, **values: object) -> list[Any]:  # noqa: ANN401 — as of fetch_all
        rows = await read(db, *args, **values)
        if "session_id" in values:
            monkeypatch.undo()
            await sessions.end_all(db, ada.id)
        return rows

    monkeypatch.setattr(Transaction, "fetch_all", read_and_end)
    assert await rotate(database, opened.refresh_token) is refresh_tokens.ENDED
    assert await column(database, select(KnownClientRow.client)) == []


async def test_whose_pepper_has_changed_finds_no_successor(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    async with database.transaction() as db:
        opened = await sessions.open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
    async with database.transaction() as db:
        await refresh_tokens.rotate(db, opened.refresh_token, NOWHERE, LIFETIMES)
    peppered = replace(LIFETIMES, pepper=b"another pepper")
    async with database.transaction() as db:
        again = await refresh_tokens.rotate(db, opened.refresh_token, NOWHERE, peppered)
    assert again is refresh_tokens.UNKNOWN


@pytest.mark.parametrize("token", ["junk", "", f"gap_{'A' * 43}", f"gar_{'A' * 43}"])
async def test_token_that_is_gone_or_never_was_carries_nothing_on(
    database: Database, token: str
) -> None:
    async with database.transaction() as db:
        assert await refresh_tokens.rotate(db, token, NOWHERE, LIFETIMES) is refresh_tokens.UNKNOWN
    assert await refresh_tokens.owner(database, token) is None
