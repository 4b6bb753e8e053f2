"""The audit: what happened, told to admins, and nothing that says more than that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest

from gql_app.accounts.audit import Action
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api
from tests.conftest import SECRET, SetClock
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Kind, Person
from tests.schema.mutations import do, send

pytestmark = pytest.mark.usefixtures("letterbox")

AGENT: Final = {"User-Agent": "audited/1"}
NEW_PASSWORD: Final = "another good one"
ADA, GRACE = "Ada Plain", "Grace Admin"
EVENTS: Final = """
query Events($first: Int, $after: String, $customerId: ID, $action: String) {
  auditEvents(first: $first, after: $after, customerId: $customerId, action: $action) {
    nodes { id at action fields ipAddress userAgent actor { name } customer { name } }
    pageInfo { hasNextPage hasPreviousPage endCursor }
  }
}
"""
REFUSALS: Final = {
    Kind.ANONYMOUS: ("UNAUTHENTICATED", "TOKEN_MISSING"),
    Kind.EXPIRED: ("UNAUTHENTICATED", "TOKEN_EXPIRED"),
    Kind.REVOKED: ("UNAUTHENTICATED", "TOKEN_REVOKED"),
    Kind.PLAIN: ("FORBIDDEN", "ADMIN_REQUIRED"),
    Kind.OTHER: ("FORBIDDEN", "ADMIN_REQUIRED"),
}
Steps = list[tuple[str, str | None, dict[str, Any]]]
"""Mutations, whose token goes with each, and what they are given."""
Doing = Callable[[Person, Person], Steps]


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Have no grace, so that a reuse is one at once."""
    return Settings(
        database_url=database_url,
        secret_key=SECRET,
        refresh_grace_seconds=0,
        refresh_retry_seconds=0,
        sign_in_links=True,
    )


async def events(api: Api, admin: Person, **which: str | int | None) -> list[dict[str, Any]]:
    """Read the audit as an admin does."""
    variables: dict[str, Any] = which
    answer = await api.run(EVENTS, token=admin.token, **variables)
    nodes: list[dict[str, Any]] = answer.data["auditEvents"]["nodes"]
    return nodes


def open_to_all(name: str, *inputs: dict[str, Any]) -> Doing:
    """Do something that takes no token."""
    return lambda _, __: [(name, None, given) for given in inputs]


def sign_ins(*passwords: str) -> Doing:
    """Try to sign Ada in."""
    return lambda ada, _: [("login", None, {"email": ada.email, "password": p}) for p in passwords]


def by_ada(name: str, **given: object) -> Doing:
    """Have Ada do something."""
    return lambda ada, _: [(name, ada.token, given)]


def to_ada(*changes: dict[str, Any]) -> Doing:
    """Have Grace change Ada."""
    return lambda ada, grace: [
        ("updateCustomer", grace.token, {"id": str(ada.id), "input": change}) for change in changes
    ]


async def do_all(api: Api, steps: Steps) -> None:
    """Send each mutation, with a program that is known by its name."""
    for name, token, given in steps:
        assert name in (await send(api, name, given, token=token, headers=AGENT)).data


@dataclass(frozen=True, slots=True)
class Row:
    """What is done, and what the audit records of it."""

    doing: Doing
    actor: str | None
    customer: str | None
    fields: tuple[str, ...] = ()


