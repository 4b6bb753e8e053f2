"""One module is all that a role, permission, action, code, field or input field touches."""

import ast
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from gql_app import Feature
from gql_app.extending.merging import parts_of
from gql_app.schema.root import build_schema
from gql_app.settings import Settings
from tests.api import Api, running
from tests.extending.additions import action, error_code, field, input_field, permission, role
from tests.people import PASSWORD, Person, add_customer, sign_in

MODULES: Final = (action, error_code, field, input_field, permission, role)
LIBRARIES: Final = {"gql_app", "strawberry"}
UPDATE: Final = """mutation ($input: UpdateMeInput!) {
  updateMe(input: $input) { status errors { code field } }
}"""
GRANT: Final = """mutation ($id: ID!, $roles: [String!]) {
  updateCustomer(id: $id, input: {roles: $roles}) { status customer { roles } }
}"""
CHANGE: Final = """mutation ($new: String!, $old: String!) {
  changePassword(newPassword: $new, currentPassword: $old) { status errors { code field } }
}"""


@asynccontextmanager
async def added(settings: Settings, feature: Feature) -> AsyncIterator[tuple[Api, Person, Person]]:
    """Run the API with an addition; give an admin and a plain customer."""
    async with running(settings, features=[feature]) as api:
        grace = await add_customer(api.database, "Grace Admin", is_admin=True)
        ada = await add_customer(api.database, "Ada Plain")
        yield api, await sign_in(api.resources, grace), await sign_in(api.resources, ada)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_module_stands_on_the_public_api_and_nothing_of_ours_is_gone(module: ModuleType) -> None:
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {
        each.module if isinstance(each, ast.ImportFrom) else each.names[0].name
        for each in ast.walk(tree)
        if isinstance(each, ast.Import | ast.ImportFrom)
    }
    assert {each for each in imported if each not in sys.stdlib_module_names} <= {
        *LIBRARIES,
        "collections.abc",
    }
    ours = Counter(str(build_schema()).splitlines())
    theirs = Counter(str(build_schema(parts_of([module.feature], []).additions)).splitlines())
    assert not ours - theirs


async def test_role_is_granted_and_opens_what_it_has(settings: Settings) -> None:
    async with added(settings, role.feature) as (api, grace, ada):
        query = "query ($id: ID!) { customer(id: $id) { email } }"
        seen = await api.run(query, token=ada.token, id=str(grace.id))
        assert seen.data["customer"] == {"email": None}
        granted = await api.run(GRANT, token=grace.token, id=str(ada.id), roles=["clerk"])
        assert granted.data["updateCustomer"]["customer"] == {"roles": ["clerk"]}
        seen = await api.run(query, token=ada.token, id=str(grace.id))
        assert seen.data["customer"] == {"email": grace.email}


async def test_permission_is_printed_refused_by_name_and_granted(settings: Settings) -> None:
    printed = str(build_schema(parts_of([permission.feature], []).additions))
    assert 'stock: Int @requires(permission: "stock:read")' in printed
    async with added(settings, permission.feature) as (api, grace, ada):
        refused = (await api.run("{ stock }", token=ada.token)).error("stock")["extensions"]
        assert (refused["reason"], refused["permission"]) == ("PERMISSION_REQUIRED", "stock:read")
        await api.run(GRANT, token=grace.token, id=str(ada.id), roles=["support"])
        assert (await api.run("{ stock }", token=ada.token)).data == {"stock": 7}


async def test_action_is_found_in_the_audit_by_its_name(settings: Settings) -> None:
    async with added(settings, action.feature) as (api, grace, ada):
        assert (await api.run("mutation { wave }", token=ada.token)).data == {"wave": "Hello."}
        assert await recorded(api, grace, "hand:wave") == [[]]


async def test_error_code_is_in_the_schema_and_in_payloads(settings: Settings) -> None:
    printed = str(build_schema(parts_of([error_code.feature], []).additions))
    assert "BLUE" in printed.partition("enum UserErrorCode {")[2].partition("}")[0].split()
    async with added(settings, error_code.feature) as (api, _, ada):
        answer = await api.run(CHANGE, token=ada.token, old=PASSWORD, new="a very blue password")
        assert answer.data["changePassword"] == {
            "status": "ERROR",
            "errors": [{"code": "BLUE", "field": "newPassword"}],
        }


async def test_field_of_customer_is_read_by_whom_it_concerns(settings: Settings) -> None:
    async with added(settings, field.feature) as (api, grace, ada):
        query = "{ customers { nodes { name initials } } }"
        for by, of_grace in ((grace, "GA"), (ada, None)):
            nodes = (await api.run(query, token=by.token)).data["customers"]["nodes"]
            assert {each["name"]: each["initials"] for each in nodes} == {
                "Ada Plain": "AP",
                "Grace Admin": of_grace,
            }


async def test_input_field_is_checked_and_saved(settings: Settings) -> None:
    async with added(settings, input_field.feature) as (api, grace, ada):
        payload = (await api.run(UPDATE, token=ada.token, input={"motto": ""})).data["updateMe"]
        assert payload["errors"] == [{"code": "REQUIRED", "field": "motto"}]
        given = {"motto": " onwards ", "name": "Ada Onwards"}
        payload = (await api.run(UPDATE, token=ada.token, input=given)).data["updateMe"]
        assert (payload["status"], payload["errors"]) == ("SUCCESS", [])
        assert await recorded(api, grace, "motto:onwards") == [["motto"]]


async def recorded(api: Api, by: Person, action: str) -> list[list[str]]:
    """Return the fields that each event of an action names."""
    query = "query ($action: String) { auditEvents(action: $action) { nodes { fields } } }"
    nodes = (await api.run(query, token=by.token, action=action)).data["auditEvents"]["nodes"]
    return [each["fields"] for each in nodes]
