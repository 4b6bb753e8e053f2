"""The port of those who watch, and what is left for the other one."""

from collections.abc import AsyncIterator, Mapping

import pytest

from gql_app.settings import Settings
from tests.api import Api, running

PORT = 9000
MAIN, WATCHING = "http://test:8000", f"http://test:{PORT}"
OURS = "https://app.example.com"
PARTS = {"status": "ready", "database": "ok", "migrations": "ok", "keys": "ok", "passwords": "ok"}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def apart(settings: Settings) -> AsyncIterator[Api]:
    """Run an API that is watched by a port of its own."""
    update = {
        "management_port": PORT,
        "allowed_hosts": ("api.example.com", "test"),
        "allowed_origins": (OURS,),
    }
    async with running(settings.model_copy(update=update)) as api:
        yield api


@pytest.mark.parametrize(
    ("path", "main", "watching"),
    [
        ("/metrics", 404, 200),
        ("/readyz", 200, 200),
        ("/livez", 200, 200),
        ("/.well-known/jwks.json", 200, 404),
        ("/graphql", 400, 404),
        ("/graphql/", 404, 404),
        ("/metrics/", 404, 404),
        ("/nowhere", 404, 404),
    ],
)
async def test_each_port_has_its_own(apart: Api, path: str, main: int, watching: int) -> None:
    assert (await apart.client.get(f"{MAIN}{path}")).status_code == main
    response = await apart.client.get(f"{WATCHING}{path}")
    assert response.status_code == watching
    if watching == 404:
        assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    assert "x-request-id" in response.headers
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_parts_are_shown_to_those_who_watch_alone(apart: Api) -> None:
    assert (await apart.client.get(f"{MAIN}/readyz")).json() == {"status": "ready"}
    assert (await apart.client.get(f"{WATCHING}/readyz")).json() == PARTS


async def test_operations_are_not_taken_where_one_watches(apart: Api) -> None:
    asked = {"query": "{ __typename }"}
    assert (await apart.client.post(f"{MAIN}/graphql", json=asked)).status_code == 200
    assert (await apart.client.post(f"{WATCHING}/graphql", json=asked)).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": f"test:{PORT}"},
        {"X-Forwarded-Port": str(PORT)},
        {"X-Forwarded-Host": f"test:{PORT}"},
        {"Forwarded": f"host=test:{PORT}"},
    ],
)
async def test_no_header_stands_for_the_port(apart: Api, headers: Mapping[str, str]) -> None:
    for path, status in (("/metrics", 404), ("/readyz", 200)):
        response = await apart.client.get(f"{MAIN}{path}", headers=headers)
        assert response.status_code == status
        assert "database" not in response.text


async def test_those_who_watch_may_know_the_address_alone(apart: Api) -> None:
    response = await apart.client.get(f"{WATCHING}/metrics", headers={"Host": "10.0.0.7"})
    assert response.status_code == 200


async def test_everything_is_shown_where_there_is_one_port(api: Api) -> None:
    assert (await api.client.get("/metrics")).status_code == 200
    assert (await api.client.get("/readyz")).json() == PARTS
