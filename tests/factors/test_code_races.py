"""Codes that are brought at once: each is good once, and five guesses are five."""

import asyncio
from datetime import timedelta

import pytest

from gql_app.accounts.sessions import SignedIn
from gql_app.accounts.throttling import CODE_ATTEMPTS
from gql_app.db.tables import CustomerRow
from gql_app.errors import Rejected
from gql_app.factors import challenges, changes, codes, proving
from gql_app.lib import one_time_codes
from gql_app.lib.database import Database
from tests.apps import App
from tests.conftest import SetClock
from tests.factors.conftest import NOON
from tests.factors.people import ENCRYPTION, THROTTLE, challenge, set_up, verify
from tests.locks import until_it_waits
from tests.people import LIFETIMES, NOWHERE
from tests.rows import get_row


@pytest.mark.parametrize("recovers", [False, True])
async def test_of_two_who_use_one_code_at_once_one_signs_in(
    noon: Database, ada: SignedIn, set_clock: SetClock, *, recovers: bool
) -> None:
    app, made = await set_up(noon, ada)
    assert made is not None
    set_clock(NOON + timedelta(minutes=1))
    code = made[0] if recovers else app.code()
    first, second = [await challenge(noon, ada.customer) for _ in range(2)]
    async with noon.transaction() as db:
        opened = await proving.sign_in(
            db, first, code, THROTTLE, LIFETIMES, ENCRYPTION, origin=NOWHERE
        )
        other = asyncio.create_task(verify(noon, second, code))
        await until_it_waits(db, other)
        assert not other.done()
    assert hasattr(opened, "session")
    assert await other == "INVALID_CODE"


async def test_of_two_who_use_one_challenge_at_once_one_signs_in(
    noon: Database, ada: SignedIn
) -> None:
    _, made = await set_up(noon, ada)
    assert made is not None
    token = await challenge(noon, ada.customer)
    found = await asyncio.gather(*(verify(noon, token, code) for code in made[:2]))
    assert sorted(found) == ["TOKEN_INVALID", "opened"]


async def test_token_of_a_challenge_is_shown_in_no_log(noon: Database, ada: SignedIn) -> None:
    await set_up(noon, ada)
    token = await challenge(noon, ada.customer)
    async with noon.transaction() as db:
        held = await challenges.hold(db, token)
    assert (held.token, repr(held)) == (token, f"Challenge({ada.customer.id})")


async def test_guesses_that_race_are_no_more_than_five(noon: Database, ada: SignedIn) -> None:
    app, made = await set_up(noon, ada)
    assert made is not None
    token = await challenge(noon, ada.customer)
    guesses = [app.wrong(), "zzzz-zzzz-zzzz-zzzz"] * 6
    found = await asyncio.gather(*(verify(noon, token, guess) for guess in guesses))
    assert found.count("INVALID_CODE") == CODE_ATTEMPTS
    assert found.count("throttled") == len(guesses) - CODE_ATTEMPTS
    assert await verify(noon, token, made[0]) == "throttled"


async def test_guess_waits_for_one_that_is_being_judged(noon: Database, ada: SignedIn) -> None:
    app, made = await set_up(noon, ada)
    assert made is not None
    token = await challenge(noon, ada.customer)
    for _ in range(CODE_ATTEMPTS - 1):
        assert await verify(noon, token, app.wrong()) == "INVALID_CODE"
    async with noon.transaction() as db:
        assert await get_row(db, CustomerRow, ada.customer.id, for_update=True)
        last = await proving.reauthenticate_by_code(
            db, ada, app.wrong(), THROTTLE, ENCRYPTION, origin=NOWHERE
        )
        waiting = asyncio.create_task(verify(noon, token, made[0]))
        await until_it_waits(db, waiting)
        assert not waiting.done()
    assert last is not None
    assert await waiting == "throttled"


async def confirm(database: Database, me: SignedIn, code: str) -> str:
    """Confirm an app, as the API would: the account is locked first."""
    try:
        async with database.transaction() as db:
            assert await get_row(db, CustomerRow, me.customer.id, for_update=True)
            await proving.confirm(db, me, code, THROTTLE, ENCRYPTION, origin=NOWHERE)
    except Rejected as why:
        return str(why.faults[0].code)
    return "confirmed"


async def test_app_that_is_confirmed_twice_at_once_is_one(noon: Database, ada: SignedIn) -> None:
    secret = one_time_codes.new_secret()
    code = App(one_time_codes.secret_text(secret)).code()
    async with noon.transaction() as db:
        await codes.begin(db, ada, secret, ENCRYPTION)
    found = await asyncio.gather(*(confirm(noon, ada, code) for _ in range(3)))
    assert sorted(found) == ["INVALID", "INVALID", "confirmed"]
    async with noon.transaction() as db:
        assert len(await changes.require_room(db, ada.customer.id)) == 1


async def test_code_of_another_row_opens_nothing(noon: Database, ada: SignedIn) -> None:
    app, _ = await set_up(noon, ada)
    async with noon.transaction() as db:
        right = await codes.use(db, ada.customer.id, app.code(1), ENCRYPTION)
        again = await codes.use(db, ada.customer.id, app.code(1), ENCRYPTION)
    assert (right, again) == (True, False)
