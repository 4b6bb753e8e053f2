"""Where letters go nowhere: who asks for one is told, whoever they are."""

from typing import Any

import pytest

from gql_app.settings import Settings
from tests.api import Api, running
from tests.databases import contents
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, do, faults


async def test_reset_says_that_mail_is_not_set_up(api: Api, plain: Person) -> None:
    before = await contents(api.database)
    for email in (plain.email, "nobody@example.com", ""):
        refused = await do(api, "requestPasswordReset", email=email)
        assert faults(refused) == [("MAIL_NOT_SET_UP", None)]
    assert await contents(api.database) == before


async def test_proof_says_that_mail_is_not_set_up(api: Api, plain: Person) -> None:
    before = await contents(api.database)
    refused = await do(api, "requestEmailVerification", token=plain.token)
    assert faults(refused) == [("MAIL_NOT_SET_UP", None)]
    assert await contents(api.database) == before


async def test_invitation_says_that_mail_is_not_set_up(api: Api, admin: Person) -> None:
    before = await contents(api.database)
    nora = {"name": "Nora", "email": "nora@example.com"}
    refused = await do(api, "inviteCustomer", token=admin.token, input=nora)
    assert faults(refused) == [("MAIL_NOT_SET_UP", None)]
    assert await contents(api.database) == before


async def test_demo_takes_requests_without_mail(settings: Settings) -> None:
    async with running(settings.model_copy(update={"demo": True})) as api:
        done = await do(api, "requestPasswordReset", email="nobody@example.com")
        assert faults(done) == SUCCESS


CHANGE: dict[str, Any] = {"email": "a@example.org", "currentPassword": PASSWORD}


@pytest.mark.parametrize("demo", [False, True])
@pytest.mark.parametrize(
    ("name", "given", "writes"),
    [
        ("updateMe", {"input": {"name": "Ada"}}, False),
        ("updateMe", {"input": CHANGE}, True),
        ("changePassword", {"currentPassword": PASSWORD, "newPassword": f"{PASSWORD}!"}, True),
    ],
)
async def test_answer_says_that_a_letter_reaches_nobody(
    settings: Settings, name: str, given: dict[str, Any], *, writes: bool, demo: bool
) -> None:
    async with running(settings.model_copy(update={"demo": demo})) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        payload = await do(api, name, token=ada.token, **given)
    assert faults(payload) == SUCCESS
    assert ("no letter was sent" in payload["message"]) is (writes and not demo)
