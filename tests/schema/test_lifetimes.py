"""How long a session goes on, refresh after refresh."""

from datetime import datetime, timedelta

from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.people import add_customer, sign_in
from tests.schema.mutations import do, refresh, refused

EXPIRED = [("TOKEN_EXPIRED", "refreshToken")]


def moments(start: datetime, *days: float) -> list[datetime]:
    """Count days from a moment."""
    return [start + timedelta(days=day) for day in days]


async def test_refresh_carries_on_for_30_days_and_never_beyond_90(
    api: Api, set_clock: SetClock
) -> None:
    start = clock.now().replace(microsecond=0)
    set_clock(start)
    row = await add_customer(api.database, "Ada Plain")
    token = (await sign_in(api.resources, row)).refresh_token
    uses, ends = moments(start, 29, 58, 87, 89.99), moments(start, 59, 88, 90, 90)
    for use, end in zip(uses, ends, strict=True):
        set_clock(use)
        payload = await do(api, "refresh", refreshToken=token)
        assert payload["refreshExpiresAt"] == clock.rfc3339(end)
        assert payload["expiresAt"] == clock.rfc3339(min(use + timedelta(hours=1), end))
        token = payload["refreshToken"]
    set_clock(ends[-1])
    assert await refused(api, token) == EXPIRED


async def test_refresh_token_expires_when_the_settings_say(
    settings: Settings, set_clock: SetClock
) -> None:
    lifetimes = {"refresh_token_ttl": 100, "session_max_age": 150}
    start = clock.now()
    set_clock(start)
    async with running(settings.model_copy(update=lifetimes)) as api:
        row = await add_customer(api.database, "Ada Plain")
        carried, left = [(await sign_in(api.resources, row)).refresh_token for _ in range(2)]
        set_clock(start + timedelta(seconds=99.9))
        carried = await refresh(api, carried)
        set_clock(start + timedelta(seconds=100))
        assert await refused(api, left) == EXPIRED
        set_clock(start + timedelta(seconds=149.9))
        carried = await refresh(api, carried)
        set_clock(start + timedelta(seconds=150))
        assert await refused(api, carried) == EXPIRED
