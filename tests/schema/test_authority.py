"""A caller is judged by the transaction that changes: what ended meanwhile changes nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Update, update

from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.factors import changes
from gql_app.lib import clock
from gql_app.schema.context import Context
from tests.api import Answer, Api
from tests.apps import begin
from tests.authenticators import SoftwareAuthenticator
from tests.databases import contents
from tests.passkeys import options_of
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.rows import add
from tests.schema.agreement import BOTH_WAYS
from tests.schema.mutations import SUCCESS, faults, send
from tests.schema.test_permissions import directives

pytestmark = pytest.mark.usefixtures("letterbox")

NEW: Final = {"name": "Nora New", "email": "nora@example.com", "password": PASSWORD}
INVITED: Final = {"name": "Nora New", "email": "nora@example.com", "roles": ["admin"]}
Given = Callable[[Person, Person], Mapping[str, Any]]
"""What a mutation is sent, by an admin who does it to another customer."""

MUTATIONS: Final[Mapping[str, tuple[int, Given]]] = {
    "logout": (1, lambda _me, _other: {}),
    "endSession": (1, lambda _me, other: {"id": str(other.session_id)}),
    "endOtherSessions": (1, lambda _me, _other: {}),
    "endAllSessions": (1, lambda _me, other: {"customerId": str(other.id)}),
    "updateMe": (
        2,
        lambda _me, _other: {
            "input": {"email": "thief@example.com", "currentPassword": PASSWORD, "phone": None}
        },
    ),
    "changePassword": (
        2,
        lambda _me, _other: {"currentPassword": PASSWORD, "newPassword": "another good one"},
    ),
    "requestEmailVerification": (1, lambda _me, _other: {}),
    "deleteMe": (2, lambda _me, _other: {"password": PASSWORD}),
    "reauthenticate": (2, lambda _me, _other: {"password": PASSWORD}),
    "beginCodes": (1, lambda _me, _other: {}),
    "confirmCodes": (1, lambda _me, _other: {}),
    "beginPasskey": (1, lambda _me, _other: {}),
    "confirmPasskey": (1, lambda _me, _other: {}),
    "renewRecoveryCodes": (1, lambda _me, _other: {}),
    "removeSecondFactor": (1, lambda _me, _other: {}),
    "renameSecondFactor": (1, lambda _me, _other: {"name": "Mine"}),
    "inviteCustomer": (1, lambda _me, _other: {"input": INVITED}),
    "createCustomer": (1, lambda _me, _other: {"input": {**NEW, "isAdmin": True}}),
    "updateCustomer": (
        1,
        lambda _me, other: {"id": str(other.id), "input": {"isAdmin": True, "name": "B"}},
    ),
    "deleteCustomer": (1, lambda _me, other: {"id": str(other.id)}),
}
"""Each mutation of whoever is signed in: its transactions, and what it is sent."""
PROVEN: Final = ("updateMe", "changePassword", "deleteMe", "reauthenticate")
BY_ADMINS: Final = (
    "endSession",
    "endAllSessions",
    "inviteCustomer",
    "createCustomer",
    "updateCustomer",
    "deleteCustomer",
    "removeSecondFactor",
)
STEPS: Final = [(name, turn) for name, (turns, _) in MUTATIONS.items() for turn in range(turns)]


Change = Callable[[Person], Update]
ENDED: Final[Mapping[str, tuple[Change, Change]]] = {
    "ended": (
        lambda me: _session(me).values(ended_at=clock.now()),
        lambda me: _session(me).values(ended_at=None),
    ),
    "expired": (
        lambda me: _session(me).values(expires_at=clock.now()),
        lambda me: _session(me).values(expires_at=clock.now() + timedelta(hours=1)),
    ),
    "deactivated": (
        lambda me: _account(me).values(is_active=False),
        lambda me: _account(me).values(is_active=True),
    ),
}
"""What becomes of a caller's session behind their back, and what undoes that."""


def _session(me: Person) -> Update:
    return update(SessionRow).where(SessionRow.id == me.session_id)


def _account(me: Person) -> Update:
    return update(CustomerRow).where(CustomerRow.id == me.id)


