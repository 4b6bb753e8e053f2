"""One's own account: what takes the current password takes it at every entrance."""

from typing import Any

import pytest

from tests.api import Api
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, token_reason

NEW_PASSWORD = "another good one"


async def update(api: Api, admin: Person, who: Person, given: dict[str, Any]) -> dict[str, Any]:
    """Change somebody as an admin."""
    return await do(api, "updateCustomer", token=admin.token, id=str(who.id), input=given)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"email": "thief@evil.example", "password": "thief owns this now"}, ["email", "password"]),
        ({"email": "thief@evil.example"}, ["email"]),
        ({"email": "GRACE@example.com"}, ["email"]),
        ({"email": "grace@example.com"}, ["email"]),
        ({"email": None}, ["email"]),
        ({"password": NEW_PASSWORD}, ["password"]),
        ({"password": PASSWORD}, ["password"]),
        ({"password": None}, ["password"]),
        ({"name": "Thief", "isAdmin": True, "password": NEW_PASSWORD}, ["password"]),
    ],
)
async def test_admin_changes_no_credential_of_their_own_past_its_proof(
    api: Api, admin: Person, given: dict[str, Any], fields: list[str]
) -> None:
    refused = await update(api, admin, admin, given)
    assert faults(refused) == [("INVALID", field) for field in fields]
    named = {"email": "updateMe", "password": "changePassword"}
    assert all(named[field] in refused["message"] for field in fields)
    assert refused["customer"] is None
    assert await token_reason(api, admin.token) is None
    me = (await api.run("{ me { name email } }", token=admin.token)).data["me"]
    assert me == {"name": admin.name, "email": admin.email}
    assert faults(await do(api, "login", email=admin.email, password=PASSWORD)) == SUCCESS


async def test_admin_deletes_themself_with_their_password_only(api: Api, admin: Person) -> None:
    await add_customer(api.database, "Second Admin", is_admin=True)
    for spelling in (str(admin.id), str(admin.id).upper()):
        refused = await do(api, "deleteCustomer", token=admin.token, id=spelling)
        told: list[list[CodeAndField]] = [[("INVALID", "id")], [("NOT_FOUND", "id")]]
        assert faults(refused) in told
        assert await token_reason(api, admin.token) is None
    refused = await do(api, "deleteCustomer", token=admin.token, id=str(admin.id))
    assert "deleteMe" in refused["message"]
    gone = await do(api, "deleteMe", token=admin.token, password=PASSWORD)
    assert faults(gone) == SUCCESS


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ({"name": "Grace H."}, False),
        ({"phone": "+1 555 0100"}, False),
        ({"isAdmin": False}, False),
        ({"isActive": False}, True),
    ],
)
async def test_what_takes_no_password_elsewhere_admins_change_of_themselves(
    api: Api, admin: Person, given: dict[str, Any], *, ends: bool
) -> None:
    await add_customer(api.database, "Second Admin", is_admin=True)
    assert faults(await update(api, admin, admin, given)) == SUCCESS
    assert await token_reason(api, admin.token) == ("TOKEN_REVOKED" if ends else None)


async def test_admin_changes_and_deletes_others(api: Api, admin: Person, plain: Person) -> None:
    second = await sign_in(
        api.resources, await add_customer(api.database, "Second Admin", is_admin=True)
    )
    for who in (plain, second):
        given = {"email": f"x{who.email}", "password": NEW_PASSWORD}
        assert faults(await update(api, admin, who, given)) == SUCCESS
        gone = await do(api, "deleteCustomer", token=admin.token, id=str(who.id))
        assert faults(gone) == SUCCESS
