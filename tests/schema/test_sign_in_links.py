"""Sign-in by link: a letter to whom an address belongs, whose link opens a session once."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select, update

from gql_app.db.tables import CustomerRow, KnownClientRow
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.databases import contents
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, current, sign_in
from tests.rows import column
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, send

pytestmark = pytest.mark.usefixtures("letterbox")

SPENT: Final = [("TOKEN_INVALID", "token")]
THROTTLED: Final = [("TOO_MANY_ATTEMPTS", None)]
NEW_PASSWORD: Final = "another good one"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Let links sign in."""
    return settings.model_copy(update={"sign_in_links": True})


async def link(api: Api, letterbox: Letterbox, email: str) -> str:
    """Ask for a letter, and take the token of its link."""
    assert faults(await do(api, "requestSignInLink", email=email)) == SUCCESS
    return await letterbox.link()


async def use(api: Api, token: str) -> list[CodeAndField]:
    """Sign in by a link, and return what was wrong; then nothing else is answered."""
    payload = (await send(api, "signInByLink", {"token": token})).data["signInByLink"]
    assert (payload["token"] is None) == (payload["customer"] is None) == bool(payload["errors"])
    return faults(payload)


@pytest.mark.parametrize("mode", ["off", "ask", "require"])
async def test_link_signs_in_once_and_proves_the_address(
    settings: Settings, letterbox: Letterbox, mode: str
) -> None:
    async with running(settings.model_copy(update={"email_verification": mode})) as api:
        ada = await add_customer(api.database, "Ada")
        assert faults(await do(api, "requestSignInLink", email=" ADA@Example.com")) == SUCCESS
        letter = await letterbox.next()
        assert letter.recipient == ada.email
        assert letter.subject.startswith("Sign in")
        assert "http://localhost:8000/account/sign-in#token=gas_" in letter.body
        token = letter.body.partition("#token=")[2].split()[0]
        answer = await send(api, "signInByLink", {"token": token}, headers={"User-Agent": "mine"})
        opened = answer.data["signInByLink"]
        assert (faults(opened), opened["message"]) == (SUCCESS, "Welcome, Ada.")
        me = await api.run(
            "{ me { emailVerifiedAt sessions { userAgent } } }", token=opened["token"]
        )
        assert clock.parse_moment(me.data["me"]["emailVerifiedAt"])
        assert me.data["me"]["sessions"] == [{"userAgent": "mine"}]
        assert await use(api, token) == SPENT
        assert await column(api.database, select(KnownClientRow.customer_id)) == [ada.id]
        assert faults(await do(api, "login", email=ada.email, password=PASSWORD)) == SUCCESS


