"""Letters of new clients over HTTP: of a sign-in that succeeded, where the setting is on."""

from datetime import timedelta
from typing import Final

import pytest

from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import running
from tests.conftest import SetClock
from tests.letterbox import Letterbox
from tests.people import PASSWORD, add_customer
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults

WRONG: Final[list[CodeAndField]] = [("INVALID_CREDENTIALS", None)]
SUBJECT: Final = "New sign-in to your account"


@pytest.mark.parametrize("is_on", [True, False])
async def test_sign_in_from_elsewhere_is_told_of_where_it_is_set_and_a_failure_never(
    settings: Settings, letterbox: Letterbox, set_clock: SetClock, *, is_on: bool
) -> None:
    now = clock.now()
    set_clock(now)
    async with running(settings.model_copy(update={"new_client_letters": is_on})) as api:
        ada = await add_customer(api.database, "Ada")
        assert faults(await do(api, "login", email=ada.email, password=PASSWORD)) == SUCCESS
        set_clock(now + timedelta(hours=2))
        async with api.elsewhere("203.0.113.5") as there:
            assert faults(await do(there, "login", email=ada.email, password="a guess")) == WRONG
            assert faults(await do(there, "login", email=ada.email, password=PASSWORD)) == SUCCESS
            assert faults(await do(there, "login", email=ada.email, password=PASSWORD)) == SUCCESS
        set_clock(now + timedelta(hours=3))  # the letters of before leave before the next one
        assert faults(await do(api, "requestPasswordReset", email=ada.email)) == SUCCESS
        subjects = [(await letterbox.next()).subject for _ in range(2 if is_on else 1)]
    assert subjects == [*([SUBJECT] if is_on else []), "Reset your password"]
