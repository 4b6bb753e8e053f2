"""Which addresses are taken: who asks is told so few times, whatever they ask with."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import pytest

from gql_app.lib import clock
from tests.api import Api
from tests.conftest import SetClock
from tests.people import PASSWORD, Person
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults
from tests.throttles import fill

TAKEN: Final[list[CodeAndField]] = [("TAKEN", "email")]
LOCKED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.66"


async def move(api: Api, who: Person, email: str) -> dict[str, Any]:
    """Change one's own address."""
    given = {"email": email, "currentPassword": PASSWORD}
    return await do(api, "updateMe", token=who.token, input=given)


async def register(api: Api, email: str) -> dict[str, Any]:
    """Register with an address."""
    given = {"name": "Eve", "email": email, "password": "another good one"}
    return await do(api, "register", input=given)


async def test_fifty_in_an_hour_are_answered_and_no_more(
    api: Api, plain: Person, other: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    by_client, by_account = api.resources.throttle.of_taken(HERE, plain.id)
    assert {by_client.attempts, by_account.attempts} == {50}
    await fill(api.database, by_client, by_account, but=1)
    assert faults(await move(api, plain, other.email)) == TAKEN
    for email in (other.email, "free@example.org"):
        refused = await move(api, plain, email)
        assert (faults(refused), refused["retryAfter"]) == (LOCKED, 3600)
    renamed = await do(api, "updateMe", token=plain.token, input={"name": "Ada"})
    assert faults(renamed) == SUCCESS
    set_clock(start + timedelta(hours=1))
    assert faults(await register(api, other.email)) == TAKEN


async def test_every_mutation_counts_against_one_limit_of_the_client(
    api: Api, plain: Person, other: Person
) -> None:
    await fill(api.database, *api.resources.throttle.of_taken(HERE), but=2)
    assert faults(await register(api, other.email)) == TAKEN
    assert faults(await move(api, plain, other.email)) == TAKEN
    assert faults(await register(api, other.email)) == LOCKED
    assert faults(await register(api, "free@example.org")) == LOCKED
    assert faults(await move(api, plain, other.email)) == LOCKED
    async with api.elsewhere(ELSEWHERE) as there:
        assert faults(await move(there, plain, other.email)) == TAKEN
        assert faults(await register(there, other.email)) == TAKEN


async def test_account_that_was_answered_fifty_times_is_limited_everywhere(
    api: Api, plain: Person, other: Person
) -> None:
    by_account = api.resources.throttle.of_taken(None, plain.id)[0]
    await fill(api.database, by_account)
    for address in (HERE, ELSEWHERE, "2001:db8::1"):
        async with api.elsewhere(address) as there:
            assert faults(await move(there, plain, other.email)) == LOCKED
    assert faults(await move(api, other, plain.email)) == TAKEN


async def test_those_who_ask_side_by_side_learn_no_more(api: Api, other: Person) -> None:
    await fill(api.database, *api.resources.throttle.of_taken(HERE), but=1)
    told = await asyncio.gather(*(register(api, other.email) for _ in range(4)))
    assert sorted(map(faults, told)) == sorted([TAKEN, LOCKED, LOCKED, LOCKED])


@pytest.mark.parametrize("email", ["eve@example.com", "not an address"])
async def test_what_is_not_taken_counts_for_nothing(api: Api, email: str) -> None:
    await fill(api.database, *api.resources.throttle.of_taken(HERE), but=1)
    for number in range(2):
        assert faults(await register(api, f"{number}{email}")) != LOCKED


async def test_admins_who_see_every_address_anyway_have_no_limit(
    api: Api, admin: Person, plain: Person, other: Person
) -> None:
    await fill(api.database, *api.resources.throttle.of_taken(HERE, admin.id))
    new = {"name": "Eve", "email": plain.email, "password": "another good one"}
    created = await do(api, "createCustomer", token=admin.token, input=new)
    moved: dict[str, Any] = {"id": str(other.id), "input": {"email": plain.email}}
    updated = await do(api, "updateCustomer", token=admin.token, **moved)
    assert (faults(created), faults(updated)) == (TAKEN, TAKEN)
