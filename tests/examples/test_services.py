"""The services of examples/: they let in whom this server signed in for them, and nobody else."""

import importlib.util
import json
import math
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest
from starlette.types import ASGIApp

from gql_app.lib import clock
from gql_app.lib.keyring import KeyStore
from gql_app.security.tokens import Issuer, encode_token
from gql_app.verify.server import INTERVAL
from tests.examples.driving import EXAMPLES, PERSON, SECRET
from tests.processes import PATIENCE, Server, free_port, output_of, serving
from tests.security.forging import b64
from tests.verify.standin import StandIn, standing_in

SERVICES = ("orders_fastapi", "orders_strawberry")
LOGIN = """
mutation SignIn($email: String!, $password: String!, $audience: String) {
  login(email: $email, password: $password, audience: $audience) { token customer { id } }
}
"""


@dataclass
class Accounts:
    """Our own server, with a key that others verify with."""

    server: Server
    folder: Path
    settings: dict[str, str]

    def command(self, *arguments: str) -> str:
        """Run a command as its operator does."""
        return output_of(*arguments, folder=self.folder, **self.settings)

    def rotate(self) -> str:
        """Make a new key and promote it; return its id once the server signs with it."""
        key_id = made(self.command("keys", "new"))
        self.command("keys", "promote", key_id)
        deadline = time.monotonic() + PATIENCE
        while kid_of(self.login(None)[0]) != key_id:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return key_id

    def run(self, query: str, token: str | None = None, **variables: str | None) -> dict[str, Any]:
        """Run an operation."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self.server.client() as client:
            sent = {"query": query, "variables": variables}
            data: dict[str, Any] = client.post("/graphql", json=sent, headers=headers).json()
        return data["data"]  # type: ignore[no-any-return]

    def login(self, audience: str | None) -> tuple[str, str]:
        """Sign in for a service; return the token, and who it is of."""
        email, password = PERSON.email, PERSON.password
        payload = self.run(LOGIN, email=email, password=password, audience=audience)["login"]
        return payload["token"], payload["customer"]["id"]

    def signed(self, claims: dict[str, Any], **header: str) -> str:
        """Sign claims with the server's key."""
        key = KeyStore(SECRET.encode(), folder=self.folder / "keys").read().signing
        named = {"kid": key.id, "typ": "at+jwt", **header}
        return jwt.encode(claims, key.secret, key.algorithm, named)

    def expired(self, token: str) -> str:
        """Sign what a token says as if it had been issued a day ago."""
        claims = jwt.decode(token, options={"verify_signature": False})
        ring = KeyStore(SECRET.encode(), folder=self.folder / "keys").read()
        text, _ = encode_token(
            ring,
            Issuer(claims["iss"], claims["aud"], 3600),
            customer_id=claims["sub"],
            session_id=claims["sid"],
            not_after=clock.now() - timedelta(minutes=1),
        )
        return text


def kid_of(token: str) -> str:
    """Return the id of the key that a token names."""
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def made(printed: str) -> str:
    """Take a key's id from what `keys new` prints."""
    found = re.search(r"[\w-]{43}", printed)
    assert found is not None, printed
    return found[0]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """Serve a demo that signs with a key of its own, for services beside this API."""
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "keys").mkdir(mode=0o700)
    settings = {
        "secret_key": SECRET,
        "keys_dir": str(folder / "keys"),
        "audiences": "orders,mail",
    }
    with serving("--demo", folder=folder, **settings) as server:
        accounts = Accounts(server, folder, settings)
        accounts.rotate()
        yield accounts


@dataclass
class Service:
    """An example that runs within the test, and its verifier's clock."""

    client: httpx.AsyncClient
    name: str
    ticking: SimpleNamespace

    async def reason(self, token: str | None) -> str | None:
        """Return why a token is refused, None if it is not."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if self.name == "orders_fastapi":
            answer = await self.client.get("/orders", headers=headers)
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
                return str(answer.json()["detail"]["reason"])
            if answer.status_code == 503:
                assert answer.headers["retry-after"]
                return "SERVICE_UNAVAILABLE"
            assert answer.status_code == 200
            return None
        answer = await self.client.post("/", json={"query": "{ customer }"}, headers=headers)
        extensions = answer.json().get("errors", [{}])[0].get("extensions", {})
        reason: str | None = extensions.get("reason", extensions.get("code"))
        return reason

    async def customer(self, token: str) -> str:
        """Return whose token a service says it is."""
        headers = {"Authorization": f"Bearer {token}"}
        if self.name == "orders_fastapi":
            answer = await self.client.get("/orders", headers=headers)
            return str(answer.json()["customer"])
        answer = await self.client.post("/", json={"query": "{ customer }"}, headers=headers)
        return str(answer.json()["data"]["customer"])


def loaded(name: str) -> ModuleType:
    """Load an example as a module of its own."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"services/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where Strawberry and FastAPI look for the types that it names
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


