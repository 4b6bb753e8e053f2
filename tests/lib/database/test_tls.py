"""Passwords of PostgreSQL never go out in the clear, unless the URL itself says so."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from sqlalchemy import select, true

from gql_app.lib.database import (
    Database,
    Query,
    Unavailable,
    in_the_clear,
)
from gql_app.lib.database.urls import sslmode

PASSWORD = "s3cret-of-db"
ELSEWHERE = "0.0.0.0"  # noqa: S104 — this machine by an address that is none of loopback's
SSL_REQUEST = 80877103
CLEARTEXT = b"R" + struct.pack("!II", 8, 3)
ANYTHING = Query(select(true()), tuple)


@asynccontextmanager
async def impostor(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Be a server that asks for the password in the clear; tell its port, and what it is told."""
    told: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await first_message(reader) == SSL_REQUEST:
                writer.write(b"S" if tls else b"N")
                if tls:
                    await writer.start_tls(tls)
                await first_message(reader)
            writer.write(CLEARTEXT)
            told.append(await reader.read(1000))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, ELSEWHERE, 0) as server:
        yield server.sockets[0].getsockname()[1], told


async def first_message(reader: asyncio.StreamReader) -> int:
    """Read a message without a type, and return what it begins with."""
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    (code,) = struct.unpack_from("!I", await reader.readexactly(length - 4))
    return int(code)


def secrets_of(told: list[bytes]) -> list[bytes]:
    """Leave those of what a server was told that hold the password."""
    return [each for each in told if PASSWORD.encode() in each]


async def read(url: str) -> None:
    """Ask the database something, as every query does."""
    database = Database(url)
    try:
        await database.fetch_all(ANYTHING)
    finally:
        await database.close()


async def write(url: str) -> None:
    """Begin a transaction, as every mutation does."""
    database = Database(url)
    try:
        async with database.transaction() as transaction:
            await transaction.fetch_all(ANYTHING)
    finally:
        await database.close()


@pytest.mark.parametrize("way", [read, write])
@pytest.mark.parametrize(
    "hosts", [ELSEWHERE, f"127.0.0.1:1,{ELSEWHERE}"], ids=["one", "one of several"]
)
async def test_password_is_told_to_no_server_elsewhere_without_tls(
    way: Callable[[str], Awaitable[None]], hosts: str
) -> None:
    async with impostor() as (port, told):
        with pytest.raises(Unavailable):
            await way(f"postgresql://ada:{PASSWORD}@{hosts}:{port}/db")
    assert secrets_of(told) == []


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
async def test_url_itself_may_say_otherwise_and_is_found(mode: str) -> None:
    async with impostor() as (port, told):
        url = f"postgresql://ada:{PASSWORD}@{ELSEWHERE}:{port}/db?sslmode={mode}"
        with pytest.raises(Unavailable):
            await read(url)
    assert secrets_of(told)
    assert in_the_clear(url)


async def test_server_elsewhere_is_spoken_to_by_tls() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("db.example").configure_cert(context)
    async with impostor(context) as (port, told):
        with pytest.raises(Unavailable):
            await read(f"postgresql://ada:{PASSWORD}@{ELSEWHERE}:{port}/db")
    assert secrets_of(told)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql:///db", "prefer"),
        ("postgresql:///db?host=/run/postgresql", "prefer"),
        ("postgresql://%2Frun%2Fpostgresql/db", "prefer"),
        ("postgresql://localhost/db", "prefer"),
        ("postgresql://127.0.0.1:5433/db", "prefer"),
        ("postgresql://ada:hush@[::1]:5433/db", "prefer"),
        ("postgresql://[::ffff:127.0.0.1]/db", "prefer"),
        ("postgresql://localhost,127.0.0.2:2/db", "prefer"),
        ("postgresql://localhost,db/x", "require"),
        ("postgresql://db,localhost/x?target_session_attrs=prefer-standby", "require"),
        ("postgresql://localhost.example/x", "require"),
        ("postgresql://ada:hush@10.0.0.1/db", "require"),
        ("postgresql://[2001:db8::1]:5432/db", "require"),
        ("postgresql:///db?host=db.internal", "require"),
        ("postgresql://db/x?sslmode=", "require"),
        ("postgresql://db/x?sslmode=disable&sslmode=verify-full", "verify-full"),
        ("postgresql://db/x?sslmode=disable", "disable"),
        ("postgresql://localhost/x?sslmode=verify-ca", "verify-ca"),
    ],
)
def test_tls_is_insisted_on_wherever_a_network_lies_between(
    monkeypatch: pytest.MonkeyPatch, url: str, mode: str
) -> None:
    for name in ("PGHOST", "PGSERVICE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    assert sslmode(url) == mode


@pytest.mark.parametrize(
    ("url", "variables", "mode"),
    [
        ("postgresql://db/x", {"PGSSLMODE": "disable"}, "require"),
        ("postgresql://db/x", {"PGSSLMODE": ""}, "require"),
        ("postgresql://db/x", {"PGSSLMODE": "verify-full"}, "verify-full"),
        ("postgresql://db/x?sslmode=prefer", {"PGSSLMODE": "verify-full"}, "prefer"),
        ("postgresql://localhost/x", {"PGSSLMODE": "disable"}, "disable"),
        ("postgresql://localhost/x", {"PGSSLMODE": " \r"}, "prefer"),
        ("postgresql:///x", {"PGHOST": "db.internal"}, "require"),
        ("postgresql:///x", {"PGHOST": "/run/postgresql"}, "prefer"),
        ("postgresql:///x", {"PGHOST": ""}, "prefer"),
        ("postgresql:///x", {"PGSERVICE": "customers"}, "require"),
    ],
)
def test_environment_may_ask_for_more_tls_and_never_for_less(
    monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], mode: str
) -> None:
    for name in ("PGHOST", "PGSERVICE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sslmode(url) == mode


async def test_operator_is_told_what_to_look_at_where_tls_is_insisted_on_unasked() -> None:
    url = f"postgresql://ada:{PASSWORD}@{ELSEWHERE}/db"
    refused = ConnectionError("the server rejected the SSL upgrade")
    assert "sslmode=disable" in Database(url).cause_of(refused).remedy
    for other in (f"{url}?sslmode=require", "postgresql://localhost/db"):
        assert "sslmode" not in Database(other).cause_of(refused).remedy