NORA: Final = {"name": "Nora", "email": "nora@example.com"}
BOB: Final = {"input": {"name": "Bob", "email": "bob@example.com", "password": PASSWORD}}
ROWS: Final[Mapping[Action, Row]] = {
    Action.LOGIN: Row(sign_ins(PASSWORD), ADA, ADA),
    Action.LOGIN_FAILED: Row(sign_ins("wrong"), None, ADA),
    Action.THROTTLED: Row(sign_ins(*["wrong"] * 7), None, ADA),
    Action.REUSE: Row(
        lambda ada, _: [("refresh", None, {"refreshToken": ada.refresh_token})] * 3, None, ADA
    ),
    Action.REAUTHENTICATED: Row(by_ada("reauthenticate", password=PASSWORD), ADA, ADA),
    Action.LOGOUT: Row(by_ada("logout"), ADA, ADA),
    Action.SESSION_ENDED: Row(
        lambda ada, grace: [("endSession", grace.token, {"id": str(ada.session_id)})], GRACE, ADA
    ),
    Action.SESSIONS_ENDED: Row(by_ada("endAllSessions"), ADA, ADA),
    Action.CUSTOMER_REGISTERED: Row(open_to_all("register", BOB), "Bob", "Bob"),
    Action.CUSTOMER_CREATED: Row(
        lambda _, grace: [("createCustomer", grace.token, BOB)], GRACE, "Bob"
    ),
    Action.CUSTOMER_INVITED: Row(
        lambda _, grace: [("inviteCustomer", grace.token, {"input": NORA})], GRACE, "Nora"
    ),
    Action.SIGN_IN_LINK_REQUESTED: Row(
        open_to_all("requestSignInLink", {"email": "ada@example.com"}), None, ADA
    ),
    Action.CUSTOMER_CHANGED: Row(
        to_ada({"name": ADA, "phone": "+2", "isActive": False}), GRACE, ADA, ("isActive", "phone")
    ),
    Action.CUSTOMER_DELETED: Row(
        lambda ada, grace: [("deleteCustomer", grace.token, {"id": str(ada.id)})], GRACE, None
    ),
    Action.EMAIL_CHANGED: Row(
        by_ada("updateMe", input={"email": "a@example.org", "currentPassword": PASSWORD}), ADA, ADA
    ),
    Action.PASSWORD_CHANGED: Row(
        by_ada("changePassword", currentPassword=PASSWORD, newPassword=NEW_PASSWORD), ADA, ADA
    ),
    Action.VERIFICATION_REQUESTED: Row(by_ada("requestEmailVerification"), ADA, ADA),
    Action.RESET_REQUESTED: Row(
        open_to_all("requestPasswordReset", {"email": "ada@example.com"}), None, ADA
    ),
    Action.ADMIN_GRANTED: Row(to_ada({"isAdmin": True}), GRACE, ADA),
    Action.ROLE_GRANTED: Row(to_ada({"roles": ["support"]}), GRACE, ADA, ("support",)),
    Action.ROLE_REVOKED: Row(
        to_ada({"roles": ["support"]}, {"roles": []}), GRACE, ADA, ("support",)
    ),
    Action.ADMIN_REVOKED: Row(to_ada({"isAdmin": True}, {"isAdmin": False}), GRACE, ADA),
}


ELSEWHERE: Final = {
    Action.PASSWORD_RESET,
    Action.INVITATION_ACCEPTED,
    Action.EMAIL_CHANGE_REQUESTED,
    Action.EMAIL_CHANGE_UNDONE,
    Action.EMAIL_DECLINED,
    Action.EMAIL_VERIFIED,
    Action.REGISTRATION_REQUESTED,
    Action.LINK_REFUSED,
    Action.CUSTOMER_IMPORTED,
    Action.CUSTOMERS_EXPORTED,
    Action.CUSTOMERS_SEEDED,
    Action.SESSIONS_PURGED,
    Action.AUDIT_PURGED,
    Action.LETTER_REFUSED,
    Action.LETTER_TESTED,
    Action.KEY_CREATED,
    Action.KEY_PROMOTED,
    Action.KEY_RETIRED,
    Action.REFRESH_RETRIED,
    Action.REFRESH_REFUSED,
    Action.REGISTRATION_THROTTLED,
    Action.PROOF_FAILED,
    Action.PROOF_THROTTLED,
    Action.RESET_REFUSED,
    Action.SECOND_FACTOR_ASKED,
    Action.SECOND_FACTOR_FAILED,
    Action.SECOND_FACTOR_THROTTLED,
    Action.FACTOR_ADDED,
    Action.FACTOR_RENAMED,
    Action.FACTOR_REMOVED,
    Action.FACTOR_UNDONE,
    Action.RECOVERY_CODES_RENEWED,
    Action.RECOVERY_CODE_USED,
    Action.PASSKEY_COPIED,
    Action.TOKEN_REFUSED,
    Action.UNLOCKED,
}
"""What has its own test: here, of addresses, of refreshing, of guesses, of second factors or of the
command line."""


