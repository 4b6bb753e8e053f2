"""What a verifier lets in, how seldom it asks, and what it does while nobody answers."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from email.utils import format_datetime
from math import inf, nan
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import jwt
import pytest

from gql_app.lib import clock
from gql_app.lib.keyring import KeyStore
from gql_app.security.tokens import CLOCK_LEEWAY, Issuer
from gql_app.verify import (
    DATE_LAG,
    NoPublishedKeys,
    ServerUnreachable,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    TokenRevoked,
    TokenVerifier,
    Unauthenticated,
    VerifiedToken,
    bearer_token,
)
from gql_app.verify.server import (
    AGED_INTERVAL,
    INTERVAL,
    KEYS_STALE_FOR,
    LONGEST_AGE,
    MAX_ANSWER_BYTES,
    MAX_SESSIONS,
    THREADS,
    USUAL_AGE,
)
from tests.processes import ROOT, environment
from tests.security.forging import seal
from tests.security.foundry import public_spellings
from tests.verify.standin import CUSTOMER, ISSUER, StandIn, ring, standing_in

KEYS = "/.well-known/jwks.json"
INTROSPECT = "/introspect"
Verify = Callable[[TokenVerifier, str], Awaitable[VerifiedToken]]


class Clock:
    """The verifier's clock, which a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """Stand in for the server."""
    with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Move time by hand."""
    ticking = Clock()
    monkeypatch.setattr("gql_app.verify.server.time", SimpleNamespace(monotonic=ticking.monotonic))
    return ticking


@pytest.fixture(params=["async", "sync"])
def verify(request: pytest.FixtureRequest) -> Verify:
    """Verify in either way."""
    if request.param == "async":
        return lambda verifier, token: verifier.verify(token)
    return lambda verifier, token: asyncio.to_thread(verifier.verify_sync, token)


def verifier_of(stand_in: StandIn, **more: Any) -> TokenVerifier:  # noqa: ANN401 — its own
    """Make a verifier."""
    given = {"issuer": ISSUER.issuer, "audience": ISSUER.audience, "timeout": 30.0}
    return TokenVerifier(stand_in.url, **{**given, **more})


async def test_good_token_says_who_and_what_besides(stand_in: StandIn, verify: Verify) -> None:
    session_id = uuid4()
    token = stand_in.token(session_id=session_id, roles=["support"], tenant={"id": 1})
    verified = await verify(verifier_of(stand_in), token)
    assert (verified.customer_id, verified.session_id) == (CUSTOMER, session_id)
    assert verified.expires_at - verified.issued_at == timedelta(hours=1)
    assert verified.key_id == stand_in.ring.signing.id
    assert (verified.roles, verified.claims) == (("support",), {"tenant": {"id": 1}})


@pytest.mark.parametrize(
    ("roles", "read"), [(None, ()), ("admin", ()), ([1, "support", None], ("support",)), ([], ())]
)
async def test_roles_are_names_whatever_is_said(
    stand_in: StandIn, roles: object, read: tuple[str, ...]
) -> None:
    verified = await verifier_of(stand_in).verify(stand_in.token(roles=roles))
    assert verified.roles == read


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
async def test_every_algorithm_of_key_files_is_verified(stand_in: StandIn, algorithm: str) -> None:
    stand_in.ring = ring(algorithm)
    assert await verifier_of(stand_in).verify(stand_in.token())


def confused(stand_in: StandIn) -> str:
    """Sign with the public key as if it were a secret."""
    payload = jwt.decode(stand_in.token(), options={"verify_signature": False})
    header = {"alg": "HS256", "kid": stand_in.ring.signing.id, "typ": "at+jwt"}
    secret = public_spellings("EdDSA")["PEM"]
    return seal(json.dumps(header).encode(), json.dumps(payload).encode(), secret=secret)


def of_type(stand_in: StandIn, typ: str) -> str:
    """Sign another type of token with the very key."""
    payload = jwt.decode(stand_in.token(), options={"verify_signature": False})
    key = stand_in.ring.signing
    return jwt.encode(payload, key.secret, "EdDSA", {"kid": key.id, "typ": typ})


def forged(issuer: Issuer = ISSUER) -> str:
    """Sign with a key that the server never had."""
    return StandIn(ring(other=True)).token(issuer)


def of_secret() -> str:
    """Sign with a secret, as a server without key files does."""
    return StandIn(KeyStore(b"another secret of thirty-two bytes!").read()).token()


def late(stand_in: StandIn) -> str:
    """Issue a token that has expired."""
    return stand_in.token(replace(ISSUER, ttl=-10))


BAD: dict[str, tuple[Callable[[StandIn], str], type[Unauthenticated]]] = {
    "missing": (lambda _: "", TokenMissing),
    "malformed": (lambda _: "no.token", TokenMalformed),
    "forged": (lambda it: it.token()[:-8] + "A" * 8, TokenInvalid),
    "changed": (lambda it: it.token().replace(".", ".e", 1), TokenMalformed),
    "of another issuer": (lambda it: it.token(replace(ISSUER, issuer="else")), TokenInvalid),
    "of another audience": (lambda it: it.token(replace(ISSUER, audience="mail")), TokenInvalid),
    "of a key as a secret": (confused, TokenInvalid),
    "an id token": (lambda it: of_type(it, "JWT"), TokenInvalid),
    "expired": (late, TokenExpired),
    "of a long life": (lambda it: it.token(replace(ISSUER, ttl=90_000)), TokenInvalid),
    "of an unknown key": (lambda _: forged(), TokenInvalid),
    "of an unknown secret": (lambda _: of_secret(), TokenInvalid),
}


FAULTS: dict[str, dict[str, Any]] = {
    "an error": {"status": 500},
    "a redirect": {"status": 302},
    "no JSON": {"body": b"<html>"},
    "no key set": {"body": b"[]"},
    "too much": {"body": b" " * (MAX_ANSWER_BYTES + 1)},
}


@pytest.mark.parametrize(("make", "why"), BAD.values(), ids=BAD)
async def test_token_that_is_no_good_is_refused_as_this_server_would(
    stand_in: StandIn,
    verify: Verify,
    make: Callable[[StandIn], str],
    why: type[Unauthenticated],
) -> None:
    with pytest.raises(why) as refusal:
        await verify(verifier_of(stand_in, liveness=5), make(stand_in))
    assert refusal.type is why
    assert stand_in.tokens == []  # none is sent on that was refused


@pytest.mark.parametrize("longest", [1, 600, 90_000])
async def test_life_of_a_token_is_as_long_as_is_said(stand_in: StandIn, longest: int) -> None:
    verifier = verifier_of(stand_in, longest_life=longest)
    with pytest.raises(TokenInvalid):
        await verifier.verify(stand_in.token(replace(ISSUER, ttl=longest + 1)))
    assert await verifier.verify(stand_in.token(replace(ISSUER, ttl=longest)))


async def test_token_expires_between_two_uses(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier, token = verifier_of(stand_in), stand_in.token()
    verified = await verifier.verify(token)
    monkeypatch.setattr(clock, "now", lambda: verified.expires_at)
    with pytest.raises(TokenExpired):
        await verifier.verify(token)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        *((header, TokenMissing) for header in (None, "", "  ")),
        *((header, TokenMalformed) for header in ("abc", "Basic abc", "Bearer", "Bearer a b")),
    ],
)
def test_token_is_taken_from_the_header(
    header: str | None, expected: str | type[Exception]
) -> None:
    if isinstance(expected, str):
        assert bearer_token(header) == expected
    else:
        with pytest.raises(expected):
            bearer_token(header)


@pytest.mark.parametrize("url", ["", "accounts.example", "file:///etc/passwd", "ftp://a", "http:"])
def test_address_is_of_http(url: str) -> None:
    with pytest.raises(ValueError, match="http:// or https://"):
        TokenVerifier(url, issuer="i", audience="a")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://a b",
            "http://a/\n",
            "http://a/\x00",
            "http://a\u00a0",
            "http://a?y",
            "http://a#y",
            "http://a/\u00e9",
        ),
        *("http://a:x", "http://a:99999", "http://a:0", "http://[::1", "http://n:p@a", " http://a"),
    ],
)
def test_address_that_could_never_be_asked_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address of the server|[Pp]ort|IPv6"):
        TokenVerifier(url, issuer="i", audience="a")


@pytest.mark.parametrize("url", ["http://a", "https://a:8443/sub/", "http://[::1]:80/a@b"])
@pytest.mark.parametrize("liveness", [None, 0, 0.5, inf])
def test_usable_arguments_are_taken(url: str, liveness: float | None) -> None:
    assert TokenVerifier(url, issuer="i", audience="a", liveness=liveness, timeout=86_400)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("timeout", each) for each in (0, -1, nan, inf, 86_401)]
    + [("liveness", each) for each in (-1, -0.1, nan, -inf)]
    + [("longest_life", each) for each in (0, -1)],
)
def test_seconds_that_could_never_serve_are_refused(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"The {name} must be"):
        TokenVerifier("http://a", issuer="i", audience="a", **{name: seconds})  # type: ignore[arg-type]  # any of them


async def test_all_who_come_first_share_one_fetching(stand_in: StandIn, verify: Verify) -> None:
    stand_in.gate = threading.Event()
    verifier, token = verifier_of(stand_in), stand_in.token()
    many = [asyncio.create_task(_awaited(verify(verifier, token))) for _ in range(5)]
    await asyncio.to_thread(stand_in.arrived.acquire)
    stand_in.gate.set()
    assert {each.customer_id for each in await asyncio.gather(*many)} == {CUSTOMER}
    assert stand_in.asked == [KEYS]


async def _awaited(verifying: Awaitable[VerifiedToken]) -> VerifiedToken:
    return await verifying


async def test_who_is_cancelled_takes_the_answer_from_nobody_else(stand_in: StandIn) -> None:
    stand_in.gate = threading.Event()
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    stays, goes = (asyncio.create_task(verifier.verify(token)) for _ in range(2))
    await asyncio.to_thread(stand_in.arrived.acquire)
    goes.cancel()
    with pytest.raises(asyncio.CancelledError):
        await goes
    stand_in.gate.set()
    assert (await stays).customer_id == CUSTOMER


async def test_keys_are_kept_as_long_as_the_server_says(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    for cache_control, age in (
        ("public, max-age=300", 300.0),
        ("max-age=60", 60.0),
        ("max-age=999999999", LONGEST_AGE),
        (None, USUAL_AGE),
        ("no-store", USUAL_AGE),
    ):
        stand_in.cache_control = cache_control
        stand_in.asked.clear()
        verifier, token = verifier_of(stand_in), stand_in.token()
        await verify(verifier, token)
        ticking.now += age - 0.5
        await verify(verifier, token)
        assert stand_in.asked == [KEYS]
        ticking.now += 0.5
        await verify(verifier, token)
        assert stand_in.asked == [KEYS] * 2


@pytest.mark.parametrize(
    ("age", "left"), [("0", 300.0), ("4", 296.0), (" 299, 7", 1.0), ("-4", 300.0), ("soon", 300.0)]
)
async def test_keys_that_a_cache_kept_are_kept_the_shorter(
    stand_in: StandIn, ticking: Clock, age: str, left: float
) -> None:
    stand_in.age = age
    verifier, token = verifier_of(stand_in), stand_in.token()
    await verifier.verify(token)
    ticking.now += left - 0.5
    await verifier.verify(token)
    assert stand_in.asked == [KEYS]
    ticking.now += 0.5
    await verifier.verify(token)
    assert stand_in.asked == [KEYS] * 2


@pytest.mark.parametrize("age", ["300", "600", "3901", "86400", "999999999"])
async def test_keys_that_a_cache_kept_too_long_are_asked_for_every_ten_seconds(
    stand_in: StandIn, ticking: Clock, caplog: pytest.LogCaptureFixture, age: str
) -> None:
    stand_in.age = age
    verifier, token = verifier_of(stand_in), stand_in.token()
    for tens in range(3):
        for _ in range(2):
            assert await verifier.verify(token)
            ticking.now += AGED_INTERVAL / 2
        assert stand_in.asked == [KEYS] * (tens + 1)
    assert [f"{age} seconds" in each for each in caplog.messages] == [True]


async def test_key_that_a_cache_has_at_last_is_found_without_those_ten_seconds(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    stand_in.age = "600"
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    stand_in.ring = ring("ES256")
    ticking.now += INTERVAL
    assert await verify(verifier, stand_in.token())


async def test_keys_that_may_not_be_kept_are_asked_for_once_a_second(
    stand_in: StandIn, ticking: Clock
) -> None:
    stand_in.cache_control = "max-age=0"
    verifier, token = verifier_of(stand_in), stand_in.token()
    for seconds in range(3):
        for _ in range(3):
            assert await verifier.verify(token)
        assert stand_in.asked == [KEYS] * (seconds + 1)
        ticking.now += INTERVAL


async def test_caches_are_told_to_ask_the_server(stand_in: StandIn, ticking: Clock) -> None:
    verifier = verifier_of(stand_in)
    await verifier.verify(stand_in.token())
    ticking.now += INTERVAL
    with pytest.raises(TokenInvalid):
        await verifier.verify(forged())
    assert stand_in.asked == [KEYS] * 2
    assert stand_in.asked_of_caches == {"no-cache"}


async def test_answer_of_a_cache_that_is_not_told_proves_nothing_against_a_new_key(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    stand_in.keys, stand_in.age = {"keys": stand_in.ring.published()}, "2"
    stand_in.ring = ring("ES256")
    token = stand_in.token()
    for _ in range(2):
        ticking.now += INTERVAL
        with pytest.raises(ServerUnreachable):
            await verify(verifier, token)
    stand_in.keys = stand_in.age = None
    ticking.now += INTERVAL
    assert await verify(verifier, token)


async def test_key_that_is_published_since_is_found_by_the_first_token_that_names_it(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier = verifier_of(stand_in)
    before = stand_in.token()
    await verify(verifier, before)
    old = stand_in.ring
    stand_in.ring = ring("ES256")
    stand_in.keys = {"keys": old.published() + stand_in.ring.published()}
    with pytest.raises(ServerUnreachable):  # it is too soon to ask again
        await verify(verifier, stand_in.token())
    ticking.now += INTERVAL
    assert await verify(verifier, stand_in.token())
    assert await verify(verifier, before)
    assert stand_in.asked == [KEYS] * 2


async def test_forged_key_id_just_before_a_rotation_signs_nobody_out(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    ticking.now += INTERVAL
    with pytest.raises(TokenInvalid):
        await verify(verifier, forged())
    stand_in.ring = ring("ES256")
    with pytest.raises(ServerUnreachable):
        await verify(verifier, stand_in.token())
    ticking.now += INTERVAL
    assert await verify(verifier, stand_in.token())


@pytest.mark.usefixtures("ticking")
async def test_key_that_another_request_finds_meanwhile_is_not_judged_by_it(
    stand_in: StandIn, verify: Verify
) -> None:
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    keys = vars(verifier)["_keys"]

    class Replaced(dict[str, Any]):
        def __contains__(self, key_id: object) -> bool:
            found = super().__contains__(key_id)
            keys.fetch().result()
            return found

    vars(keys)["_keys"] = Replaced(vars(keys)["_keys"])
    stand_in.ring = ring("ES256")
    with pytest.raises(ServerUnreachable):
        await verify(verifier, stand_in.token())
    assert await verify(verifier, stand_in.token())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_key_that_cannot_be_asked_for_is_no_fault_of_the_caller(
    stand_in: StandIn, ticking: Clock, verify: Verify, fault: dict[str, Any]
) -> None:
    verifier, before = verifier_of(stand_in), stand_in.token()
    await verify(verifier, before)
    vars(stand_in).update(fault)
    stand_in.ring = ring("ES256")
    for _ in range(3):
        ticking.now += INTERVAL
        for _ in range(2):
            with pytest.raises(ServerUnreachable):
                await verify(verifier, stand_in.token())
            assert await verify(verifier, before)
    assert stand_in.asked == [KEYS] * 4


async def test_request_that_began_before_a_token_came_proves_nothing_against_it(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    stand_in.arrived.acquire()
    ticking.now += INTERVAL
    stand_in.gate, stand_in.keys = threading.Event(), {"keys": stand_in.ring.published()}
    first = asyncio.create_task(_awaited(verify(verifier, forged())))
    await asyncio.to_thread(stand_in.arrived.acquire)
    stand_in.ring = ring("ES256")
    second = asyncio.create_task(_awaited(verify(verifier, stand_in.token())))
    await asyncio.sleep(0)
    stand_in.gate.set()
    with pytest.raises(TokenInvalid):
        await first
    with pytest.raises(ServerUnreachable):
        await second
    assert stand_in.asked == [KEYS] * 2


def issued(monkeypatch: pytest.MonkeyPatch, stand_in: StandIn, *, ago: int) -> str:
    """Issue a token so many seconds before the clock, which stands still from now on."""
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - timedelta(seconds=ago))
    token = stand_in.token()
    monkeypatch.setattr(clock, "now", lambda: now)
    return token


async def test_token_that_is_older_than_the_keys_is_refused_without_newer_ones(
    stand_in: StandIn, ticking: Clock, monkeypatch: pytest.MonkeyPatch, verify: Verify
) -> None:
    assert ticking.now
    other, verifier = StandIn(ring(other=True)), verifier_of(stand_in)
    old = issued(monkeypatch, other, ago=CLOCK_LEEWAY + 1)
    new = issued(monkeypatch, other, ago=CLOCK_LEEWAY - 1)
    await verify(verifier, stand_in.token())
    with pytest.raises(TokenInvalid):
        await verify(verifier, old)
    with pytest.raises(ServerUnreachable):
        await verify(verifier, new)
    assert stand_in.asked == [KEYS]


async def test_new_key_is_found_although_the_clock_of_the_service_is_fast(
    stand_in: StandIn, ticking: Clock, monkeypatch: pytest.MonkeyPatch, verify: Verify
) -> None:
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    stand_in.ring = ring("ES256")
    token = issued(monkeypatch, stand_in, ago=10 * CLOCK_LEEWAY)
    ticking.now += INTERVAL
    assert await verify(verifier, token)


NO_KEY_HELPS: dict[str, Callable[[], str]] = {
    "signed with a secret": of_secret,
    "of another issuer": lambda: forged(replace(ISSUER, issuer="https://else.example")),
    "of another audience": lambda: forged(replace(ISSUER, audience="mail")),
    "of another type": lambda: of_type(StandIn(ring(other=True)), "JWT"),
}


@pytest.mark.parametrize("make", NO_KEY_HELPS.values(), ids=NO_KEY_HELPS)
async def test_token_that_no_published_key_could_save_is_refused_at_once(
    stand_in: StandIn, ticking: Clock, verify: Verify, make: Callable[[], str]
) -> None:
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    for seconds in (0.0, INTERVAL):
        ticking.now += seconds
        with pytest.raises(TokenInvalid):
            await verify(verifier, make())
    assert stand_in.asked == [KEYS]


async def test_key_that_is_published_no_longer_verifies_nothing_after_the_keys_age(
    stand_in: StandIn, ticking: Clock
) -> None:
    verifier, token = verifier_of(stand_in), stand_in.token()
    await verifier.verify(token)
    stand_in.ring = ring("ES256")
    ticking.now += 300
    with pytest.raises(TokenInvalid):
        await verifier.verify(token)


async def test_flood_of_unknown_keys_makes_no_flood_of_questions(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier = verifier_of(stand_in)
    await verify(verifier, stand_in.token())
    for seconds in range(3):
        ticking.now += INTERVAL
        with pytest.raises(TokenInvalid):
            await verify(verifier, forged())
        for _ in range(20):
            with pytest.raises(ServerUnreachable):
                await verify(verifier, forged())
            assert await verify(verifier, stand_in.token())
        assert stand_in.asked == [KEYS] * (seconds + 2)


async def test_server_without_public_keys_is_told_with_its_remedy(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    stand_in.keys = {"keys": []}
    verifier = verifier_of(stand_in)
    with pytest.raises(NoPublishedKeys, match="keys new"):
        await verify(verifier, stand_in.token())
    with pytest.raises(NoPublishedKeys):
        verifier.check()
    stand_in.keys = None
    ticking.now += INTERVAL
    assert await verify(verifier, stand_in.token())
    verifier.check()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_server_that_cannot_be_asked_lets_nobody_in(
    stand_in: StandIn, ticking: Clock, verify: Verify, fault: dict[str, Any]
) -> None:
    verifier = verifier_of(stand_in)
    usual = {name: getattr(stand_in, name) for name in fault}
    vars(stand_in).update(fault)
    for _ in range(3):
        with pytest.raises(ServerUnreachable):
            await verify(verifier, stand_in.token())
    assert stand_in.asked == [KEYS]
    with pytest.raises(ServerUnreachable):
        verifier.check()
    vars(stand_in).update(usual)
    ticking.now += INTERVAL
    assert await verify(verifier, stand_in.token())


async def test_keys_go_on_verifying_for_an_hour_while_nobody_answers(
    stand_in: StandIn, ticking: Clock
) -> None:
    verifier, token = verifier_of(stand_in), stand_in.token()
    await verifier.verify(token)
    stand_in.status = 503
    ticking.now += 300 + KEYS_STALE_FOR
    assert await verifier.verify(token)
    ticking.now += 1
    with pytest.raises(ServerUnreachable):
        await verifier.verify(token)
    stand_in.status = 200
    ticking.now += INTERVAL
    assert await verifier.verify(token)


async def test_keys_that_could_not_be_fetched_verify_while_they_are_asked_for_again(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier, token = verifier_of(stand_in), stand_in.token()
    verifier.check()
    stand_in.status = 503
    ticking.now += 300
    assert await verify(verifier, token)
    stand_in.gate, stand_in.status = threading.Event(), 200
    old = stand_in.ring
    ticking.now += INTERVAL
    for _ in range(3):
        assert await verify(verifier, token)  # while the answer waits for the gate
    stand_in.ring = ring("ES256")
    stand_in.keys = {"keys": old.published() + stand_in.ring.published()}
    new = asyncio.create_task(_awaited(verify(verifier, stand_in.token())))
    stand_in.gate.set()
    assert await new
    assert stand_in.asked == [KEYS] * 3


async def test_first_fetch_after_the_keys_age_is_awaited_whatever_failed_before(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier, token = verifier_of(stand_in), stand_in.token()
    verifier.check()
    stand_in.status = 503
    ticking.now += 299
    with pytest.raises(ServerUnreachable):
        await verify(verifier, forged())
    stand_in.status, stand_in.ring = 200, ring("ES256")
    ticking.now += INTERVAL
    with pytest.raises(TokenInvalid):
        await verify(verifier, token)


async def test_unknown_key_is_asked_for_once_more_after_a_request_that_began_before(
    stand_in: StandIn, ticking: Clock
) -> None:
    verifier = verifier_of(stand_in)
    verifier.check()
    stand_in.arrived.acquire()
    ticking.now += INTERVAL
    stand_in.gate, stand_in.keys = threading.Event(), {"keys": stand_in.ring.published()}
    began = vars(verifier)["_keys"].fetch()
    await asyncio.to_thread(stand_in.arrived.acquire)
    ticking.now += INTERVAL
    steps = vars(TokenVerifier)["_steps"](verifier, forged())
    assert next(steps) is began
    stand_in.gate.set()
    began.result()
    next(steps).result()
    with pytest.raises(TokenInvalid):
        next(steps)
    assert stand_in.asked == [KEYS] * 3


async def test_questions_that_were_queued_are_not_asked_after_a_failure(
    stand_in: StandIn, ticking: Clock
) -> None:
    verifier = verifier_of(stand_in, liveness=5)
    verifier.check()
    stand_in.arrived.acquire()
    assert ticking.now
    stand_in.gate, stand_in.status = threading.Event(), 503
    steps = [vars(TokenVerifier)["_steps"](verifier, stand_in.token()) for _ in range(THREADS + 4)]
    asked = [next(each) for each in steps]
    for _ in range(THREADS):
        await asyncio.to_thread(stand_in.arrived.acquire)
    stand_in.gate.set()
    for future in asked:
        await asyncio.to_thread(future.result)
    for each in steps:
        with pytest.raises(ServerUnreachable):
            next(each)
    assert stand_in.asked == [KEYS] + [INTROSPECT] * THREADS


async def test_nobody_listening_is_unreachable(stand_in: StandIn) -> None:
    url, token = stand_in.url, stand_in.token()
    stand_in.url = "http://127.0.0.1:1"
    with pytest.raises(ServerUnreachable):
        await verifier_of(stand_in, timeout=1.0).verify(token)
    stand_in.url = url


@pytest.mark.parametrize("fail_open", [True, False])
async def test_timeout_is_that_of_a_whole_answer_that_goes_on_coming(
    stand_in: StandIn, ticking: Clock, verify: Verify, *, fail_open: bool
) -> None:
    def pass_time() -> None:
        ticking.now += 30

    token, asleep = stand_in.token(), verifier_of(stand_in, liveness=5, fail_open=fail_open)
    asleep.check()
    stand_in.interlude = pass_time
    with pytest.raises(ServerUnreachable):
        await verify(verifier_of(stand_in), token)
    if fail_open:
        assert await verify(asleep, token)
        return
    with pytest.raises(ServerUnreachable):
        await verify(asleep, token)


async def test_ended_session_is_refused_within_the_bound(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    assert await verify(verifier, token)
    assert stand_in.tokens == [token]
    stand_in.active = False
    ticking.now += 5
    assert await verify(verifier, token)
    ticking.now += 0.1
    with pytest.raises(TokenRevoked):
        await verify(verifier, token)
    with pytest.raises(TokenRevoked):
        await verify(verifier, token)
    assert stand_in.asked == [KEYS, INTROSPECT, INTROSPECT, KEYS]


SOON = ISSUER.ttl - DATE_LAG.total_seconds()
"""Seconds after its issue for which a token may expire by an answer of that Date."""


@pytest.mark.parametrize(("seconds", "why"), [(SOON - 2, TokenRevoked), (SOON + 1, TokenExpired)])
async def test_inactive_token_that_has_expired_by_the_clock_of_the_server_is_expired(
    stand_in: StandIn, verify: Verify, seconds: float, why: type[Unauthenticated]
) -> None:
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    stand_in.active = False
    stand_in.date = format_datetime(clock.now() + timedelta(seconds=seconds), usegmt=True)
    for _ in range(2):
        with pytest.raises(why) as refusal:
            await verify(verifier, token)
        assert ("expiredAt" in refusal.value.extensions) is (why is TokenExpired)
    assert stand_in.asked.count(INTROSPECT) == 1


ODD_DATES = {
    "no date": ("soon", TokenRevoked),
    "no zone": ("Mon Nov 20 19:12:08 1995", TokenRevoked),
    "a zone of years": ("Mon, 20 Nov 1995 19:12:08 +99999999999999", TokenRevoked),
    "a year that no clock has": ("Mon, 20 Nov 99999999999999999999 19:12:08 GMT", TokenRevoked),
    "before the first year": ("Mon, 01 Jan 0001 00:00:00 +2300", TokenRevoked),
    "after the last year": ("Fri, 31 Dec 9999 23:59:59 -2300", TokenRevoked),
    "the last second": ("Fri, 31 Dec 9999 23:59:59 GMT", TokenExpired),
}


@pytest.mark.parametrize(("date", "why"), ODD_DATES.values(), ids=ODD_DATES)
async def test_odd_date_hinders_no_answer(
    stand_in: StandIn, verify: Verify, date: str, why: type[Unauthenticated]
) -> None:
    stand_in.date = date
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    assert await verify(verifier, token)
    stand_in.active, other = False, stand_in.token()
    for _ in range(2):
        with pytest.raises(why):
            await verify(verifier, other)
    assert stand_in.asked.count(INTROSPECT) == 2


async def test_date_of_another_zone_is_the_moment_that_it_names(stand_in: StandIn) -> None:
    stand_in.active = False
    east = clock.now().astimezone(timezone(timedelta(hours=5)))
    stand_in.date = format_datetime(east)
    with pytest.raises(TokenRevoked):
        await verifier_of(stand_in, liveness=5).verify(stand_in.token())


@pytest.mark.parametrize("before", [[], [KEYS]], ids=["keys", "sessions"])
async def test_answer_that_fails_in_an_unforeseen_way_is_followed_by_a_pause(
    stand_in: StandIn,
    ticking: Clock,
    verify: Verify,
    monkeypatch: pytest.MonkeyPatch,
    before: list[str],
) -> None:
    def loads(_: object) -> None:
        message = "unforeseen"
        raise RuntimeError(message)

    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    if before:
        verifier.check()
    monkeypatch.setattr("gql_app.verify.server.json", SimpleNamespace(loads=loads))
    for seconds in range(2):
        for _ in range(3):
            with pytest.raises(ServerUnreachable):
                await verify(verifier, token)
        assert stand_in.asked == before + [INTROSPECT if before else KEYS] * (seconds + 1)
        ticking.now += INTERVAL


async def test_inactive_token_of_a_key_that_is_gone_is_invalid(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    verifier.check()
    stand_in.active, stand_in.ring = False, ring("ES256")
    ticking.now += INTERVAL
    with pytest.raises(TokenInvalid) as refusal:
        await verify(verifier, token)
    assert refusal.type is TokenInvalid
    assert stand_in.asked == [KEYS, INTROSPECT, KEYS]


async def test_keys_that_are_as_new_as_the_answer_are_not_asked_for_again(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    verifier.check()
    stand_in.active = False
    ticking.now += INTERVAL / 2
    with pytest.raises(TokenRevoked):  # it is too soon to ask for them
        await verify(verifier, token)
    assert stand_in.asked == [KEYS, INTROSPECT]
    for _ in range(3):
        ticking.now += INTERVAL
        with pytest.raises(TokenRevoked):
            await verify(verifier, token)
    assert stand_in.asked == [KEYS, INTROSPECT, KEYS]


async def test_inactive_token_waits_once_for_keys_that_cannot_be_fetched(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    verifier.check()
    stand_in.active, stand_in.keys = False, ["none"]
    for _ in range(3):
        ticking.now += INTERVAL
        with pytest.raises(TokenRevoked):
            await verify(verifier, token)
    assert stand_in.asked == [KEYS, INTROSPECT, KEYS]


async def test_inactive_token_speaks_for_no_other_of_its_session(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    assert ticking.now
    verifier, session_id = verifier_of(stand_in, liveness=5), uuid4()
    first, second = (stand_in.token(session_id=session_id) for _ in range(2))
    stand_in.active = False
    with pytest.raises(TokenRevoked):
        await verify(verifier, first)
    stand_in.active = True
    assert await verify(verifier, second)
    assert await verify(verifier, second)
    with pytest.raises(TokenRevoked):
        await verify(verifier, first)
    assert stand_in.asked.count(INTROSPECT) == 2


async def test_inactive_token_is_asked_for_again_whatever_is_known_of_its_session(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    verifier, session_id = verifier_of(stand_in, liveness=5), uuid4()
    first, second = (stand_in.token(session_id=session_id) for _ in range(2))
    stand_in.active = False
    with pytest.raises(TokenRevoked):
        await verify(verifier, first)
    ticking.now += 4
    stand_in.active = True
    assert await verify(verifier, second)
    ticking.now += 2  # so that of the two answers the first is too old
    stand_in.active = False
    with pytest.raises(TokenRevoked):
        await verify(verifier, first)
    assert stand_in.tokens == [first, second, first]


async def test_session_is_asked_for_once_whatever_its_token(
    stand_in: StandIn, ticking: Clock
) -> None:
    assert ticking.now
    verifier, session_id = verifier_of(stand_in, liveness=5), uuid4()
    tokens = [stand_in.token(session_id=session_id) for _ in range(3)]
    for token in tokens:
        await verifier.verify(token)
    await verifier.verify(stand_in.token())
    assert stand_in.asked.count(INTROSPECT) == 2


async def test_without_a_bound_every_use_is_asked_for(stand_in: StandIn, verify: Verify) -> None:
    verifier, token = verifier_of(stand_in, liveness=0), stand_in.token()
    for _ in range(3):
        await verify(verifier, token)
    assert stand_in.asked.count(INTROSPECT) == 3
    stand_in.active = False
    with pytest.raises(TokenRevoked):
        await verify(verifier, token)


def test_service_loads_no_library_but_those_of_signatures(stand_in: StandIn) -> None:
    code = """
