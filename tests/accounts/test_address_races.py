"""Addresses that two want at once: whoever waits for the other finds what they did."""

import asyncio

import pytest
from sqlalchemy import select

from gql_app.accounts import addresses, customers
from gql_app.accounts.mail import letters, links
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.validation import Changes, Rules, check_changes, check_new
from gql_app.cli.accounts import _change_email
from gql_app.db.tables import LetterRow, LinkRow, PasswordResetRow
from gql_app.errors import Fault, Rejected
from gql_app.lib.database import Database, Transaction
from gql_app.lib.outbox import Letter
from gql_app.mail import email_change, email_verification
from tests.accounts.outbox import OUTBOX, claim
from tests.locks import until_it_waits
from tests.people import NOWHERE, PASSWORD, add_customer, current
from tests.rows import column

A, B = "ada@example.com", "ada@example.org"


def to(email: str, customer: CustomerRecord) -> Changes:
    """Return the change of a customer to an address."""
    return check_changes(customer, {"email": email}, Rules())


async def register(database: Database, email: str) -> tuple[Fault, ...]:
    """Add a customer, and return what was wrong."""
    new = check_new(name="Eve", email=email, password=PASSWORD, rules=Rules())
    try:
        async with database.transaction() as db:
            await customers.create(db, new, password_hash="", origin=NOWHERE)
    except Rejected as why:
        return why.faults
    return ()


async def use(database: Database, rule: str, token: str) -> tuple[Fault, ...]:
    """Use a link, and return what was wrong."""
    rules = {"verify": email_verification.verify, "undo": email_change.undo}
    try:
        async with database.transaction() as db:
            await rules[rule](db, token, origin=NOWHERE)
    except Rejected as why:
        return why.faults
    return ()


async def ask(database: Database, customer: CustomerRecord, email: str) -> str:
    """Ask for another address, and return the token of the link that goes to it."""
    async with database.transaction() as db:
        await email_change.update(db, customer.id, to(email, customer), origin=NOWHERE, waits=True)
    return token_to(email, await claim(database))


def token_to(recipient: str, sent: list[Letter]) -> str:
    """Return the token of the link that went to somebody."""
    bodies = [letter.body for letter in sent if letter.recipient == recipient]
    [link] = [body.partition("#token=")[2] for body in bodies if "#token=" in body]
    return link.split()[0]


@pytest.fixture
async def proven(noon: Database, ada: CustomerRecord) -> CustomerRecord:
    """Have a customer whose address is proven."""
    async with noon.transaction() as db:
        assert await email_verification.prove_by_hand(db, ada.email)
    return await current(noon, ada.id)


async def test_who_waits_for_an_address_that_is_left_finds_it_held(
    noon: Database, proven: CustomerRecord
) -> None:
    async with noon.transaction() as db:
        await customers.update(db, proven.id, to(B, proven), origin=NOWHERE)
        racing = asyncio.create_task(register(noon, A))
        await until_it_waits(db, racing)
    assert await racing == (addresses.TAKEN,)


async def test_who_waits_for_an_unproven_address_that_is_left_gets_it(
    noon: Database, ada: CustomerRecord
) -> None:
    async with noon.transaction() as db:
        await customers.update(db, ada.id, to(B, ada), origin=NOWHERE)
        racing = asyncio.create_task(register(noon, A))
        await until_it_waits(db, racing)
    assert await racing == ()


async def test_pending_address_that_is_registered_meanwhile_is_not_had(
    noon: Database, proven: CustomerRecord
) -> None:
    link = await ask(noon, proven, B)
    new = check_new(name="Eve", email=B, password=PASSWORD, rules=Rules())
    async with noon.transaction() as db:
        await customers.create(db, new, password_hash="", origin=NOWHERE)
        racing = asyncio.create_task(use(noon, "verify", link))
        await until_it_waits(db, racing)
    assert await racing == (addresses.TAKEN,)
    async with noon.transaction() as db:
        await email_change.abandon(db, link, origin=NOWHERE)
    assert (await current(noon, proven.id)).pending_email is None
    assert await use(noon, "verify", link) == (links.SPENT,)


