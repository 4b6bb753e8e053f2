"""Credentials that change while somebody else is at them."""

import asyncio
from dataclasses import replace

import pytest

from gql_app.accounts import authentication, refresh_tokens, sessions
from gql_app.accounts.audit import Action
from gql_app.accounts.authentication import Attempt
from gql_app.accounts.customers import set_password
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Opened
from gql_app.accounts.throttling import Throttle
from gql_app.db.tables import CustomerRow
from gql_app.errors import Rejected
from gql_app.lib.database import Database
from gql_app.mail import access_links
from tests.accounts.outbox import ask_reset, claim, token_of
from tests.locks import until_it_waits
from tests.people import LIFETIMES, NOWHERE, add_customer, current
from tests.rows import get_row

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
