"""The playground's page and files, as they are served."""

import gzip
import json
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from gql_app.cli.samples import SIGN_INS
from gql_app.lib.static_files import CACHE_CONTROL
from gql_app.settings import Settings
from gql_app.web.pages.playground import BUILT, Playground
from gql_app.web.responses import explain
from tests.api import Api, running

# What holds of HTTP alone needs one engine.
ON_SQLITE: Final = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HTML: Final = {"Accept": "text/html"}
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
assert (BUILT / "index.html").exists(), "The playground is not built; make test builds it first"
FILES: Final = sorted(
    file.name for file in (BUILT / "playground").iterdir() if file.suffix in TYPES
)


def policy(response: httpx.Response) -> dict[str, list[str]]:
    """Read a Content-Security-Policy."""
    parts = response.headers["content-security-policy"].split(";")
    return {name: values for name, *values in (part.split() for part in parts)}


def facts(response: httpx.Response) -> dict[str, Any]:
    """Read what the page is told."""
    (content,) = re.findall(r'<meta name="facts" content="([^"]*)" />', response.text)
    told: dict[str, Any] = json.loads(unescape(content))
    return told


def named(text: str) -> set[str]:
    """Name the files that a page loads by itself."""
    return set(re.findall(r'(?:src|href)="\./playground/([^"]+)"', text))


@ON_SQLITE
async def test_page_has_a_policy_without_inline_scripts_that_talks_to_itself_alone(
    api: Api,
) -> None:
    response = await api.client.get("/graphql", headers=HTML)
    assert policy(response) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "worker-src": ["'self'"],
        "connect-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-frame-options"] == "DENY"
    assert re.findall(r"<script[^>]*>([^<]*)</script>", response.text) == [""]
    assert "://" not in response.text


@ON_SQLITE
async def test_all_that_the_page_names_is_served(api: Api) -> None:
    names = named((await api.client.get("/graphql", headers=HTML)).text)
    assert {Path(name).suffix for name in names} == {".js", ".css", ".svg"}
    for name in names:
        assert (await api.client.get(f"/playground/{name}")).status_code == 200


@ON_SQLITE
@pytest.mark.parametrize("name", FILES)
async def test_file_is_named_by_its_content_and_may_be_kept_for_ever(api: Api, name: str) -> None:
    assert re.fullmatch(r".+-[\w-]{8}\.\w+", name)
    response = await api.client.get(f"/playground/{name}", headers={"Accept-Encoding": "identity"})
    assert response.content == (BUILT / "playground" / name).read_bytes()
    assert response.headers["content-type"] == TYPES[Path(name).suffix]
    assert response.headers["cache-control"] == CACHE_CONTROL
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in response.headers


@ON_SQLITE
@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("GZIP", "gzip"),
        ("gzip;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000", None),
        ("deflate", None),
        ("", None),
    ],
)
async def test_file_comes_as_it_was_compressed_when_it_was_built(
    api: Api, accepted: str, coding: str | None
) -> None:
    url = f"/playground/{FILES[-1]}"
    plain = await api.client.get(url, headers={"Accept-Encoding": "identity"})
    head = await api.client.head(url, headers={"Accept-Encoding": accepted})
    assert head.headers.get("content-encoding") == coding
    assert head.headers["content-type"] == plain.headers["content-type"]
    smaller = int(head.headers["content-length"]) < int(plain.headers["content-length"])
    assert smaller == (coding is not None)
    if coding != "br":  # httpx does not read it
        again = await api.client.get(url, headers={"Accept-Encoding": accepted})
        assert again.content == plain.content


@ON_SQLITE
@pytest.mark.parametrize(
    "name", ["none.js", f"{FILES[0]}.br", "..%2Findex.html", "%2e%2e/index.html", "index.html", ""]
)
async def test_anything_else_is_not_found(api: Api, name: str) -> None:
    response = await api.client.get(f"/playground/{name}")
    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@ON_SQLITE
