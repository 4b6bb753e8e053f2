"""Roles: what a caller may see and do by them, and that they count from the next request on."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import pytest
import strawberry

from gql_app.accounts.factors import second_factors
from gql_app.accounts.permissions import OURS, Role
from gql_app.extending.feature import Feature
from gql_app.extending.permissions import HasPermission
from gql_app.lib import clock
from gql_app.lib.clock import new_id
from gql_app.settings import Settings
from tests.api import Api, running
from tests.apps import set_up
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, caller_of, current, sign_in
from tests.schema.mutations import faults, send
from tests.schema.test_permissions import directives

MANAGER: Final = Role("manager", {"customers:write", "customers:read_private", "orders:read"})
CLERK: Final = Role("clerk", {"orders:read"})
FEATURES: Final = (
    Feature("desk", roles=[MANAGER, CLERK, Role.extend("support", permissions={"orders:read"})]),
)
PEOPLE: Final = "{ customers(%s) { nodes { name email phone isActive roles isAdmin } totalCount } }"
ONE: Final = "query Q($id: ID!) { customer(id: $id) { name email roles sessions { id } } }"


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """Run the API with a feature that has roles of its own."""
    async with running(settings, features=FEATURES) as api:
        yield api


async def somebody(api: Api, name: str, *roles: str) -> Person:
    """Sign somebody in who has roles."""
    return await sign_in(api.resources, await add_customer(api.database, name, roles=roles))


async def change(api: Api, by: Person, whom: Person, **new: object) -> list[tuple[str, str | None]]:
    """Change somebody, and return what it was rejected for."""
    answer = await send(api, "updateCustomer", {"id": str(whom.id), "input": new}, token=by.token)
    return faults(answer.data["updateCustomer"])


async def listed(api: Api, by: Person, arguments: str = "first: 50") -> list[dict[str, Any]]:
    """Return what somebody is shown of everybody."""
    nodes: list[dict[str, Any]] = (await api.run(PEOPLE % arguments, token=by.token)).data[
        "customers"
    ]["nodes"]
    return nodes


async def test_support_sees_what_is_private_and_changes_nothing(api: Api, plain: Person) -> None:
    sue = await somebody(api, "Sue", "support")
    shown = {each["name"]: each for each in await listed(api, sue)}
    assert shown["Ada Plain"]["email"] == plain.email
    assert (shown["Ada Plain"]["roles"], shown["Sue"]["roles"]) == ([], ["support"])
    for arguments in ("orderBy: {field: EMAIL}", 'filter: {search: "sue@example"}'):
        assert {each["name"] for each in await listed(api, sue, arguments)} >= {"Sue"}
    one = (await api.run(ONE, token=sue.token, id=str(plain.id))).data["customer"]
    assert (one["email"], one["roles"], len(one["sessions"])) == (plain.email, [], 1)
    answer = await send(
        api, "updateCustomer", {"id": str(plain.id), "input": {"name": "X"}}, token=sue.token
    )
    assert answer.error("updateCustomer")["extensions"] == {
        "code": "FORBIDDEN",
        "reason": "ADMIN_REQUIRED",
        "required": "admin",
        "permission": "customers:write",
    }
    events = await api.run("{ auditEvents { nodes { id } } }", token=sue.token)
    assert events.error("auditEvents")["extensions"]["permission"] == "audit:read"


async def test_support_ends_sessions_of_anybody(api: Api, plain: Person, other: Person) -> None:
    sue = await somebody(api, "Sue", "support")
    ended = await send(api, "endSession", {"id": str(plain.session_id)}, token=sue.token)
    assert faults(ended.data["endSession"]) == []
    assert (await api.run("{ me { id } }", token=plain.token)).reason("me") == "TOKEN_REVOKED"
    given = {"customerId": str(other.id)}
    assert (
        faults((await send(api, "endAllSessions", given, token=sue.token)).data["endAllSessions"])
        == []
    )
    assert (await api.run("{ me { id } }", token=other.token)).reason("me") == "TOKEN_REVOKED"
    again = await send(api, "endAllSessions", {"customerId": str(sue.id)}, token=sue.token)
    assert faults(again.data["endAllSessions"]) == []


async def test_what_is_private_is_null_for_who_has_another_role(api: Api, plain: Person) -> None:
    clerk = await somebody(api, "Carl", "clerk")
    shown = {each["name"]: each for each in await listed(api, clerk)}
    assert shown["Ada Plain"] == {
        "name": "Ada Plain",
        **dict.fromkeys(("email", "phone", "isActive", "roles")),
        "isAdmin": False,
    }
    assert (shown["Carl"]["roles"], shown["Carl"]["email"]) == (["clerk"], clerk.email)
    one = (await api.run(ONE, token=clerk.token, id=str(plain.id))).data["customer"]
    assert one == {"name": "Ada Plain", "email": None, "roles": None, "sessions": None}
    assert await listed(api, clerk, 'filter: {search: "ada@example"}') == []
    by_email = await api.run(PEOPLE % "orderBy: {field: EMAIL}", token=clerk.token)
    assert by_email.error("customers")["extensions"]["permission"] == "customers:read_private"


GRANTING: Final[Mapping[str, tuple[dict[str, Any], list[str]]]] = {
    "more": ({"roles": ["support", "clerk"]}, ["clerk", "support"]),
    "twice the same": ({"roles": ["clerk", "clerk"]}, ["clerk"]),
    "that of an admin": ({"roles": ["support", "admin"]}, ["admin", "support"]),
    "that of an admin, said twice": ({"roles": ["admin"], "isAdmin": True}, ["admin"]),
    "an admin only": ({"isAdmin": True}, ["admin"]),
    "none": ({"roles": []}, []),
}


@pytest.mark.parametrize("given", GRANTING)
async def test_roles_are_as_an_admin_says(api: Api, admin: Person, given: str) -> None:
    new, roles = GRANTING[given]
    whom = await somebody(api, "Carl")
    assert await change(api, admin, whom, **new) == []
    assert (await current(api.database, whom.id)).roles.split() == roles
    person = {"name": "Nora", "email": "nora@example.com", "password": PASSWORD}
    made = await send(api, "createCustomer", {"input": person | new}, token=admin.token)
    assert faults(made.data["createCustomer"]) == []
    shown = {each["name"]: each for each in await listed(api, admin)}
    assert shown["Nora"]["roles"] == shown["Carl"]["roles"] == roles
    assert shown["Nora"]["isAdmin"] == shown["Carl"]["isAdmin"] == ("admin" in roles)


async def test_other_roles_stay_where_only_the_admin_is_said(api: Api, admin: Person) -> None:
    sue = await somebody(api, "Sue", "support")
    for is_admin, roles in ((True, "admin support"), (False, "support")):
        assert await change(api, admin, sue, isAdmin=is_admin) == []
        assert (await current(api.database, sue.id)).roles == roles


REFUSED: Final[Sequence[dict[str, Any]]] = (
    {"roles": ["nobody"]},
    {"roles": ["clerk "]},
    {"roles": ["admin"], "isAdmin": False},
    {"roles": [], "isAdmin": True},
    {"roles": None},
)


@pytest.mark.parametrize("new", REFUSED, ids=str)
async def test_roles_that_there_are_not_and_contradictions_are_told(
    api: Api, admin: Person, plain: Person, new: dict[str, Any]
) -> None:
    assert await change(api, admin, plain, **new) == [("INVALID", "roles")]
    assert (await current(api.database, plain.id)).roles == ""


async def test_the_last_admin_keeps_that_role(api: Api, admin: Person) -> None:
    assert await change(api, admin, admin, roles=["support"]) == [("LAST_ADMIN", "id")]
    assert (await current(api.database, admin.id)).roles == "admin"


async def test_each_role_is_in_the_audit(api: Api, admin: Person) -> None:
    carl = await somebody(api, "Carl", "clerk")
    assert await change(api, admin, carl, roles=["support", "admin"]) == []
    asked = f'{{ auditEvents(customerId: "{carl.id}") {{ nodes {{ action fields }} }} }}'
    nodes = (await api.run(asked, token=admin.token)).data["auditEvents"]["nodes"]
    told = {(node["action"], *node["fields"]) for node in nodes}
    assert told >= {
        ("customer:update", "isAdmin", "roles"),
        ("admin:grant",),
        ("role:grant", "support"),
        ("role:revoke", "clerk"),
    }


TOUCHING: Final[Mapping[str, Mapping[str, Any]]] = {
    "address": {"email": "new@example.com"},
    "password": {"password": "another password of theirs"},
    "state": {"isActive": False},
    "roles": {"roles": []},
    "admin": {"isAdmin": False},
}
"""What nobody changes of an account that has a permission which they lack."""


@pytest.mark.parametrize("what", TOUCHING)
@pytest.mark.parametrize(
    ("role", "permission"), [("support", "sessions:end"), ("admin", "audit:read")]
)
async def test_nobody_touches_who_may_do_what_they_may_not(
    api: Api, admin: Person, what: str, role: str, permission: str
) -> None:
    boss = await somebody(api, "Mary", "manager")
    whom = await somebody(api, "Sue", role)
    before = await current(api.database, whom.id)
    given = {"id": str(whom.id), "input": TOUCHING[what]}
    answer = await send(api, "updateCustomer", given, token=boss.token)
    told = answer.error("updateCustomer")["extensions"]
    assert (told["code"], told["permission"]) == ("FORBIDDEN", permission)
    gone = await send(api, "deleteCustomer", {"id": str(whom.id)}, token=boss.token)
    assert gone.error("deleteCustomer")["extensions"]["permission"] == permission
    assert await current(api.database, whom.id) == before
    assert await change(api, boss, whom, name="Susan", phone="+1 555 0123") == []
    assert admin.id != whom.id


LACKED: Final[Mapping[str, Any]] = {
    "updateCustomer": {"isActive": False},
    "deleteCustomer": None,
    "createCustomer": {"name": "Nora", "email": "nora@example.com", "roles": ["admin"]},
    "inviteCustomer": {"name": "Nora", "email": "nora@example.com", "roles": ["admin"]},
}
"""What takes the permissions of an admin, and its input."""


@pytest.mark.parametrize("name", LACKED)
@pytest.mark.parametrize(("further", "missing"), [([], "desk:sell"), (["desk:sell"], "files:read")])
async def test_real_permission_is_named_of_those_that_an_admin_has(
    settings: Settings, letterbox: Letterbox, name: str, further: list[str], missing: str
) -> None:
    @strawberry.type
    class Files:
        files: str | None = strawberry.field(
            resolver=lambda: None, permission_classes=[HasPermission("files:read")]
        )

    roles = [Role("chief", {*OURS, *further}), Role("seller", {"desk:sell"})]
    async with running(settings, features=[Feature("files", [Files], roles=roles)]) as api:
        chief = await somebody(api, "Mary", "chief")
        grace = await add_customer(api.database, "Grace", is_admin=True)
        given = {} if name in {"createCustomer", "inviteCustomer"} else {"id": str(grace.id)}
        given |= {"input": LACKED[name]} if LACKED[name] else {}
        told = (await send(api, name, given, token=chief.token)).error(name)["extensions"]
        is_new = name == "inviteCustomer"
        assert told == {
            "code": "FORBIDDEN",
            "reason": "PERMISSION_REQUIRED" if is_new else "ADMIN_REQUIRED",
            "permission": missing,
            **({} if is_new else {"required": "admin"}),
        }
    assert letterbox.empty


async def test_nobody_removes_a_factor_of_who_may_do_what_they_may_not(api: Api) -> None:
    boss, sue = await somebody(api, "Mary", "manager"), await somebody(api, "Sue", "support")
    for whom in (sue, carl := await somebody(api, "Carl", "clerk")):
        await set_up(api, whom.token)
    ids = [
        str(factors[0].id)
        for factors in await second_factors.of_customers(api.database, [sue.id, carl.id])
    ]
    answer = await send(api, "removeSecondFactor", {"id": ids[0]}, token=boss.token)
    told = answer.error("removeSecondFactor")["extensions"]
    assert told == {
        "code": "FORBIDDEN",
        "reason": "ADMIN_REQUIRED",
        "permission": "sessions:end",
        "required": "admin",
    }
    done = await send(api, "removeSecondFactor", {"id": ids[1]}, token=boss.token)
    assert faults(done.data["removeSecondFactor"]) == []
    left = await second_factors.of_customers(api.database, [sue.id, carl.id])
    assert [len(each) for each in left] == [1, 0]


@pytest.mark.parametrize("new", [{"roles": ["support"]}, {"isAdmin": True}, {"roles": ["admin"]}])
async def test_nobody_grants_what_they_lack(
    api: Api, plain: Person, new: Mapping[str, object]
) -> None:
    boss = await somebody(api, "Mary", "manager")
    given = {"id": str(plain.id), "input": new}
    answer = await send(api, "updateCustomer", given, token=boss.token)
    assert answer.error("updateCustomer")["extensions"]["code"] == "FORBIDDEN"
    person = {"name": "Nora", "email": "nora@example.com", "password": PASSWORD, **new}
    answer = await send(api, "createCustomer", {"input": person}, token=boss.token)
    assert answer.error("createCustomer")["extensions"]["code"] == "FORBIDDEN"
    assert {each["name"] for each in await listed(api, boss)} == {"Mary", plain.name}
    assert await change(api, boss, plain, roles=["clerk"]) == []
    assert (await current(api.database, plain.id)).roles == "clerk"


@pytest.mark.parametrize(
    ("roles", "permission"), [("support", "sessions:end"), ("admin", "audit:read")]
)
async def test_nobody_invites_to_what_they_lack_or_whoever_has_it(
    letterbox: Letterbox, settings: Settings, roles: str, permission: str
) -> None:
    async with running(settings, features=FEATURES) as api:
        admin = await somebody(api, "Grace", "admin")
        boss = await somebody(api, "Mary", "manager")
        nora: dict[str, Any] = {"name": "Nora", "email": "nora@example.com"}
        person: dict[str, Any] = {"input": nora | {"roles": [roles]}}
        refused = await send(api, "inviteCustomer", person, token=boss.token)
        told = refused.error("inviteCustomer")["extensions"]
        assert (told["reason"], told["permission"]) == ("PERMISSION_REQUIRED", permission)
        done = await send(api, "inviteCustomer", person, token=admin.token)
        assert faults(done.data["inviteCustomer"]) == []
        nora_now = clock.parse_id(done.data["inviteCustomer"]["customer"]["id"]) or admin.id
        before = await current(api.database, nora_now)
        for again in (nora, nora | {"name": "Norma"}, nora | {"roles": []}):
            refused = await send(api, "inviteCustomer", {"input": again}, token=boss.token)
            assert refused.error("inviteCustomer")["extensions"]["permission"] == permission
        assert await current(api.database, nora_now) == before
        carl = {"input": {"name": "Carl", "email": "carl@example.com", "roles": ["clerk"]}}
        for _ in range(2):
            done = await send(api, "inviteCustomer", carl, token=boss.token)
            assert faults(done.data["inviteCustomer"]) == []
    assert letterbox


def test_whatever_changes_another_account_is_tried_for_what_the_caller_lacks() -> None:
    """A mutation on others' accounts that is new needs a row in the tests above."""
    by_others = {
        name for name, policy in directives().items() if policy not in {"", "isAuthenticated"}
    }
    assert by_others == {
        *("auditEvents", "createCustomer", "updateCustomer", "deleteCustomer"),
        "inviteCustomer",
    }


