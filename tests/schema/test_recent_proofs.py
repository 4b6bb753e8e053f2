"""Which mutations want a recent proof of who somebody is: each one there is, with an old proof."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from graphql import GraphQLField, get_named_type

from gql_app.schema.root import build_schema
from tests.api import Api
from tests.conftest import SetClock
from tests.databases import contents
from tests.people import PASSWORD, Person
from tests.schema.agreement import BOTH_WAYS
from tests.schema.mutations import send
from tests.schema.test_descriptions import parts
from tests.schema.test_permissions import directives

pytestmark = pytest.mark.usefixtures("letterbox")

NOON: Final = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)
LATE: Final = NOON + timedelta(minutes=10, seconds=1)
PROOF: Final = "a recent proof of identity"
NOBODY: Final = "00000000-0000-7000-8000-000000000000"
NEW: Final = {"name": "Nora New", "email": "nora@example.com", "password": PASSWORD}
WANTING: Final[dict[str, dict[str, Any]]] = {
    "changePassword": {"currentPassword": PASSWORD, "newPassword": "another good one"},
    "deleteMe": {"password": PASSWORD},
    "createCustomer": {"input": NEW},
    "updateCustomer": {"id": NOBODY, "input": {"name": "B"}},
    "deleteCustomer": {"id": NOBODY},
    "inviteCustomer": {"input": {"name": "Nora New", "email": "nora@example.com"}},
    "beginCodes": {},
    "confirmCodes": {"code": "123456"},
    "beginPasskey": {},
    "confirmPasskey": {"credential": {}},
    "renewRecoveryCodes": {},
    "removeSecondFactor": {"id": NOBODY},
}
"""What is refused with an old proof, whatever it is about."""
DEPENDING: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "updateMe": (
        {"input": {"email": "a@example.org", "currentPassword": PASSWORD}},
        {"input": {"name": "Grace A."}},
    ),
    "endSession": ({"id": "another's"}, {"id": NOBODY}),
    "endAllSessions": ({"customerId": "another's"}, {}),
}
"""What is refused with the first of these, and not with the second."""
FREE: Final[dict[str, dict[str, Any]]] = {
    "logout": {},
    "endOtherSessions": {},
    "requestEmailVerification": {},
    "renameSecondFactor": {"id": NOBODY, "name": "Mine"},
    "reauthenticate": {"password": PASSWORD},
}
"""What an old proof is enough for."""


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Have everybody sign in at the same moment."""
    set_clock(NOON)


def test_every_mutation_of_who_is_signed_in_is_tried() -> None:
    queries = {"me", "customer", "customers", "node", "nodes", "auditEvents"}
    guarded = {name for name, policy in directives().items() if policy} - queries
    assert guarded == {*WANTING, *DEPENDING, *FREE}
    assert len(guarded) == len(WANTING) + len(DEPENDING) + len(FREE)


def test_what_takes_a_recent_proof_is_described_so() -> None:
    mutation = build_schema().core.mutation_type
    assert mutation is not None
    told = {
        name: [field.description or "", *(part.description or "" for _, part in inputs(field))]
        for name, field in mutation.fields.items()
    }
    wanting = {name for name, (first, *_) in told.items() if first.endswith(f"{PROOF}.")}
    assert wanting == {*WANTING}
    depending = {name for name, texts in told.items() if PROOF in " ".join(texts)} - wanting
    assert depending == {*DEPENDING}


def inputs(field: GraphQLField) -> Iterator[tuple[str, Any]]:
    """Return the arguments of a mutation, and what is in its inputs."""
    for name, each in field.args.items():
        yield name, each
        yield from parts(get_named_type(each.type))


def about(given: dict[str, Any], other: Person) -> dict[str, Any]:
    """Return what a mutation is sent that is about another."""
    its = {"id": str(other.session_id), "customerId": str(other.id)}
    return {name: its[name] if value == "another's" else value for name, value in given.items()}


@BOTH_WAYS
@pytest.mark.parametrize("name", [*WANTING, *DEPENDING])
async def test_old_proof_is_refused_and_changes_nothing(
    api: Api, admin: Person, other: Person, set_clock: SetClock, name: str
) -> None:
    given = WANTING[name] if name in WANTING else about(DEPENDING[name][0], other)
    await api.run("{ me { id } }", token=admin.token)
    set_clock(LATE)
    await api.run("{ me { id } }", token=admin.token)  # which is noted as its last use
    before = await contents(api.database)
    answer = await send(api, name, given, token=admin.token)
    assert answer.code(name) == "FORBIDDEN"
    assert answer.reason(name) == "REAUTHENTICATION_REQUIRED"
    assert answer.error(name)["extensions"]["methods"] == ["PASSWORD"]
    assert await contents(api.database) == before


@BOTH_WAYS
@pytest.mark.parametrize("name", [*FREE, *DEPENDING])
async def test_old_proof_is_enough_for_the_rest(
    api: Api, admin: Person, set_clock: SetClock, name: str
) -> None:
    set_clock(LATE)
    given = FREE[name] if name in FREE else DEPENDING[name][1]
    assert (await send(api, name, given, token=admin.token)).errors == []


@pytest.mark.parametrize("name", [*WANTING, *DEPENDING])
async def test_proof_of_ten_minutes_ago_is_recent(
    api: Api, admin: Person, other: Person, set_clock: SetClock, name: str
) -> None:
    given = WANTING[name] if name in WANTING else about(DEPENDING[name][0], other)
    set_clock(NOON + timedelta(minutes=10))
    assert (await send(api, name, given, token=admin.token)).errors == []


@BOTH_WAYS
@pytest.mark.parametrize("moment", [NOON, LATE])
@pytest.mark.parametrize("name", ["endSession", "endAllSessions"])
async def test_without_the_permission_nobody_learns_what_there_is_of_another(
    api: Api, plain: Person, other: Person, set_clock: SetClock, name: str, moment: datetime
) -> None:
    set_clock(moment)
    given = DEPENDING[name][0]
    there = await send(api, name, about(given, other), token=plain.token)
    nowhere = await send(api, name, dict.fromkeys(given, NOBODY), token=plain.token)
    assert there.body == nowhere.body
