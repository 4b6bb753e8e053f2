"""Serving an application: by one process, by workers, as the demo, and again after a change."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.databases import Postgres
from tests.processes import (
    PATIENCE,
    Server,
    forked_server,
    free_port,
    run_main,
    sign_ins,
    signed_in,
)

MARKET = "tests.extending.market.api:app"
QUERY = {"query": "{ currency }"}
OPEN = {"query": 'mutation { openStall(name: "Fish") }'}
SECRET = "a secret of the market, long enough to sign with"
CORNER = """
import strawberry
from gql_app import Feature, create_app


@strawberry.type
class Corner:
    @strawberry.field
    def goods(self) -> str:
        return "%s"


app = create_app(features=[Feature("corner", queries=[Corner])])
"""


@contextmanager
def serving_app(
    *arguments: str, folder: Path, option: str | None = MARKET, **settings: str
) -> Iterator[Server]:
    """Serve an application for as long as the block lasts, named by --app if by an option."""
    port = free_port()
    named = ["--app", option] if option else []
    command = [*named, "serve", "--port", str(port), *arguments]
    with forked_server(command, port, folder, **settings) as server:
        yield server


@pytest.mark.parametrize("more", [["--workers", "2"], ["--demo"]])
def test_application_is_served(tmp_path: Path, more: list[str]) -> None:
    with (
        serving_app(*more, folder=tmp_path, market_currency="CHF") as server,
        server.client() as client,
    ):
        for _ in range(8):
            answer = client.post("/graphql", json=QUERY)
            assert answer.json() == {"data": {"currency": "CHF"}}
        assert client.get("/market/whoami").status_code == 401
        assert client.get("/market/whoami", headers={"Host": "evil.test"}).status_code == 400
        if "--demo" in more:
            _, email, password = sign_ins(server)[0]
            sent = {"Authorization": f"Bearer {signed_in(client, email, password)}"}
            assert client.post("/graphql", json=OPEN, headers=sent).json()["data"]["openStall"]
            page = client.get("/graphql", headers={"Accept": "text/html"}).text
            assert email in page


def test_application_of_the_variable_is_served_on_postgresql(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.copied() as url:
        settings = {"database_url": url, "secret_key": SECRET, "app": MARKET}
        done = run_main("count-stalls", folder=tmp_path, **settings)
        assert done.stderr == "The database is not migrated. Run: gql-app migrate\n"
        with ThreadPoolExecutor() as threads:  # as several machines start at once
            jobs = [
                threads.submit(run_main, "migrate", folder=tmp_path, **settings) for _ in range(2)
            ]
        assert [job.result().returncode for job in jobs] == [0, 0]
        with (
            serving_app("--workers", "2", folder=tmp_path, option=None, **settings) as server,
            server.client() as client,
        ):
            assert client.post("/graphql", json=QUERY).json() == {"data": {"currency": "EUR"}}
            assert client.get("/readyz").json()["migrations"] == "ok"


def test_changed_application_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "corner.py"
    file.write_text(CORNER % "bread", encoding="utf-8")
    asked = {"query": "{ goods }"}
    with (
        serving_app("--reload", folder=tmp_path, option="corner:app") as server,
        server.client() as client,
    ):
        assert client.post("/graphql", json=asked).json() == {"data": {"goods": "bread"}}
        file.write_text(CORNER % "butter", encoding="utf-8")
        deadline = time.monotonic() + PATIENCE
        while _goods(server) != "butter":
            assert time.monotonic() < deadline, server.logged()
            time.sleep(0.1)


def _goods(server: Server) -> str | None:
    """Ask for the goods; nobody may be there while the server starts again."""
    with suppress(httpx.TransportError), server.client() as client:
        goods: str = client.post("/graphql", json={"query": "{ goods }"}).json()["data"]["goods"]
        return goods
    return None
