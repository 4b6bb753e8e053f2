"""Sessions: what ends them bites at once, though the token has not expired."""

from typing import Final

import pytest

from gql_app.accounts import sessions
from tests.api import Api
from tests.people import PASSWORD, Person, add_customer, sign_in, sign_out
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, refused, send, token_reason
from tests.schema.test_permissions import NOBODY

CHANGE: Final = "updateCustomer(id: $id, input: {%s}) { status customer { sessions { id } } }"
ENDINGS: Final = {
    "deactivated": CHANGE % "isActive: false",
    "password set": CHANGE % 'password: "another good password"',
    "deleted": "deleteCustomer(id: $id) { status }",
}
LOGIN: Final = f"""
mutation Login($email: String!) {{
  login(email: $email, password: "{PASSWORD}") {{ status token }}
}}
"""


async def change(api: Api, admin: Person, customer: Person, mutation: str) -> None:
    """Have an admin do something to a customer, which must work."""
    answer = await api.run(
        f"mutation Change($id: ID!) {{ done: {mutation} }}", token=admin.token, id=str(customer.id)
    )
    assert answer.data["done"]["status"] == "SUCCESS"


async def test_logout_ends_the_session_at_once(api: Api, plain: Person) -> None:
    answer = await api.run("mutation { logout { status errors { code } } }", token=plain.token)
    assert answer.data["logout"] == {"status": "SUCCESS", "errors": []}
    assert (await api.run("{ me { id } }", token=plain.token)).reason("me") == "TOKEN_REVOKED"


async def test_logout_leaves_the_customers_other_sessions(api: Api, plain: Person) -> None:
    login = (await api.run(LOGIN, email=plain.email)).data["login"]
    await api.run("mutation { logout { status } }", token=plain.token)
    me = (await api.run("{ me { sessions { isCurrent } } }", token=login["token"])).data["me"]
    assert me == {"sessions": [{"isCurrent": True}]}


async def test_after_logout_the_next_protected_field_is_refused(api: Api, admin: Person) -> None:
    document = f"""mutation {{
      logout {{ status }}
      again: logout {{ status }}
      deleteCustomer(id: "{admin.id}") {{ status }}
    }}"""
    answer = await api.run(document, token=admin.token)
    assert answer.body["data"]["logout"] == {"status": "SUCCESS"}
    assert answer.reason("again") == "TOKEN_REVOKED"
    assert answer.reason("deleteCustomer") == "TOKEN_REVOKED"


async def test_who_is_signed_out_by_signing_in_once_more_is_refused_the_next_protected_field(
    api: Api, plain: Person
) -> None:
    for _ in range(sessions.MAX_SESSIONS - 1):
        await api.run(LOGIN, email=plain.email)
    document = f"""mutation {{
      changePassword(currentPassword: "{PASSWORD}", newPassword: "") {{ status }}
      login(email: "{plain.email}", password: "{PASSWORD}") {{ status }}
      logout {{ status }}
    }}"""
    answer = await api.run(document, token=plain.token)
    assert answer.body["data"]["changePassword"] == {"status": "ERROR"}
    assert answer.body["data"]["login"] == {"status": "SUCCESS"}
    assert answer.reason("logout") == "TOKEN_REVOKED"


@pytest.mark.parametrize("ending", ENDINGS)
async def test_customers_token_is_revoked_when_they_are(
    api: Api, plain: Person, admin: Person, ending: str
) -> None:
    await change(api, admin, plain, ENDINGS[ending])
    answer = await api.run("{ me { id } customers { totalCount } }", token=plain.token)
    assert answer.reason("me") == answer.reason("customers") == "TOKEN_REVOKED"


async def test_session_ended_behind_the_tokens_back_is_revoked(api: Api, plain: Person) -> None:
    await sign_out(api.resources, plain)
    assert (await api.run("{ me { id } }", token=plain.token)).reason("me") == "TOKEN_REVOKED"


async def test_demoted_admin_is_signed_in_but_forbidden(api: Api, admin: Person) -> None:
    second = await sign_in(
        api.resources, await add_customer(api.database, "Second Admin", is_admin=True)
    )
    await change(api, admin, second, CHANGE % "isAdmin: false")
    refused = await api.run(
        f'mutation {{ deleteCustomer(id: "{admin.id}") {{ status }} }}', token=second.token
    )
    assert refused.code("deleteCustomer") == "FORBIDDEN"
    assert refused.reason("deleteCustomer") == "ADMIN_REQUIRED"
    me = (await api.run("{ me { isAdmin } }", token=second.token)).data["me"]
    assert me == {"isAdmin": False}


