"""Accounts that are deleted while somebody asks for a link, tries their password or refreshes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from sqlalchemy import delete, select

from gql_app.accounts import authentication, customers, refresh_tokens, sessions
from gql_app.accounts.audit import Origin
from gql_app.accounts.authentication import Attempt
from gql_app.accounts.mail.links import LinkKind
from gql_app.db.tables import AuditRow, CustomerRow, LetterRow
from gql_app.lib.database import Database, Transaction
from gql_app.mail import access_links
from gql_app.resources import Resources
from tests.locks import until_it_waits
from tests.people import LIFETIMES, NOWHERE, add_customer
from tests.rows import column, get_row

FROM: Final = Origin("192.0.2.7", "a browser")
REQUESTS: Final = {LinkKind.PASSWORD_RESET: "reset", LinkKind.SIGN_IN: "link"}
"""The links that are posted on a stranger's request, and the limits that this counts against."""


async def events(database: Database) -> list[tuple[object, ...]]:
    """Return the account and origin of each event but those of adding and deleting customers."""
    by_commands = AuditRow.action.startswith("customer:")
    rows = await database.fetch_all(select(AuditRow).where(~by_commands))
    return [(row.customer_id, row.ip_address, row.user_agent) for row in rows]


async def after_deletion(
    database: Database, rule: Callable[[Transaction], Awaitable[None]]
) -> None:
    """Delete the only customer, and run a rule that begins before this is committed."""

    async def run() -> None:
        async with database.transaction() as db:
            await rule(db)

    [whom] = await column(database, select(CustomerRow.id))
    async with database.transaction() as db:
        await customers.delete(db, whom, origin=NOWHERE)
        running = asyncio.create_task(run())
        await until_it_waits(db, running)
        assert not running.done()
    await running


@pytest.mark.parametrize("kind", REQUESTS)
async def test_who_is_deleted_while_a_link_is_asked_for_counts_as_nobody(
    resources: Resources, kind: LinkKind
) -> None:
    database, throttle = resources.database, resources.throttle
    await add_customer(database, "Ada")

    async def ask(db: Transaction) -> None:
        await access_links.request(db, kind, "ada@example.com", throttle, origin=FROM)

    await after_deletion(database, ask)
    assert await column(database, select(LetterRow.customer_id)) == [None]
    assert await events(database) == [(None, *FROM[:2])]


@pytest.mark.parametrize("kind", REQUESTS)
async def test_link_is_asked_for_with_the_account_locked_before_the_limits(
    resources: Resources, kind: LinkKind
) -> None:
    database, throttle = resources.database, resources.throttle
    ada = await add_customer(database, "Ada")

    async def ask() -> None:
        async with database.transaction() as db:
            await access_links.request(db, kind, "ada@example.com", throttle, origin=FROM)

    async with database.transaction() as db:
        assert await get_row(db, CustomerRow, ada.id, for_update=True)
        asking = asyncio.create_task(ask())
        await until_it_waits(db, asking)
        await throttle.count(db, *throttle.of_client(REQUESTS[kind], FROM.ip_address))
    await asking
    assert await column(database, select(LetterRow.customer_id)) == [ada.id]


async def test_who_is_deleted_while_their_password_is_tried_counts_as_nobody(
    resources: Resources,
) -> None:
    database, throttle = resources.database, resources.throttle
    ada = await add_customer(database, "Ada")
    limits = throttle.of_password("sign-in", ada.email, FROM.ip_address)

    async def fail(db: Transaction) -> None:
        attempt = Attempt(limits, ada, succeeded=False)
        opened = await authentication.sign_in(
            db, attempt, throttle, resources.lifetimes, origin=FROM
        )
        assert opened is authentication.WRONG

    await after_deletion(database, fail)
    assert await events(database) == [(None, *FROM[:2])]


async def test_password_is_tried_with_the_account_locked_before_the_limits(
    resources: Resources,
) -> None:
    database, throttle = resources.database, resources.throttle
    ada = await add_customer(database, "Ada")
    limits = throttle.of_password("sign-in", ada.email, FROM.ip_address)

    async def fail() -> None:
        async with database.transaction() as db:
            attempt = Attempt(limits, ada, succeeded=False)
            await authentication.sign_in(db, attempt, throttle, resources.lifetimes, origin=FROM)

    async with database.transaction() as db:
        assert await get_row(db, CustomerRow, ada.id, for_update=True)
        failing = asyncio.create_task(fail())
        await until_it_waits(db, failing)
        await throttle.count(db, *limits.all)
    await failing
    assert await events(database) == [(ada.id, *FROM[:2])]


async def test_who_is_deleted_while_a_spent_token_is_looked_up_has_no_such_token(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, fetch = await add_customer(database, "Ada"), refresh_tokens._TOKEN.fetch  # noqa: SLF001 — what it finds is deleted
    async with database.transaction() as db:
        opened = await sessions.open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
        await refresh_tokens.rotate(db, opened.refresh_token, NOWHERE, LIFETIMES)

    async def then_delete(db: Transaction, token: str) -> object:
        found = await fetch(db, token)
        await db.execute(delete(CustomerRow).where(CustomerRow.id == ada.id))
        return found

    monkeypatch.setattr("gql_app.accounts.refresh_tokens._TOKEN.fetch", then_delete)
    async with database.transaction() as db:
        again = await refresh_tokens.rotate(db, opened.refresh_token, NOWHERE, LIFETIMES)
    assert again is refresh_tokens.UNKNOWN
