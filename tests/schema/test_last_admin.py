"""The last active admin stays one, whoever asks and however many ask at once."""

import asyncio
from typing import Final

import pytest

from tests.api import Api
from tests.people import PASSWORD, Person, add_customer, sign_in

UNSEATINGS: Final = {
    "demoted": "updateCustomer(id: $id, input: {isAdmin: false}) { ...Done }",
    "deactivated": "updateCustomer(id: $id, input: {isActive: false}) { ...Done }",
    "deleted": "deleteCustomer(id: $id) { ...Done }",
}
DELETE_ONESELF: Final = f'mutation {{ done: deleteMe(password: "{PASSWORD}") {{ ...Done }} }}'
DONE: Final = "fragment Done on Payload { status message retryAfter errors { code field message } }"


async def unseat(api: Api, way: str, admin: Person, by: Person) -> str:
    """Try to unseat an admin; answer SUCCESS, or the code of the one error."""
    if way == "deleted" and admin is by:
        answer = await api.run(f"{DELETE_ONESELF} {DONE}", token=by.token)
    else:
        document = f"mutation Unseat($id: ID!) {{ done: {UNSEATINGS[way]} }} {DONE}"
        answer = await api.run(document, token=by.token, id=str(admin.id))
    done = answer.data["done"]
    assert done["message"]
    assert done["retryAfter"] is None
    if done["status"] == "SUCCESS":
        return "SUCCESS"
    [error] = done["errors"]
    assert error["message"]
    assert error["field"] == (None if way == "deleted" and admin is by else "id")
    code: str = error["code"]
    return code


@pytest.fixture
async def second(api: Api) -> Person:
    """Sign in a second admin."""
    row = await add_customer(api.database, "Second Admin", is_admin=True)
    return await sign_in(api.resources, row)


@pytest.mark.parametrize("way", UNSEATINGS)
async def test_last_active_admin_stays(api: Api, plain: Person, admin: Person, way: str) -> None:
    assert await unseat(api, way, admin, by=admin) == "LAST_ADMIN"
    me = (await api.run("{ me { isAdmin isActive } }", token=admin.token)).data["me"]
    assert me == {"isAdmin": True, "isActive": True}
    assert await unseat(api, way, plain, by=admin) == "SUCCESS"


@pytest.mark.parametrize("way", UNSEATINGS)
async def test_admin_who_is_not_the_last_goes(
    api: Api, admin: Person, second: Person, way: str
) -> None:
    assert await unseat(api, way, admin, by=second) == "SUCCESS"
    assert await unseat(api, way, second, by=second) == "LAST_ADMIN"


async def test_inactive_admin_does_not_count(api: Api, admin: Person, second: Person) -> None:
    assert await unseat(api, "deactivated", second, by=admin) == "SUCCESS"
    assert await unseat(api, "demoted", admin, by=admin) == "LAST_ADMIN"
    assert await unseat(api, "deleted", second, by=admin) == "SUCCESS"


@pytest.mark.parametrize(
    ("way", "other_way"),
    [("demoted", "deleted"), ("deactivated", "demoted"), ("deleted", "deactivated")],
)
async def test_of_the_last_two_admins_only_one_goes(
    api: Api, admin: Person, second: Person, way: str, other_way: str
) -> None:
    outcomes = await asyncio.gather(
        unseat(api, way, admin, by=admin), unseat(api, other_way, second, by=second)
    )
    assert sorted(outcomes) == ["LAST_ADMIN", "SUCCESS"]