@asynccontextmanager
async def started(name: str, url: str, patch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """Run an example beside a server."""
    ticking = SimpleNamespace(now=1000.0)
    ticking.monotonic = lambda: ticking.now
    patch.setattr("gql_app.verify.server.time", ticking)
    patch.setenv("ACCOUNTS_URL", url)
    app: ASGIApp = loaded(name).app
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield Service(client, name, ticking)


@pytest.fixture(params=SERVICES)
async def service(
    request: pytest.FixtureRequest, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """Run each of the examples."""
    async with started(request.param, accounts.server.url, monkeypatch) as service:
        yield service


async def test_service_knows_who_calls(accounts: Accounts, service: Service) -> None:
    token, customer = accounts.login("orders")
    assert await service.customer(token) == customer


async def test_service_refuses_what_is_not_for_it(accounts: Accounts, service: Service) -> None:
    token, _ = accounts.login("orders")
    others = {accounts.login(audience)[0]: "TOKEN_INVALID" for audience in ("mail", None)}
    header, payload, signature = token.split(".")
    forged = {
        f"{header}.{payload}.{b64(bytes(64))}": "TOKEN_INVALID",
        f"{b64(b'{}')}.{payload}.{signature}": "TOKEN_INVALID",
        f"{header}.{payload}": "TOKEN_MALFORMED",
        accounts.expired(token): "TOKEN_EXPIRED",
    }
    for bad, reason in (others | forged).items():
        assert await service.reason(bad) == reason
    assert await service.reason(None) == "TOKEN_MISSING"
    assert await service.reason(token) is None


async def test_signing_out_is_noticed_within_the_bound(
    accounts: Accounts, service: Service
) -> None:
    token, _ = accounts.login("orders")
    assert await service.reason(token) is None
    own, _ = accounts.login(None)
    ending = "mutation Out { endAllSessions { status } }"
    assert accounts.run(ending, own)["endAllSessions"]["status"] == "SUCCESS"
    service.ticking.now += 5
    assert await service.reason(token) is None  # the answer of five seconds ago holds
    service.ticking.now += 0.1
    assert await service.reason(token) == "TOKEN_REVOKED"


async def test_new_key_is_found_and_the_former_one_goes_on(
    accounts: Accounts, service: Service
) -> None:
    before, _ = accounts.login("orders")
    assert await service.reason(before) is None
    key_id = accounts.rotate()
    after, _ = accounts.login("orders")
    assert kid_of(after) == key_id
    service.ticking.now += INTERVAL
    assert await service.reason(after) is None
    assert await service.reason(before) is None


@pytest.mark.parametrize("name", SERVICES)
async def test_service_lets_nobody_in_while_the_server_cannot_be_reached(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    async with started(name, nowhere, monkeypatch) as service:
        assert await service.reason(accounts.login("orders")[0]) == "SERVICE_UNAVAILABLE"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """Stand in for the server, with what answers are wished."""
    with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def by_hand(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the checks with PyJWT alone."""
    monkeypatch.setenv("ACCOUNTS_URL", accounts.server.url)
    return loaded("by_hand")


def test_checks_by_hand_are_enough(accounts: Accounts, by_hand: ModuleType) -> None:
    token, customer = accounts.login("orders")
    assert by_hand.verified(token)["sub"] == customer
    header, payload, _ = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    good = jwt.get_unverified_header(token)
    odd: list[object] = [None, 1, [], {}]
    headers = [good | {name: each} for name in good for each in odd]
    headers += [{name: good[name] for name in good if name != lacking} for lacking in good]
    for bad in (
        accounts.login("mail")[0],
        accounts.login(None)[0],
        accounts.expired(token),
        f"{header}.{payload}.{b64(bytes(64))}",
        accounts.signed(claims, typ="JWT"),
        accounts.signed({name: value for name, value in claims.items() if name != "sid"}),
        *(f"{b64(json.dumps(each).encode())}.{payload}.{b64(bytes(64))}" for each in headers),
    ):
        with pytest.raises(jwt.PyJWTError):
            by_hand.verified(bad)
    with pytest.raises((jwt.InvalidTokenError, by_hand.Unavailable)):  # by the time since a fetch
        by_hand.verified(accounts.signed(claims, kid="unknown"))
    by_no_key = {name: good[name] for name in good if name != "kid"}
    for never in (by_no_key, good | {"kid": "unknown", "alg": "HS256"}):
        with pytest.raises(jwt.InvalidTokenError):  # answered by 401: no key saves it
            by_hand.verified(f"{b64(json.dumps(never).encode())}.{payload}.{b64(bytes(64))}")


def test_checks_by_hand_allow_for_clocks_but_not_after_the_end(
    accounts: Accounts, by_hand: ModuleType
) -> None:
    claims = jwt.decode(accounts.login("orders")[0], options={"verify_signature": False})
    now = int(time.time())
    for soon in ({"iat": now + 40}, {"nbf": now + 40}):
        assert by_hand.verified(accounts.signed(claims | soon))
    for late in ({"iat": now + 80}, {"nbf": now + 80}):
        with pytest.raises(jwt.ImmatureSignatureError):
            by_hand.verified(accounts.signed(claims | late))
    with pytest.raises(jwt.ExpiredSignatureError):
        by_hand.verified(accounts.signed(claims | {"exp": now}))


def test_checks_by_hand_know_a_new_key_from_a_forged_or_removed_one(
    accounts: Accounts, by_hand: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking = SimpleNamespace(now=1000.0, time=time.time)
    ticking.monotonic = lambda: ticking.now
    for module in ("jwt.jwks_client.time", "jwt.jwk_set_cache.time", "jwt.api_jwk.time"):
        monkeypatch.setattr(module, ticking)
    monkeypatch.setattr(by_hand, "time", ticking)
    fetches: list[float] = []
    fetch = by_hand.keys.fetch_data

    def counted() -> object:
        fetches.append(ticking.now)
        return fetch()

    monkeypatch.setattr(by_hand.keys, "fetch_data", counted)
    before, _ = accounts.login("orders")
    assert by_hand.verified(before)
    accounts.rotate()
    after, _ = accounts.login("orders")
    ticking.now += 0.5
    with pytest.raises(by_hand.Unavailable):  # between two fetches
        by_hand.verified(after)
    claims = jwt.decode(after, options={"verify_signature": False})
    with pytest.raises(jwt.ExpiredSignatureError):
        by_hand.verified(accounts.signed(claims | {"exp": 1}, kid="removed"))
    ticking.now += 0.5
    assert by_hand.verified(after)
    assert by_hand.verified(before)
    assert fetches == [1000, 1001]
    for _ in range(2):
        ticking.now += 1
        with pytest.raises(jwt.InvalidTokenError):  # by a fetch without it
            by_hand.verified(accounts.signed(claims, kid="forged"))
    ticking.now += 0.5
    with pytest.raises(by_hand.Unavailable):
        by_hand.verified(accounts.signed(claims, kid="forged"))
    assert fetches == [1000, 1001, 1002, 1003]
    published = accounts.folder / "keys" / f"EdDSA-{kid_of(before)}.pem"
    content = published.read_bytes()
    published.unlink()
    try:
        deadline = time.monotonic() + PATIENCE
        with accounts.server.client() as client:
            while kid_of(before) in client.get("/.well-known/jwks.json").text:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert by_hand.verified(after)
        ticking.now += 300.1  # after which the keys are fetched anyway
        with pytest.raises(jwt.InvalidTokenError):
            by_hand.verified(before)
        assert by_hand.verified(after)
        assert fetches == [1000, 1001, 1002, 1003, ticking.now]
    finally:
        published.write_bytes(content)
        published.chmod(0o600)


def test_checks_by_hand_of_a_known_key_wait_for_no_other(
    accounts: Accounts, by_hand: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = accounts.login("orders")
    assert by_hand.verified(token)
    monkeypatch.setattr(by_hand.keys, "lock", None)  # which can't be taken
    assert by_hand.verified(token)


def test_checks_by_hand_sign_nobody_out_while_another_asks_in_vain(
    accounts: Accounts, by_hand: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = accounts.login("orders")
    assert by_hand.verified(token)
    monkeypatch.setattr(by_hand.keys, "asked_at", math.inf)
    monkeypatch.setattr(by_hand.keys, "match_kid", lambda *_: None)
    with pytest.raises(by_hand.Unavailable):
        by_hand.verified(token)


def test_checks_by_hand_see_the_end_of_a_session(accounts: Accounts, by_hand: ModuleType) -> None:
    token, _ = accounts.login("orders")
    assert by_hand.verified(token)
    own, _ = accounts.login(None)
    ending = "mutation Out { endAllSessions { status } }"
    assert accounts.run(ending, own)["endAllSessions"]["status"] == "SUCCESS"
    with pytest.raises(jwt.InvalidTokenError):
        by_hand.verified(token)


USELESS = [b"", b"<html>", b"[]", b"\xff", b'{"keys": []}', b'{"keys": [{"kty": "new"}]}', b"1"]
"""Answers without keys, which are no fault of the caller."""


@pytest.mark.parametrize("body", [*USELESS, None])
def test_checks_by_hand_sign_nobody_out_while_the_server_answers_nothing_useful(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, body: bytes | None
) -> None:
    monkeypatch.setenv("ACCOUNTS_URL", stand_in.url)
    by_hand, token = loaded("by_hand"), stand_in.token(Issuer("gql_app", "orders", 3600))
    stand_in.status, stand_in.body = (503 if body is None else 200), body
    with pytest.raises(by_hand.Unavailable):
        by_hand.verified(token)
    stand_in.status, stand_in.body = 200, None
    assert by_hand.verified(token)
    assert "no-cache" in stand_in.asked_of_caches
    stand_in.status, stand_in.body = (503 if body is None else 200), body
    with pytest.raises(by_hand.Unavailable):  # whether the session is open
        by_hand.verified(token)


def test_checks_by_hand_sign_nobody_out_while_nobody_answers(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCOUNTS_URL", f"http://127.0.0.1:{free_port()}")
    by_hand = loaded("by_hand")
    with pytest.raises(by_hand.Unavailable):
        by_hand.verified(stand_in.token(Issuer("gql_app", "orders", 3600)))
