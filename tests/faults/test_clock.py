"""A clock that steps, as when it is set right: nothing breaks, stays shut or lives too long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gql_app import background
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.lib.outbox.delivery import LEASE, LONGEST_PAUSE
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.slow import slow_down

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SECOND = timedelta(seconds=1)
WINDOW = 15 * MINUTE
"""After which a failure is forgotten."""
ME = "{ me { name } }"
LOGIN = """
mutation ($password: String!) {
  login(email: "ada@example.com", password: $password) { errors { code } }
}
"""
REFRESH = """
mutation ($spent: String!) {
  refresh(refreshToken: $spent) { token refreshToken errors { code } }
}
"""


@pytest.fixture
async def ada(settings: Settings, set_clock: SetClock) -> AsyncIterator[tuple[Api, Person]]:
    """Sign somebody in at noon."""
    set_clock(NOON)
    async with running(settings.model_copy(update={"login_attempts": 3})) as api:
        yield api, await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))


async def refreshed(api: Api, token: str) -> dict[str, object]:
    """Spend a refresh token."""
    answer: dict[str, object] = (await api.run(REFRESH, spent=token)).data["refresh"]
    return answer


@pytest.mark.parametrize(("step", "reason"), [(DAY, "TOKEN_EXPIRED"), (-HOUR, "TOKEN_INVALID")])
async def test_session_survives_a_step_and_its_token_does_not(
    ada: tuple[Api, Person], set_clock: SetClock, step: timedelta, reason: str
) -> None:
    api, person = ada
    assert (await api.run(ME, token=person.token)).data == {"me": {"name": person.name}}
    set_clock(NOON + step)
    assert (await api.run(ME, token=person.token)).reason("me") == reason
    answer = await refreshed(api, person.refresh_token)
    token = str(answer["token"])
    assert (await api.run(ME, token=token)).data == {"me": {"name": person.name}}
    assert await background.purge(api.resources) == 0


async def test_token_gains_no_time_when_the_clock_is_set_right_again(
    ada: tuple[Api, Person], set_clock: SetClock
) -> None:
    api, person = ada
    lifetime = timedelta(seconds=api.resources.issuer.ttl)
    told = []
    for moment in (NOON - HOUR, NOON + lifetime - SECOND, NOON - MINUTE, NOON + lifetime):
        set_clock(moment)
        answer = await api.run(ME, token=person.token)
        told.append(answer.reason("me") if answer.errors else "good")
    assert told == ["TOKEN_INVALID", "good", "good", "TOKEN_EXPIRED"]


async def test_spent_token_has_no_longer_grace_after_a_step_back(
    ada: tuple[Api, Person], set_clock: SetClock
) -> None:
    api, person = ada
    assert (await refreshed(api, person.refresh_token))["errors"] == []
    set_clock(NOON - HOUR)
    answer = await refreshed(api, person.refresh_token)
    assert answer["errors"] == [{"code": "TOKEN_REUSED"}]


@pytest.mark.parametrize(
    ("steps", "shut"),
    [
        ([DAY], [False]),
        ([-HOUR], [False]),
        ([-WINDOW, WINDOW - SECOND, WINDOW], [True, True, False]),
    ],
)
async def test_nobody_is_locked_out_for_longer_than_twice_as_long(
    ada: tuple[Api, Person], set_clock: SetClock, steps: list[timedelta], shut: list[bool]
) -> None:
    api, _ = ada
    for _ in range(api.resources.throttle.attempts):
        assert (await api.run(LOGIN, password="a mere guess")).data["login"]["errors"]
    told = []
    for step in steps:
        set_clock(NOON + step)
        errors = (await api.run(LOGIN, password=PASSWORD)).data["login"]["errors"]
        told.append([error["code"] for error in errors] == ["TOO_MANY_ATTEMPTS"])
    assert told == shut


@pytest.mark.parametrize(
    ("steps", "sent"),
    [
        ([DAY], [1]),
        ([-DAY], [1]),
        ([-HOUR, timedelta(seconds=LEASE)], [0, 1]),
    ],
)
@pytest.mark.usefixtures("letterbox")
async def test_letter_in_hand_leaves_within_the_longest_pause(
    settings: Settings, set_clock: SetClock, steps: list[timedelta], sent: list[int]
) -> None:
    set_clock(NOON)
    assert timedelta(seconds=LONGEST_PAUSE) == HOUR
    async with Resources.open(settings) as resources:
        async with resources.database.transaction() as db:
            await letters.post(
                db, Kind.EMAIL_CHANGED, customer_id=None, recipient="ada@example.com"
            )
        async with resources.database.transaction() as db:
            assert len((await resources.outbox.claim(db)).letters) == 1
        told = []
        for step in steps:
            set_clock(NOON + step)
            told.append(await background.deliver(resources))
    assert told == sent


async def test_deadlines_go_by_another_clock(settings: Settings, set_clock: SetClock) -> None:
    async with running(settings.model_copy(update={"operation_timeout": 1})) as api:
        person = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        await slow_down(api.database, "customers", person.id)
        asking = asyncio.create_task(api.run(ME, token=person.token))
        await asyncio.sleep(0)
        set_clock(datetime.now(UTC) - MINUTE)
        answer = await asking
    assert answer.code() == "DEADLINE_EXCEEDED"
