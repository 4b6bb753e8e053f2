"""A network to PostgreSQL that drops packets: refused at once, and served again when it is back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import SECRET
from tests.databases import Postgres
from tests.faults.crowd import ME, RENAME, gather_crowd
from tests.people import Person
from tests.processes import PATIENCE, Server, serving
from tests.relay import Relay, relaying
from tests.test_watching import until_told

CROWD = 24
"""More than there are connections."""
UNLIMITED = "600"


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """Make an empty, migrated database on PostgreSQL."""
    with postgres.copied() as url:
        yield url


@pytest.fixture
async def people(database_url: str) -> list[Person]:
    """Sign a crowd in."""
    return await gather_crowd(database_url, CROWD)


@pytest.fixture
def relay(database_url: str) -> Iterator[Relay]:
    """Put a network before it."""
    with relaying(database_url) as relay:
        yield relay


@pytest.fixture
def server(relay: Relay, people: list[Person], tmp_path: Path) -> Iterator[Server]:
    """Serve it without a deadline: who is answered is so by what the probe found."""
    assert people
    with serving(
        folder=tmp_path,
        database_url=relay.url,
        secret_key=SECRET,
        database_connections="4",
        database_pool_timeout=UNLIMITED,
        operation_timeout=UNLIMITED,
    ) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=PATIENCE) as client:
        yield client


async def answers(client: httpx.AsyncClient, people: list[Person]) -> list[httpx.Response]:
    """Have everybody ask who they are, and rename themselves, all at once."""
    asked = [(person, query) for person in people for query in (ME, RENAME)]
    return await asyncio.gather(
        *(
            client.post(
                "/graphql",
                json={"query": query, "variables": {"name": "Eve"}},
                headers={"Authorization": f"Bearer {person.token}"},
            )
            for person, query in asked
        )
    )


async def test_silence_is_told_at_once_by_what_readiness_knows(
    server: Server, client: httpx.AsyncClient, people: list[Person], relay: Relay
) -> None:
    with relay.silent():
        waited = await answers(client, people)
        assert (await client.get("/readyz")).status_code == 503
        came = await answers(client, people)
        assert (await client.get("/livez")).status_code == 200
    for each in (*waited, *came):
        [error] = each.json()["errors"]
        assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}
        assert (each.status_code, each.headers["retry-after"]) == (503, "1")
    await until_told(server, 200)
    served = await answers(client, people)
    assert [each.json().keys() for each in served] == [{"data"}] * len(served)
    assert "does not answer" in server.logged()
    assert "Traceback" not in server.logged()
