"""Who may resolve which field: every kind of caller at every protected field."""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

import graphql
import pytest

from gql_app.schema.root import build_schema
from tests.api import Api
from tests.people import PASSWORD, Kind, Person, sign_out
from tests.schema.agreement import BOTH_WAYS

NOBODY: Final = "00000000-0000-7000-8000-000000000000"
ALLOWED: Final = "ALLOWED"
STRANGERS: Final[Mapping[Kind, str]] = {
    Kind.ANONYMOUS: "UNAUTHENTICATED TOKEN_MISSING",
    Kind.EXPIRED: "UNAUTHENTICATED TOKEN_EXPIRED",
    Kind.REVOKED: "UNAUTHENTICATED TOKEN_REVOKED",
}
SIGNED_IN: Final[Mapping[Kind, str]] = {
    **STRANGERS,
    Kind.PLAIN: ALLOWED,
    Kind.OTHER: ALLOWED,
    Kind.ADMIN: ALLOWED,
}
ADMINS: Final[Mapping[Kind, str]] = {
    **STRANGERS,
    Kind.PLAIN: "FORBIDDEN ADMIN_REQUIRED",
    Kind.OTHER: "FORBIDDEN ADMIN_REQUIRED",
    Kind.ADMIN: ALLOWED,
}
PERMITTED: Final[Mapping[Kind, str]] = {
    **ADMINS,
    Kind.PLAIN: "FORBIDDEN PERMISSION_REQUIRED",
    Kind.OTHER: "FORBIDDEN PERMISSION_REQUIRED",
}
NEW: Final = f'{{name: "Nora New", email: "nora@example.com", password: "{PASSWORD}"}}'
PROTECTED: Final[Mapping[str, tuple[str, Mapping[Kind, str]]]] = {
    "me": ("query { me { id }", SIGNED_IN),
    "customer": (f'query {{ customer(id: "{NOBODY}") {{ id }}', SIGNED_IN),
    "customers": ("query { customers { nodes { id } }", SIGNED_IN),
    "node": (f'query {{ node(id: "{NOBODY}") {{ id }}', SIGNED_IN),
    "nodes": (f'query {{ nodes(ids: ["{NOBODY}"]) {{ id }}', SIGNED_IN),
    "auditEvents": ("query { auditEvents { nodes { id } }", ADMINS),
    "endSession": (f'mutation {{ endSession(id: "{NOBODY}") {{ status }}', SIGNED_IN),
    "endOtherSessions": ("mutation { endOtherSessions { status }", SIGNED_IN),
    "endAllSessions": ("mutation { endAllSessions { status }", SIGNED_IN),
    "updateMe": ("mutation { updateMe(input: {}) { status }", SIGNED_IN),
    "changePassword": (
        'mutation { changePassword(currentPassword: "", newPassword: "") { status }',
        SIGNED_IN,
    ),
    "deleteMe": ('mutation { deleteMe(password: "") { status }', SIGNED_IN),
    "requestEmailVerification": (
        "mutation { requestEmailVerification { status }",
        SIGNED_IN,
    ),
    "logout": ("mutation { logout { status }", SIGNED_IN),
    "beginCodes": ("mutation { beginCodes { status }", SIGNED_IN),
    "confirmCodes": ('mutation { confirmCodes(code: "123456") { status }', SIGNED_IN),
    "beginPasskey": ("mutation { beginPasskey { status }", SIGNED_IN),
    "confirmPasskey": ("mutation { confirmPasskey(credential: {}) { status }", SIGNED_IN),
    "renewRecoveryCodes": ("mutation { renewRecoveryCodes { status }", SIGNED_IN),
    "removeSecondFactor": (
        f'mutation {{ removeSecondFactor(id: "{NOBODY}") {{ status }}',
        SIGNED_IN,
    ),
    "renameSecondFactor": (
        f'mutation {{ renameSecondFactor(id: "{NOBODY}", name: "A") {{ status }}',
        SIGNED_IN,
    ),
    "reauthenticate": ('mutation { reauthenticate(code: "123456") { status }', SIGNED_IN),
    "inviteCustomer": (
        'mutation { inviteCustomer(input: {name: "Nora", email: "nora@example.com"}) { status }',
        PERMITTED,
    ),
    "createCustomer": (f"mutation {{ createCustomer(input: {NEW}) {{ status }}", ADMINS),
    "updateCustomer": (
        f'mutation {{ updateCustomer(id: "{NOBODY}", input: {{}}) {{ status }}',
        ADMINS,
    ),
    "deleteCustomer": (f'mutation {{ deleteCustomer(id: "{NOBODY}") {{ status }}', ADMINS),
}
"""Each protected field: the start of a document that asks for it, and who gets what."""

PUBLIC: Final = [
    *("token", "login", "refresh", "register", "requestPasswordReset", "resetPassword"),
    *("acceptInvitation", "requestSignInLink", "signInByLink"),
    *("verifyEmail", "declineEmail", "undoEmailChange"),
    *("verifySecondFactor", "undoSecondFactor", "beginPasskeySignIn", "signInWithPasskey"),
]
LOGIN: Final = """
mutation Login($email: String!) {
  __typename
  login(email: $email, password: "a password for tests") { status }
}
"""
MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def directives() -> dict[str, str]:
    """Read from the printed schema which root field bears which directive."""
    document = graphql.parse(build_schema().as_str())
    return {
        field.name.value: " ".join(directive.name.value for directive in field.directives or ())
        for node in document.definitions
        if isinstance(node, graphql.ObjectTypeDefinitionNode)
        and node.name.value in {"Query", "Mutation"}
        for field in node.fields or ()
    }


