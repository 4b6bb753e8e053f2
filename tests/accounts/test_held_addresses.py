"""Former addresses: held with all that look alike, until who has one again settles the rest."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import select

from gql_app.accounts import addresses, customers, sessions
from gql_app.accounts.audit import Action
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.validation import Rules, check_changes
from gql_app.db.tables import AuditRow, FormerEmailRow, KnownClientRow
from gql_app.lib.database import Database
from gql_app.lib.outbox import Letter
from gql_app.mail import email_verification, mailboxes
from tests.accounts.conftest import NOON
from tests.accounts.outbox import claim
from tests.accounts.test_address_races import register, to, token_to, use
from tests.conftest import SetClock
from tests.locks import until_it_waits
from tests.people import NOWHERE, add_customer, current
from tests.rows import column

A, B, C = "ada@example.com", "ada@example.org", "ada@example.net"
LATER: Final = NOON + timedelta(seconds=1)
ALIKE: Final = [
    ("jessica@example.com", "JEßICA@example.com"),
    ("jeßica@example.com", "jessica@example.com"),
    ("sam@example.com", "\u017fam@example.com"),
    ("steﬃ@example.com", "steﬀi@example.com"),
    ("sam@straße.example", "sam@strasse.example"),
]
"""Addresses, each with another mailbox that has the same email_key."""


async def move(
    database: Database, customer: CustomerRecord, email: str, *, proves: bool = True
) -> CustomerRecord:
    """Give a customer another address at once, and prove it if that is wanted."""
    async with database.transaction() as db:
        before = await current(db, customer.id)
        await customers.update(db, customer.id, to(email, before), origin=NOWHERE)
        assert not proves or await email_verification.prove_by_hand(db, email)
    return await current(database, customer.id)


async def proven(database: Database, email: str) -> CustomerRecord:
    """Add a customer whose address is proven."""
    customer = await add_customer(database, "Eve", email)
    async with database.transaction() as db:
        assert await email_verification.prove_by_hand(db, email)
    return customer


async def held(database: Database) -> list[str]:
    """Return the addresses that are held."""
    return sorted({*await column(database, select(FormerEmailRow.email))})


def linked(sent: list[Letter]) -> list[str]:
    """Return the recipients of letters with a link."""
    return [letter.recipient for letter in sent if "#token=" in letter.body]


@pytest.mark.parametrize(("email", "alike"), ALIKE)
async def test_nobody_takes_what_looks_like_an_address_that_is_held(
    noon: Database, ada: CustomerRecord, email: str, alike: str
) -> None:
    eve = await proven(noon, email)
    await move(noon, eve, B)
    link = token_to(email, await claim(noon))
    for each in (email, alike):
        assert await register(noon, each) == (addresses.TAKEN,)
        assert await mailboxes.is_taken(noon, each, ada.id)
        assert not await mailboxes.is_taken(noon, each, eve.id)
    assert await mailboxes.owner(noon, email, ada.id)
    assert await mailboxes.owner(noon, alike, ada.id) is None
    assert await use(noon, "undo", link) == ()
    assert ((await current(noon, eve.id)).email, await held(noon)) == (email, [])


@pytest.mark.parametrize(("email", "alike"), ALIKE)
async def test_who_waits_for_what_looks_like_an_address_that_is_left_finds_it_held(
    noon: Database, email: str, alike: str
) -> None:
    eve = await proven(noon, email)
    async with noon.transaction() as db:
        await customers.update(db, eve.id, to(B, eve), origin=NOWHERE)
        racing = asyncio.create_task(register(noon, alike))
        await until_it_waits(db, racing)
    assert await racing == (addresses.TAKEN,)


@pytest.mark.parametrize(("email", "alike"), ALIKE)
async def test_who_had_both_of_two_that_look_alike_undoes_either_change(
    noon: Database, set_clock: SetClock, email: str, alike: str
) -> None:
    eve = await proven(noon, email)
    between = (await move(noon, eve, alike)).email
    set_clock(LATER)
    await move(noon, eve, B)
    sent = await claim(noon)
    first, second = [token_to(each, sent) for each in (email, between)]
    assert await use(noon, "undo", second) == ()
    assert await held(noon) == [email]
    assert await use(noon, "undo", first) == ()
    assert ((await current(noon, eve.id)).email, await held(noon)) == (email, [])


@pytest.mark.parametrize(("email", "alike"), ALIKE)
async def test_mailbox_that_was_never_proven_gets_no_link_for_one_that_it_looks_like(
    noon: Database, email: str, alike: str
) -> None:
    eve = await proven(noon, email)
    await move(noon, eve, alike, proves=False)
    await move(noon, eve, B, proves=False)
    sent = await claim(noon)
    assert len(sent) == 2
    assert linked(sent) == [email]


async def test_return_by_the_operator_leaves_nothing_to_undo_from_where_the_account_was(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    async with noon.transaction() as db:
        assert await email_verification.prove_by_hand(db, A)
    await move(noon, ada, B)
    own = token_to(A, await claim(noon))
    for seconds, email in enumerate((C, A), 1):
        set_clock(NOON + timedelta(seconds=seconds))
        await move(noon, ada, email, proves=email == C)
    assert await held(noon) == sorted([A, B, C])
    async with noon.transaction() as db:
        await addresses.settle(db, await current(db, ada.id))
    assert await held(noon) == [A]
    assert linked(await claim(noon)) == []
    assert await use(noon, "undo", own) == ()
    now = await current(noon, ada.id)
    assert (now.email, now.email_verified_at) == (A, NOON + timedelta(seconds=2))


async def test_address_that_was_never_left_settles_nothing(
    noon: Database, ada: CustomerRecord
) -> None:
    async with noon.transaction() as db:
        assert await email_verification.prove_by_hand(db, A)
    moved = await move(noon, ada, B)
    async with noon.transaction() as db:
        await addresses.settle(db, moved)
    assert await held(noon) == [A]


async def test_client_of_a_thief_is_known_no_more_once_the_change_is_undone(
    noon: Database,
) -> None:
    eve = await proven(noon, "eve@example.com")
    async with noon.transaction() as db:
        await sessions.note_client(db, eve.id, "192.0.2.1")
    await move(noon, eve, B)
    assert await use(noon, "undo", token_to(eve.email, await claim(noon))) == ()
    assert await column(noon, select(KnownClientRow.client)) == []


async def test_address_that_is_left_meanwhile_is_not_proven_by_its_name(
    noon: Database, ada: CustomerRecord
) -> None:
    async def prove() -> bool:
        async with noon.transaction() as db:
            return await email_verification.prove_by_hand(db, A)

    async with noon.transaction() as db:
        await customers.update(db, ada.id, to(B, ada), origin=NOWHERE)
        proving = asyncio.create_task(prove())
        await until_it_waits(db, proving)
    assert not await proving
    assert (await current(noon, ada.id)).email_verified_at is None


async def test_role_that_is_granted_while_a_change_is_undone_is_granted_once(
    noon: Database, ada: CustomerRecord
) -> None:
    async with noon.transaction() as db:
        assert await email_verification.prove_by_hand(db, A)
    await move(noon, ada, B)
    link = token_to(A, await claim(noon))
    granted = check_changes(ada, {"roles": ["clerk"]}, Rules(roles=["clerk"]))
    admin = await add_customer(noon, "Grace", is_admin=True)
    async with noon.transaction() as db:
        await customers.update(db, ada.id, granted, origin=NOWHERE.by(admin.id))
        racing = asyncio.create_task(use(noon, "undo", link))
        await until_it_waits(db, racing)
    assert await racing == ()
    events = select(AuditRow.actor_id).where(AuditRow.action == Action.ROLE_GRANTED)
    theirs = events.where(AuditRow.customer_id == ada.id)
    assert await column(noon, theirs) == [admin.id]
