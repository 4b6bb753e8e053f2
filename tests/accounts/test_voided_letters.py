"""Letters that never leave: overtaken, voided, or for nobody."""

import asyncio
from uuid import UUID

import pytest

from gql_app.accounts import customers, validation
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database
from gql_app.mail.outbox import QUEUE
from gql_app.security import tokens
from tests.accounts.outbox import (
    OUTBOX,
    ask_reset,
    claim,
    notify,
    resets,
    token_of,
    waiting,
)
from tests.locks import until_it_waits
from tests.people import NOWHERE, add_customer
from tests.rows import get_row


async def void(database: Database, customer: CustomerRecord) -> None:
    """Void a customer's links in a transaction of its own."""
    async with database.transaction() as db:
        await letters.void_links(db, customer.id)


async def test_newer_request_drops_the_older_letter(noon: Database, ada: CustomerRecord) -> None:
    await ask_reset(noon, ada)
    await notify(noon, ada, "ada@example.com")
    await ask_reset(noon, ada)
    assert await waiting(noon) == [Kind.PASSWORD_CHANGED, Kind.PASSWORD_RESET]


async def test_newer_letter_voids_the_link_of_the_one_that_left(
    noon: Database, ada: CustomerRecord
) -> None:
    links = []
    for _ in range(2):
        await ask_reset(noon, ada)
        (letter,) = await claim(noon)
        links.append(token_of(letter))
    older, newer = links
    assert older != newer
    ((_, digest, _),) = await resets(noon)
    assert digest == tokens.digest(tokens.RESET, newer)


async def test_request_of_one_customer_leaves_another_alone(
    noon: Database, ada: CustomerRecord
) -> None:
    bob = await add_customer(noon, "Bob Other")
    for customer in (ada, bob):
        await ask_reset(noon, customer)
    assert {letter.recipient for letter in await claim(noon)} == {ada.email, bob.email}
    await void(noon, ada)
    assert [customer_id for customer_id, *_ in await resets(noon)] == [bob.id]
    assert await waiting(noon) == [Kind.PASSWORD_RESET]


async def test_link_is_void_before_its_letter_is_sent(noon: Database, ada: CustomerRecord) -> None:
    await ask_reset(noon, ada)
    await notify(noon, ada, "ada@example.com")
    await void(noon, ada)
    assert await waiting(noon) == [Kind.PASSWORD_CHANGED]


async def test_link_is_void_after_its_letter_was_sent(noon: Database, ada: CustomerRecord) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await QUEUE.forget(db, [UUID(letter.id)])
    await void(noon, ada)
    assert await resets(noon) == []


async def test_link_that_is_being_composed_is_void_too(noon: Database, ada: CustomerRecord) -> None:
    await ask_reset(noon, ada)
    async with noon.transaction() as db:
        (letter,) = (await OUTBOX.claim(db)).letters
        voiding = asyncio.create_task(void(noon, ada))
        await until_it_waits(db, voiding)
    await voiding
    assert token_of(letter)
    assert (await resets(noon), await waiting(noon)) == ([], [])


async def test_letter_for_an_account_that_is_being_changed_comes_between_nobody(
    noon: Database, ada: CustomerRecord
) -> None:
    await ask_reset(noon, ada)
    async with noon.transaction() as db:
        await get_row(db, CustomerRow, ada.id, for_update=True)
        claiming = asyncio.create_task(claim(noon))
        await until_it_waits(db, claiming)
        await letters.void_links(db, ada.id)
    assert await claiming == []
    assert (await resets(noon), await waiting(noon)) == ([], [])


async def test_letter_for_an_account_that_was_being_changed_leaves_the_next_time(
    noon: Database, ada: CustomerRecord
) -> None:
    await ask_reset(noon, ada)
    async with noon.transaction() as db:
        await get_row(db, CustomerRow, ada.id, for_update=True)
        claiming = asyncio.create_task(claim(noon))
        await until_it_waits(db, claiming)
    assert len(await claiming or await claim(noon)) == 1


async def test_letter_goes_when_its_customer_is_deleted(
    noon: Database, ada: CustomerRecord
) -> None:
    await ask_reset(noon, ada)
    async with noon.transaction() as db:
        await customers.delete(db, ada.id, origin=NOWHERE)
    assert await claim(noon) == []
    assert await waiting(noon) == []


async def test_letter_goes_when_its_customer_is_deactivated(
    noon: Database, ada: CustomerRecord
) -> None:
    await ask_reset(noon, ada)
    async with noon.transaction() as db:
        changes = validation.check_changes(ada, {"is_active": False}, validation.Rules())
        await customers.update(db, ada.id, changes, origin=NOWHERE)
    assert await claim(noon) == []
    assert (await waiting(noon), await resets(noon)) == ([], [])


async def test_letter_that_stands_in_for_an_unknown_address_just_goes(noon: Database) -> None:
    await ask_reset(noon, None)
    assert await waiting(noon) == [Kind.PASSWORD_RESET]
    assert await claim(noon) == []
    assert await waiting(noon) == []


@pytest.mark.parametrize("kind", [Kind.PASSWORD_CHANGED, Kind.EMAIL_CHANGED])
async def test_notice_that_is_addressed_to_nobody_just_goes(
    noon: Database, ada: CustomerRecord, kind: Kind
) -> None:
    async with noon.transaction() as db:
        await letters.post(db, kind, customer_id=ada.id)
    assert await claim(noon) == []
    assert await waiting(noon) == []


async def test_letters_for_nobody_hold_up_no_other(noon: Database, ada: CustomerRecord) -> None:
    async with noon.transaction() as db:
        for _ in range(9):
            await letters.post(db, Kind.PASSWORD_RESET, customer_id=None)
    await notify(noon, ada, "ada@example.com")
    assert [letter.recipient for letter in await claim(noon)] == ["ada@example.com"]
