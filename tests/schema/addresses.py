"""Helpers of the tests of addresses: letters, links, and the state of an address."""

import asyncio
from typing import Any, Final

from sqlalchemy import select

from gql_app.db.tables import FormerEmailRow
from gql_app.lib.database import Database
from gql_app.mail import email_verification
from tests.accounts.outbox import waiting
from tests.api import Api
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person
from tests.rows import column
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send

VERIFY: Final = "Confirm your e-mail address"
RESET: Final = "Reset your password"
REQUESTED: Final = "Your e-mail address is to be changed"
CHANGED: Final = "Your e-mail address was changed"
IN_USE: Final = "You have an account already"
NEW_PASSWORD: Final = "another good one"
SPENT: Final[list[CodeAndField]] = [("TOKEN_INVALID", "token")]
OLD: Final[list[CodeAndField]] = [("TOKEN_EXPIRED", "token")]
TAKEN: Final[list[CodeAndField]] = [("TAKEN", "email")]
WRONG: Final[list[CodeAndField]] = [("INVALID_CREDENTIALS", None)]


async def use(api: Api, mutation: str, link: str) -> list[CodeAndField]:
    """Use a link by a mutation that only takes its token, and return the faults."""
    return faults((await send(api, mutation, {"token": link})).data[mutation])


async def ask(api: Api, who: Person, email: str) -> dict[str, Any]:
    """Request another address for a person."""
    given = {"email": email, "currentPassword": PASSWORD}
    return await do(api, "updateMe", token=who.token, input=given)


async def move(api: Api, letterbox: Letterbox, who: Person, email: str) -> None:
    """Request another address for a person, and prove it."""
    assert faults(await ask(api, who, email)) == SUCCESS
    assert await use(api, "verifyEmail", await letterbox.link_to(email, VERIFY)) == SUCCESS


async def register(api: Api, email: str) -> dict[str, Any]:
    """Register with an address, and return the payload."""
    given = {"name": "Eve New", "email": email, "password": NEW_PASSWORD}
    return await do(api, "register", input=given)


async def sign_in(api: Api, email: str, password: str = PASSWORD) -> list[CodeAndField]:
    """Sign in, and return the faults."""
    return faults(await do(api, "login", email=email, password=password))


async def link_for(api: Api, letterbox: Letterbox, who: Person) -> str:
    """Request a link that proves a person's address, and return its token."""
    assert faults(await do(api, "requestEmailVerification", token=who.token)) == SUCCESS
    return await letterbox.link_to(who.email, VERIFY)


async def me(api: Api, token: str) -> dict[str, Any]:
    """Return the caller's addresses as the API shows them."""
    answer = await api.run("{ me { email pendingEmail emailVerifiedAt } }", token=token)
    found: dict[str, Any] = answer.data["me"]
    return found


async def prove(database: Database, *people: Person) -> None:
    """Mark the addresses of people as proven, as an operator can."""
    async with database.transaction() as db:
        for person in people:
            assert await email_verification.prove_by_hand(db, person.email)


async def held(database: Database) -> list[str]:
    """Return the former addresses that are held, or were."""
    return sorted(await column(database, select(FormerEmailRow.email)))


async def until_all_letters_left(api: Api) -> None:
    """Wait until the outbox is empty, 30 seconds at most."""
    async with asyncio.timeout(30):
        while await waiting(api.database):  # noqa: ASYNC110 — a chore sends no event
            await asyncio.sleep(0.02)
