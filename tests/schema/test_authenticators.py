"""Other credentials than our tokens: API keys of a small feature, and signing in by other means."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from sqlalchemy import update

from gql_app.accounts import sessions
from gql_app.accounts.audit import Action
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import MAX_SESSIONS
from gql_app.db.tables import CustomerRow
from gql_app.errors import Rejected, TokenInvalid, TooManyAttempts
from gql_app.extending.authenticators import Authenticator
from gql_app.extending.feature import Feature
from gql_app.lib import clock
from gql_app.lib.database import Database, Reader, Unavailable
from gql_app.schema.authentication import LoginPayload, sign_in
from gql_app.schema.context import Context
from gql_app.security.tokens import Identity
from gql_app.settings import Settings
from tests.api import Answer, Api, running
from tests.people import NOWHERE, add_customer, expired_token
from tests.people import sign_in as signed_in

PREFIX = "gak_"
PATHS = {
    "page": "{ customers(first: 5) { nodes { id name email } } }",
    "me": "{ me { id email } }",
    "mutation": 'mutation { updateMe(input: { name: "Ada Changed" }) { status customer { id } } }',
    "execution": "query Some($no: Boolean! = false) { me { id name @skip(if: $no) } }",
}


@dataclass
class ApiKeys:
    """A feature's keys, each with a session of its own; a table of its own would hold them."""

    sessions: dict[str, Identity] = field(default_factory=dict)
    error: BaseException | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def issue(self, db: Database, customer: CustomerRecord) -> str:
        """Issue a key that is good for a year."""
        key = PREFIX + secrets.token_urlsafe(32)
        async with db.transaction() as tx:
            until = clock.now() + timedelta(days=365)
            session = await sessions.open_lasting_session(tx, customer.id, NOWHERE, until)
        self.sessions[key] = Identity(customer.id, session.id)
        return key

    async def authenticate(self, _: Reader, scheme: str, credentials: str) -> Identity | None:
        """Return whose session a key stands for."""
        self.asked.append((scheme, credentials))
        if self.error:
            raise self.error
        if scheme not in {"bearer", "apikey"} or not credentials.startswith(PREFIX):
            return None
        if credentials not in self.sessions:
            raise TokenInvalid
        return self.sessions[credentials]


@dataclass
class Keyed:
    """The API with a key of a customer's."""

    api: Api
    keys: ApiKeys
    key: str
    customer: CustomerRecord

    async def run(self, query: str, *, scheme: str = "Bearer", key: str | None = None) -> Answer:
        """Run an operation with the key, or another."""
        headers = {"Authorization": f"{scheme} {self.key if key is None else key}"}
        return await self.api.run(query, headers=headers)


async def nobody_knows(_: Reader, __: str, ___: str) -> Identity | None:
    """Know no credentials at all."""
    return None


@asynccontextmanager
async def keyed(settings: Settings, *others: Authenticator) -> AsyncIterator[Keyed]:
    """Run the API with a feature for API keys."""
    keys = ApiKeys()
    feature = Feature("keys", authenticators=[*others, keys.authenticate])
    async with running(settings, features=[feature]) as api:
        customer = await add_customer(api.database, "Ada Plain")
        yield Keyed(api, keys, await keys.issue(api.database, customer), customer)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "ApiKey", "APIKEY"])
@pytest.mark.parametrize("path", PATHS)
async def test_key_is_as_good_as_a_token_and_ended_at_the_next_request(
    settings: Settings, path: str, scheme: str
) -> None:
    async with keyed(settings, nobody_knows) as keyed_api:
        for _ in range(2):  # the second time the caller is remembered
            data = (await keyed_api.run(PATHS[path], scheme=scheme)).data
            assert str(keyed_api.customer.id) in str(data)
        async with keyed_api.api.database.transaction() as db:
            session_id = keyed_api.keys.sessions[keyed_api.key].session_id
            assert await sessions.end(db, session_id, of=None, origin=NOWHERE)
        (name,) = (await keyed_api.run(PATHS[path], scheme=scheme)).body["data"]
        assert (await keyed_api.run(PATHS[path], scheme=scheme)).reason(name) == "TOKEN_REVOKED"