@pytest.mark.parametrize("action", [each for each in Action if each not in ELSEWHERE])
async def test_deed_is_recorded_once_with_whose_it_was(
    api: Api, plain: Person, admin: Person, action: Action
) -> None:
    row = ROWS[action]
    await do_all(api, row.doing(plain, admin))
    (event,) = [e for e in await events(api, admin, action=action) if e["userAgent"]]
    assert event == {
        "id": event["id"],
        "at": event["at"],
        "action": str(action),
        "fields": list(row.fields),
        "ipAddress": "192.0.2.1",
        "userAgent": "audited/1",
        "actor": row.actor and {"name": row.actor},
        "customer": row.customer and {"name": row.customer},
    }


async def test_reset_is_recorded_as_its_owners(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox
) -> None:
    await do_all(api, open_to_all("requestPasswordReset", {"email": plain.email})(plain, admin))
    given = {"token": await letterbox.link(), "newPassword": NEW_PASSWORD}
    await do_all(api, open_to_all("resetPassword", given)(plain, admin))
    (event,) = await events(api, admin, action=Action.PASSWORD_RESET)
    assert (event["actor"], event["customer"]) == ({"name": ADA}, {"name": ADA})
    assert (event["ipAddress"], event["userAgent"]) == ("192.0.2.1", "audited/1")


async def test_audit_is_for_admins_only(api: Api, tokens: dict[Kind, str | None]) -> None:
    for kind, refusal in REFUSALS.items():
        refused = await api.run(EVENTS, token=tokens[kind])
        assert (refused.code("auditEvents"), refused.reason("auditEvents")) == refusal
    allowed = await api.run(EVENTS, token=tokens[Kind.ADMIN])
    assert allowed.data["auditEvents"]["nodes"]


async def test_events_are_paged_through_the_newest_first(
    api: Api, plain: Person, admin: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    for minute in range(5):
        set_clock(start + timedelta(minutes=minute))
        await do(api, "login", email=plain.email, password=PASSWORD)
    seen: list[str] = []
    more: list[tuple[bool, bool]] = []
    after: str | None = None
    for _ in range(3):
        page = await api.run(EVENTS, token=admin.token, first=2, after=after, action=Action.LOGIN)
        found = page.data["auditEvents"]
        seen += [node["at"] for node in found["nodes"]]
        more.append((found["pageInfo"]["hasPreviousPage"], found["pageInfo"]["hasNextPage"]))
        after = found["pageInfo"]["endCursor"]
    assert seen == [clock.rfc3339(start + timedelta(minutes=m)) for m in (4, 3, 2, 1, 0)]
    assert more == [(False, True), (True, True), (True, False)]


async def test_events_are_filtered_by_customer_and_action(
    api: Api, plain: Person, other: Person, admin: Person
) -> None:
    for person in (plain, other):
        await do(api, "login", email=person.email, password=PASSWORD)
        await do(api, "login", email=person.email, password="wrong")

    async def told(**which: str | None) -> list[tuple[str, str]]:
        found = await events(api, admin, **which)
        return sorted((e["customer"]["name"], e["action"]) for e in found if e["ipAddress"])

    ada = [(ADA, "session:login"), (ADA, "session:login_failed")]
    bob = [(other.name, "session:login"), (other.name, "session:login_failed")]
    assert await told(customerId=str(plain.id)) == ada
    assert await told(action="session:login") == [ada[0], bob[0]]
    assert await told(customerId=str(other.id), action="session:login_failed") == [bob[1]]
    assert await told(customerId=None, action=None) == ada + bob


async def test_filter_that_means_nothing_matches_nothing(
    api: Api, plain: Person, admin: Person
) -> None:
    await do(api, "login", email=plain.email, password=PASSWORD)
    for action in ("session:log", "SESSION:LOGIN", "", "session:login\0"):
        assert await events(api, admin, action=action) == []
    for nobody in ("no UUID", "", "\0", "01890000-0000-7000-8000-000000000000"):
        assert await events(api, admin, customerId=nobody) == []