@dataclass
class Meanwhile:
    """Has something change right before one of the transactions, and takes down what is there."""

    api: Api
    turn: int | None = None
    change: Update | None = None
    transactions: int = 0
    found: str = ""

    def spy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Look at each transaction of a request as it is to begin."""
        write: Callable[..., Awaitable[object]] = Context.transact

        async def spying(*args: object, **kwargs: object) -> object:
            if self.change is not None and self.transactions == self.turn:
                await changed(self.api, self.change)
                self.found = await contents(self.api.database)
            self.transactions += 1
            return await write(*args, **kwargs)

        monkeypatch.setattr(Context, "transact", spying)


async def changed(api: Api, change: Update) -> None:
    """Change something in a separate transaction."""
    async with api.database.transaction() as db:
        await db.execute(change)


async def factor_of(api: Api, who: Person) -> Mapping[str, Any]:
    """Give somebody a second factor, by which their session is proven, and return its id."""
    factor_id, now = clock.new_id(), clock.now()
    factor = {"customer_id": who.id, "method": "CODE", "created_at": now}
    async with api.database.transaction() as db:
        await add(db, SecondFactorRow, id=factor_id, **factor)
        await changes.changed(db, who.id)
        await db.execute(_session(who).values(methods="pwd otp mfa"))
    return {"id": str(factor_id)}


async def given_to(api: Api, name: str, me: Person, other: Person) -> Mapping[str, Any]:
    """Return what a mutation is sent, once what it is about is there."""
    given = MUTATIONS[name][1](me, other)
    if name == "confirmCodes":
        return {**given, "code": (await begin(api, me.token)).code()}
    if name == "confirmPasskey":
        made = SoftwareAuthenticator().create(await options_of(api, "beginPasskey", me.token))
        return {**given, "credential": made}
    if name == "removeSecondFactor":
        return {**given, **await factor_of(api, other)}
    if name in {"renewRecoveryCodes", "renameSecondFactor"}:
        factor = await factor_of(api, me)
        return {**given, **(factor if name == "renameSecondFactor" else {})}
    return given


async def attempt(api: Api, name: str, me: Person, given: Mapping[str, Any]) -> Answer:
    """Send a mutation."""
    return await send(api, name, given, token=me.token)


def test_every_mutation_of_a_caller_is_tried() -> None:
    guarded = {name for name, policy in directives().items() if policy}
    queries = {"me", "customer", "customers", "node", "nodes", "auditEvents"}
    assert set(MUTATIONS) == guarded - queries
    by_admins = {name for name, policy in directives().items() if policy in {"isAdmin", "requires"}}
    assert by_admins - {"auditEvents"} <= set(BY_ADMINS)


@pytest.mark.parametrize("name", MUTATIONS)
async def test_mutation_writes_in_as_many_transactions_as_are_tried(
    api: Api, admin: Person, other: Person, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await sign_in(api.resources, await add_customer(api.database, "Alan Admin", is_admin=True))
    meanwhile, given = Meanwhile(api), await given_to(api, name, admin, other)
    meanwhile.spy(monkeypatch)
    payload = (await attempt(api, name, admin, given)).data[name]
    assert faults(payload) == SUCCESS
    assert meanwhile.transactions == MUTATIONS[name][0]


@BOTH_WAYS
@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_session_that_ends_before_the_change_changes_nothing(
    api: Api,
    admin: Person,
    other: Person,
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[str, int],
) -> None:
    name, turn = step
    given = await given_to(api, name, admin, other)
    for ending, (end, undo) in ENDED.items():
        meanwhile = Meanwhile(api, turn, end(admin))
        with monkeypatch.context() as patch:
            meanwhile.spy(patch)
            answer = await attempt(api, name, admin, given)
        assert answer.reason(name) == "TOKEN_REVOKED", ending
        assert await contents(api.database) == meanwhile.found, ending
        await changed(api, undo(admin))


@BOTH_WAYS
@pytest.mark.parametrize("name", BY_ADMINS)
async def test_admin_who_is_none_any_more_before_the_change_changes_nothing(
    api: Api, admin: Person, other: Person, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given = await given_to(api, name, admin, other)
    meanwhile = Meanwhile(api, 0, _account(admin).values(is_admin=False))
    meanwhile.spy(monkeypatch)
    answer = await attempt(api, name, admin, given)
    refusal = "PERMISSION_REQUIRED" if directives()[name] == "requires" else "ADMIN_REQUIRED"
    assert answer.reason(name) == refusal
    assert await contents(api.database) == meanwhile.found


@BOTH_WAYS
@pytest.mark.parametrize("name", PROVEN)
async def test_password_that_is_another_before_the_change_is_no_proof_of_it(
    api: Api, plain: Person, other: Person, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given = await given_to(api, name, plain, other)
    meanwhile = Meanwhile(api, 1, _account(plain).values(password_hash="another"))
    meanwhile.spy(monkeypatch)
    payload = (await attempt(api, name, plain, given)).data[name]
    assert [code for code, _ in faults(payload)] == ["WRONG_PASSWORD"]
    assert await contents(api.database) == meanwhile.found


async def test_mutation_after_one_that_was_refused_is_judged_anew(
    api: Api, plain: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, _ = ENDED["ended"]
    Meanwhile(api, 0, end(plain)).spy(monkeypatch)
    document = """mutation {
      updateMe(input: {name: "A"}) { status }
      logout { status }
      token: login(email: "ada@example.com", password: "a password for tests") { status }
    }"""
    answer = await api.run(document, token=plain.token)
    assert answer.reason("updateMe") == answer.reason("logout") == "TOKEN_REVOKED"
    assert answer.body["data"]["token"] == {"status": "SUCCESS"}
