"""Resets: a letter to whom an address belongs, whose link works once."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import pytest
from argon2 import PasswordHasher
from sqlalchemy import update

from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from tests.accounts.outbox import waiting
from tests.api import Api
from tests.conftest import SetClock
from tests.databases import contents
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, token_reason

pytestmark = pytest.mark.usefixtures("letterbox")

NEW_PASSWORD = "another good one"
SPENT = [("TOKEN_INVALID", "token")]
WEAK: Final = {
    "": "REQUIRED",
    "too short": "WEAK_PASSWORD",
    "ADA@example.com": "WEAK_PASSWORD",
    "x" * 201: "TOO_LONG",
}
OLD = [("TOKEN_EXPIRED", "token")]


async def link(api: Api, letterbox: Letterbox, person: Person) -> str:
    """Ask for a letter, and take the token of its link."""
    assert faults(await do(api, "requestPasswordReset", email=person.email)) == SUCCESS
    return await letterbox.link()


async def test_reset_sets_the_password_and_ends_every_session(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    assert await reset(api, await link(api, letterbox, plain), NEW_PASSWORD) == SUCCESS
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"
    refresh = await do(api, "refresh", refreshToken=plain.refresh_token)
    assert faults(refresh) == [("TOKEN_REVOKED", "refreshToken")]
    old = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(old) == [("INVALID_CREDENTIALS", None)]
    assert faults(await do(api, "login", email=plain.email, password=NEW_PASSWORD)) == SUCCESS
    letter = await letterbox.next()
    assert (letter.recipient, letter.subject) == (plain.email, "Your password was changed")


async def test_link_works_once(api: Api, plain: Person, letterbox: Letterbox) -> None:
    token = await link(api, letterbox, plain)
    assert await reset(api, token, NEW_PASSWORD) == SUCCESS
    assert await reset(api, token, "yet another one") == SPENT
    assert faults(await do(api, "login", email=plain.email, password=NEW_PASSWORD)) == SUCCESS


async def test_only_the_digest_of_a_link_is_stored(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    token = await link(api, letterbox, plain)
    stored = await contents(api.database)
    assert sha256(token.encode()).hexdigest() in stored
    assert token.removeprefix("gap_") not in stored


async def test_answer_does_not_tell_whether_there_is_an_account(
    api: Api, plain: Person, other: Person, letterbox: Letterbox
) -> None:
    async with api.database.transaction() as db:
        deactivate = update(CustomerRow).where(CustomerRow.id == other.id)
        await db.execute(deactivate.values(is_active=False))
    unknown = ("nobody@example.com", "BOB@example.com", "malformed", "", "\0", "x" * 10_000)
    addresses = (*unknown, f" {plain.email.upper()} ")
    told = [await do(api, "requestPasswordReset", email=address) for address in addresses]
    assert told == [told[-1]] * len(addresses)
    assert faults(told[-1]) == SUCCESS
    letter = await letterbox.next()
    assert (letter.recipient, letter.subject) == (plain.email, "Reset your password")


@pytest.mark.parametrize(("minutes", "told"), [(29.99, SUCCESS), (30, OLD)])
async def test_link_is_good_for_30_minutes(
    api: Api,
    plain: Person,
    letterbox: Letterbox,
    set_clock: SetClock,
    minutes: float,
    told: list[CodeAndField],
) -> None:
    start = clock.now()
    set_clock(start)
    token = await link(api, letterbox, plain)
    set_clock(start + timedelta(minutes=minutes))
    assert await reset(api, token, NEW_PASSWORD) == told


async def test_newer_letter_voids_the_older(api: Api, plain: Person, letterbox: Letterbox) -> None:
    older, newer = await link(api, letterbox, plain), await link(api, letterbox, plain)
    assert await reset(api, older, NEW_PASSWORD) == SPENT
    assert await reset(api, newer, NEW_PASSWORD) == SUCCESS


@pytest.mark.parametrize("by_admin", [False, True])
async def test_any_change_of_password_voids_the_link(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox, *, by_admin: bool
) -> None:
    token = await link(api, letterbox, plain)
    if by_admin:
        changes = {"password": NEW_PASSWORD}
        done = await do(api, "updateCustomer", token=admin.token, id=str(plain.id), input=changes)
    else:
        given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
        done = await do(api, "changePassword", token=plain.token, **given)
    assert faults(done) == SUCCESS
    assert await reset(api, token, "yet another one") == SPENT
    assert faults(await do(api, "login", email=plain.email, password=NEW_PASSWORD)) == SUCCESS


OTHERS: Final[list[dict[str, Any]]] = [
    {"email": "new@example.com"},
    {"email": "ADA@example.com"},
    {"password": NEW_PASSWORD},
    {"isAdmin": True},
]


@pytest.mark.parametrize(
    "changes", [*([each] for each in OTHERS), [{"isActive": False}, {"isActive": True}]]
)
async def test_link_dies_with_what_an_admin_changes(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox, changes: list[dict[str, Any]]
) -> None:
    token = await link(api, letterbox, plain)
    for each in changes:
        given: dict[str, Any] = {"id": str(plain.id), "input": each}
        assert faults(await do(api, "updateCustomer", token=admin.token, **given)) == SUCCESS
    assert await reset(api, token, "the thief's own one") == SPENT


async def test_link_to_the_old_mailbox_dies_with_ones_change_of_address(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    token = await link(api, letterbox, plain)
    given = {"email": "new@example.com", "currentPassword": PASSWORD}
    assert faults(await do(api, "updateMe", token=plain.token, input=given)) == SUCCESS
    assert await reset(api, token, "the thief's own one") == SPENT
    assert faults(await do(api, "login", email="new@example.com", password=PASSWORD)) == SUCCESS


async def test_link_dies_with_an_outdated_hash_that_a_sign_in_renews(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    outdated = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    async with api.database.transaction() as db:
        itself = update(CustomerRow).where(CustomerRow.id == plain.id)
        await db.execute(itself.values(password_hash=outdated))
    token = await link(api, letterbox, plain)
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS
    assert await reset(api, token, NEW_PASSWORD) == SPENT


async def test_sixth_letter_of_a_day_is_not_sent_and_nobody_learns_of_it(
    api: Api, plain: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    start, told, tokens = clock.now(), [], []
    known_or_not = (plain.email, "nobody@example.com")
    for number in range(7):
        set_clock(start + timedelta(hours=number))
        told += [await do(api, "requestPasswordReset", email=email) for email in known_or_not]
        await until_all_letters_are_gone(api)
        tokens += [await letterbox.link()] if number < 5 else []
    assert told == [told[0]] * len(told)
    assert faults(told[0]) == SUCCESS
    set_clock(start + timedelta(hours=24))
    newest = await link(api, letterbox, plain)
    assert len({*tokens, newest}) == 6
    assert await reset(api, newest, NEW_PASSWORD) == SUCCESS


async def until_all_letters_are_gone(api: Api) -> None:
    """Wait until the outbox is empty."""
    async with asyncio.timeout(30):
        while await waiting(api.database):  # noqa: ASYNC110 — a chore sends no event
            await asyncio.sleep(0.02)


async def test_link_of_whoever_is_deactivated_or_gone_is_no_good(
    api: Api, plain: Person, other: Person, admin: Person, letterbox: Letterbox
) -> None:
    tokens = [await link(api, letterbox, plain), await link(api, letterbox, other)]
    deactivated: dict[str, Any] = {"id": str(plain.id), "input": {"isActive": False}}
    assert faults(await do(api, "updateCustomer", token=admin.token, **deactivated)) == SUCCESS
    gone = await do(api, "deleteCustomer", token=admin.token, id=str(other.id))
    assert faults(gone) == SUCCESS
    assert [await reset(api, token, NEW_PASSWORD) for token in tokens] == [SPENT, SPENT]


async def test_weak_password_does_not_spend_the_link(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    token = await link(api, letterbox, plain)
    for password, code in WEAK.items():
        assert await reset(api, token, password) == [(code, "newPassword")]
    assert await token_reason(api, plain.token) is None
    assert await reset(api, token, NEW_PASSWORD) == SUCCESS


async def test_password_in_force_does_not_spend_the_link(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    token = await link(api, letterbox, plain)
    assert await reset(api, token, PASSWORD) == [("INVALID", "newPassword")]
    assert await token_reason(api, plain.token) is None
    assert await reset(api, token, NEW_PASSWORD) == SUCCESS


async def test_unknown_link_is_no_good(api: Api) -> None:
    for token in (f"gap_{'A' * 43}", "gap_", "", "junk", "\0", "x" * 100_000):
        assert await reset(api, token, NEW_PASSWORD) == SPENT


async def test_reset_lifts_the_lock_of_the_address(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    for _ in range(5):
        await do(api, "login", email=plain.email, password="wrong")
    locked = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(locked) == [("TOO_MANY_ATTEMPTS", None)]
    assert await reset(api, await link(api, letterbox, plain), NEW_PASSWORD) == SUCCESS
    assert faults(await do(api, "login", email=plain.email, password=NEW_PASSWORD)) == SUCCESS
