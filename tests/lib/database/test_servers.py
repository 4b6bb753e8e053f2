"""Several servers of one database: which is tried when, and for how long."""

import socket
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from gql_app.lib.database import Servers
from gql_app.lib.database.urls import servers_of
from tests.databases import Postgres


@pytest.mark.parametrize(
    ("attributes", "tried"), [("", 2), ("&target_session_attrs=read-write", 1)]
)
async def test_server_that_hangs_leaves_the_next_one_time(
    postgres: Postgres, attributes: str, tried: int
) -> None:
    """Where the roles differ it is the last to be tried again; where not, the order says whom."""
    with socket.create_server(("127.0.0.1", 0)) as silent, postgres.copied() as url:
        there = urlsplit(url)
        [folder] = parse_qs(there.query)["host"]
        hosts = f"127.0.0.1:{silent.getsockname()[1]},{quote(folder, safe='')}"
        query = f"user=postgres{attributes}"
        servers = Servers(there._replace(netloc=hosts, query=query).geturl())
        for _ in range(2):
            await (await servers.connect()).close()
        silent.settimeout(0)
        for _ in range(tried):
            silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("postgresql:///db?host=/run", ["postgresql:///db?host=/run"]),
        ("postgresql://a:b@c:1/db", ["postgresql://a:b@c:1/db"]),
        ("postgresql://c,d:2/db?x=y", ["postgresql://c/db?x=y", "postgresql://d:2/db?x=y"]),
        ("postgresql://a:b@c,[::1]:2/db", ["postgresql://a:b@c/db", "postgresql://a:b@[::1]:2/db"]),
        (
            "postgresql://c,d/db?target_session_attrs=prefer-standby",
            ["postgresql://c,d/db?target_session_attrs=prefer-standby"],
        ),
    ],
)
def test_each_server_has_a_url_of_its_own(url: str, servers: list[str]) -> None:
    assert servers_of(url) == servers
