"""Whoever knows only the password keeps no owner out, and is told nothing by what it costs."""

from datetime import UTC, datetime
from typing import Final

import pytest

from gql_app.settings import Settings
from tests.api import Api, running
from tests.apps import App, challenge, set_up_first, verify
from tests.authenticators import SoftwareAuthenticator
from tests.conftest import SetClock
from tests.letterbox import Letterbox
from tests.passkeys import go_on, prove_again, registered, sign_in_alone, waiting
from tests.people import PASSWORD, Person, add_customer
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, token_reason
from tests.schema.test_required_verification import work

THIEF: Final = "198.51.100.66"
NOON: Final = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)
NEW_PASSWORD: Final = "another good one"
ENROL: Final = "Set up a second factor"
WRONG: Final[list[CodeAndField]] = [("INVALID_CREDENTIALS", None)]
WAITS: Final[list[CodeAndField]] = [("SECOND_FACTOR_REQUIRED", None)]
INVALID: Final[list[CodeAndField]] = [("INVALID_CODE", "code")]
THROTTLED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
SPENT: Final[list[CodeAndField]] = [("TOKEN_INVALID", "challenge")]
FEW: Final = 30
"""Sign-ins of an account in an hour."""


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Begin each test at the same moment."""
    set_clock(NOON)


@pytest.fixture
def settings(settings: Settings, letterbox: Letterbox) -> Settings:
    """Have letters, and few sign-ins of one account."""
    assert letterbox.open
    return settings.model_copy(update={"account_writes_per_hour": FEW})


async def steal(api: Api, who: Person, app: App) -> str:
    """Guess codes by the password, from elsewhere, until none is judged; return the challenge."""
    async with api.elsewhere(THIEF) as there:
        token = await challenge(there, who.email, PASSWORD)
        told = [faults(await verify(there, token, app.wrong())) for _ in range(6)]
    assert told == [INVALID] * 5 + [THROTTLED]
    return token


@pytest.fixture
async def owner(api: Api, plain: Person) -> tuple[App, list[str], SoftwareAuthenticator]:
    """Return what the owner of an account has: an app, recovery codes and a passkey."""
    app, codes = await set_up_first(api, plain)
    return app, codes, await registered(api, plain)


Owner = tuple[App, list[str], SoftwareAuthenticator]


async def test_wrong_codes_of_a_thief_keep_no_passkey_out(
    api: Api, plain: Person, owner: Owner
) -> None:
    app, codes, browser = owner
    await steal(api, plain, app)
    for code in (app.code(1), codes[0]):
        token = await challenge(api, plain.email, PASSWORD)
        assert faults(await verify(api, token, code)) == THROTTLED
    assert faults(await sign_in_alone(api, browser)) == SUCCESS
    waits = await waiting(api, plain.email)
    assert faults(await go_on(api, browser, waits)) == SUCCESS
    assert faults(await prove_again(api, plain.token, browser)) == SUCCESS


async def test_wrong_codes_of_a_thief_end_no_session(api: Api, plain: Person, owner: Owner) -> None:
    await steal(api, plain, owner[0])
    assert await token_reason(api, plain.token) is None
    renewed = await do(api, "refresh", refreshToken=plain.refresh_token)
    assert faults(await do(api, "renewRecoveryCodes", token=renewed["token"])) == SUCCESS


async def test_reset_ends_what_a_thief_began_and_lets_the_owners_code_in(
    api: Api, letterbox: Letterbox, plain: Person
) -> None:
    app, codes = await set_up_first(api, plain)
    await letterbox.next()
    stolen = await steal(api, plain, app)
    await do(api, "requestPasswordReset", email=plain.email)
    assert await reset(api, await letterbox.link(), NEW_PASSWORD) == SUCCESS
    async with api.elsewhere(THIEF) as there:
        for code in (app.wrong(), codes[1]):
            assert faults(await verify(there, stolen, code)) == SPENT
        assert faults(await do(there, "login", email=plain.email, password=PASSWORD)) == WRONG
    token = await challenge(api, plain.email, NEW_PASSWORD)
    assert faults(await verify(api, token, app.code(1))) == SUCCESS


async def test_reset_gives_the_letters_back_by_which_a_required_factor_is_set_up(
    settings: Settings, letterbox: Letterbox
) -> None:
    required = settings.model_copy(update={"second_factor": "everyone"})
    async with running(required) as api:
        email = (await add_customer(api.database, "Zoe")).email
        async with api.elsewhere(THIEF) as there:
            held = (await do(there, "login", email=email, password=PASSWORD))["token"]
            for _ in range(required.letters_per_day):
                await do(there, "beginCodes", token=held)
                await letterbox.to(email, ENROL)
        await do(api, "requestPasswordReset", email=email)
        resetting = await letterbox.link_to(email, "Reset your password")
        assert await reset(api, resetting, NEW_PASSWORD) == SUCCESS
        token = (await do(api, "login", email=email, password=NEW_PASSWORD))["token"]
        await do(api, "beginCodes", token=token)
        assert await letterbox.link_to(email, ENROL)


async def test_challenges_without_end_are_limited_by_client_and_use_up_no_sign_in_of_the_owner(
    api: Api, plain: Person, owner: Owner
) -> None:
    async with api.elsewhere(THIEF) as there:
        told = [
            faults(await do(there, "login", email=plain.email, password=PASSWORD))
            for _ in range(FEW + 1)
        ]
        assert told == [WAITS] * FEW + [THROTTLED]
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, owner[0].code(1))) == SUCCESS


@pytest.mark.usefixtures("owner")
async def test_wrong_password_costs_the_same_whether_or_not_there_is_a_second_factor(
    api: Api, plain: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = await add_customer(api.database, "Zoe")
    seen = []
    for email in (plain.email, without.email, "nobody@example.com"):
        with work(monkeypatch) as done:
            answer = await do(api, "login", email=email, password="wrong")
        assert faults(answer) == WRONG
        assert answer["secondFactor"] is None
        seen.append((answer, done))
    assert seen == [seen[0]] * 3
    assert [each for each in seen[0][1] if each in {"hash", "verify"}] == ["verify"]
    assert len(seen[0][1]) > 3


@pytest.mark.usefixtures("owner")
async def test_right_password_is_hashed_once_whether_or_not_there_is_a_second_factor(
    api: Api, plain: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = await add_customer(api.database, "Zoe")
    for email, told in ((plain.email, WAITS), (without.email, SUCCESS)):
        with work(monkeypatch) as done:
            assert faults(await do(api, "login", email=email, password=PASSWORD)) == told
        assert [each for each in done if each in {"hash", "verify"}] == ["verify"]
