"""Throttles: wrong guesses are few, whoever makes them and however."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from gql_app.lib import clock
from gql_app.lib.setting_types import MAX_NUMBER, MAX_SECONDS
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.databases import contents
from tests.people import PASSWORD, Person, add_customer
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, refresh, token_reason

pytestmark = pytest.mark.usefixtures("letterbox")

WRONG: list[CodeAndField] = [("INVALID_CREDENTIALS", None)]
LOCKED: list[CodeAndField] = [("TOO_MANY_ATTEMPTS", None)]
WINDOW = 15 * 60
WRONG_PASSWORD = "wrong"


async def guess(api: Api, email: str, password: str = WRONG_PASSWORD) -> list[CodeAndField]:
    """Try to sign in, and return what was wrong."""
    return faults(await do(api, "login", email=email, password=password))


async def wait(api: Api, email: str, password: str = PASSWORD) -> int:
    """Try to sign in during a lock, and return how long to wait."""
    refused = await do(api, "login", email=email, password=password)
    assert faults(refused) == LOCKED
    assert refused["token"] is None
    seconds: int = refused["retryAfter"]
    return seconds


async def lock(api: Api, email: str) -> None:
    """Guess wrongly until the address has to wait."""
    assert [await guess(api, email) for _ in range(5)] == [WRONG] * 5


async def test_longest_times_of_the_settings_are_kept(
    settings: Settings, set_clock: SetClock
) -> None:
    now = clock.now()
    set_clock(now)
    times = {
        "login_window_seconds": MAX_SECONDS,
        "read_max_lag_seconds": MAX_NUMBER,
        **dict.fromkeys(("refresh_grace_seconds", "refresh_retry_seconds"), MAX_NUMBER),
        **dict.fromkeys(("reauthentication_seconds", "operation_timeout"), MAX_NUMBER),
    }
    async with running(settings.model_copy(update=times)) as api:
        ada, bob = [await add_customer(api.database, name) for name in ("Ada", "Bob")]
        await lock(api, ada.email)
        assert await wait(api, ada.email) in {MAX_SECONDS, MAX_SECONDS + 1}  # it is rounded up
        tokens = await do(api, "login", email=bob.email, password=PASSWORD)
        assert faults(await do(api, "beginCodes", token=tokens["token"])) == SUCCESS
        again = [await refresh(api, tokens["refreshToken"]) for _ in range(2)]
        assert again[0] == again[1]
        assert await api.database.transact(api.resources.throttle.purge, batch=100) == 0
        assert await guess(api, ada.email) == LOCKED


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com", "malformed", "\0", ""])
async def test_sixth_attempt_waits_until_the_oldest_failure_leaves_the_window(
    api: Api, plain: Person, set_clock: SetClock, email: str
) -> None:
    assert plain.email == "ada@example.com"
    start = clock.now()

    def after(seconds: float) -> datetime:
        return start + timedelta(seconds=seconds)

    for minute in range(5):
        set_clock(after(60 * minute))
        assert await guess(api, email) == WRONG
    set_clock(after(300))
    assert await wait(api, email) == WINDOW - 300
    set_clock(after(WINDOW - 0.5))
    assert await wait(api, email) == 1
    set_clock(after(WINDOW))
    assert await guess(api, email) == WRONG
    assert await wait(api, email) == 60


@pytest.mark.parametrize(
    "spelling",
    [
        "  ADA@Example.COM ",
        pytest.param("ada@\N{FULLWIDTH LATIN SMALL LETTER E}xample.com", id="full width"),
        pytest.param("ada@example\N{IDEOGRAPHIC FULL STOP}com", id="ideographic full stop"),
    ],
)
async def test_every_spelling_of_an_address_shares_one_count(
    api: Api, plain: Person, spelling: str
) -> None:
    assert await guess(api, spelling, PASSWORD) == SUCCESS
    assert [await guess(api, spelling) for _ in range(3)] == [WRONG] * 3
    assert [await guess(api, plain.email) for _ in range(2)] == [WRONG] * 2
    assert await guess(api, spelling) == LOCKED
    assert await guess(api, plain.email) == LOCKED


async def test_each_alias_in_a_document_counts(api: Api, plain: Person) -> None:
    login = f'login(email: "{plain.email}", password: "wrong") {{ errors {{ code }} }}'
    fields = " ".join(f"a{number}: {login}" for number in range(15))
    told = (await api.run(f"mutation {{ {fields} }}")).data
    codes = [error["code"] for payload in told.values() for error in payload["errors"]]
    assert codes == ["INVALID_CREDENTIALS"] * 5 + ["TOO_MANY_ATTEMPTS"] * 10


async def test_signed_in_device_keeps_working_during_a_lock(
    api: Api, plain: Person, other: Person
) -> None:
    await lock(api, plain.email)
    assert await guess(api, plain.email, PASSWORD) == LOCKED
    assert await token_reason(api, plain.token) is None
    await refresh(api, plain.refresh_token)
    given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": "another good one"}
    assert faults(await do(api, "changePassword", token=plain.token, **given)) == SUCCESS
    assert await guess(api, other.email, PASSWORD) == SUCCESS


async def test_success_clears_the_count_of_the_address(api: Api, plain: Person) -> None:
    assert [await guess(api, plain.email) for _ in range(4)] == [WRONG] * 4
    assert await guess(api, plain.email, PASSWORD) == SUCCESS
    await lock(api, plain.email)
    assert await guess(api, plain.email) == LOCKED


async def test_success_never_clears_the_count_of_the_client(
    settings: Settings, set_clock: SetClock
) -> None:
    set_clock(clock.now())
    async with running(settings.model_copy(update={"login_client_attempts": 7})) as api:
        await add_customer(api.database, "Ada Plain")
        emails = [f"{number}@example.com" for number in range(6)]
        assert [await guess(api, email) for email in emails] == [WRONG] * 6
        assert await guess(api, "ada@example.com", PASSWORD) == SUCCESS
        assert await guess(api, "seventh@example.com") == WRONG
        assert await wait(api, "eighth@example.com") == WINDOW
        assert await wait(api, "ada@example.com") == WINDOW
        async with api.elsewhere("192.0.2.2") as elsewhere:
            assert await guess(elsewhere, "ada@example.com", PASSWORD) == SUCCESS


async def test_one_client_has_50_attempts_unless_the_settings_say_otherwise(
    settings: Settings,
) -> None:
    # Threads that hash step back, so that on a busy machine the last one may be late.
    async with running(settings.model_copy(update={"operation_timeout": 60})) as api:
        racers = (guess(api, f"{number}@example.com") for number in range(60))
        told = Counter(str(faults) for faults in await asyncio.gather(*racers))
    assert told == {str(WRONG): 50, str(LOCKED): 10}


async def test_refused_attempts_are_not_counted(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    await lock(api, plain.email)
    for seconds in (1, 300, 600, WINDOW - 1):
        set_clock(start + timedelta(seconds=seconds))
        assert await wait(api, plain.email) == WINDOW - seconds
    set_clock(start + timedelta(seconds=WINDOW))
    assert await guess(api, plain.email, PASSWORD) == SUCCESS


async def test_limits_are_those_of_the_settings(settings: Settings, set_clock: SetClock) -> None:
    set_clock(clock.now())
    limits = {"login_attempts": 2, "login_window_seconds": 60}
    async with running(settings.model_copy(update=limits)) as api:
        assert [await guess(api, "ada@example.com") for _ in range(2)] == [WRONG] * 2
        assert await wait(api, "ada@example.com") == 60


async def test_guesses_made_side_by_side_tell_no_more_than_one_by_one(
    api: Api, plain: Person
) -> None:
    right, *wrong = await asyncio.gather(
        guess(api, plain.email, PASSWORD), *(guess(api, plain.email) for _ in range(30))
    )
    # One by one, four may be judged before a success clears the count, and five after it.
    most = 5 if right == LOCKED else 9
    assert right in (SUCCESS, LOCKED)
    assert 5 <= wrong.count(WRONG) <= most
    assert wrong.count(WRONG) + wrong.count(LOCKED) == 30
    assert await guess(api, plain.email, PASSWORD) == LOCKED


async def test_wrong_guesses_that_race_with_good_ones_are_all_judged(settings: Settings) -> None:
    limits = {"login_attempts": 1000, "login_client_attempts": 1000}
    async with running(settings.model_copy(update=limits)) as api:
        await add_customer(api.database, "Ada Plain")
        racers = (
            guess(api, "ada@example.com", password)
            for _ in range(15)
            for password in ("x", PASSWORD)
        )
        assert await asyncio.gather(*racers) == [WRONG, SUCCESS] * 15


async def test_twenty_good_sign_ins_side_by_side_all_succeed(api: Api, plain: Person) -> None:
    racers = (guess(api, plain.email, PASSWORD) for _ in range(20))
    assert await asyncio.gather(*racers) == [SUCCESS] * 20


async def test_what_was_typed_is_kept_nowhere(api: Api, plain: Person) -> None:
    for email in ("Typo@Example.org", "my password, typed into the wrong field", plain.email):
        await guess(api, email, "a password with a typo")
        await do(api, "requestPasswordReset", email=email)
    stored = (await contents(api.database)).casefold()
    assert plain.email in stored
    for typed in ("typo", "typed into", "a password with"):
        assert typed not in stored
