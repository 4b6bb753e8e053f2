"""Which hosts are answered for."""

import httpx
import pytest

from gql_app.settings import Settings
from tests.api import running
from tests.web.test_graphql import refused

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HELLO = {"query": "{ __typename }"}


async def asked(settings: Settings, allowed: str | None, **headers: str) -> httpx.Response:
    """Ask something with these headers, where these hosts are allowed."""
    hosts = tuple(allowed.split(", ")) if allowed else ()
    async with running(settings.model_copy(update={"allowed_hosts": hosts})) as api:
        return await api.client.post("/graphql", json=HELLO, headers=headers)


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        (None, "anything.example"),
        ("api.example.com", "api.example.com"),
        ("api.example.com", "API.Example.COM"),
        ("api.example.com", "api.example.com:8443"),
        ("api.example.com", "api.example.com:"),
        ("localhost, api.example.com", "api.example.com"),
        ("*.example.com", "api.example.com"),
        ("*.example.com", "a.b.example.com:80"),
        ("127.0.0.1", "127.0.0.1:8000"),
        ("[::1]", "[::1]"),
        ("[::1]", "[::1]:8000"),
    ],
)
async def test_an_allowed_host_is_answered(
    settings: Settings, allowed: str | None, host: str
) -> None:
    assert (await asked(settings, allowed, host=host)).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("api.example.com", "evil.example"),
        ("api.example.com", "api.example.com.evil.example"),
        ("api.example.com", "evil-api.example.com"),
        ("api.example.com", "example.com"),
        ("api.example.com", "www.api.example.com"),
        ("api.example.com", "api.example.com:evil"),
        ("api.example.com", "api.example.com."),
        ("api.example.com", ""),
        ("*.example.com", "example.com"),
        ("*.example.com", "evilexample.com"),
        ("*.example.com", "api.example.com.evil.example"),
        ("[::1]", "[::2]"),
        ("[::1]", "::1"),
    ],
)
async def test_any_other_host_is_refused(settings: Settings, allowed: str, host: str) -> None:
    response = await asked(settings, allowed, host=host)
    assert (response.status_code, refused(response)) == (400, "BAD_REQUEST")
    assert "location" not in response.headers
    assert "evil" not in response.text


async def test_two_hosts_are_none(settings: Settings) -> None:
    async with running(settings.model_copy(update={"allowed_hosts": ("api.example.com",)})) as api:
        request = api.client.build_request("POST", "/graphql", json=HELLO)
        del request.headers["host"]
        for hosts in (["api.example.com", "evil.example"], []):
            twice = [("host", host) for host in hosts]
            request.headers = httpx.Headers([*request.headers.multi_items(), *twice])
            assert (await api.client.send(request)).status_code == 400


async def test_no_other_header_stands_for_the_host(settings: Settings) -> None:
    forwarded = {"x-forwarded-host": "api.example.com", "forwarded": "host=api.example.com"}
    response = await asked(settings, "api.example.com", host="evil.example", **forwarded)
    assert response.status_code == 400


async def test_probes_ask_by_whatever_address_they_know(settings: Settings) -> None:
    async with running(settings.model_copy(update={"allowed_hosts": ("api.example.com",)})) as api:
        statuses = {"/livez": 200, "/readyz": 200, "/metrics": 200, "/nowhere": 400}
        for path, status in statuses.items():
            response = await api.client.get(path, headers={"Host": "10.0.0.7:8000"})
            assert response.status_code == status
