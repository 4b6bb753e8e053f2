"""Passkeys: set up, signed in by alone and as second factor, and proven again by."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gql_app.db.factor_tables import PasskeyUserRow, SecondFactorRow, UsedChallengeRow
from gql_app.factors.passkeys import purge
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.authenticators import AlreadyRegistered, SoftwareAuthenticator
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
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.rows import column
from tests.schema.mutations import SUCCESS, do, faults, token_reason

METHODS = "{ me { sessions { isCurrent authenticatedAt methods } recoveryCodesLeft } }"
ACTIONS = "{ auditEvents { nodes { action customer { id } } } }"
NOT_ENABLED = [("NOT_ENABLED", None)]


async def methods_of(api: Api, token: str) -> list[str]:
    """Return how a session was proven."""
    sessions = (await api.run(METHODS, token=token)).data["me"]["sessions"]
    [current] = [each for each in sessions if each["isCurrent"]]
    methods: list[str] = current["methods"]
    return methods


async def test_passkey_is_set_up_with_recovery_codes_and_makes_the_session_strong(
    api: Api, plain: Person
) -> None:
    browser = SoftwareAuthenticator()
    options = await options_of(api, "beginPasskey", plain.token)
    credential = browser.create(options)
    done = await do(
        api, "confirmPasskey", token=plain.token, credential=credential, name=" My phone "
    )
    assert faults(done) == SUCCESS
    factor = done["secondFactor"]
    assert (factor["method"], factor["name"]) == ("PASSKEY", "My phone")
    assert factor["createdAt"] == factor["lastUsedAt"]
    assert len(set(done["codes"])) == 10
    assert await methods_of(api, plain.token) == ["pwd", "pop", "user", "mfa"]
    second = await register(api, plain.token, SoftwareAuthenticator(user_verified=False))
    assert (faults(second), second["codes"], second["secondFactor"]["name"]) == (
        SUCCESS,
        None,
        None,
    )


async def test_passkey_of_an_absent_minded_device_makes_the_session_strong_all_the_same(
    api: Api, plain: Person
) -> None:
    await register(api, plain.token, SoftwareAuthenticator(user_verified=False))
    assert await methods_of(api, plain.token) == ["pwd", "pop", "mfa"]


async def test_options_call_a_customer_by_a_random_id_and_leave_out_what_is_there(
    api: Api, plain: Person, other: Person
) -> None:
    browser = await registered(api, plain)
    options = await options_of(api, "beginPasskey", plain.token)
    again = await options_of(api, "beginPasskey", plain.token)
    others = await options_of(api, "beginPasskey", other.token)
    assert options["user"] == again["user"]
    assert options["challenge"] != again["challenge"]
    assert len(options["user"]["id"]) == 86
    assert len({options["user"]["id"], others["user"]["id"]}) == 2
    assert (options["user"]["name"], options["user"]["displayName"]) == (plain.email, plain.name)
    assert options["rp"] == {"id": "localhost", "name": "gql_app"}
    assert options["attestation"] == "none"
    assert [each["transports"] for each in options["excludeCredentials"]] == [
        ["internal", "hybrid"]
    ]
    with pytest.raises(AlreadyRegistered):
        browser.create(options)


async def test_passkey_alone_signs_in_without_a_second_factor(
    api: Api, plain: Person, other: Person
) -> None:
    await registered(api, other)
    browser = await registered(api, plain)
    done = await sign_in_alone(api, browser)
    assert (faults(done), done["customer"]["email"]) == (SUCCESS, plain.email)
    assert done["secondFactor"] is None
    assert await methods_of(api, done["token"]) == ["pop", "user"]
    assert faults(await sign_in_alone(api, browser)) == SUCCESS


async def test_passkey_is_a_second_factor_after_the_password(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    waits = await waiting(api, plain.email)
    assert waits["methods"] == ["RECOVERY_CODE", "PASSKEY"]
    assert waits["passkeyOptions"]["userVerification"] == "preferred"
    assert len(waits["passkeyOptions"]["allowCredentials"]) == 1
    done = await go_on(api, browser, waits, user_verified=False, user_handle=None)
    assert (faults(done), done["customer"]["email"]) == (SUCCESS, plain.email)
    assert await methods_of(api, done["token"]) == ["pwd", "pop", "mfa"]
    spent = await go_on(api, browser, waits)
    assert faults(spent) == [("TOKEN_INVALID", "challenge")]
    done = await go_on(api, browser, await waiting(api, plain.email))
    assert await methods_of(api, done["token"]) == ["pwd", "pop", "user", "mfa"]


async def test_passkey_proves_again_who_is_signed_in(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    browser = await registered(api, plain)
    begun = await sign_in_alone(api, browser)
    later = clock.now() + timedelta(minutes=11)
    set_clock(later)
    wanted = await api.run("mutation { beginPasskey { status } }", token=begun["token"])
    assert wanted.reason("beginPasskey") == "REAUTHENTICATION_REQUIRED"
    asked = wanted.error("beginPasskey")["extensions"]["methods"]
    assert asked == ["RECOVERY_CODE", "PASSKEY"]
    done = await prove_again(api, begun["token"], browser, user_verified=False)
    assert faults(done) == SUCCESS
    assert faults(await do(api, "beginPasskey", token=begun["token"])) == SUCCESS
    assert await methods_of(api, begun["token"]) == ["pop", "user"]
    assert await token_reason(api, plain.token) is None
    stale = await api.run("mutation { beginPasskey { status } }", token=plain.token)
    assert stale.reason("beginPasskey") == "REAUTHENTICATION_REQUIRED"


async def test_use_stores_the_counter_and_the_moment(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    browser = await registered(api, plain)
    later = clock.now().replace(microsecond=0) + timedelta(minutes=2)
    set_clock(later)
    assert faults(await sign_in_alone(api, browser)) == SUCCESS
    [row] = await api.database.fetch_all(
        select(SecondFactorRow.sign_count, SecondFactorRow.last_used_at)
    )
    assert (row.sign_count, row.last_used_at) == (1, later)


async def test_passkey_that_does_not_count_is_good_again_and_again(api: Api, plain: Person) -> None:
    browser = SoftwareAuthenticator(counts=False)
    await register(api, plain.token, browser)
    assert [faults(await sign_in_alone(api, browser)) for _ in range(3)] == [SUCCESS] * 3


async def test_passkey_is_removed_and_good_no_more(api: Api, plain: Person) -> None:
    browser = SoftwareAuthenticator()
    added = (await register(api, plain.token, browser))["secondFactor"]["id"]
    handle = await column(api.database, select(PasskeyUserRow.handle))
    assert faults(await do(api, "removeSecondFactor", token=plain.token, id=added)) == SUCCESS
    assert faults(await sign_in_alone(api, browser)) == INVALID
    assert (await do(api, "login", email=plain.email, password=PASSWORD))["token"]
    await register(api, plain.token, browser)
    assert await column(api.database, select(PasskeyUserRow.handle)) == handle


async def test_ten_factors_are_the_most(api: Api, plain: Person) -> None:
    browsers = [SoftwareAuthenticator() for _ in range(10)]
    options = await options_of(api, "beginPasskey", plain.token)
    made = SoftwareAuthenticator().create(options)
    for browser in browsers:
        assert faults(await register(api, plain.token, browser)) == SUCCESS
    full = await do(api, "beginPasskey", token=plain.token)
    assert (faults(full), full["options"]) == ([("INVALID", None)], None)
    late = await do(api, "confirmPasskey", token=plain.token, credential=made)
    assert faults(late) == [("INVALID", None)]


@pytest.mark.parametrize(
    ("name", "code"), [("", "REQUIRED"), ("a" * 101, "TOO_LONG"), ("a\u0000", "INVALID")]
)
async def test_name_is_a_visible_line(api: Api, plain: Person, name: str, code: str) -> None:
    made = SoftwareAuthenticator().create(await options_of(api, "beginPasskey", plain.token))
    done = await do(api, "confirmPasskey", token=plain.token, credential=made, name=name)
    assert faults(done) == [(code, "name")]
    done = await do(api, "confirmPasskey", token=plain.token, credential=made, name=None)
    assert faults(done) == SUCCESS


async def test_asking_for_a_sign_in_writes_and_reads_nothing(
    api: Api, statements: set[str]
) -> None:
    statements.clear()
    challenges = {(await options_of(api, "beginPasskeySignIn"))["challenge"] for _ in range(3)}
    assert len(challenges) == 3
    assert statements == set()


async def test_used_challenges_alone_are_kept_and_until_they_expire(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now().replace(microsecond=0)
    set_clock(start)
    browser = await registered(api, plain)
    await options_of(api, "beginPasskey", plain.token)
    await sign_in_alone(api, browser)
    await waiting(api, plain.email)
    kept = await column(api.database, select(UsedChallengeRow.expires_at))
    assert kept == [start + timedelta(minutes=5)] * 2
    for minutes, gone in ((5, 0), (6, 2), (7, 0)):
        set_clock(start + timedelta(minutes=minutes))
        assert await api.database.transact(purge, batch=10) == gone


async def test_who_must_prove_the_address_first_is_told_so(
    settings: Settings,
) -> None:
    browser = SoftwareAuthenticator()
    async with running(settings) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        await register(api, ada.token, browser)
    async with running(settings.model_copy(update={"email_verification": "require"})) as api:
        assert faults(await sign_in_alone(api, browser)) == [("EMAIL_NOT_VERIFIED", None)]


async def test_without_a_page_there_are_no_passkeys(settings: Settings) -> None:
    browser = SoftwareAuthenticator()
    async with running(settings) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        await register(api, ada.token, browser)
        options = await options_of(api, "beginPasskeySignIn")
    off = settings.model_copy(update={"passkey_rp_id": None, "passkey_origins": ()})
    async with running(off) as api:
        found: dict[str, Any] = browser.get(options)
        assert faults(await do(api, "beginPasskeySignIn")) == NOT_ENABLED
        assert faults(await do(api, "signInWithPasskey", credential=found)) == NOT_ENABLED
        assert faults(await do(api, "beginPasskey", token=ada.token)) == NOT_ENABLED
        made: dict[str, Any] = {"token": ada.token, "credential": {}}
        assert faults(await do(api, "confirmPasskey", **made)) == NOT_ENABLED
        again = await do(api, "reauthenticate", token=ada.token, passkey=found)
        assert faults(again) == NOT_ENABLED
        waits = await waiting(api, ada.email)
        assert (waits["methods"], waits["passkeyOptions"]) == (["RECOVERY_CODE"], None)
        given: dict[str, Any] = {"challenge": waits["challenge"], "passkey": found}
        assert faults(await do(api, "verifySecondFactor", **given)) == NOT_ENABLED
