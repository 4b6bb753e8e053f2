"""Claims in access tokens: hints for other services, which nothing here goes by."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
import pytest
from sqlalchemy import func, select

from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.errors import Refused, TokenMissing
from gql_app.extending.feature import Feature
from gql_app.lib.database import Reader
from gql_app.lib.database.errors import ConnectionLost
from gql_app.lib.keyring import check_claims
from gql_app.lib.keyring.compact import MAX_CLAIMS_BYTES, MAX_DEPTH
from gql_app.resources import ClaimsOf
from gql_app.security.tokens import RESERVED_CLAIMS
from gql_app.settings import Settings
from tests.api import running
from tests.conftest import SECRET
from tests.people import PASSWORD, add_customer

LOGIN = """
mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { token refreshToken }
}
"""
REGISTER = """
mutation Join($email: String!, $password: String!) {
  register(input: {name: "Bob", email: $email, password: $password}) { status token }
}
"""
REFRESH = "mutation Again($spent: String!) { refresh(refreshToken: $spent) { token } }"

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def payload_of(token: str) -> dict[str, object]:
    """Read what a token says."""
    payload: dict[str, object] = jwt.decode(token, SECRET, algorithms=["HS256"], audience="gql_app")
    return payload


async def number_of_customers(db: Reader, customer: CustomerRecord) -> Mapping[str, object]:
    """Return claims that are read from the database."""
    count = await db.fetch_one(select(func.count(CustomerRow.id)))
    return {"customers": count[0], "greeting": f"Hello {customer.name}"}


def tenant(_: Reader, customer: CustomerRecord) -> Mapping[str, object]:
    """Return a claim that nothing is waited for."""
    return {"tenant": {"id": customer.email.partition("@")[2], "limits": [1, 2.5, None, True]}}


async def test_features_claims_and_roles_are_in_each_token(settings: Settings) -> None:
    features = [Feature("counter", claims=number_of_customers), Feature("tenants", claims=tenant)]
    async with running(settings, features=features) as api:
        for name, is_admin in (("Ada", False), ("Grace", True)):
            customer = await add_customer(api.database, name, is_admin=is_admin)
            answer = (await api.run(LOGIN, email=customer.email, password=PASSWORD)).data["login"]
            again = (await api.run(REFRESH, spent=answer["refreshToken"])).data["refresh"]
            for token in (answer["token"], again["token"]):
                payload = payload_of(token)
                assert payload["roles"] == (["admin"] if is_admin else [])
                assert payload["greeting"] == f"Hello {name}"
                assert payload["tenant"] == {"id": "example.com", "limits": [1, 2.5, None, True]}
                assert (await api.run("{ me { id } }", token=token)).data["me"]


@sqlite
async def test_claims_are_hints_that_nothing_here_goes_by(settings: Settings) -> None:
    claims: ClaimsOf = lambda _, __: {"is_admin": True, "permissions": ["customers:write"]}  # noqa: E731
    async with running(settings, features=[Feature("hints", claims=claims)]) as api:
        customer = await add_customer(api.database, "Ada")
        answer = (await api.run(LOGIN, email=customer.email, password=PASSWORD)).data["login"]
        events = await api.run("{ auditEvents { nodes { id } } }", token=answer["token"])
        assert events.reason("auditEvents") == "ADMIN_REQUIRED"


@dataclass(frozen=True)
class Unjson:
    """What JSON has no word for."""


@pytest.mark.parametrize(
    "claims",
    [
        None,
        ["tenant"],
        "tenant",
        {1: "tenant"},
        {"tenant": {2: "deep"}},
        {"tenant": json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)},
        {"tenant": (1, 2)},
        {"tenant": UUID(int=1)},
        {"tenant": float("nan")},
        {"tenant": Unjson()},
        {"tenant": "x" * MAX_CLAIMS_BYTES},
        *({name: "mine"} for name in sorted(RESERVED_CLAIMS)),
    ],
    ids=lambda claims: str(claims)[:24],
)
def test_claims_that_no_token_may_have_are_refused_in_words(claims: object) -> None:
    with pytest.raises(ValueError, match="claim") as caught:
        check_claims(claims, RESERVED_CLAIMS)
    assert len(str(caught.value)) < 200


def test_circle_is_refused() -> None:
    circle: dict[str, object] = {}
    circle["again"] = circle
    with pytest.raises(ValueError, match="JSON values only"):
        check_claims(circle, RESERVED_CLAIMS)


@sqlite
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (RuntimeError("the directory of tenants is on fire"), "directory of tenants"),
        (Refused("INVALID", "The directory of tenants refuses."), "directory of tenants"),
        (TokenMissing(), "TokenMissing"),
        (ConnectionLost(), "ConnectionLost"),
        (asyncio.CancelledError(), "WorkCancelled"),
        ({"sub": "somebody else"}, "sub: no feature"),
        ({"tenant": "another"}, "tenant: another feature"),
    ],
    ids=["raises", "refused", "unauthenticated", "unavailable", "cancelled", "reserved", "twice"],
)
async def test_faulty_claims_fail_the_sign_in_and_are_logged_in_words(
    settings: Settings, capsys: pytest.CaptureFixture[str], fault: object, words: str
) -> None:
    def faulty(_: Reader, __: CustomerRecord) -> object:
        if isinstance(fault, BaseException):
            raise fault
        return fault

    claims: Any = faulty
    features = [Feature("tenants", claims=tenant), Feature("faulty", claims=claims)]
    async with running(settings, features=features) as api:
        customer = await add_customer(api.database, "Ada")
        for operation, email in ((LOGIN, customer.email), (REGISTER, "bob@example.com")):
            answer = await api.run(operation, email=email, password=PASSWORD)
            assert answer.status == 503
            told = {"code": "SERVICE_UNAVAILABLE", "mayBeDone": True}
            (error,) = answer.errors
            assert told.items() <= error["extensions"].items()
            assert words not in json.dumps(answer.body)
        assert await api.database.fetch_one(select(func.count(SessionRow.id))) == (2,)
    assert words in capsys.readouterr().err