async def test_link_that_is_used_while_another_address_is_asked_for_is_spent(
    noon: Database, proven: CustomerRecord
) -> None:
    link = await ask(noon, proven, B)
    async with noon.transaction() as db:
        await email_change.update(
            db, proven.id, to("ada@example.net", proven), origin=NOWHERE, waits=True
        )
        racing = asyncio.create_task(use(noon, "verify", link))
        await until_it_waits(db, racing)
    assert await racing == (links.SPENT,)


async def test_link_that_undoes_is_used_once(noon: Database, proven: CustomerRecord) -> None:
    assert await use(noon, "verify", await ask(noon, proven, B)) == ()
    link = token_to(A, await claim(noon))
    async with noon.transaction() as db:
        await email_change.undo(db, link, origin=NOWHERE)
        racing = asyncio.create_task(use(noon, "undo", link))
        await until_it_waits(db, racing)
    assert await racing == (links.SPENT,)
    assert (await current(noon, proven.id)).email == A


async def issued(db: Database) -> list[str]:
    """Return the kinds of links that are good."""
    resets = await column(db, select(PasswordResetRow.customer_id))
    return sorted([*await column(db, select(LinkRow.kind)), *["password_reset" for _ in resets]])


@pytest.mark.parametrize("kind", [LinkKind.PASSWORD_RESET, LinkKind.SIGN_IN])
async def test_links_of_one_kind_are_voided_alone(
    noon: Database, ada: CustomerRecord, kind: LinkKind
) -> None:
    kinds = [LinkKind.PASSWORD_RESET, LinkKind.SIGN_IN, LinkKind.VERIFY_EMAIL]

    async def post(db: Transaction) -> None:
        for each in kinds:
            await letters.post_link(db, each, customer_id=ada.id)

    async with noon.transaction() as db:
        await post(db)
    await claim(noon)
    async with noon.transaction() as db:
        await post(db)
        await letters.void_links(db, ada.id, [kind])
    left = sorted({*kinds} - {kind})
    assert await issued(noon) == left
    assert sorted(await column(noon, select(LetterRow.kind))) == left


async def test_no_letter_goes_to_who_has_no_address(noon: Database, ada: CustomerRecord) -> None:
    nobody = await add_customer(noon, "Bob")
    async with noon.transaction() as db:
        await customers.write(db, nobody.id, {"email": email_verification.placeholder(nobody.id)})
        await letters.post_link(db, LinkKind.PASSWORD_RESET, customer_id=nobody.id)
        await letters.post_link(db, LinkKind.PASSWORD_RESET, customer_id=ada.id)
    async with noon.transaction() as db:
        claimed = await OUTBOX.claim(db)
    assert ([each.recipient for each in claimed.letters], claimed.dropped) == ([A], 1)


async def test_link_that_proves_is_sent_to_nobody_who_is_deactivated_or_proven(
    noon: Database, proven: CustomerRecord
) -> None:
    bob = await add_customer(noon, "Bob")
    async with noon.transaction() as db:
        for customer_id in (proven.id, bob.id, None):
            await letters.post_link(db, LinkKind.VERIFY_EMAIL, customer_id=customer_id)
        await customers.write(db, bob.id, {"is_active": False})
    async with noon.transaction() as db:
        claimed = await OUTBOX.claim(db)
    assert (claimed.letters, claimed.dropped) == ([], 3)


async def test_operator_who_waits_for_a_link_changes_the_address_that_it_put_in_force(
    noon: Database, proven: CustomerRecord
) -> None:
    link = await ask(noon, proven, B)

    async def change_back() -> str:
        async with noon.transaction() as db:
            return await _change_email(db, proven.id, A, Rules(), verifies=True)

    async with noon.transaction() as db:
        await email_verification.verify(db, link, origin=NOWHERE)
        changing = asyncio.create_task(change_back())
        await until_it_waits(db, changing)
        assert not changing.done()
    assert await changing == A
    assert (await current(noon, proven.id)).email == A