async def test_key_has_no_longer_a_session_if_its_customer_is_deactivated(
    settings: Settings,
) -> None:
    async with keyed(settings) as keyed_api:
        admin = await signed_in(
            keyed_api.api.resources,
            await add_customer(keyed_api.api.database, "Grace", is_admin=True),
        )
        off = (
            "mutation Off($id: ID!) { updateCustomer(id: $id, input: {isActive: false}) {status} }"
        )
        await keyed_api.api.run(off, token=admin.token, id=str(keyed_api.customer.id))
        assert (await keyed_api.run(PATHS["me"])).reason("me") == "TOKEN_REVOKED"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("scheme", "key", "reason"),
    [
        ("Bearer", f"{PREFIX}of nobody", "TOKEN_INVALID"),
        ("Bearer", "neither", "TOKEN_MALFORMED"),
        ("Basic", "YTpi", "TOKEN_MALFORMED"),
        ("Bearer", "", "TOKEN_MALFORMED"),
        ("ApiKey", PREFIX + "x" * 9000, "TOKEN_MALFORMED"),
    ],
)
async def test_credentials_that_nobody_knows_are_refused_as_before(
    settings: Settings, scheme: str, key: str, reason: str
) -> None:
    async with keyed(settings) as keyed_api:
        answer = await keyed_api.run("{ me { id } token { reason } }", scheme=scheme, key=key)
        assert answer.reason("me") == reason
        assert answer.body["data"]["token"] == {"reason": reason}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_ours_comes_first_and_who_has_a_good_token_asks_nobody_else(
    settings: Settings,
) -> None:
    async with keyed(settings) as keyed_api:
        api, person = keyed_api.api, await signed_in(keyed_api.api.resources, keyed_api.customer)
        assert (await api.run("{ me { id } }", token=person.token)).data["me"]
        assert (await api.run("{ token { reason } }")).data["token"]["reason"] == "TOKEN_MISSING"
        assert keyed_api.keys.asked == []
        two = [("Authorization", f"ApiKey {keyed_api.key}")] * 2
        response = await api.client.post("/graphql", json={"query": PATHS["me"]}, headers=two)
        assert response.json()["errors"][0]["extensions"]["reason"] == "TOKEN_MALFORMED"
        assert keyed_api.keys.asked == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_token_of_another_issuer_may_be_known_to_a_feature_and_ours_never_is(
    settings: Settings,
) -> None:
    foreign = jwt.encode({"iss": "https://provider.example"}, "x" * 32, "HS256")
    known: dict[str, Identity] = {}
    asked: list[str] = []

    async def provider(_: Reader, __: str, credentials: str) -> Identity | None:
        asked.append(credentials)
        return known.get(credentials)

    feature = Feature("provider", authenticators=[provider])
    async with running(settings, features=[feature]) as api:
        person = await signed_in(api.resources, await add_customer(api.database, "Ada Plain"))
        assert (await api.run(PATHS["me"], token=foreign)).reason("me") == "TOKEN_INVALID"
        known[foreign] = Identity(person.id, person.session_id)
        assert (await api.run(PATHS["me"], token=foreign)).data["me"]["id"] == str(person.id)
        asked.clear()
        expired = expired_token(api.resources, person)
        known[expired] = known[foreign]
        assert (await api.run(PATHS["me"], token=expired)).reason("me") == "TOKEN_EXPIRED"
        assert asked == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TokenInvalid(), "UNAUTHENTICATED"),
        (Unavailable(), "SERVICE_UNAVAILABLE"),
        (TimeoutError(), "SERVICE_UNAVAILABLE"),
        (RuntimeError("a feature's mistake"), "INTERNAL_SERVER_ERROR"),
        (asyncio.CancelledError(), "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_error_of_an_authenticator_is_that_of_the_fields_that_want_to_know(
    settings: Settings, error: BaseException, code: str
) -> None:
    async with keyed(settings) as keyed_api:
        keyed_api.keys.error = error
        answer = await keyed_api.run("{ me { id } }")
        assert answer.code("me") == code
        assert "mistake" not in str(answer.body)
        assert "errors" not in (await keyed_api.run("{ __typename }")).body


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        ("0123", "str"),
        (0, "int"),
        ((UUID(int=1), UUID(int=2)), "tuple"),
        (Identity(str(UUID(int=1)), UUID(int=2)), "Identity"),  # type: ignore[arg-type]  # no UUID
    ],
)
async def test_what_an_authenticator_returns_is_an_identity(
    settings: Settings, capsys: pytest.CaptureFixture[str], returned: object, kind: str
) -> None:
    async def odd(_: Reader, __: str, ___: str) -> Identity | None:
        return returned  # type: ignore[return-value]  # that is the fault

    async with running(settings, features=[Feature("odd", authenticators=[odd])]) as api:
        answer = await api.run("{ me { id } }", token="anything")
        assert answer.code("me") == "INTERNAL_SERVER_ERROR"
        assert "errors" not in (await api.run("{ __typename }", token="anything")).body
    logged = capsys.readouterr().err
    assert "odd returned a value of type " + kind in logged
    assert "neither None nor an Identity of two UUIDs" in logged


