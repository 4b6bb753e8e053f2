"""What ends with an account's sessions: sign-ins that wait, and factors that a thief set up."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import select

from gql_app.cli.accounts import end_every_session
from gql_app.db.factor_tables import CodeEnrolmentRow, RecoveryCodeRow, SecondFactorRow
from gql_app.lib.database import Database
from tests.api import Api
from tests.apps import begin, challenge, set_up_first, verify
from tests.letterbox import Letterbox
from tests.passkeys import INVALID, registered, sign_in_alone
from tests.people import PASSWORD, Person, current
from tests.rows import column
from tests.schema.addresses import (
    CHANGED,
    RESET,
    VERIFY,
    move,
    prove,
    register,
    sign_in,
    use,
)
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, send

pytestmark = pytest.mark.usefixtures("letterbox")

ADDED: Final = "A second factor was added"
SPENT: Final[list[CodeAndField]] = [("TOKEN_INVALID", "challenge")]
B: Final = "ada@example.org"
EVE: Final = "eve@example.com"
OWN: Final = "the owner's very own"


@pytest.fixture
def verification() -> str:
    """Ask for proof of addresses."""
    return "ask"


async def methods(database: Database) -> list[str]:
    """Return the methods of all factors, the oldest first."""
    return await column(database, select(SecondFactorRow.method).order_by(SecondFactorRow.id))


async def squatter(api: Api, plain: Person) -> Person:
    """Register with another person's address."""
    done = await register(api, EVE)
    return replace(plain, email=EVE, token=done["token"])


async def test_undoing_a_change_of_address_removes_the_factors_that_came_since(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    await prove(api.database, plain)
    _, codes = await set_up_first(api, plain)
    await move(api, letterbox, plain, B)
    undoing = await letterbox.link_to(plain.email, CHANGED)
    theirs = await registered(api, plain)
    await begin(api, plain.token)
    assert await use(api, "undoEmailChange", undoing) == SUCCESS
    assert faults(await sign_in_alone(api, theirs)) == INVALID
    assert await methods(api.database) == ["CODE"]
    assert await column(api.database, select(CodeEnrolmentRow.secret)) == []
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, codes[0])) == SUCCESS


async def test_account_that_is_declined_opens_by_no_factor(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    eve = await squatter(api, plain)
    link = await letterbox.link_to(EVE, VERIFY)
    theirs = await registered(api, eve)
    assert await use(api, "declineEmail", link) == SUCCESS
    assert faults(await sign_in_alone(api, theirs)) == INVALID
    assert await methods(api.database) == []
    assert await column(api.database, select(RecoveryCodeRow.digest)) == []


async def test_owner_who_takes_an_account_over_removes_its_factor_by_its_letter(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    theirs = await registered(api, await squatter(api, plain))
    await do(api, "requestPasswordReset", email=EVE)
    assert await reset(api, await letterbox.link_to(EVE, RESET), OWN) == SUCCESS
    assert await sign_in(api, EVE, OWN) == [("SECOND_FACTOR_REQUIRED", None)]
    undoing = await letterbox.link_to(EVE, ADDED)
    assert await use(api, "undoSecondFactor", undoing) == SUCCESS
    assert faults(await sign_in_alone(api, theirs)) == INVALID
    assert await sign_in(api, EVE, OWN) == SUCCESS


async def test_link_in_a_mailbox_that_nothing_proved_undoes_no_factor_once_it_is_left(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    await set_up_first(api, plain)
    undoing = await letterbox.link_to(plain.email, ADDED)
    await move(api, letterbox, plain, B)
    assert await use(api, "undoSecondFactor", undoing) == [("TOKEN_INVALID", "token")]
    assert await methods(api.database) == ["CODE"]


async def end_all(api: Api, me: Person, _: Person) -> None:
    """End all sessions, one's own among them."""
    assert faults(await do(api, "endAllSessions", token=me.token)) == SUCCESS


async def end_others(api: Api, me: Person, _: Person) -> None:
    """End all sessions but one's own."""
    assert faults(await do(api, "endOtherSessions", token=me.token)) == SUCCESS


async def end_by_admin(api: Api, me: Person, admin: Person) -> None:
    """End all sessions of another."""
    given = {"customerId": str(me.id)}
    answer = await send(api, "endAllSessions", given, token=admin.token)
    assert faults(answer.data["endAllSessions"]) == SUCCESS


async def end_every(api: Api, _: Person, __: Person) -> None:
    """End all sessions of all, as the operator can."""
    async with api.database.transaction() as db:
        assert await end_every_session(db)


async def deactivate_for_a_while(api: Api, me: Person, admin: Person) -> None:
    """Close the account, and open it again."""
    for is_active in (False, True):
        given = {"id": str(me.id), "input": {"isActive": is_active}}
        answer = await send(api, "updateCustomer", given, token=admin.token)
        assert faults(answer.data["updateCustomer"]) == SUCCESS


@pytest.mark.parametrize(
    "end", [end_all, end_others, end_by_admin, end_every, deactivate_for_a_while]
)
async def test_sign_in_that_waits_ends_with_the_sessions(
    api: Api, plain: Person, admin: Person, end: Callable[..., Awaitable[Any]]
) -> None:
    _, codes = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    await end(api, plain, admin)
    assert faults(await verify(api, token, codes[0])) == SPENT
    assert (await current(api.database, plain.id)).factors_version