import sys
before = {*sys.modules}
from gql_app.verify import TokenVerifier
url, issuer, audience, token = sys.argv[1:]
TokenVerifier(url, issuer=issuer, audience=audience, liveness=5).verify_sync(token)
loaded = {name.partition(".")[0] for name in {*sys.modules} - before}
print(*loaded - sys.stdlib_module_names - {"gql_app"})
"""
    arguments = (stand_in.url, ISSUER.issuer, ISSUER.audience, stand_in.token())
    loaded = subprocess.check_output(  # noqa: S603  the code above, with this very Python
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment(), encoding="utf-8"
    ).split()
    of_cryptography = {"_cffi_backend", "_openssl", "bcrypt"}
    assert {*loaded} - of_cryptography == {"cryptography", "jwt"}


async def test_without_liveness_nothing_is_asked(stand_in: StandIn) -> None:
    stand_in.active = False
    assert await verifier_of(stand_in).verify(stand_in.token())
    assert stand_in.asked == [KEYS]


async def test_all_who_ask_for_one_session_share_an_answer(
    stand_in: StandIn, ticking: Clock, verify: Verify
) -> None:
    assert ticking.now
    verifier, token = verifier_of(stand_in, liveness=5), stand_in.token()
    verifier.check()
    stand_in.arrived.acquire()
    stand_in.gate = threading.Event()
    first = asyncio.create_task(_awaited(verify(verifier, token)))
    await asyncio.to_thread(stand_in.arrived.acquire)
    more = [asyncio.create_task(_awaited(verify(verifier, token))) for _ in range(5)]
    stand_in.gate.set()
    await asyncio.gather(first, *more)
    assert stand_in.asked == [KEYS, INTROSPECT]


@pytest.mark.parametrize("body", [None, b"", b"[]", b"{}", b"<html>"])
async def test_who_cannot_be_judged_is_refused_unless_that_is_wished(
    stand_in: StandIn, ticking: Clock, verify: Verify, body: bytes | None
) -> None:
    closed = verifier_of(stand_in, liveness=5)
    opened = verifier_of(stand_in, liveness=5, fail_open=True)
    token, fresh = stand_in.token(), stand_in.token()
    for verifier in (closed, opened):
        await verify(verifier, token)
    stand_in.status, stand_in.body = (503 if body is None else 200), body
    asked = len(stand_in.asked)
    ticking.now += 4
    for verifier in (closed, opened):
        await verify(verifier, token)  # by the answer of before
    assert len(stand_in.asked) == asked
    ticking.now += 2
    for each in (token, fresh):
        with pytest.raises(ServerUnreachable):
            await verify(closed, each)
        assert await verify(opened, each)
    assert len(stand_in.asked) == asked + 2  # for a while neither asks again
    stand_in.status, stand_in.body = 200, None
    ticking.now += INTERVAL
    assert await verify(closed, fresh)


@pytest.mark.parametrize("fail_open", [True, False])
async def test_sign_out_that_is_known_stays_known_while_nobody_answers(
    stand_in: StandIn, ticking: Clock, verify: Verify, *, fail_open: bool
) -> None:
    verifier = verifier_of(stand_in, liveness=5, fail_open=fail_open)
    session_id = uuid4()
    token, other = (stand_in.token(session_id=session_id) for _ in range(2))
    assert await verify(verifier, token)
    ticking.now += 6
    stand_in.active = False
    with pytest.raises(TokenRevoked):
        await verify(verifier, token)
    stand_in.status = 503
    for _ in range(2):
        ticking.now += 6
        for _ in range(2):  # by a question without an answer, and between two
            with pytest.raises(TokenRevoked):
                await verify(verifier, token)
    if fail_open:
        assert await verify(verifier, other)  # of which nothing is known
    stand_in.status, stand_in.active = 200, True
    ticking.now += 6
    assert await verify(verifier, token)
    stand_in.status = 503
    ticking.now += 6
    if fail_open:
        assert await verify(verifier, token)
    else:
        with pytest.raises(ServerUnreachable):
            await verify(verifier, token)


@pytest.mark.parametrize("answer", ["true", 1, None, []])
async def test_answer_that_is_neither_yes_nor_no_is_none(stand_in: StandIn, answer: object) -> None:
    stand_in.active = answer
    with pytest.raises(ServerUnreachable):
        await verifier_of(stand_in, liveness=5).verify(stand_in.token())


async def test_remembered_sessions_are_bounded(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_SESSIONS == 10_000
    monkeypatch.setattr("gql_app.verify.server.MAX_SESSIONS", 2)
    verifier = verifier_of(stand_in, liveness=1000)
    first, *others = [stand_in.token() for _ in range(3)]
    for token in (first, *others, *others, first):
        await verifier.verify(token)
    assert [stand_in.tokens.count(token) for token in (first, *others)] == [2, 1, 1]


async def test_event_loop_goes_on_while_the_server_thinks(stand_in: StandIn) -> None:
    stand_in.gate = threading.Event()
    verifying = asyncio.create_task(verifier_of(stand_in).verify(stand_in.token()))
    await asyncio.to_thread(stand_in.arrived.acquire)  # which the loop comes back from
    assert not verifying.done()
    stand_in.gate.set()
    assert await verifying
