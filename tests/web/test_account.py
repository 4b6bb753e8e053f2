"""The pages for the links of letters and their files, as they are served."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette

from gql_app.accounts.audit import Action
from gql_app.accounts.mail.links import LinkKind
from gql_app.db.tables import AuditRow, CustomerRow
from gql_app.lib import clock
from gql_app.lib.clock import rfc3339
from gql_app.mail import link_tokens, mailboxes
from gql_app.settings import Settings
from gql_app.web.pages.account import FOLDER, MEDIA_TYPES, PAGES, PARTS, routes
from tests.api import Api, running
from tests.conftest import SetClock
from tests.people import Person
from tests.web.test_playground import policy

# What holds of HTTP alone needs one engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MOST: Final = 70_000
"""Bytes that the pages and all that they load may take, before any compression."""
LINK: Final = f"gav_{'A' * 43}"
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
            loaded = set(re.findall(r'<(?!a )\w+[^>]* (?:src|href)="([^"]+)"', response.text))
            script = "security.js" if name == "security" else "account.js"
            assert loaded == {"account.css", script, "icon.svg"}


async def test_all_of_it_is_small(api: Api) -> None:
    sizes = [len((await api.client.get(f"/account/{name}")).content) for name in NAMES]
    assert sum(sizes) < MOST
    parts = {f"parts/{name}.html" for name in ("page", *PARTS)}
    files = {file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.*")}
    assert files == parts | {name if "." in name else f"{name}.html" for name in NAMES}


async def test_pages_are_whole(api: Api) -> None:
    for name, title in PAGES.items():
        page = (await api.client.get(f"/account/{name}")).text
        assert f"<title>{title}</title>" in page
        assert not re.search(r"<!--|[{}]", page)


async def test_nothing_moves(api: Api) -> None:
    style = (await api.client.get("/account/account.css")).text
    assert not re.search("animation|transition|@keyframes|smooth", style)


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


@pytest.mark.parametrize("name", ["", "none", "reset/", "reset.html", "..%2Fgraphql.py", "%2e%2e"])
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


@pytest.mark.parametrize(
    ("chosen", "offered"),
    [
        ({}, ""),
        ({"reset_url": "https://a.example/reset"}, "passkeys"),
        ({"passkey_rp_id": "localhost"}, "passkeys"),
        ({"demo": True}, "passwordReset verification"),
        ({"demo": True, "email_verification": "off"}, "passwordReset"),
        (
            {"demo": True, "sign_in_links": True},
            "passwordReset verification signInLinks",
        ),
    ],
)
async def test_page_offers_what_the_server_has(
    settings: Settings, chosen: dict[str, object], offered: str
) -> None:
    app = Starlette(routes=routes(settings.model_copy(update={"passkey_rp_id": None, **chosen})))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        for name in PAGES:
            page = (await client.get(f"/account/{name}")).text
            assert f'<meta name="offered" content="{offered}" />' in page


async def test_passkeys_are_offered_where_a_page_is_set_if_only_to_its_default(
    settings: Settings,
) -> None:
    for given in ({}, {"reset_url": settings.reset_url}):
        async with running(settings.model_copy(update={"passkey_rp_id": None, **given})) as api:
            page = (await api.client.get("/account/reset")).text
        assert ('content="passkeys"' in page) == bool(given)


async def test_error_of_every_field_is_announced(api: Api) -> None:
    for name in PAGES:
        page = (await api.client.get(f"/account/{name}")).text
        errors = re.findall(r'<p class="error"[^>]*>', page)
        assert [each for each in errors if 'aria-live="assertive" data-wrong=' not in each] == []
        assert len(errors) == page.count('class="error"') == page.count("data-wrong")


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
            variables = dict.fromkeys(re.findall(r"\$(\w+):", text), "x")
            request = {"query": text, "variables": variables}
            answer = await api.client.post("/graphql", json=request)
            assert name in answer.json()["data"]
        assert (await api.run("{ me { id } }")).code() == "PERSISTED_QUERY_NOT_IN_LIST"


async def test_link_is_described_and_stays_as_good_as_it_was(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    for kind, pending in (("account", None), ("change", "new@example.com")):
        async with api.database.transaction() as db:
            await db.execute(update(CustomerRow).values(pending_email=pending))
            customer = await mailboxes.by_email(db, plain.email)
            assert customer
            await link_tokens.issue(db, LinkKind.VERIFY_EMAIL, customer, LINK)
        for _ in range(2):
            response = await api.client.post("/account/link", json={"token": LINK})
            assert response.headers["cache-control"] == "no-store"
            assert response.json() == {"kind": kind, "madeAt": rfc3339(customer.created_at)}
    set_clock(clock.now() + timedelta(hours=25))
    old = await api.client.post("/account/link", json={"token": LINK})
    assert (old.status_code, code(old)) == (400, "TOKEN_EXPIRED")


@pytest.mark.parametrize(
    ("content", "media_type", "status", "told"),
    [
        (json.dumps({"token": LINK}), "application/json", 400, "TOKEN_INVALID"),
        ('{"token": "\\ud800\\u0000"}', "application/json; charset=utf-8", 400, "TOKEN_INVALID"),
        ('{"token": 1}', "application/json", 400, "BAD_REQUEST"),
        ('["token"]', "application/json", 400, "BAD_REQUEST"),
        ("[" * 1024, "application/json", 400, "BAD_REQUEST"),
        ("\xff", "application/json", 400, "BAD_REQUEST"),
        ('{"token": "x"}', "text/plain", 415, "BAD_REQUEST"),
        (" " * 1025, "application/json", 413, "BAD_USER_INPUT"),
    ],
)
async def test_what_is_no_link_is_refused_in_words(
    api: Api, content: str, media_type: str, status: int, told: str
) -> None:
    headers = {"Content-Type": media_type}
    response = await api.client.post("/account/link", content=content, headers=headers)
    assert (response.status_code, code(response)) == (status, told)
    assert response.json()["errors"][0]["message"].endswith(".")


async def test_link_waits_for_the_database_and_says_when_to_try_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("gql_app.mail.email_verification.described", late)
    response = await api.client.post("/account/link", json={"token": LINK})
    assert (response.status_code, code(response)) == (503, "SERVICE_UNAVAILABLE")
    assert response.headers["retry-after"] == "1"


def code(response: httpx.Response) -> str:
    """Return the code of the one error of a response."""
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


async def test_guesses_at_links_are_counted_by_client(settings: Settings) -> None:
    async with running(settings.model_copy(update={"login_client_attempts": 2})) as api:
        guess = {"token": LINK}
        told = [code(await api.client.post("/account/link", json=guess)) for _ in range(3)]
        assert told == ["TOKEN_INVALID", "TOKEN_INVALID", "TOO_MANY_ATTEMPTS"]
        late = await api.client.post("/account/link", json=guess)
        (error,) = late.json()["errors"]
        wait = error["extensions"]["retryAfter"]
        assert (late.status_code, late.headers["retry-after"]) == (429, str(wait))
        assert 0 < wait <= 15 * 60
        async with api.elsewhere("192.0.2.7") as elsewhere:
            answer = await elsewhere.client.post("/account/link", json=guess)
            assert code(answer) == "TOKEN_INVALID"
        await api.resources.guesses.record(api.database, last=True)
        actions = {row.action for row in await api.database.fetch_all(select(AuditRow.action))}
        assert Action.LINK_REFUSED in actions
