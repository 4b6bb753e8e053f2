"""Squatters: whoever takes somebody else's address, and how its owner gets it back."""

from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import select

from gql_app.db.tables import LetterRow, LinkRow
from gql_app.settings import Settings
from tests.api import Api, running
from tests.letterbox import Letterbox
from tests.people import current
from tests.rows import column
from tests.schema.addresses import SPENT, WRONG, me, use
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, token_reason

VICTIM: Final = "eve@example.com"
THEIRS, OURS = "the squatter's own", "the password of Eve"
UNPROVEN: Final[list[CodeAndField]] = [("EMAIL_NOT_VERIFIED", None)]

pytestmark = pytest.mark.usefixtures("letterbox")


def in_mode(settings: Settings, mode: str) -> Settings:
    """Return the settings with a mode of verification."""
    return settings.model_copy(update={"email_verification": mode})


async def register(api: Api, name: str, password: str) -> dict[str, Any]:
    """Register with the victim's address."""
    given = {"name": name, "email": VICTIM, "password": password, "phone": "+1 555 0100"}
    return await do(api, "register", input=given)


async def login(api: Api, password: str) -> list[CodeAndField]:
    """Return what is wrong with a password of the victim's address."""
    return faults(await do(api, "login", email=VICTIM, password=password))


@pytest.mark.parametrize("declines", [True, False])
async def test_squatter_who_waits_is_gone_when_the_owner_declines_or_is_proven(
    settings: Settings, letterbox: Letterbox, *, declines: bool
) -> None:
    async with running(in_mode(settings, "require")) as api:
        answers = [await register(api, "Mallory", THEIRS)]
        await letterbox.link()
        assert await login(api, THEIRS) == UNPROVEN
        theirs = await letterbox.link()
        if declines:
            assert await use(api, "declineEmail", theirs) == SUCCESS
            assert await use(api, "declineEmail", theirs) == SPENT
            assert await login(api, THEIRS) == WRONG
        answers.append(await register(api, "Eve", OURS))
        link = await letterbox.link()
        if not declines:
            assert await login(api, THEIRS) == UNPROVEN
            theirs = await letterbox.link()
        assert await login(api, OURS) == UNPROVEN
        link = await letterbox.link()
        assert await use(api, "verifyEmail", link) == SUCCESS
        for used in (link, theirs):
            assert await use(api, "verifyEmail", used) == SPENT
        assert await login(api, THEIRS) == WRONG
        entered = await do(api, "login", email=VICTIM, password=OURS)
        assert (faults(entered), entered["customer"]["name"]) == (SUCCESS, "Eve")
        assert (await me(api, entered["token"]))["emailVerifiedAt"]
        answers.append(await register(api, "Mallory", THEIRS))
        assert answers == answers[:1] * 3
        assert (await letterbox.next()).subject == "You have an account already"
        assert await login(api, THEIRS) == UNPROVEN
        assert (await letterbox.next()).subject == "You have an account already"


async def test_owner_takes_an_account_over_by_the_reset_link_where_nothing_is_proven(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with running(in_mode(settings, "off")) as api:
        squatter = await register(api, "Mallory", THEIRS)
        assert faults(await register(api, "Eve", OURS)) == [("TAKEN", "email")]
        await do(api, "requestPasswordReset", email=VICTIM)
        link = await letterbox.link()
        assert await reset(api, link, OURS) == SUCCESS
        assert await token_reason(api, squatter["token"]) == "TOKEN_REVOKED"
        refreshed = await do(api, "refresh", refreshToken=squatter["refreshToken"])
        assert refreshed["token"] is None
        assert (await login(api, THEIRS), await login(api, OURS)) == (WRONG, SUCCESS)
        assert await reset(api, link, THEIRS) == SPENT
        customer = await current(api.database, UUID(squatter["customer"]["id"]))
        assert customer.email_verified_at


async def test_account_from_before_the_mode_gets_in_by_the_link_of_its_next_sign_in(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with running(in_mode(settings, "off")) as api:
        before = await register(api, "Eve", OURS)
        assert letterbox.empty
    async with running(in_mode(settings, "require")) as api:
        assert await token_reason(api, before["token"]) is None
        assert await login(api, OURS) == UNPROVEN
        older = await letterbox.link()
        assert await login(api, OURS) == UNPROVEN
        link = await letterbox.link()
        assert await use(api, "verifyEmail", older) == SPENT
        assert await use(api, "verifyEmail", link) == SUCCESS
        assert await login(api, OURS) == SUCCESS
        assert await column(api.database, select(LinkRow.kind)) == []
        assert await column(api.database, select(LetterRow.kind)) == []