async def test_closed_playground_serves_no_files(settings: Settings) -> None:
    async with running(settings.model_copy(update={"playground": False})) as api:
        assert (await api.client.get(f"/playground/{FILES[0]}")).status_code == 404


@ON_SQLITE
async def test_nobody_is_offered_a_sign_in_but_in_the_demo(settings: Settings, api: Api) -> None:
    assert facts(await api.client.get("/graphql", headers=HTML)) == {"lacks": ["passwordReset"]}
    sign_ins = [person._asdict() for person in SIGN_INS]
    async with running(settings.model_copy(update={"demo": True}), sign_ins=sign_ins) as demo:
        told = facts(await demo.client.get("/graphql", headers=HTML))
        report = await demo.run("{ token { reason } }", token=told["expiredToken"])
    assert [(each["email"], each["password"]) for each in told["signIns"]] == [
        (person.email, person.password) for person in SIGN_INS
    ]
    assert report.data["token"] == {"reason": "TOKEN_EXPIRED"}


@ON_SQLITE
@pytest.mark.parametrize(
    ("chosen", "lacks"),
    [
        ({"demo": True}, []),
        ({"registration": False}, ["passwordReset", "registration"]),
    ],
)
async def test_page_is_told_what_the_server_lacks(
    settings: Settings, chosen: dict[str, object], lacks: list[str]
) -> None:
    async with running(settings.model_copy(update=chosen)) as api:
        assert facts(await api.client.get("/graphql", headers=HTML)) == {"lacks": lacks}


@pytest.mark.parametrize("left", [(), ("playground",)])
async def test_where_it_is_not_built_strawberrys_page_stands_in_and_the_log_says_so_once(
    tmp_path: Path, left: tuple[str, ...]
) -> None:
    for name in left:
        (tmp_path / name).mkdir()
    with structlog.testing.capture_logs() as logged:
        playground = Playground(folder=tmp_path)
        app = Starlette(
            routes=[
                Route("/graphql", playground.page),
                Route("/playground/{name}", playground.file),
            ],
            exception_handlers={HTTPException: explain},
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            pages = [await client.get("/graphql", headers=HTML) for _ in range(2)]
            missing = await client.get("/playground/index.js")
    assert [line["event"] for line in logged] == [
        "The playground is not built: a page that needs a CDN stands in for it"
    ]
    for answer in pages:
        assert answer.status_code == 200
        assert "Strawberry GraphiQL" in answer.text
        assert policy(answer)["connect-src"] == ["'self'"]
        assert not {"default-src", "script-src", "style-src"} & set(policy(answer))
    assert missing.status_code == 404


def built_of(folder: Path, **files: str) -> Playground:
    """Read a playground of these files, compressed as well, which are gone then."""
    (folder / "index.html").touch()
    (folder / "playground").mkdir()
    for name, text in files.items():
        file = folder / "playground" / f"{name}-12345678.js"
        file.write_text(text)
        if len(text) > 1:
            Path(f"{file}.gz").write_bytes(gzip.compress(text.encode()))
    playground = Playground(folder=folder)
    shutil.rmtree(folder / "playground")
    return playground


async def test_files_are_answered_as_they_were_at_the_start_whatever_becomes_of_them(
    tmp_path: Path,
) -> None:
    large = "2" * 200_000
    playground = built_of(tmp_path, one="1", two=large)
    app = Starlette(
        routes=[Route("/playground/{name}", playground.file)],
        exception_handlers={HTTPException: explain},
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/playground/one-12345678.js")).text == "1"
        for accepted in ("gzip", "identity"):
            headers = {"Accept-Encoding": accepted}
            answer = await client.get("/playground/two-12345678.js", headers=headers)
            assert answer.text == large
            assert answer.headers.get("content-encoding", "identity") == accepted


def test_page_that_was_built_without_a_list_of_what_it_sends_is_served_all_the_same(
    tmp_path: Path,
) -> None:
    assert not built_of(tmp_path, one="1").documents
