"""Passkeys that are refused: of other pages, other challenges and other people, or copied."""

import json
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.tables import AuditRow, CustomerRow, SessionRow
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.authenticators import Overrides, SoftwareAuthenticator
from tests.conftest import SetClock
from tests.passkeys import (
    INVALID,
    go_on,
    options_of,
    prove_again,
    register,
    registered,
    sign_in_alone,
    waiting,
)
from tests.people import Person, add_customer, sign_in
from tests.rows import change, column
from tests.schema.mutations import SUCCESS, do, faults
from tests.throttles import fill

WRONG: Final[list[Overrides]] = [
    {"origin": "https://localhost"},
    {"origin": "http://localhost:8001"},
    {"origin": "http://evil.example"},
    {"rp_id": "evil.example"},
    {"cross_origin": True},
    {"cross_origin": False, "top_origin": "http://localhost:8000"},
    {"user_present": False},
    {"challenge": b"one of nobody's, and of no purpose at all, as long as ours are"},
    {"type": "webauthn.other"},
]


async def counted(api: Api, table: type[SecondFactorRow | SessionRow]) -> int:
    """Count the rows of a table."""
    (count,) = await api.database.fetch_one(select(func.count()).select_from(table))
    return int(count)


async def recorded(api: Api) -> list[tuple[str, bool]]:
    """Return what is recorded last, guesses at once, and whether it is of a customer."""
    await api.resources.guesses.record(api.database, last=True)
    latest = select(AuditRow.action, AuditRow.customer_id).order_by(AuditRow.id.desc()).limit(1)
    return [
        (row.action, row.customer_id is not None) for row in await api.database.fetch_all(latest)
    ]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_what_another_page_or_device_would_say_sets_nothing_up(
    api: Api, plain: Person, wrong: Overrides
) -> None:
    done = await register(api, plain.token, SoftwareAuthenticator(), **wrong)
    assert (faults(done), done["secondFactor"], done["codes"]) == (INVALID, None, None)
    assert await counted(api, SecondFactorRow) == 0


@pytest.mark.parametrize(
    "wrong", [*WRONG, {"user_verified": False}, {"user_handle": None}], ids=str
)
async def test_what_another_page_or_device_would_say_does_not_sign_in(
    api: Api, plain: Person, wrong: Overrides
) -> None:
    browser = await registered(api, plain)
    before = await counted(api, SessionRow)
    done = await sign_in_alone(api, browser, **wrong)
    assert (faults(done), done["token"], done["secondFactor"]) == (INVALID, None, None)
    assert await counted(api, SessionRow) == before
    assert faults(await sign_in_alone(api, browser)) == SUCCESS


@pytest.mark.parametrize("wrong", [*WRONG, {"user_handle": b"somebody else"}], ids=str)
async def test_what_another_page_or_device_would_say_is_no_second_factor(
    api: Api, plain: Person, wrong: Overrides
) -> None:
    browser = await registered(api, plain)
    waits = await waiting(api, plain.email)
    done = await go_on(api, browser, waits, **wrong)
    assert (faults(done), done["token"]) == (INVALID, None)
    assert await recorded(api) == [("session:second_factor_failed", True)]
    assert faults(await go_on(api, browser, waits)) == SUCCESS


@pytest.mark.parametrize("wrong", [*WRONG, {"user_handle": b"somebody else"}], ids=str)
async def test_what_another_page_or_device_would_say_proves_nobody_again(
    api: Api, plain: Person, wrong: Overrides
) -> None:
    browser = await registered(api, plain)
    assert faults(await prove_again(api, plain.token, browser, **wrong)) == INVALID
    assert await recorded(api) == [("session:second_factor_failed", True)]


