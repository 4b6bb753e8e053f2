"""A feature that refuses an address as TAKEN: it is told, and the link stays good."""

from typing import Any

import pytest

from gql_app import Feature, Refused
from gql_app.settings import Settings
from tests.api import running
from tests.letterbox import Letterbox
from tests.people import add_customer, current, sign_in
from tests.schema.addresses import VERIFY, ask, prove, use

NEW = "ada@example.org"

pytestmark = pytest.mark.usefixtures("letterbox")


async def refuse(_tx: Any, event: Any) -> None:  # noqa: ANN401 — as hooks take them
    """Refuse another address."""
    if event.name == "email:changed":
        code, message = "TAKEN", "Your organisation has this address already."
        raise Refused(code, message)


async def test_hook_that_finds_an_address_taken_keeps_it_pending(
    settings: Settings, letterbox: Letterbox
) -> None:
    asking = settings.model_copy(update={"email_verification": "ask"})
    feature = Feature("crm", within={"email:changed": refuse})
    async with running(asking, features=[feature]) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        await prove(api.database, ada)
        await ask(api, ada, NEW)
        answer = await use(api, "verifyEmail", await letterbox.link_to(NEW, VERIFY))
        assert [code for code, _ in answer] == ["TAKEN"]
        assert (await current(api.database, ada.id)).pending_email == NEW
