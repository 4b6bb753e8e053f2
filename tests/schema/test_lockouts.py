"""Lockouts: strangers keep nobody out, and guess no more than a hundred times in a row."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select

from gql_app.accounts import sessions
from gql_app.accounts.throttling import LOCKOUT_PAUSE
from gql_app.db.tables import CustomerRow, KnownClientRow
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, refresh, reset
from tests.throttles import fill

WRONG: Final[list[CodeAndField]] = [("INVALID_CREDENTIALS", None)]
LOCKED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
ADA, NOBODY = "ada@example.com", "nobody@example.com"
STRANGER, HOME, AWAY = "198.51.100.66", "192.0.2.1", "203.0.113.5"
NEW_PASSWORD = "another good one"
Way = Callable[[Api, Person], Awaitable[tuple[str, str]]]
"""Opens or carries on a session, and tells the address and the password of its account."""


async def login(
    api: Api, address: str, email: str = ADA, password: str = PASSWORD
) -> list[CodeAndField]:
    """Try to sign in from an address, and return what was wrong."""
    async with api.elsewhere(address) as there:
        return faults(await do(there, "login", email=email, password=password))


async def lock(api: Api, email: str = ADA, *, but: int = 0) -> None:
    """Fail as strangers until a failure more of any other is too many, or a few more."""
    limits = api.resources.throttle.of_password("sign-in", email, STRANGER)
    await fill(api.database, limits.lockout, but=but)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.usefixtures("letterbox")
async def test_stranger_keeps_no_owner_out_and_from_no_link(
    api: Api, plain: Person, *, known: bool
) -> None:
    if known:
        assert await login(api, HOME) == SUCCESS
    for attempts in (5, 0, 0):
        told = [await login(api, STRANGER, password="a guess") for _ in range(6)]
        assert told == [WRONG] * attempts + [LOCKED] * (6 - attempts)
        assert await login(api, HOME) == SUCCESS
    async with api.elsewhere(STRANGER) as there:
        for _ in range(6):
            await do(there, "requestPasswordReset", email=plain.email)
    asked = await do(api, "requestPasswordReset", email=plain.email)
    assert faults(asked) == SUCCESS


@pytest.mark.usefixtures("letterbox")
async def test_one_site_of_ipv6_is_judged_four_times_as_often_as_one_network(
    api: Api, plain: Person
) -> None:
    assert plain.email == ADA
    neighbours = [f"2001:db8:1:{number << 8:x}::1" for number in range(1, 24)]
    told = [await login(api, address, password="a guess") for address in neighbours]
    assert told == [WRONG] * 20 + [LOCKED] * 3
    assert await login(api, "2001:db8:2::1") == SUCCESS


@pytest.mark.parametrize("email", [ADA, NOBODY, "malformed"])
@pytest.mark.usefixtures("letterbox")
async def test_after_a_hundred_failures_in_a_row_no_unknown_client_is_judged(
    api: Api, plain: Person, set_clock: SetClock, email: str
) -> None:
    assert plain.email == ADA
    start = clock.now()
    set_clock(start)
    await lock(api, email, but=2)
    assert await login(api, STRANGER, email, "a guess") == WRONG
    set_clock(start + timedelta(days=29))
    assert await login(api, AWAY, email, "a guess") == WRONG
    set_clock(start + timedelta(days=58))
    for address in (STRANGER, AWAY, HOME):
        assert await login(api, address, email) == LOCKED


async def by_signing_in(api: Api, plain: Person) -> tuple[str, str]:
    """Sign in."""
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS
    return plain.email, PASSWORD


async def by_refreshing(api: Api, plain: Person) -> tuple[str, str]:
    """Carry a session on."""
    await refresh(api, plain.refresh_token)
    return plain.email, PASSWORD


async def by_changing_the_password(api: Api, plain: Person) -> tuple[str, str]:
    """Change the password, which opens a session."""
    given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    assert faults(await do(api, "changePassword", token=plain.token, **given)) == SUCCESS
    return plain.email, NEW_PASSWORD


async def by_registering(api: Api, _: Person) -> tuple[str, str]:
    """Register somebody else, who is signed in."""
    eve = {"name": "Eve", "email": "eve@example.com", "password": NEW_PASSWORD}
    assert faults(await do(api, "register", input=eve)) == SUCCESS
    return eve["email"], eve["password"]


@pytest.mark.parametrize(
    "way", [by_signing_in, by_refreshing, by_changing_the_password, by_registering]
)
@pytest.mark.usefixtures("letterbox")
async def test_client_of_a_session_is_judged_whatever_strangers_do(
    api: Api, plain: Person, set_clock: SetClock, way: Way
) -> None:
    start = clock.now()
    set_clock(start)
    async with api.elsewhere("2001:db8:1:2::1") as there:
        email, password = await way(there, plain)
    await lock(api, email)
    assert await login(api, AWAY, email, password) == LOCKED
    set_clock(start + timedelta(days=29))
    await lock(api, email)
    neighbour, home = "2001:db8:1:3::1", "2001:db8:1:2:3::4"
    assert await login(api, neighbour, email, password) == LOCKED
    assert [await login(api, home, email, "a guess") for _ in range(2)] == [WRONG] * 2
    assert await login(api, home, email, password) == SUCCESS
    assert await login(api, AWAY, email, password) == SUCCESS


async def test_client_that_is_not_seen_for_30_days_is_a_stranger(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    assert await login(api, HOME) == SUCCESS
    set_clock(start + sessions.CLIENT_KNOWN_FOR)
    await lock(api, plain.email)
    assert await login(api, HOME) == LOCKED


async def test_failures_of_a_known_client_count_for_itself_alone(api: Api, plain: Person) -> None:
    assert await login(api, HOME) == SUCCESS
    await lock(api, plain.email, but=1)
    told = [await login(api, HOME, password="a typo") for _ in range(6)]
    assert told == [WRONG] * 5 + [LOCKED]
    assert await login(api, AWAY) == SUCCESS


async def test_success_ends_the_row(api: Api, plain: Person) -> None:
    await lock(api, plain.email, but=1)
    assert await login(api, AWAY) == SUCCESS
    for address in (STRANGER, "198.51.100.67"):
        assert await login(api, address, password="a guess") == WRONG


async def test_link_unlocks_for_everybody(letterbox: Letterbox, api: Api, plain: Person) -> None:
    await lock(api, plain.email)
    refused = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(refused) == LOCKED
    assert "Reset the password" in refused["message"]
    await do(api, "requestPasswordReset", email=plain.email)
    assert await reset(api, await letterbox.link(), NEW_PASSWORD) == SUCCESS
    assert await login(api, AWAY, password=NEW_PASSWORD) == SUCCESS


@pytest.mark.parametrize("email", [ADA, NOBODY])
async def test_without_mail_one_try_is_judged_every_15_minutes(
    api: Api, plain: Person, set_clock: SetClock, email: str
) -> None:
    assert plain.email == ADA
    start = clock.now()
    set_clock(start)
    await lock(api, email)
    for pause in (1, 2):
        set_clock(start + pause * timedelta(seconds=LOCKOUT_PAUSE) - timedelta(seconds=1))
        refused = await do(api, "login", email=email, password=PASSWORD)
        assert (faults(refused), refused["retryAfter"]) == (LOCKED, 1)
        assert "Try again in 1 second." in refused["message"]
        set_clock(start + pause * timedelta(seconds=LOCKOUT_PAUSE))
        told = [await login(api, address, email, "a guess") for address in (STRANGER, AWAY)]
        assert told == [WRONG, LOCKED]
    set_clock(start + 3 * timedelta(seconds=LOCKOUT_PAUSE))
    assert await login(api, AWAY, email) == (SUCCESS if email == ADA else WRONG)


async def test_thief_of_a_token_keeps_no_owner_from_proving_their_password(
    settings: Settings,
) -> None:
    limits = {"login_attempts": 2, "login_lockout_attempts": 3}
    async with running(settings.model_copy(update=limits)) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        assert await login(api, HOME) == SUCCESS
        told = []
        for address in (STRANGER, AWAY):
            async with api.elsewhere(address) as there:
                for _ in range(3):
                    wrong = await do(there, "deleteMe", token=ada.token, password="a guess")
                    told.append(faults(wrong))
        wrong_password: list[CodeAndField] = [("WRONG_PASSWORD", "password")]
        assert told == [*[wrong_password] * 2, LOCKED, wrong_password, LOCKED, LOCKED]
        given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
        assert faults(await do(api, "changePassword", token=ada.token, **given)) == SUCCESS


async def test_nothing_is_known_of_whoever_is_gone(api: Api, plain: Person) -> None:
    assert await login(api, HOME) == SUCCESS
    assert await login(api, AWAY) == SUCCESS
    rows = await api.database.fetch_all(select(KnownClientRow))
    assert {(row.customer_id, row.client) for row in rows} == {(plain.id, HOME), (plain.id, AWAY)}
    gone = await do(api, "deleteMe", token=plain.token, password=PASSWORD)
    assert faults(gone) == SUCCESS
    assert await api.database.fetch_all(select(KnownClientRow)) == []
    assert await api.database.fetch_all(select(CustomerRow)) == []