async def test_answers_are_alike_for_known_and_unknown_passkeys(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    unknown = SoftwareAuthenticator()
    options = await options_of(api, "beginPasskey", plain.token)
    unknown.create(options)
    forged = browser.get(await options_of(api, "beginPasskeySignIn"))
    forged["response"]["signature"] = "AAAA"
    told = [
        await sign_in_alone(api, unknown),
        await sign_in_alone(api, browser, user_verified=False),
        await do(api, "signInWithPasskey", credential=forged),
        await do(api, "signInWithPasskey", credential={}),
    ]
    assert {json.dumps(each) for each in told} == {json.dumps(told[0])}
    assert faults(told[0]) == INVALID


@pytest.mark.parametrize("credential", [None, 1, "text", [], {}, {"id": "A"}, {"response": []}])
async def test_what_is_no_credential_is_refused(
    api: Api, plain: Person, credential: object
) -> None:
    await registered(api, plain)
    waits = await waiting(api, plain.email)
    given: dict[str, Any] = {"credential": credential}
    if credential is not None:
        assert faults(await do(api, "signInWithPasskey", **given)) == INVALID
        assert faults(await do(api, "confirmPasskey", token=plain.token, **given)) == INVALID
    expected = [("REQUIRED", "code")] if credential is None else INVALID
    with_it: dict[str, Any] = {"challenge": waits["challenge"], "passkey": credential}
    assert faults(await do(api, "verifySecondFactor", **with_it)) == expected


async def test_credential_that_is_far_too_long_is_refused(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    found = browser.get(await options_of(api, "beginPasskeySignIn"))
    long = {**found, "clientExtensionResults": {"x": "y" * 16_384}}
    assert faults(await do(api, "signInWithPasskey", credential=long)) == INVALID
    assert faults(await do(api, "signInWithPasskey", credential=found)) == SUCCESS


async def test_challenge_is_good_once(api: Api, plain: Person) -> None:
    browser, other = SoftwareAuthenticator(counts=False), SoftwareAuthenticator()
    options = await options_of(api, "beginPasskey", plain.token)
    made = [each.create(options) for each in (browser, other)]
    asked: dict[str, Any] = {"token": plain.token}
    assert faults(await do(api, "confirmPasskey", **asked, credential=made[0])) == SUCCESS
    assert faults(await do(api, "confirmPasskey", **asked, credential=made[0])) == INVALID
    assert faults(await do(api, "confirmPasskey", **asked, credential=made[1])) == INVALID
    found = browser.get(await options_of(api, "beginPasskeySignIn"))
    assert faults(await do(api, "signInWithPasskey", credential=found)) == SUCCESS
    assert faults(await do(api, "signInWithPasskey", credential=found)) == INVALID
    assert faults(await do(api, "reauthenticate", **asked, passkey=found)) == INVALID


async def test_challenge_of_another_purpose_is_refused(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    waits = await waiting(api, plain.email)
    others = {**waits, "challenge": (await waiting(api, plain.email))["challenge"]}
    assert faults(await go_on(api, browser, others)) == INVALID
    anybodys = await options_of(api, "beginPasskeySignIn")
    wrong = {**waits, "passkeyOptions": anybodys}
    assert faults(await go_on(api, browser, wrong)) == INVALID
    found = browser.get(waits["passkeyOptions"])
    assert faults(await do(api, "signInWithPasskey", credential=found)) == INVALID
    assert faults(await do(api, "reauthenticate", token=plain.token, passkey=found)) == INVALID
    for begun in (anybodys, waits["passkeyOptions"]):
        options = await options_of(api, "beginPasskey", plain.token)
        made = SoftwareAuthenticator().create({**options, "challenge": begun["challenge"]})
        done = await do(api, "confirmPasskey", token=plain.token, credential=made)
        assert faults(done) == INVALID


async def test_passkey_is_set_up_by_the_session_that_began(
    api: Api, plain: Person, other: Person
) -> None:
    made = SoftwareAuthenticator().create(await options_of(api, "beginPasskey", plain.token))
    elsewhere = await do(api, "login", email=plain.email, password="a password for tests")
    for token in (other.token, elsewhere["token"]):
        assert faults(await do(api, "confirmPasskey", token=token, credential=made)) == INVALID
    assert faults(await do(api, "confirmPasskey", token=plain.token, credential=made)) == SUCCESS


async def test_challenge_ends_after_five_minutes(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    browser = await registered(api, plain)
    options = await options_of(api, "beginPasskey", plain.token)
    found = browser.get(await options_of(api, "beginPasskeySignIn"))
    waits = await waiting(api, plain.email)
    set_clock(start + timedelta(minutes=5))
    assert faults(await do(api, "signInWithPasskey", credential=found)) == INVALID
    assert faults(await go_on(api, browser, waits)) == [("TOKEN_EXPIRED", "challenge")]
    made = SoftwareAuthenticator().create(options)
    assert faults(await do(api, "confirmPasskey", token=plain.token, credential=made)) == INVALID


async def test_passkey_of_somebody_else_is_no_proof(api: Api, plain: Person, other: Person) -> None:
    browser, others = await registered(api, plain), await registered(api, other)
    waits = await waiting(api, plain.email)
    options = {**waits["passkeyOptions"], "allowCredentials": []}
    done = await go_on(api, others, {**waits, "passkeyOptions": options}, user_handle=None)
    assert faults(done) == INVALID
    assert faults(await prove_again(api, plain.token, others)) == INVALID
    claimed = await sign_in_alone(api, others, user_handle=browser.passkeys[0].user_handle)
    assert faults(claimed) == INVALID


async def test_id_of_a_passkey_is_taken_once_by_anybody(
    api: Api, plain: Person, other: Person
) -> None:
    browser = await registered(api, plain)
    taken = browser.passkeys[0].id
    for token in (other.token, plain.token):
        done = await register(api, token, SoftwareAuthenticator(), credential_id=taken)
        assert faults(done) == INVALID
    assert await counted(api, SecondFactorRow) == 1
    assert faults(await sign_in_alone(api, browser)) == SUCCESS


@pytest.mark.parametrize("counter", [1, 0])
async def test_counter_that_went_back_is_refused_and_recorded(
    api: Api, plain: Person, counter: int
) -> None:
    browser = await registered(api, plain)
    assert faults(await sign_in_alone(api, browser)) == SUCCESS
    before = await counted(api, SessionRow)
    found = browser.get(await options_of(api, "beginPasskeySignIn"), counter=counter)
    copied = await do(api, "signInWithPasskey", credential=found)
    assert (faults(copied), copied["token"]) == (INVALID, None)
    assert copied["message"] == "This passkey was refused, because it may have been copied."
    assert await column(api.database, select(SecondFactorRow.sign_count)) == [1]
    assert await counted(api, SessionRow) == before
    again = await do(api, "signInWithPasskey", credential=found)
    assert again["message"] == "This passkey can't be verified. Try again."
    waits = await waiting(api, plain.email)
    for told in ("This passkey was refused, because it may have been copied.", again["message"]):
        assert (await go_on(api, browser, waits, counter=counter))["message"] == told
    assert faults(await prove_again(api, plain.token, browser, counter=counter)) == INVALID
    whose = await column(
        api.database, select(AuditRow.customer_id).where(AuditRow.action == "factor:counter")
    )
    assert whose == [plain.id] * 3
    assert faults(await go_on(api, browser, await waiting(api, plain.email))) == SUCCESS


async def test_closed_account_is_refused_like_an_unknown_passkey(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    async with api.database.transaction() as db:
        await change(db, CustomerRow, plain.id, is_active=False)
    assert faults(await sign_in_alone(api, browser)) == INVALID


async def test_refused_passkeys_are_limited_by_client_and_recorded(api: Api, plain: Person) -> None:
    browser, throttle = await registered(api, plain), api.resources.throttle
    await fill(api.database, *throttle.of_client("passkey", "192.0.2.1"), but=1)
    assert faults(await sign_in_alone(api, browser, user_verified=False)) == INVALID
    assert await recorded(api) == [("session:login_failed", False)]
    limited = await sign_in_alone(api, browser)
    assert faults(limited) == [("TOO_MANY_ATTEMPTS", None)]
    assert await recorded(api) == [("session:second_factor_throttled", False)]
    assert faults(await prove_again(api, plain.token, browser)) == [("TOO_MANY_ATTEMPTS", None)]
    async with api.elsewhere("198.51.100.7") as elsewhere:
        assert faults(await sign_in_alone(elsewhere, browser)) == SUCCESS


async def test_what_answers_no_challenge_of_ours_costs_a_stranger_nothing(
    api: Api, plain: Person, statements: set[str]
) -> None:
    browser = await registered(api, plain)
    options = await options_of(api, "beginPasskeySignIn")
    statements.clear()
    wrong = browser.get(options, challenge=b"another that nobody here has made")
    assert faults(await do(api, "signInWithPasskey", credential=wrong)) == INVALID
    assert statements == set()


async def test_passkeys_are_judged_while_passwords_and_codes_are_throttled(
    api: Api, plain: Person
) -> None:
    browser, throttle = await registered(api, plain), api.resources.throttle
    waits = await waiting(api, plain.email)
    await fill(
        api.database,
        *throttle.of_password("sign-in", plain.email, "192.0.2.1").all,
        throttle.of_account("code", plain.id),
    )
    code = await do(api, "verifySecondFactor", challenge=waits["challenge"], code="123456")
    assert faults(code) == [("TOO_MANY_ATTEMPTS", None)]
    assert faults(await go_on(api, browser, waits)) == SUCCESS
    assert faults(await sign_in_alone(api, browser)) == SUCCESS


async def test_sign_ins_of_one_account_are_limited(settings: Settings) -> None:
    browser = SoftwareAuthenticator()
    async with running(settings.model_copy(update={"account_writes_per_hour": 2})) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        assert faults(await register(api, ada.token, browser)) == SUCCESS
        assert faults(await sign_in_alone(api, browser)) == SUCCESS
        assert faults(await sign_in_alone(api, browser)) == [("TOO_MANY_ATTEMPTS", None)]