async def test_of_those_who_race_with_one_link_one_is_let_in(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    token = await link(api, letterbox, plain.email)
    told = await asyncio.gather(*(use(api, token) for _ in range(3)))
    assert sorted(told) == [SUCCESS, SPENT, SPENT]


async def test_answer_does_not_tell_whether_there_is_an_account(
    api: Api, plain: Person, other: Person, letterbox: Letterbox
) -> None:
    async with api.database.transaction() as db:
        closing = update(CustomerRow).where(CustomerRow.id == other.id)
        await db.execute(closing.values(is_active=False))
    addresses = (plain.email, other.email, "nobody@example.com", "malformed", "", "\0", "x" * 9_999)
    told = [await do(api, "requestSignInLink", email=address) for address in addresses]
    assert told == [told[0]] * len(addresses)
    assert faults(told[0]) == SUCCESS
    assert await letterbox.link()
    assert letterbox.empty


@pytest.mark.parametrize(("seconds", "told"), [(899, SUCCESS), (900, [("TOKEN_EXPIRED", "token")])])
async def test_link_is_good_for_15_minutes(
    api: Api,
    plain: Person,
    letterbox: Letterbox,
    set_clock: SetClock,
    seconds: int,
    told: list[CodeAndField],
) -> None:
    start = clock.now()
    set_clock(start)
    token = await link(api, letterbox, plain.email)
    set_clock(start + timedelta(seconds=seconds))
    assert await use(api, token) == told


async def test_newer_link_voids_the_older_and_a_new_password_both(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    older, newer = [await link(api, letterbox, plain.email) for _ in range(2)]
    assert await use(api, older) == SPENT
    assert await use(api, newer) == SUCCESS
    newest = await link(api, letterbox, plain.email)
    assert faults(await do(api, "requestPasswordReset", email=plain.email)) == SUCCESS
    assert await reset(api, await letterbox.link(), NEW_PASSWORD) == SUCCESS
    assert await use(api, newest) == SPENT


async def test_end_of_the_other_sessions_leaves_the_owner_links_to_sign_in_and_to_reset(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    signing_in = await link(api, letterbox, plain.email)
    assert faults(await do(api, "requestPasswordReset", email=plain.email)) == SUCCESS
    resetting = await letterbox.link()
    assert faults(await do(api, "endOtherSessions", token=plain.token)) == SUCCESS
    assert await use(api, signing_in) == SUCCESS
    assert await reset(api, resetting, NEW_PASSWORD) == SUCCESS


CHANGES: Final[Mapping[str, tuple[Sequence[dict[str, Any]], Sequence[CodeAndField]]]] = {
    "name": ([{"name": "Ada P."}], SUCCESS),
    "address": ([{"email": "new@example.com"}], SPENT),
    "spelling": ([{"email": "ADA@example.com"}], SPENT),
    "password": ([{"password": NEW_PASSWORD}], SPENT),
    "roles": ([{"roles": ["support"]}], SPENT),
    "admin": ([{"isAdmin": True}], SPENT),
    "off": ([{"isActive": False}], SPENT),
    "off and on": ([{"isActive": False}, {"isActive": True}], SPENT),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_link_dies_with_what_an_admin_changes(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox, what: str
) -> None:
    changes, told = CHANGES[what]
    token = await link(api, letterbox, plain.email)
    for each in changes:
        given: dict[str, Any] = {"id": str(plain.id), "input": each}
        assert faults(await do(api, "updateCustomer", token=admin.token, **given)) == SUCCESS
    assert await use(api, token) == told


async def test_link_dies_with_the_account(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox
) -> None:
    token = await link(api, letterbox, plain.email)
    gone = await do(api, "deleteCustomer", token=admin.token, id=str(plain.id))
    assert (faults(gone), await use(api, token)) == (SUCCESS, SPENT)


async def test_link_lifts_what_strangers_locked(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    for _ in range(6):
        locked = await do(api, "login", email=plain.email, password="wrong")
    assert faults(locked) == THROTTLED
    assert await use(api, await link(api, letterbox, plain.email)) == SUCCESS
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS


async def test_whoever_was_invited_has_answered_by_signing_in(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    nora = {"name": "Nora", "email": "nora@example.com"}
    assert faults(await do(api, "inviteCustomer", token=admin.token, input=nora)) == SUCCESS
    invitation = await letterbox.link()
    assert await use(api, await link(api, letterbox, nora["email"])) == SUCCESS
    again = await do(api, "inviteCustomer", token=admin.token, input=nora)
    assert faults(again) == [("TAKEN", "email")]
    asked = "{ customers(filter: {isInvited: true}) { totalCount } }"
    assert (await api.run(asked, token=admin.token)).data["customers"]["totalCount"] == 0
    given = {"token": invitation, "password": NEW_PASSWORD}
    accepted = (await send(api, "acceptInvitation", given)).data["acceptInvitation"]
    assert faults(accepted) == SPENT


async def test_requests_and_guesses_are_limited_by_client(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with running(settings.model_copy(update={"login_client_attempts": 2})) as api:
        emails = ("ada@example.com", "bob@example.com", "ada@example.com")
        told = [faults(await do(api, "requestSignInLink", email=email)) for email in emails]
        assert told == [SUCCESS, SUCCESS, THROTTLED]
        for token in ("gas_", "", "junk", "\0", "x" * 10_000, f"gai_{'A' * 43}"):
            assert await use(api, token) == SPENT
        guesses = [await use(api, f"gas_{letter * 43}") for letter in "AEIM"]
    assert guesses == [SPENT, SPENT, THROTTLED, THROTTLED]
    assert letterbox.empty


async def test_sign_ins_of_an_account_are_limited_and_spend_no_link_then(
    settings: Settings, letterbox: Letterbox, set_clock: SetClock
) -> None:
    async with running(settings.model_copy(update={"account_writes_per_hour": 2})) as api:
        start = clock.now()
        set_clock(start)
        ada = await add_customer(api.database, "Ada")
        await sign_in(api.resources, ada)
        set_clock(start + timedelta(minutes=50))
        await sign_in(api.resources, ada)
        token = await link(api, letterbox, ada.email)
        assert await use(api, token) == THROTTLED
        assert (await current(api.database, ada.id)).email_verified_at is None
        set_clock(start + timedelta(minutes=61))
        assert await use(api, token) == SUCCESS


async def test_where_links_are_not_enabled_nothing_is_done(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with running(settings.model_copy(update={"sign_in_links": False})) as api:
        ada = await add_customer(api.database, "Ada")
        before = await contents(api.database)
        refused = await do(api, "requestSignInLink", email=ada.email)
        assert faults(refused) == [("NOT_ENABLED", None)]
        assert await use(api, f"gas_{'A' * 43}") == [("NOT_ENABLED", None)]
        assert await contents(api.database) == before
    assert letterbox.empty
