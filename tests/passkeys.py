"""Passkeys of the tests: a browser that uses every flow of the API, with optional faults."""

from typing import Any, Final, Unpack

from tests.api import Api
from tests.authenticators import Overrides, SoftwareAuthenticator
from tests.people import PASSWORD, Person
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults

INVALID: Final[list[CodeAndField]] = [("INVALID_PASSKEY", None)]


async def options_of(api: Api, begin: str, token: str | None = None) -> dict[str, Any]:
    """Return the options of a mutation for the browser."""
    begun = await do(api, begin, token=token)
    assert faults(begun) == SUCCESS
    options: dict[str, Any] = begun["options"]
    return options


async def register(
    api: Api, token: str, browser: SoftwareAuthenticator, **wrong: Unpack[Overrides]
) -> dict[str, Any]:
    """Register a passkey in a session, and return the payload."""
    options = await options_of(api, "beginPasskey", token)
    made = browser.create(options, **wrong)
    return await do(api, "confirmPasskey", token=token, credential=made)


async def registered(api: Api, who: Person) -> SoftwareAuthenticator:
    """Return a browser with a registered passkey of a person."""
    browser = SoftwareAuthenticator()
    assert faults(await register(api, who.token, browser)) == SUCCESS
    return browser


async def sign_in_alone(
    api: Api, browser: SoftwareAuthenticator, **wrong: Unpack[Overrides]
) -> dict[str, Any]:
    """Sign in by a passkey alone, and return the payload."""
    found = browser.get(await options_of(api, "beginPasskeySignIn"), **wrong)
    return await do(api, "signInWithPasskey", credential=found)


async def waiting(api: Api, email: str) -> dict[str, Any]:
    """Sign in by the password, and return the second factor's challenge."""
    answered = await do(api, "login", email=email, password=PASSWORD)
    assert faults(answered) == [("SECOND_FACTOR_REQUIRED", None)]
    waits: dict[str, Any] = answered["secondFactor"]
    return waits


async def go_on(
    api: Api, browser: SoftwareAuthenticator, waits: dict[str, Any], **wrong: Unpack[Overrides]
) -> dict[str, Any]:
    """Answer a sign-in's challenge by a passkey, and return the payload."""
    found = browser.get(waits["passkeyOptions"], **wrong)
    return await do(api, "verifySecondFactor", challenge=waits["challenge"], passkey=found)


async def prove_again(
    api: Api, token: str, browser: SoftwareAuthenticator, **wrong: Unpack[Overrides]
) -> dict[str, Any]:
    """Reauthenticate by a passkey, and return the payload."""
    found = browser.get(await options_of(api, "beginPasskeySignIn"), **wrong)
    return await do(api, "reauthenticate", token=token, passkey=found)
