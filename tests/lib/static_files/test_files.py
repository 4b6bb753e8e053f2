"""Static files: the coding that a client takes, and the same bytes in any."""

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gql_app.lib.static_files import CACHE_CONTROL, StaticFiles

CONTENT = b"console.log(1)\n" * 10_000


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    """Serve a script, with its compressed copy beside it, and a file of no known type."""
    (tmp_path / "app.js").write_bytes(CONTENT)
    (tmp_path / "app.js.gz").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "notes.txt").write_bytes(b"private")
    files = StaticFiles(tmp_path, {".js": "text/javascript"})

    def file(request: Request) -> Response:
        response = files.response(request.path_params["name"], request)
        if response is None:
            raise HTTPException(404)
        return response

    app = Starlette(routes=[Route("/{name}", file)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(
    ("accepted", "coding"), [("gzip", "gzip"), ("identity", None), ("gzip;q=0", None)]
)
async def test_every_client_gets_the_same_bytes(
    client: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    response = await client.get("/app.js", headers={"Accept-Encoding": accepted})
    assert response.headers.get("content-encoding") == coding
    assert response.content == CONTENT
    assert response.headers["cache-control"] == CACHE_CONTROL
    assert response.headers["content-type"].startswith("text/javascript")


async def test_head_has_the_length_and_no_content_and_reads_none(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gql_app.lib.static_files._pieces", None)
    response = await client.head("/app.js", headers={"Accept-Encoding": "identity"})
    assert (response.headers["content-length"], response.content) == (str(len(CONTENT)), b"")


@pytest.mark.parametrize("name", ["notes.txt", "app.js.gz", "other.js"])
async def test_what_is_no_file_of_a_known_type_is_not_there(
    client: httpx.AsyncClient, name: str
) -> None:
    assert (await client.get(f"/{name}")).status_code == 404
