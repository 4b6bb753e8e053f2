"""Passkeys where there are links: set up by way of one, awaited after one, and undone by one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gql_app.settings import Settings
from tests.api import Api, running
from tests.authenticators import SoftwareAuthenticator
from tests.letterbox import Letterbox
from tests.passkeys import INVALID, go_on, options_of, register, registered, sign_in_alone
from tests.people import Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send, token_reason

USE_THE_LINK: list[CodeAndField] = [("EMAIL_NOT_VERIFIED", None)]
LIST = "{ customers { nodes { id } } }"


@pytest.fixture
def settings(settings: Settings, letterbox: Letterbox) -> Settings:
    """Let links sign in."""
    assert letterbox.open
    return settings.model_copy(update={"sign_in_links": True})


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Api]:
    """Run the API where everybody must have a second factor, with mail."""
    async with running(settings.model_copy(update={"second_factor": "everyone"})) as api:
        yield api


async def by_link(api: Api, name: str, token: str) -> dict[str, Any]:
    """Use the token of a link."""
    payload: dict[str, Any] = (await send(api, name, {"token": token})).data[name]
    return payload


async def test_held_session_sets_up_a_passkey_by_way_of_a_link(
    strict: Api, letterbox: Letterbox
) -> None:
    ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
    asked: dict[str, dict[str, Any]] = {"beginPasskey": {}, "confirmPasskey": {"credential": {}}}
    for name, given in asked.items():
        refused = (await send(strict, name, given, token=ada.token)).data[name]
        assert faults(refused) == USE_THE_LINK
        token = await letterbox.link()
    opened = (await by_link(strict, "signInByLink", token))["token"]
    held = await strict.run(LIST, token=opened)
    assert held.reason("customers") == "SECOND_FACTOR_ENROLMENT_REQUIRED"
    browser = SoftwareAuthenticator()
    done = await register(strict, opened, browser)
    assert (faults(done), len(done["codes"])) == (SUCCESS, 10)
    assert (await strict.run(LIST, token=opened)).errors == []
    alone = await sign_in_alone(strict, browser)
    assert (await strict.run(LIST, token=alone["token"])).errors == []


async def test_each_factor_is_reported_however_many_are_added_and_removed(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with running(settings.model_copy(update={"letters_per_day": 1})) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        for _ in range(3):
            browser = SoftwareAuthenticator()
            added = (await register(api, ada.token, browser))["secondFactor"]["id"]
            assert (await letterbox.link()).startswith("gaf_")
            gone = await do(api, "removeSecondFactor", token=ada.token, id=added)
            assert faults(gone) == SUCCESS
            assert "removed" in (await letterbox.next()).subject


async def test_sign_in_by_a_link_waits_for_the_passkey(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    browser = await registered(api, plain)
    await letterbox.link()
    await do(api, "requestSignInLink", email=plain.email)
    answered = await by_link(api, "signInByLink", await letterbox.link())
    assert (faults(answered), answered["token"]) == ([("SECOND_FACTOR_REQUIRED", None)], None)
    assert faults(await go_on(api, browser, answered["secondFactor"])) == SUCCESS


async def test_letter_of_a_new_passkey_undoes_it_and_what_was_begun(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    browser = await registered(api, plain)
    undo = await letterbox.link()
    made = SoftwareAuthenticator().create(await options_of(api, "beginPasskey", plain.token))
    assert faults(await by_link(api, "undoSecondFactor", undo)) == SUCCESS
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"
    assert faults(await sign_in_alone(api, browser)) == INVALID
    late = await send(api, "confirmPasskey", {"credential": made}, token=plain.token)
    assert late.reason("confirmPasskey") == "TOKEN_REVOKED"