async def test_promoted_customer_is_an_admin_at_once(
    api: Api, plain: Person, other: Person, admin: Person
) -> None:
    await change(api, admin, plain, CHANGE % "isAdmin: true")
    seen = await api.run(
        "query ($id: ID!) { customer(id: $id) { email } }", token=plain.token, id=str(other.id)
    )
    assert seen.data["customer"] == {"email": other.email}


async def test_admin_who_demotes_themself_is_forbidden_the_next_field(
    api: Api, plain: Person, admin: Person
) -> None:
    await change(api, admin, plain, CHANGE % "isAdmin: true")
    document = f"""mutation {{
      updateCustomer(id: "{admin.id}", input: {{isAdmin: false}}) {{ status }}
      deleteCustomer(id: "{plain.id}") {{ status }}
    }}"""
    answer = await api.run(document, token=admin.token)
    assert answer.body["data"]["updateCustomer"] == {"status": "SUCCESS"}
    assert answer.reason("deleteCustomer") == "ADMIN_REQUIRED"


@pytest.mark.parametrize("ending", ["deactivated", "password set"])
async def test_ended_sessions_are_gone_and_stay_gone(
    api: Api, plain: Person, admin: Person, ending: str
) -> None:
    await change(api, admin, plain, ENDINGS[ending])
    await change(api, admin, plain, CHANGE % "isActive: true")
    seen = await api.run(
        "query ($id: ID!) { customer(id: $id) { sessions { id } } }",
        token=admin.token,
        id=str(plain.id),
    )
    assert seen.data["customer"] == {"sessions": []}
    assert (await api.run("{ me { id } }", token=plain.token)).reason("me") == "TOKEN_REVOKED"


@pytest.mark.parametrize("kept", ['name: "Ada New", phone: null', "isActive: true", ""])
async def test_other_changes_leave_the_sessions(
    api: Api, plain: Person, admin: Person, kept: str
) -> None:
    await change(api, admin, plain, CHANGE % kept)
    me = (await api.run("{ me { id } }", token=plain.token)).data["me"]
    assert me == {"id": str(plain.id)}


async def test_deleting_ends_nobody_elses_session(
    api: Api, plain: Person, other: Person, admin: Person
) -> None:
    await change(api, admin, plain, ENDINGS["deleted"])
    me = (await api.run("{ me { id } }", token=other.token)).data["me"]
    assert me == {"id": str(other.id)}


async def end_all(api: Api, person: Person, whose: str | None = None) -> list[CodeAndField]:
    """Sign out everywhere, and return what was wrong."""
    return faults(await do(api, "endAllSessions", token=person.token, customerId=whose))


@pytest.mark.parametrize("named", [False, True])
async def test_who_signs_out_everywhere_is_signed_out_here_too_and_nobody_else_is(
    api: Api, plain: Person, other: Person, *, named: bool
) -> None:
    elsewhere = (await api.run(LOGIN, email=plain.email)).data["login"]["token"]
    assert await end_all(api, plain, str(plain.id) if named else None) == SUCCESS
    for token in (plain.token, elsewhere):
        assert await token_reason(api, token) == "TOKEN_REVOKED"
    assert await refused(api, plain.refresh_token) == [("TOKEN_REVOKED", "refreshToken")]
    assert await token_reason(api, other.token) is None


async def test_admins_end_all_sessions_of_anybody(api: Api, plain: Person, admin: Person) -> None:
    assert await end_all(api, admin, str(plain.id)) == SUCCESS
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"
    assert await token_reason(api, admin.token) is None
    query = "{ auditEvents(first: 1) { nodes { action actor { id } customer { id } } } }"
    [event] = (await api.run(query, token=admin.token)).data["auditEvents"]["nodes"]
    assert event == {
        "action": "session:end_all",
        "actor": {"id": str(admin.id)},
        "customer": {"id": str(plain.id)},
    }


@pytest.mark.parametrize("whose", ["another", NOBODY, "nonsense", ""])
async def test_sessions_of_others_are_for_admins_to_end(
    api: Api, plain: Person, other: Person, whose: str
) -> None:
    named = str(other.id) if whose == "another" else whose
    answer = await send(api, "endAllSessions", {"customerId": named}, token=plain.token)
    assert answer.reason("endAllSessions") == "ADMIN_REQUIRED"
    for person in (plain, other):
        assert await token_reason(api, person.token) is None


@pytest.mark.parametrize("whose", [NOBODY, "nonsense", ""])
async def test_admin_learns_that_there_is_no_such_customer(
    api: Api, admin: Person, whose: str
) -> None:
    assert await end_all(api, admin, whose) == [("NOT_FOUND", "customerId")]
    assert await token_reason(api, admin.token) is None