async def outcome(api: Api, field: str, token: str | None) -> str:
    """Ask for a field and a neighbour of it; tell what became of the field."""
    document, _ = PROTECTED[field]
    answer = await api.run(f"{document} neighbour: __typename }}", token=token)
    assert answer.status == 200
    assert answer.body["data"]["neighbour"] in {"Query", "Mutation"}
    if not answer.errors:
        return ALLOWED
    assert answer.body["data"][field] is None
    [error] = answer.errors
    assert error["path"] == [field]
    assert len(error["message"].split()) > 5
    return f"{error['extensions']['code']} {error['extensions']['reason']}"


def test_table_has_a_row_for_each_protected_field() -> None:
    policy = directives()
    bears = {id(ADMINS): "isAdmin", id(PERMITTED): "requires", id(SIGNED_IN): "isAuthenticated"}
    rows = {field: bears[id(expected)] for field, (_, expected) in PROTECTED.items()}
    assert policy == {**dict.fromkeys(PUBLIC, ""), **rows}


@BOTH_WAYS
@pytest.mark.parametrize("field", PROTECTED)
async def test_protected_field_is_tried_by_every_kind_of_caller(
    api: Api, tokens: dict[Kind, str | None], field: str
) -> None:
    found = {kind: await outcome(api, field, token) for kind, token in tokens.items()}
    _, expected = PROTECTED[field]
    assert set(found) == set(Kind)
    assert found == expected


@BOTH_WAYS
async def test_no_field_is_open_to_whoever_was_remembered_and_has_signed_out_since(
    api: Api, plain: Person
) -> None:
    for _ in range(2):
        assert await outcome(api, "customers", plain.token) == ALLOWED
    await sign_out(api.resources, plain)
    found = {field: await outcome(api, field, plain.token) for field in PROTECTED}
    assert found == dict.fromkeys(PROTECTED, "UNAUTHENTICATED TOKEN_REVOKED")


async def test_expired_token_is_refused_with_the_moment_it_expired(
    api: Api, tokens: dict[Kind, str | None]
) -> None:
    answer = await api.run("{ me { id } token { expiresAt issuedAt } }", token=tokens[Kind.EXPIRED])
    expired_at = answer.error("me")["extensions"]["expiredAt"]
    assert MOMENT.fullmatch(expired_at)
    assert expired_at == answer.body["data"]["token"]["expiresAt"]


async def test_forbidden_field_says_what_is_required(api: Api, plain: Person) -> None:
    document, _ = PROTECTED["deleteCustomer"]
    error = (await api.run(f"{document} }}", token=plain.token)).error("deleteCustomer")
    assert error["extensions"] == {
        "code": "FORBIDDEN",
        "reason": "ADMIN_REQUIRED",
        "required": "admin",
        "permission": "customers:write",
    }
    assert "admin" in error["message"]


async def test_each_reason_has_a_message_of_its_own(
    api: Api, tokens: dict[Kind, str | None]
) -> None:
    sent = [*(tokens[kind] for kind in STRANGERS), "malformed", f"{tokens[Kind.PLAIN]}AAAA"]
    errors = [(await api.run("{ me { id } }", token=token)).error("me") for token in sent]
    assert len({error["extensions"]["reason"] for error in errors}) == 5
    assert len({error["message"] for error in errors}) == 5


@pytest.mark.parametrize("kind", [*Kind, "malformed", "invalid"])
async def test_public_fields_are_open_whatever_token_comes(
    api: Api, tokens: dict[Kind, str | None], plain: Person, kind: Kind | str
) -> None:
    others = {"malformed": "malformed", "invalid": f"{plain.token}AAAA"}
    token = tokens[kind] if isinstance(kind, Kind) else others[kind]
    asked = (await api.run("{ __typename token { message } }", token=token)).data
    assert asked["__typename"] == "Query"
    assert asked["token"]["message"]
    signed_in = (await api.run(LOGIN, token=token, email=plain.email)).data
    assert signed_in == {"__typename": "Mutation", "login": {"status": "SUCCESS"}}


async def test_200_concurrent_requests_each_get_their_own_reason(
    api: Api, tokens: dict[Kind, str | None]
) -> None:
    sent = {
        "TOKEN_MISSING": None,
        "TOKEN_MALFORMED": "malformed",
        "TOKEN_INVALID": f"{tokens[Kind.PLAIN]}AAAA",
        "TOKEN_EXPIRED": tokens[Kind.EXPIRED],
        "TOKEN_REVOKED": tokens[Kind.REVOKED],
    }
    reasons = list(sent) * 40
    answers = await asyncio.gather(
        *(api.run("{ me { id } }", token=sent[reason]) for reason in reasons)
    )
    assert [answer.reason("me") for answer in answers] == reasons


async def test_database_is_asked_once_who_is_calling(
    api: Api, admin: Person, selects: list[str]
) -> None:
    document = f"""{{
      me {{ id }} again: me {{ id }} token {{ valid }}
      a: customer(id: "{admin.id}") {{ id }} b: customer(id: "{admin.id}") {{ id }}
      customers {{ nodes {{ id }} }}
    }}"""
    data = (await api.run(document, token=admin.token)).data
    assert data["me"] == data["again"] == data["a"] == data["b"] == {"id": str(admin.id)}
    assert sum("sessions" in statement for statement in selects) == 1
    assert len(selects) == 4  # who is calling, two customers by id, a page of them


@pytest.mark.parametrize("kind", [Kind.ANONYMOUS, Kind.EXPIRED])
async def test_database_is_not_asked_about_a_token_that_is_no_good(
    api: Api, tokens: dict[Kind, str | None], selects: list[str], kind: Kind
) -> None:
    await api.run("{ me { id } customers { totalCount } token { valid } }", token=tokens[kind])
    assert selects == []
