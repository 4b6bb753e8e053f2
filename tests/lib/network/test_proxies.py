"""Proxies in front: whose word is taken, and in how many spellings an address comes."""

from collections.abc import Sequence

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gql_app.lib.network import Networks, apply_forwarded
from gql_app.settings import Settings
from tests.api import running

PEER, CLIENT, OTHER = "192.0.2.1", "203.0.113.9", "198.51.100.7"
LOGIN = 'mutation { login(email: "ada@example.com", password: "wrong") { errors { code } } }'


async def seen(
    trusted: str, *forwarded: str, peer: str = PEER, proto: Sequence[str] = ()
) -> list[str | None]:
    """Return what is seen of a client, and the scheme by which it came."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        apply_forwarded(scope, Networks(trusted))
        client = scope["client"] and scope["client"][0]
        await JSONResponse([client, scope["scheme"]])(scope, receive, send)

    transport = httpx.ASGITransport(app, client=(peer, 1234))
    headers = [("x-forwarded-for", each) for each in forwarded]
    headers += [("x-forwarded-proto", each) for each in proto]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        told: list[str | None] = (await client.get("/", headers=headers)).json()
        return told


@pytest.mark.parametrize(
    "peer", ["127.0.0.1", "::ffff:127.0.0.1", "::FFFF:7F00:1", "0:0:0:0:0:ffff:7f00:1"]
)
@pytest.mark.parametrize(
    "trusted",
    ["127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:127.0.0.0/104", "10.0.0.1, 127.0.0.1"],
)
async def test_proxy_is_trusted_in_every_spelling(trusted: str, peer: str) -> None:
    assert await seen(trusted, CLIENT, peer=peer) == [CLIENT, "http"]


@pytest.mark.parametrize("trusted", ["127.0.0.1", "::1", "192.0.2.0/32", "::ffff:192.0.2.2"])
async def test_anybody_else_is_not(trusted: str) -> None:
    assert await seen(trusted, CLIENT, proto=["https"]) == [PEER, "http"]


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([CLIENT], CLIENT),
        ([f"{CLIENT}:8080"], CLIENT),
        ([f"::ffff:{CLIENT}"], CLIENT),
        ([f"[::ffff:{CLIENT}]:8080"], CLIENT),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["fe80::1%eth0"], "fe80::1"),
        ([f"{OTHER}, {CLIENT}"], CLIENT),
        ([OTHER, CLIENT], CLIENT),
        ([f"{CLIENT}, {PEER}"], CLIENT),
        ([f"{CLIENT}, ::ffff:{PEER}"], CLIENT),
        ([f"{PEER}, ::ffff:{PEER}"], PEER),
        ([f"{CLIENT}, , "], CLIENT),
        (["unknown"], None),
        ([f"{CLIENT}, unknown"], None),
        ([f"unknown, {PEER}"], None),
        ([f"unknown, {CLIENT}"], CLIENT),
        (["_hidden"], None),
        (["not an address"], None),
        ([f"[{CLIENT}"], None),
        ([""], PEER),
        ([], PEER),
        ([f"{OTHER}, " + "x" * 5_000], None),
    ],
)
async def test_client_is_the_last_that_is_no_proxy(
    forwarded: list[str], client: str | None
) -> None:
    assert await seen(PEER, *forwarded) == [client, "http"]


async def test_where_all_are_trusted_the_client_is_the_first() -> None:
    assert await seen("*", f"::ffff:{CLIENT}, {OTHER}") == [CLIENT, "http"]
    assert await seen(f"{PEER}, {CLIENT}", f"{CLIENT}, {PEER}") == [CLIENT, "http"]
    assert await seen("*", f"{CLIENT}, unknown") == [CLIENT, "http"]


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        (["https"], "https"),
        (["HTTPS"], "https"),
        ([" Https , "], "https"),
        (["http"], "http"),
        (["ftp"], "http"),
        (["https, ftp"], "http"),
        ([""], "http"),
        ([], "http"),
    ],
)
async def test_scheme_is_one_of_two(proto: list[str], scheme: str) -> None:
    assert await seen(PEER, proto=proto) == [PEER, scheme]


@pytest.mark.parametrize(
    ("forwarded", "proto", "scheme"),
    [
        ([], ["https,https"], "https"),
        ([], ["https, http"], "http"),
        ([], ["https", "http"], "http"),
        ([CLIENT], ["https, http"], "http"),
        ([CLIENT], ["http, https"], "https"),
        ([f"{OTHER}, {CLIENT}"], ["https, http"], "http"),
        ([f"{CLIENT}, {PEER}"], ["https, http"], "https"),
        ([CLIENT, PEER], ["https", "http"], "https"),
        ([f"{CLIENT}, {PEER}"], ["http, https"], "http"),
        ([f"{CLIENT}, {PEER}"], ["https"], "https"),
        ([f"{CLIENT}, {PEER}, {PEER}"], ["https, http"], "https"),
        ([f"{OTHER}, {CLIENT}, {PEER}"], ["https, http, https"], "http"),
    ],
)
async def test_scheme_is_what_the_proxy_has_seen_that_has_seen_the_client(
    forwarded: list[str], proto: list[str], scheme: str
) -> None:
    assert (await seen(PEER, *forwarded, proto=proto))[1] == scheme


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_client_is_counted_once_in_every_spelling(settings: Settings) -> None:
    update = {"trusted_proxies": PEER, "login_client_attempts": 2, "login_attempts": 100}
    spellings = [CLIENT, f"::ffff:{CLIENT}", "[::FFFF:CB00:7109]:80", f"{OTHER}, {CLIENT}:1"]
    async with running(settings.model_copy(update=update)) as api:
        codes = [
            (await api.run(LOGIN, headers={"X-Forwarded-For": each})).data["login"]["errors"][0]
            for each in (*spellings, OTHER)
        ]
    assert [each["code"] for each in codes] == [
        "INVALID_CREDENTIALS",
        "INVALID_CREDENTIALS",
        "TOO_MANY_ATTEMPTS",
        "TOO_MANY_ATTEMPTS",
        "INVALID_CREDENTIALS",
    ]
