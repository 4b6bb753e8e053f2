"""No way past the second factor: where all other ways to sign in end, and what a link undoes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.apps import App, begin, challenge, set_up, set_up_first, verify
from tests.conftest import SetClock
from tests.letterbox import Letterbox, link_in
from tests.people import PASSWORD, Person, add_customer, current, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, send, token_reason

NOON: Final = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)
NEW_PASSWORD: Final = "another good one"
WAITS: Final[list[CodeAndField]] = [("SECOND_FACTOR_REQUIRED", None)]
THROTTLED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
ADDED: Final = "Your account has a new second factor"
LEFT: Final = "{ me { secondFactors { id } recoveryCodesLeft } }"


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Begin each test at the same moment."""
    set_clock(NOON)


@pytest.fixture
def settings(settings: Settings, letterbox: Letterbox) -> Settings:
    """Let links sign in."""
    assert letterbox.open
    return settings.model_copy(update={"sign_in_links": True})


async def link(letterbox: Letterbox) -> str:
    """Wait for the next letter with a link that opens the account, and take its token."""
    while True:
        token = link_in(await letterbox.next())
        if token and not token.startswith("gaf_"):
            return token


async def by_link(api: Api, name: str, token: str, **given: str) -> dict[str, Any]:
    """Use the token of a link."""
    payload: dict[str, Any] = (await send(api, name, {"token": token, **given})).data[name]
    return payload


async def by_sign_in_link(api: Api, who: Person, letterbox: Letterbox) -> dict[str, Any]:
    """Sign in by a link."""
    await do(api, "requestSignInLink", email=who.email)
    return await by_link(api, "signInByLink", await link(letterbox))


async def by_reset(api: Api, who: Person, letterbox: Letterbox) -> dict[str, Any]:
    """Reset the password, and sign in by the new one."""
    await do(api, "requestPasswordReset", email=who.email)
    assert await reset(api, await link(letterbox), NEW_PASSWORD) == SUCCESS
    return await do(api, "login", email=who.email, password=NEW_PASSWORD)


@pytest.mark.parametrize("way", [by_sign_in_link, by_reset])
async def test_link_opens_no_session_of_who_has_a_factor(
    api: Api,
    plain: Person,
    letterbox: Letterbox,
    way: Callable[[Api, Person, Letterbox], Awaitable[dict[str, Any]]],
) -> None:
    _, codes = await set_up_first(api, plain)
    answered = await way(api, plain, letterbox)
    assert faults(answered) == WAITS
    assert (answered["token"], answered["customer"]) == (None, None)
    done = await verify(api, answered["secondFactor"]["challenge"], codes[0])
    assert faults(done) == SUCCESS


