"""Passkeys that are used twice at once: by two requests with one answer, one of them wins."""

import asyncio
from typing import Any

from sqlalchemy import select

from gql_app.db.factor_tables import PasskeyUserRow, RecoveryCodeRow, SecondFactorRow
from tests.api import Api
from tests.authenticators import SoftwareAuthenticator
from tests.passkeys import INVALID, options_of, registered, waiting
from tests.people import Person
from tests.rows import column
from tests.schema.mutations import SUCCESS, do, faults

AT_ONCE = 4


async def at_once(api: Api, name: str, **given: Any) -> list[Any]:  # noqa: ANN401 — as sent
    """Send the same mutation several times at once; return the faults of each, sorted."""
    sent = [do(api, name, **given) for _ in range(AT_ONCE)]
    return sorted([faults(each) for each in await asyncio.gather(*sent)])


async def test_one_answer_signs_in_once(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    found = browser.get(await options_of(api, "beginPasskeySignIn"))
    told = await at_once(api, "signInWithPasskey", credential=found)
    assert told == [SUCCESS, *[INVALID] * (AT_ONCE - 1)]


async def test_one_answer_of_a_passkey_that_does_not_count_signs_in_once(
    api: Api, plain: Person
) -> None:
    browser = await registered(api, plain)
    browser.counts = False
    found = browser.get(await options_of(api, "beginPasskeySignIn"))
    told = await at_once(api, "signInWithPasskey", credential=found)
    assert told == [SUCCESS, *[INVALID] * (AT_ONCE - 1)]


async def test_copies_of_a_passkey_that_count_alike_sign_in_once(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    asked = [await options_of(api, "beginPasskeySignIn") for _ in range(AT_ONCE)]
    sent = [do(api, "signInWithPasskey", credential=browser.get(each, counter=5)) for each in asked]
    done = await asyncio.gather(*sent)
    assert sorted(map(faults, done)) == [SUCCESS, *[INVALID] * (AT_ONCE - 1)]
    copied = "This passkey was refused, because it may have been copied."
    assert [each["message"] for each in done].count(copied) == AT_ONCE - 1


async def test_one_answer_is_a_second_factor_once(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    waits = await waiting(api, plain.email)
    found = browser.get(waits["passkeyOptions"])
    given: dict[str, Any] = {"challenge": waits["challenge"], "passkey": found}
    told = await at_once(api, "verifySecondFactor", **given)
    assert told == [SUCCESS, *[[("TOKEN_INVALID", "challenge")]] * (AT_ONCE - 1)]


async def test_one_answer_proves_again_once(api: Api, plain: Person) -> None:
    browser = await registered(api, plain)
    found = browser.get(await options_of(api, "beginPasskeySignIn"))
    told = await at_once(api, "reauthenticate", token=plain.token, passkey=found)
    assert told == [SUCCESS, *[INVALID] * (AT_ONCE - 1)]


async def test_one_answer_sets_one_passkey_up(api: Api, plain: Person) -> None:
    made = SoftwareAuthenticator().create(await options_of(api, "beginPasskey", plain.token))
    told = await at_once(api, "confirmPasskey", token=plain.token, credential=made)
    assert told == [SUCCESS, *[INVALID] * (AT_ONCE - 1)]
    assert len(await column(api.database, select(SecondFactorRow.id))) == 1
    assert len(await column(api.database, select(RecoveryCodeRow.digest))) == 10


async def test_who_begins_twice_at_once_has_one_id(api: Api, plain: Person) -> None:
    begun = [options_of(api, "beginPasskey", plain.token) for _ in range(AT_ONCE)]
    ids = {options["user"]["id"] for options in await asyncio.gather(*begun)}
    assert ids == {*await column(api.database, select(PasskeyUserRow.handle))}
    assert len(ids) == 1