async def test_lasting_sessions_give_way_to_no_sign_in(settings: Settings) -> None:
    async with keyed(settings) as keyed_api:
        people = [
            await signed_in(keyed_api.api.resources, keyed_api.customer)
            for _ in range(MAX_SESSIONS + 1)
        ]
        assert (await keyed_api.run(PATHS["me"])).data["me"]
        first, second, *_ = [
            await keyed_api.api.run("{ token { valid } }", token=person.token) for person in people
        ]
        assert (first.data["token"], second.data["token"]) == ({"valid": False}, {"valid": True})


def context_of(api: Api) -> Context:
    """Make the context of a request."""
    return Context(api.resources, presented=None, origin=NOWHERE, request_id="none")


async def events(api: Api, customer_id: UUID) -> list[Any]:
    """Read what the audit has of a customer."""
    admin = await signed_in(api.resources, await add_customer(api.database, "Grace", is_admin=True))
    asked = "query Of($id: ID) { auditEvents(customerId: $id) { nodes { action actor { id } } } }"
    answer = await api.run(asked, token=admin.token, id=str(customer_id))
    nodes: list[Any] = answer.data["auditEvents"]["nodes"]
    return nodes


async def test_feature_signs_in_whom_another_provider_has_proven(api: Api) -> None:
    customer = await add_customer(api.database, "Ada Plain")
    payload: LoginPayload = await sign_in(context_of(api), customer.id)
    assert payload.token
    assert (await api.run("{ me { id } }", token=payload.token)).data["me"]["id"] == str(
        customer.id
    )
    again = "mutation Again($spent: String!) { refresh(refreshToken: $spent) { token } }"
    assert (await api.run(again, spent=payload.refresh_token)).data["refresh"]["token"]
    login = {"action": Action.LOGIN, "actor": {"id": str(customer.id)}}
    assert login in await events(api, customer.id)


async def test_nobody_is_signed_in_without_an_open_account(api: Api) -> None:
    for customer_id in (UUID(int=1), (await add_customer(api.database, "Ada Plain")).id):
        async with api.database.transaction() as db:
            await db.execute(update(CustomerRow).values(is_active=False))
        with pytest.raises(Rejected) as caught:
            await sign_in(context_of(api), customer_id)
        assert [fault.code for fault in caught.value.faults] == ["INVALID_CREDENTIALS"]
    with pytest.raises(Rejected) as caught:
        await sign_in(context_of(api), customer_id, audience="unknown")
    assert [fault.field for fault in caught.value.faults] == ["audience"]


async def test_sign_ins_by_other_means_count_as_others_do(settings: Settings) -> None:
    few = settings.model_copy(update={"account_writes_per_hour": 2})
    async with running(few) as api:
        customer = await add_customer(api.database, "Ada Plain")
        for _ in range(2):
            await sign_in(context_of(api), customer.id)
        with pytest.raises(TooManyAttempts) as caught:
            await sign_in(context_of(api), customer.id)
        assert caught.value.limit == "sign_in_account"