async def test_invitation_opens_no_session_of_who_has_a_factor(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    nora = {"name": "Nora", "email": "nora@example.com"}
    invited = await do(api, "inviteCustomer", token=admin.token, input=nora)
    assert faults(invited) == SUCCESS
    invitation = await link(letterbox)
    # Another provider signs them in, which proves no address, so that the invitation stays open.
    nora_herself = await current(api.database, UUID(invited["customer"]["id"]))
    await set_up(api, (await sign_in(api.resources, nora_herself)).token)
    accepted = await by_link(api, "acceptInvitation", invitation, password=NEW_PASSWORD)
    assert (faults(accepted), accepted["token"]) == (WAITS, None)


async def test_reset_ends_challenges_and_clears_the_count_of_wrong_codes(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    app, codes = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    for _ in range(5):
        await verify(api, token, app.wrong())
    assert faults(await verify(api, token, codes[0])) == THROTTLED
    answered = await by_sign_in_link(api, plain, letterbox)
    waits = answered["secondFactor"]["challenge"]
    assert faults(await verify(api, waits, codes[0])) == THROTTLED
    answered = await by_reset(api, plain, letterbox)
    assert faults(await verify(api, waits, codes[0])) == [("TOKEN_INVALID", "challenge")]
    assert faults(await verify(api, answered["secondFactor"]["challenge"], codes[0])) == SUCCESS


async def test_letter_of_a_new_factor_undoes_it_and_ends_every_session(
    api: Api, plain: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    _, codes = await set_up_first(api, plain)
    undo = await letterbox.link()
    assert undo.startswith("gaf_")
    await begin(api, plain.token)
    set_clock(NOON + timedelta(days=7, seconds=-1))
    waits = await challenge(api, plain.email, PASSWORD)
    done = await by_link(api, "undoSecondFactor", undo)
    assert faults(done) == SUCCESS
    assert faults(await verify(api, waits, codes[0])) == [("TOKEN_INVALID", "challenge")]
    set_clock(NOON)
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"
    opened = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(opened) == SUCCESS
    mine = (await api.run(LEFT, token=opened["token"])).data["me"]
    assert mine == {"secondFactors": [], "recoveryCodesLeft": 0}
    assert faults(await by_link(api, "undoSecondFactor", undo)) == [("TOKEN_INVALID", "token")]


async def test_undoing_a_further_factor_leaves_what_was_there_before(
    api: Api, plain: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    _, codes = await set_up_first(api, plain)
    await letterbox.link()
    set_clock(NOON + timedelta(seconds=40))
    await set_up(api, plain.token)
    assert faults(await by_link(api, "undoSecondFactor", await letterbox.link())) == SUCCESS
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, codes[0])) == SUCCESS


async def test_recovery_codes_that_were_made_since_go_with_a_factor_that_is_undone(
    api: Api, plain: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    app, _ = await set_up_first(api, plain)
    await letterbox.link()
    set_clock(NOON + timedelta(seconds=40))
    await set_up(api, plain.token)
    link = await letterbox.link()
    renewed = await do(api, "renewRecoveryCodes", token=plain.token)
    assert faults(await by_link(api, "undoSecondFactor", link)) == SUCCESS
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, renewed["codes"][0])) == [("INVALID_CODE", "code")]
    set_clock(NOON + timedelta(minutes=2))
    assert faults(await verify(api, token, app.code())) == SUCCESS


async def test_link_undoes_a_factor_for_seven_days(
    api: Api, plain: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    await set_up_first(api, plain)
    undo = await letterbox.link()
    set_clock(NOON + timedelta(days=7))
    assert faults(await by_link(api, "undoSecondFactor", undo)) == [("TOKEN_EXPIRED", "token")]


async def test_letter_says_that_a_factor_was_removed(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox
) -> None:
    for who in (plain, admin):
        await set_up_first(api, plain)
        added = await letterbox.next()
        factors = (await api.run(LEFT, token=plain.token)).data["me"]["secondFactors"]
        gone = await do(api, "removeSecondFactor", token=who.token, id=factors[0]["id"])
        assert faults(gone) == SUCCESS
        removed = await letterbox.next()
        assert (added.recipient, removed.recipient) == (plain.email, plain.email)
        assert "removed" in removed.subject


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Api]:
    """Run the API where everybody must have a second factor, with mail."""
    async with running(settings.model_copy(update={"second_factor": "everyone"})) as api:
        yield api


async def test_held_session_sets_up_a_factor_by_way_of_a_link(
    strict: Api, letterbox: Letterbox
) -> None:
    ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
    for name, given in (("beginCodes", {}), ("confirmCodes", {"code": "123456"})):
        refused = (await send(strict, name, given, token=ada.token)).data[name]
        assert faults(refused) == [("EMAIL_NOT_VERIFIED", None)]
        token = await letterbox.link()
        assert token.startswith("gae_")
    opened = await by_link(strict, "signInByLink", token)
    assert faults(opened) == SUCCESS
    asked = "{ customers { nodes { id } } }"
    held = await strict.run(asked, token=opened["token"])
    assert held.reason("customers") == "SECOND_FACTOR_ENROLMENT_REQUIRED"
    app = await begin(strict, opened["token"])
    confirmed = await do(strict, "confirmCodes", token=opened["token"], code=app.code())
    assert faults(confirmed) == SUCCESS
    assert (await strict.run(asked, token=opened["token"])).errors == []
    methods = "{ me { sessions { isCurrent methods } } }"
    sessions = (await strict.run(methods, token=opened["token"])).data["me"]["sessions"]
    assert [s["methods"] for s in sessions if s["isCurrent"]] == [["email", "otp", "mfa"]]


async def test_letters_to_a_held_session_are_limited(
    settings: Settings, letterbox: Letterbox
) -> None:
    few = settings.model_copy(update={"second_factor": "everyone", "login_client_attempts": 2})
    async with running(few) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        told = [faults(await do(api, "beginCodes", token=ada.token)) for _ in range(3)]
    assert told == [[("EMAIL_NOT_VERIFIED", None)]] * 2 + [THROTTLED]
    assert letterbox.open


async def test_held_session_proves_again_who_it_is(strict: Api) -> None:
    ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
    assert faults(await do(strict, "reauthenticate", token=ada.token, password=PASSWORD)) == SUCCESS
    refused = await send(strict, "renewRecoveryCodes", {}, token=ada.token)
    assert refused.reason("renewRecoveryCodes") == "SECOND_FACTOR_ENROLMENT_REQUIRED"


async def test_held_session_needs_no_link_without_mail(
    usual_settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    strict = {"second_factor": "everyone", "database_url": database_url}
    async with running(usual_settings.model_copy(update=strict)) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        app = App((await do(api, "beginCodes", token=ada.token))["secret"])
        done = await do(api, "confirmCodes", token=ada.token, code=app.code())
        assert faults(done) == SUCCESS
        assert clock.now()
