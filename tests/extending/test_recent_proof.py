"""A feature's field that takes a recent proof of who is calling."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
import strawberry

from gql_app import Feature, Info, IsRecentlyAuthenticated, Transaction
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, do, faults

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
MELT = "mutation { melt }"
_before_writing: list[Callable[[], None]] = []
"""What happens after the permission has judged, and before the rule is run."""


async def _melt(tx: Transaction) -> str:
    return str(tx.me.customer_id)


@strawberry.type
class Melting:
    """What asks for a recent proof."""

    @strawberry.mutation(permission_classes=[IsRecentlyAuthenticated])
    async def melt(self, info: Info) -> str | None:
        """Melt."""
        for happen in _before_writing:
            happen()
        return await info.context.write(_melt)


@pytest.fixture
async def api(settings: Settings, set_clock: SetClock) -> AsyncIterator[Api]:
    """Run the application with the feature."""
    set_clock(NOON)
    async with running(settings, features=[Feature("melting", mutations=[Melting])]) as api:
        yield api
    _before_writing.clear()


@pytest.fixture
async def ada(api: Api) -> Person:
    """Sign Ada in."""
    return await sign_in(api.resources, await add_customer(api.database, "Ada"))


async def test_who_proved_it_lately_is_let_in_and_later_not(
    api: Api, ada: Person, set_clock: SetClock
) -> None:
    assert (await api.run(MELT, token=ada.token)).data == {"melt": str(ada.id)}
    set_clock(NOON + timedelta(seconds=601))
    refused = await api.run(MELT, token=ada.token)
    assert refused.error("melt")["extensions"] == {
        "code": "FORBIDDEN",
        "reason": "REAUTHENTICATION_REQUIRED",
        "methods": ["PASSWORD"],
    }
    assert faults(await do(api, "reauthenticate", token=ada.token, password=PASSWORD)) == SUCCESS
    assert (await api.run(MELT, token=ada.token)).data == {"melt": str(ada.id)}


async def test_proof_that_is_too_old_by_the_time_of_writing_is_none(
    api: Api, ada: Person, set_clock: SetClock
) -> None:
    set_clock(NOON + timedelta(seconds=600))
    _before_writing.append(lambda: set_clock(clock.now() + timedelta(seconds=1)))
    refused = await api.run(MELT, token=ada.token)
    assert refused.reason("melt") == "REAUTHENTICATION_REQUIRED"
