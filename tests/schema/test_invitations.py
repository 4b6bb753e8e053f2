"""Invitations: an account without a password, which a link opens for whose address it has."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select, update

from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.accounts.outbox import waiting
from tests.api import Api, running
from tests.conftest import SetClock
from tests.databases import contents, settled
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, current, sign_in
from tests.rows import column
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, send, token_reason
from tests.schema.test_password_reset import WEAK, until_all_letters_are_gone

pytestmark = pytest.mark.usefixtures("letterbox")

NEW_PASSWORD: Final = "another good one"
NORA: Final[Mapping[str, Any]] = {"name": "Nora New", "email": "nora@example.com"}
SPENT: Final = [("TOKEN_INVALID", "token")]
TAKEN: Final = [("TAKEN", "email")]
LISTED: Final = """query Q($invited: Boolean, $by: CustomerOrderField!) {
  customers(filter: {isInvited: $invited}, orderBy: {field: $by}) { totalCount nodes { name } }
}"""
EVENTS: Final = "{ auditEvents(first: 20) { nodes { action actor { name } customer { name } } } }"


async def invite(api: Api, by: Person, **given: object) -> dict[str, Any]:
    """Invite Nora, or somebody else."""
    return await do(api, "inviteCustomer", token=by.token, input={**NORA, **given})


async def invited(api: Api, by: Person, letterbox: Letterbox, **given: object) -> tuple[str, str]:
    """Invite Nora, and return her id and the token of her link."""
    payload = await invite(api, by, **given)
    assert faults(payload) == SUCCESS
    return payload["customer"]["id"], await letterbox.link()


async def accept(api: Api, token: str, password: str = NEW_PASSWORD) -> list[CodeAndField]:
    """Accept an invitation, and return what was wrong; then nothing else is answered."""
    given = {"token": token, "password": password}
    payload = (await send(api, "acceptInvitation", given)).data["acceptInvitation"]
    assert (payload["token"] is None) == (payload["customer"] is None) == bool(payload["errors"])
    return faults(payload)


async def names(
    api: Api, who: Person, *, invited: bool | None, by: str = "CREATED_AT"
) -> list[str]:
    """Return whom somebody is shown of those who were invited, or of the others."""
    found = (await api.run(LISTED, token=who.token, invited=invited, by=by)).data["customers"]
    assert found["totalCount"] == len(found["nodes"])
    return [each["name"] for each in found["nodes"]]


@pytest.mark.parametrize("mode", ["off", "ask", "require"])
async def test_whoever_is_invited_chooses_a_password_and_is_signed_in(
    settings: Settings, letterbox: Letterbox, mode: str
) -> None:
    async with running(settings.model_copy(update={"email_verification": mode})) as api:
        admin = await sign_in(api.resources, await add_customer(api.database, "G", is_admin=True))
        given = {"phone": "+1 555 0101", "roles": ["support"], "email": " NORA@Example.com"}
        payload = await invite(api, admin, **given)
        assert (faults(payload), payload["message"]) == (SUCCESS, "Nora New is invited.")
        letter = await letterbox.next()
        assert letter.recipient == "NORA@example.com"
        assert letter.subject.startswith("You are invited")
        missing = await do(api, "login", email=NORA["email"], password="")
        assert faults(missing) == [("REQUIRED", "password")]
        nothing = await do(api, "login", email=NORA["email"], password="x")
        assert faults(nothing) == [("INVALID_CREDENTIALS", None)]
        token = letter.body.partition("#token=")[2].split()[0]
        accepting = {"token": token, "password": NEW_PASSWORD}
        opened = (await send(api, "acceptInvitation", accepting)).data["acceptInvitation"]
        assert (faults(opened), opened["message"]) == (SUCCESS, "Welcome, Nora New.")
        asked = "{ me { name phone roles emailVerifiedAt sessions { id } } }"
        me = (await api.run(asked, token=opened["token"])).data["me"]
        assert clock.parse_moment(me.pop("emailVerifiedAt"))
        assert len(me.pop("sessions")) == 1
        assert me == {"name": "Nora New", "phone": "+1 555 0101", "roles": ["support"]}
        login = await do(api, "login", email=NORA["email"], password=NEW_PASSWORD)
        assert faults(login) == SUCCESS
        nodes = (await api.run(EVENTS, token=admin.token)).data["auditEvents"]["nodes"]
        told = [each["action"] for each in nodes if (each["customer"] or {})["name"] == "Nora New"]
        assert told == [
            *("session:login", "session:login", "customer:accept_invitation", "email:verify"),
            *("session:login_failed", "customer:invite", "role:grant", "customer:create"),
        ]
        by_her = {each["action"] for each in nodes if each["actor"] == {"name": "Nora New"}}
        assert by_her == {"session:login", "customer:accept_invitation", "email:verify"}
        await until_all_letters_are_gone(api)
    assert letterbox.empty


async def test_invitation_works_once(api: Api, admin: Person, letterbox: Letterbox) -> None:
    _, token = await invited(api, admin, letterbox)
    for password, code in WEAK.items():
        if not password.startswith("ADA"):
            assert await accept(api, token, password) == [(code, "password")]
    assert await accept(api, token, "NORA@example.com") == [("WEAK_PASSWORD", "password")]
    assert await accept(api, token) == SUCCESS
    assert await accept(api, token, "yet another one") == SPENT
    assert faults(await do(api, "login", email=NORA["email"], password=NEW_PASSWORD)) == SUCCESS


async def test_of_those_who_race_with_one_link_one_is_let_in(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    nora, token = await invited(api, admin, letterbox)
    told = await asyncio.gather(*(accept(api, token, f"{NEW_PASSWORD} {n}") for n in range(3)))
    assert sorted(told) == [SUCCESS, SPENT, SPENT]
    shown = f'{{ customer(id: "{nora}") {{ sessions {{ id }} }} }}'
    assert len((await api.run(shown, token=admin.token)).data["customer"]["sessions"]) == 1


@pytest.mark.parametrize(("less", "told"), [(1, SUCCESS), (0, [("TOKEN_EXPIRED", "token")])])
async def test_invitation_is_good_for_seven_days(
    api: Api,
    admin: Person,
    letterbox: Letterbox,
    set_clock: SetClock,
    less: int,
    told: list[CodeAndField],
) -> None:
    start = clock.now()
    set_clock(start)
    _, token = await invited(api, admin, letterbox)
    set_clock(start + timedelta(days=7, seconds=-less))
    assert await accept(api, token) == told


CHANGES: Final[Mapping[str, tuple[Sequence[dict[str, Any]], Sequence[CodeAndField]]]] = {
    "name": ([{"name": "Nora N.", "phone": "+1 555 0102"}], SUCCESS),
    "address": ([{"email": "new@example.com"}], SPENT),
    "password": ([{"password": PASSWORD}], SPENT),
    "roles": ([{"roles": ["support"]}], SPENT),
    "off": ([{"isActive": False}], SPENT),
    "off and on": ([{"isActive": False}, {"isActive": True}], SPENT),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_invitation_dies_with_what_an_admin_changes(
    api: Api, admin: Person, letterbox: Letterbox, what: str
) -> None:
    changes, told = CHANGES[what]
    nora, token = await invited(api, admin, letterbox)
    for each in changes:
        given: dict[str, Any] = {"id": nora, "input": each}
        assert faults(await do(api, "updateCustomer", token=admin.token, **given)) == SUCCESS
    assert await accept(api, token) == told


async def test_invitation_dies_with_the_account_and_with_a_reset(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    nora, token = await invited(api, admin, letterbox)
    assert faults(await do(api, "deleteCustomer", token=admin.token, id=nora)) == SUCCESS
    assert await accept(api, token) == SPENT
    _, token = await invited(api, admin, letterbox)
    assert faults(await do(api, "requestPasswordReset", email=NORA["email"])) == SUCCESS
    assert await reset(api, await letterbox.link(), NEW_PASSWORD) == SUCCESS
    assert await accept(api, token) == SPENT
    assert await names(api, admin, invited=True) == []
    assert faults(await invite(api, admin)) == TAKEN


async def test_whoever_has_not_answered_is_invited_again_and_changed(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    nora, older = await invited(
        api, admin, letterbox, phone="+1 555 0101", locale="DE-ch", roles=["support"]
    )
    again, newer = await invited(api, admin, letterbox, name="Nora N.", email="Nora@Example.com")
    kept = await current(api.database, clock.parse_id(nora) or admin.id)
    assert (again, kept.name, kept.email) == (nora, "Nora N.", NORA["email"])
    assert (kept.phone, kept.locale, kept.roles) == ("+1 555 0101", "de-CH", "support")
    assert await accept(api, older) == SPENT
    _, newest = await invited(api, admin, letterbox, phone=None, locale=None, roles=["admin"])
    changed = await current(api.database, kept.id)
    assert (changed.phone, changed.locale, changed.roles) == (None, None, "admin")
    assert await accept(api, newer) == SPENT
    wrong = await invite(api, admin, roles=["nobody"], locale="e n")
    assert faults(wrong) == [("INVALID", "locale"), ("INVALID", "roles")]
    assert await accept(api, newest) == SUCCESS
    assert faults(await invite(api, admin)) == TAKEN
    assert letterbox.empty


async def test_address_of_whoever_has_answered_or_is_closed_is_taken(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox
) -> None:
    nora, _ = await invited(api, admin, letterbox)
    for closed in ({"is_active": False}, {"is_active": True, "email_verified_at": clock.now()}):
        async with api.database.transaction() as db:
            itself = update(CustomerRow).where(CustomerRow.id == clock.parse_id(nora))
            await db.execute(itself.values(closed))
        before = await settled(api.database)
        assert faults(await invite(api, admin)) == TAKEN
        assert faults(await invite(api, admin, email=plain.email, roles=["support"])) == TAKEN
        assert await contents(api.database) == before


async def test_of_races_to_invite_one_makes_the_account(api: Api, admin: Person) -> None:
    told = [faults(each) for each in await asyncio.gather(*(invite(api, admin) for _ in range(3)))]
    assert SUCCESS in told
    assert all(each in (SUCCESS, TAKEN) for each in told)
    names = select(CustomerRow.name).where(CustomerRow.email == NORA["email"])
    assert await column(api.database, names) == ["Nora New"]


@pytest.mark.parametrize("given", [{}, {"password": None}])
async def test_account_that_was_added_without_a_password_is_opened_by_invitation(
    api: Api, admin: Person, letterbox: Letterbox, given: dict[str, Any]
) -> None:
    payload = await do(api, "createCustomer", token=admin.token, input={**NORA, **given})
    assert faults(payload) == SUCCESS
    assert await waiting(api.database) == []
    assert await names(api, admin, invited=True) == []
    again, token = await invited(api, admin, letterbox)
    assert again == payload["customer"]["id"]
    assert await names(api, admin, invited=True) == ["Nora New"]
    assert await accept(api, token) == SUCCESS


async def test_account_that_was_added_without_a_password_is_opened_by_reset(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    made = await do(api, "createCustomer", token=admin.token, input={**NORA, "roles": ["support"]})
    assert faults(made) == SUCCESS
    assert faults(await do(api, "requestPasswordReset", email=NORA["email"])) == SUCCESS
    assert await reset(api, await letterbox.link(), NEW_PASSWORD) == SUCCESS
    assert faults(await do(api, "login", email=NORA["email"], password=NEW_PASSWORD)) == SUCCESS
    refused = await do(api, "createCustomer", token=admin.token, input={**NORA, "password": ""})
    assert faults(refused) == [("REQUIRED", "password")]


async def test_acceptance_lifts_what_strangers_locked(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    _, token = await invited(api, admin, letterbox)
    for _ in range(5):
        await do(api, "login", email=NORA["email"], password="wrong")
    locked = await do(api, "login", email=NORA["email"], password="wrong")
    assert faults(locked) == [("TOO_MANY_ATTEMPTS", None)]
    assert await accept(api, token) == SUCCESS
    assert faults(await do(api, "login", email=NORA["email"], password=NEW_PASSWORD)) == SUCCESS


@pytest.mark.parametrize("limit", ["account_writes_per_hour", "login_client_attempts"])
async def test_invitations_are_limited_by_account_and_by_client(
    settings: Settings, letterbox: Letterbox, limit: str
) -> None:
    async with running(settings.model_copy(update={limit: 2})) as api:
        admin = await sign_in(api.resources, await add_customer(api.database, "G", is_admin=True))
        tokens = [(await invited(api, admin, letterbox))[1] for _ in range(2)]
        before = await settled(api.database)
        refused = await invite(api, admin, email="bob@example.com")
        assert faults(refused) == [("TOO_MANY_ATTEMPTS", None)]
        assert await contents(api.database) == before
        assert await accept(api, tokens[1]) == SUCCESS


async def test_tokens_that_are_none_are_refused_and_counted(settings: Settings) -> None:
    async with running(settings.model_copy(update={"login_client_attempts": 2})) as api:
        for token in ("gai_", "", "junk", "\0", "x" * 10_000, f"gap_{'A' * 43}"):
            assert await accept(api, token) == SPENT
        guesses = [await accept(api, f"gai_{letter * 43}") for letter in "AEIM"]
    assert guesses == [SPENT, SPENT, *[[("TOO_MANY_ATTEMPTS", None)]] * 2]


async def test_who_has_not_answered_is_found_by_who_may_read_what_is_private(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox
) -> None:
    nora, token = await invited(api, admin, letterbox)
    others = [plain.name, admin.name]
    for by in ("CREATED_AT", "NAME", "EMAIL"):
        assert await names(api, admin, invited=True, by=by) == ["Nora New"]
        assert sorted(await names(api, admin, invited=False, by=by)) == sorted(others)
    her = await sign_in(
        api.resources, await current(api.database, clock.parse_id(nora) or admin.id)
    )
    for who, is_invited in ((plain, False), (her, True)):
        assert await names(api, who, invited=is_invited) == [who.name]
        assert await names(api, who, invited=not is_invited, by="NAME") == []
        assert len(await names(api, who, invited=None)) == 3
    assert await accept(api, token) == SUCCESS
    assert await token_reason(api, her.token) == "TOKEN_REVOKED"
    assert await names(api, admin, invited=True) == []