@pytest.mark.parametrize("role", ["support", "admin", "manager"])
async def test_a_role_counts_from_the_next_request_on_in_every_process(
    api: Api, settings: Settings, admin: Person, plain: Person, role: str
) -> None:
    ada = await somebody(api, "Sam")
    async with running(settings, features=FEATURES) as elsewhere:
        for roles, private in ((None, False), ([role], True), ([], False), ([role], True)):
            if roles is not None:
                assert await change(api, admin, ada, roles=roles) == []
            for process in (elsewhere, api):
                shown = {each["name"]: each for each in await listed(process, ada)}
                assert (shown["Ada Plain"]["email"] == plain.email) == private
                one = (await process.run(ONE, token=ada.token, id=str(plain.id))).data["customer"]
                assert (one["email"] == plain.email) == private


@pytest.mark.parametrize(
    ("roles", "permissions"),
    [
        ("", set()),
        ("support", {"customers:read_private", "sessions:end"}),
        ("support gone", {"customers:read_private", "sessions:end"}),
        ("admin support", OURS | {"orders:refund"}),
    ],
)
def test_permissions_are_those_of_the_roles_and_of_an_admin_all(
    roles: str, permissions: set[str]
) -> None:
    mine = caller_of(new_id(), roles).permissions
    assert {each for each in OURS | {"orders:refund"} if each in mine} == permissions
