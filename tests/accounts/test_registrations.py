"""Registrations that wait: several for one address, of which its owner chooses one."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from gql_app.accounts import customers
from gql_app.accounts.mail import registrations
from gql_app.accounts.mail.registrations import LIFETIME, MAX_WAITING
from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import AuditRow, CustomerRow, RegistrationRow
from gql_app.errors import Fault, Rejected
from gql_app.lib.database import Database, Transaction
from gql_app.mail import registration_links
from gql_app.security import tokens
from tests.accounts.conftest import NOON
from tests.accounts.outbox import claim, waiting
from tests.accounts.registering import complete, link, names, register, token_of
from tests.conftest import SetClock
from tests.people import NOWHERE, add_customer, password_hash
from tests.rows import column, get_row, value

SECOND = timedelta(seconds=1)


async def until(database: Database) -> Any:  # noqa: ANN401 — a moment
    """Return until when the only registration waits."""
    return await value(database, select(RegistrationRow.expires_at))


async def test_registration_whose_address_is_proven_becomes_the_account(
    noon: Database, set_clock: SetClock
) -> None:
    given: list[tuple[UUID, Mapping[str, Any]]] = []

    async def save(_: Transaction, customer_id: UUID, data: Mapping[str, Any]) -> None:
        given.append((customer_id, data))

    await register(noon, "Other", "other@example.com")
    await register(noon, "Mallory", "EVE@example.com")
    await claim(noon)
    await register(noon, "Eve", data={"company": "Acme"})
    assert await column(noon, select(CustomerRow.id)) == []
    token = await link(noon)
    assert token.startswith(tokens.VERIFY)
    set_clock(NOON + timedelta(hours=1))
    eve = await complete(noon, token, save)
    assert isinstance(eve, CustomerRecord)
    row = await get_row(noon, CustomerRow, eve.id)
    assert (row.name, row.email, row.phone, row.is_admin) == ("Eve", "eve@example.com", "+1", False)
    assert row.password_hash == password_hash()
    assert {row.email_verified_at, row.password_changed_at, row.created_at} == {
        NOON + timedelta(hours=1)
    }
    assert given == [(eve.id, {"company": "Acme"})]
    assert await names(noon) == ["Other"]
    events = await noon.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.action))
    assert [(each.action, each.actor_id, each.customer_id) for each in events] == [
        *[("customer:register_request", None, None)] * 3,
        ("customer:register", eve.id, eve.id),
        ("email:verify", eve.id, eve.id),
    ]
    assert await complete(noon, token) is None


async def test_five_wait_for_one_address_and_no_link_is_voided_by_another(
    noon: Database, set_clock: SetClock
) -> None:
    for number in range(MAX_WAITING + 2):
        await register(noon, f"No {number}", "Eve@example.com" if number % 2 else "eve@EXAMPLE.com")
    assert await names(noon) == [f"No {number}" for number in range(MAX_WAITING)]
    assert len(await column(noon, select(AuditRow.id))) == MAX_WAITING + 2
    await register(noon, "Bob", "bob@example.com")
    letters = await claim(noon)
    assert all([await registration_links.find(noon, token_of(each)) for each in letters])
    first = next(each for each in letters if each.recipient == "eve@example.com")
    set_clock(NOON + LIFETIME - SECOND)
    eve = await complete(noon, token_of(first))
    assert isinstance(eve, CustomerRecord)
    assert (eve.name.startswith("No "), await names(noon)) == (True, ["Bob"])


async def test_those_that_waited_too_long_make_room_and_are_purged(
    noon: Database, set_clock: SetClock
) -> None:
    for number in range(MAX_WAITING):
        await register(noon, f"No {number}")
    token = token_of((await claim(noon))[0])
    set_clock(NOON + LIFETIME)
    assert await complete(noon, token) == "TOKEN_EXPIRED"
    async with noon.transaction() as db:
        with pytest.raises(Rejected, match="too old"):
            await registration_links.decline(db, token, origin=NOWHERE)
    await register(noon, "Late")
    assert len(await names(noon)) == MAX_WAITING + 1
    set_clock(NOON + LIFETIME + SECOND)
    purged = [await noon.transact(registrations.purge, batch=3) for _ in range(3)]
    assert (purged, await names(noon)) == ([3, 2, 0], ["Late"])


async def test_registration_that_its_addressee_declines_is_gone(noon: Database) -> None:
    await register(noon, "Mallory")
    token = await link(noon)
    async with noon.transaction() as db:
        found = await registration_links.find(db, token)
        assert found
        assert (found.created_at, repr(found)) == (NOON, f"Registration({found.id})")
        assert await registration_links.decline(db, token, origin=NOWHERE)
        assert not await registration_links.decline(db, token, origin=NOWHERE)
    assert await names(noon) == []
    assert await complete(noon, token) is None
    declined = select(AuditRow.customer_id).where(AuditRow.action == "email:decline")
    assert await column(noon, declined) == [None]


async def test_registration_whose_address_was_taken_meanwhile_is_gone(noon: Database) -> None:
    await register(noon, "Eve")
    token = await link(noon)
    await add_customer(noon, "Bob", "EVE@example.com")
    assert await complete(noon, token) is None
    assert await names(noon) == []
    assert await column(noon, select(CustomerRow.name)) == ["Bob"]


async def test_nothing_is_done_if_a_feature_refuses(noon: Database) -> None:
    async def refuse(_: Transaction, __: UUID, ___: Mapping[str, Any]) -> None:
        raise Rejected(Fault("NOT_SERVED", "Not served.", "company"))

    await register(noon, "Eve")
    token = await link(noon)
    assert await complete(noon, token, refuse) == "NOT_SERVED"
    assert isinstance(await complete(noon, token), CustomerRecord)


async def test_letter_tells_the_owner_of_an_account_and_the_registration_waits_as_long(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await register(noon, "Mallory", "ADA@example.com")
    set_clock(NOON + timedelta(hours=2))
    (letter,) = await claim(noon)
    assert (letter.recipient, "token" in letter.body) == ("ADA@example.com", False)
    assert await until(noon) == NOON + timedelta(hours=2) + LIFETIME
    async with noon.transaction() as db:
        await customers.delete(db, ada.id, origin=NOWHERE)
    set_clock(NOON + timedelta(hours=3))
    (letter,) = await claim(noon)  # sent anew, as if the mail server had not answered
    assert await until(noon) == NOON + timedelta(hours=3) + LIFETIME
    assert isinstance(await complete(noon, token_of(letter)), CustomerRecord)


async def test_letter_of_a_registration_that_is_gone_just_goes(noon: Database) -> None:
    await register(noon, "Eve")
    async with noon.transaction() as db:
        await registration_links.forget(db, "Eve@example.com")
    assert (await claim(noon), await waiting(noon)) == ([], [])
