"""Two who want one address at the same moment: one of them gets it."""

import asyncio

from gql_app.accounts import customers, validation
from gql_app.lib.database import Database
from gql_app.mail import mailboxes, registration_links
from tests.accounts.outbox import claim
from tests.accounts.registering import THROTTLE, complete, names, register, save_nothing, token_of
from tests.locks import until_it_waits
from tests.people import NOWHERE, PASSWORD


async def test_of_two_who_are_proven_at_once_one_wins(noon: Database) -> None:
    await register(noon, "First")
    await register(noon, "Second")
    first, second = [token_of(letter) for letter in await claim(noon)]
    async with noon.transaction() as db:
        won = await registration_links.complete(db, first, save_nothing, THROTTLE, origin=NOWHERE)
        other = asyncio.create_task(complete(noon, second))
        await until_it_waits(db, other)
        assert not other.done()
    assert await other is None
    assert won
    stored = await mailboxes.by_email(noon, "eve@example.com")
    assert (stored, await names(noon)) == (won, [])


async def test_one_link_that_is_used_twice_at_once_makes_one_account(noon: Database) -> None:
    await register(noon, "Eve")
    (letter,) = await claim(noon)
    racers = await asyncio.gather(*(complete(noon, token_of(letter)) for _ in range(3)))
    assert [each for each in racers if each is not None] == [
        await mailboxes.by_email(noon, "eve@example.com")
    ]


async def test_who_is_added_at_the_same_moment_keeps_the_address(noon: Database) -> None:
    await register(noon, "Eve")
    (letter,) = await claim(noon)
    new = validation.check_new(
        name="Bob", email="eve@example.com", password=PASSWORD, rules=validation.Rules()
    )
    async with noon.transaction() as db:
        bob = await customers.create(db, new, password_hash="x", origin=NOWHERE)
        eve = asyncio.create_task(complete(noon, token_of(letter)))
        await until_it_waits(db, eve)
        assert not eve.done()
    assert await eve in {None, "TOKEN_INVALID"}
    assert await complete(noon, token_of(letter)) is None
    assert (await mailboxes.by_email(noon, "eve@example.com"), await names(noon)) == (bob, [])


async def test_account_that_is_proven_ends_what_waits_while_that_is_proven(noon: Database) -> None:
    await register(noon, "Eve")
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await registration_links.forget(db, "eve@example.com")
        eve = asyncio.create_task(complete(noon, token_of(letter)))
        await until_it_waits(db, eve)
    assert await eve is None
