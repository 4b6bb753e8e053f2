"""The pages for the links of letters and their files, as they are served."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from gql_app.settings import Settings
from gql_app.web.account import FOLDER, MEDIA_TYPES, PAGES
from tests.api import Api, running
from tests.web.test_playground import policy

# What holds of HTTP alone needs one engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MOST: Final = 40_000
"""Bytes that the pages and all that they load may take, before any compression."""
NAMES: Final = (*PAGES, *MEDIA_TYPES)


@pytest.fixture
def closed(settings: Settings) -> Settings:
    """Return the settings of a server without a playground."""
    return settings.model_copy(update={"playground": False})


async def test_page_runs_its_own_script_alone_and_tells_nobody_where_it_was(
    closed: Settings,
) -> None:
    async with running(closed) as api:
        for name in PAGES:
            response = await api.client.get(f"/account/{name}")
            assert response.status_code == 200
            assert response.headers["content-type"] == "text/html; charset=utf-8"
            assert policy(response) == {
                "default-src": ["'none'"],
                "script-src": ["'self'"],
                "style-src": ["'self'"],
                "img-src": ["'self'"],
                "connect-src": ["'self'"],
                "form-action": ["'none'"],
                "base-uri": ["'none'"],
                "frame-ancestors": ["'none'"],
                "require-trusted-types-for": ["'script'"],
                "trusted-types": ["'none'"],
            }
            assert response.headers["referrer-policy"] == "no-referrer"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["x-frame-options"] == "DENY"
            assert re.findall(r"<script[^>]*>([^<]*)</script>", response.text) == [""]
            assert not re.search(r"://| style=| on[a-z]+=|<style", response.text)
            loaded = set(re.findall(r' (?:src|href)="([^"]+)"', response.text))
            assert loaded == {"account.css", "account.js", "icon.svg"}


async def test_all_of_it_is_small(api: Api) -> None:
    sizes = [len((await api.client.get(f"/account/{name}")).content) for name in NAMES]
    assert sum(sizes) < MOST
    assert {file.name for file in FOLDER.iterdir()} == {
        name if "." in name else f"{name}.html" for name in NAMES
    }


async def test_file_is_sent_once_and_after_that_only_if_it_has_changed(api: Api) -> None:
    for name in NAMES:
        url = f"/account/{name}"
        first = await api.client.get(url)
        etag = first.headers["etag"]
        assert first.headers["cache-control"] == "no-cache"
        for held in (etag, f'"other", W/{etag}'):  # a proxy that compresses makes it a weak one
            again = await api.client.get(url, headers={"If-None-Match": held})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == etag
        other = await api.client.get(url, headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.content) == (200, first.content)
        head = await api.client.head(url)
        for header in ("content-type", "content-length", "etag"):
            assert head.headers[header] == first.headers[header]
        media_type = MEDIA_TYPES.get(name, "text/html")
        assert first.headers["content-type"].split(";")[0] == media_type


@pytest.mark.parametrize("name", ["", "none", "reset/", "reset.html", "..%2Faccount.py", "%2e%2e"])
async def test_anything_else_is_not_found(api: Api, name: str) -> None:
    response = await api.client.get(f"/account/{name}")
    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_page_takes_no_form(api: Api) -> None:
    response = await api.client.post("/account/reset", data={"newPassword": "in the clear"})
    assert response.status_code == 405


async def test_page_knows_where_one_signs_in_and_how_the_product_is_called(
    api: Api, closed: Settings
) -> None:
    page = (await api.client.get("/account/reset")).text
    assert '<meta name="home" content="../graphql" />' in page
    async with running(closed) as alone:
        page = (await alone.client.get("/account/reset")).text
    assert '<meta name="home" content="" />' in page


@pytest.mark.parametrize("playground", [True, False])
async def test_what_the_pages_send_runs_whatever_list_there_is(
    settings: Settings, tmp_path: Path, *, playground: bool
) -> None:
    file = tmp_path / "documents.json"
    file.write_text('{"1": "{ __typename }"}')
    chosen = {"trusted_documents": file, "playground": playground}
    sent: dict[str, str] = json.loads((FOLDER / "operations.json").read_text())
    async with running(settings.model_copy(update=chosen)) as api:
        for name, text in sent.items():
            variables: dict[str, Any] = dict.fromkeys(re.findall(r"\$(\w+):", text), "x")
            answer = await api.run(text, **variables)
            assert name in answer.body["data"]
        assert (await api.run("{ me { id } }")).code() == "PERSISTED_QUERY_NOT_IN_LIST"
