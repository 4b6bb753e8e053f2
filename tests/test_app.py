"""The application: what it opens when, and many callers at once."""

import asyncio
import gc
import json
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gql_app.app import create_app
from gql_app.lib.faults import CannotStart
from gql_app.settings import Settings
from tests.processes import Server, free_port, sign_ins, signed_in


def names(folder: Path) -> list[str]:
    """Return which files a folder holds."""
    return [file.name for file in folder.iterdir()]


async def test_nothing_is_opened_before_the_application_starts(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'app.db'}"))
    assert names(tmp_path) == []
    async with app.router.lifespan_context(app):
        assert "app.db.key" in names(tmp_path)


async def test_the_application_starts_while_its_database_is_away() -> None:
    url = f"postgresql://127.0.0.1:{free_port()}/nothing"
    app = create_app(Settings(database_url=url, secret_key="long enough to sign a token with"))
    async with app.router.lifespan_context(app):
        assert app.routes


async def test_collector_leaves_alone_what_a_server_starts_with(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'app.db'}"))
    usual = gc.get_threshold()
    async with app.router.lifespan_context(app):
        assert gc.get_freeze_count() > len(gc.get_objects())
        assert gc.get_threshold()[0] > usual[0]
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, usual)


@pytest.mark.parametrize(
    ("name", "value", "faulty"),
    [
        ("GQL_APP_LOG_LEVEL", "LOUD", "GQL_APP_LOG_LEVEL"),
        ("GQL_APP_DATABASE_URL", "postgresql://localhost/customers", "GQL_APP_SECRET_KEY"),
    ],
)
def test_the_environment_is_read_where_no_settings_are_given(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, faulty: str
) -> None:
    monkeypatch.delenv("GQL_APP_SECRET_KEY", raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(CannotStart, match=faulty):
        create_app()


@pytest.mark.xdist_group("demo")
async def test_many_callers_at_once_get_their_own_answers(demo: Server) -> None:
    with demo.client() as signing_in:
        answers = {
            f"Bearer {signed_in(signing_in, email, password)}": email
            for _, email, password in sign_ins(demo)
        }
    answers |= {
        "": "TOKEN_MISSING",
        "Bearer x": "TOKEN_MALFORMED",
        "Bearer e30.e30.e30": "TOKEN_INVALID",
    }
    query = {"query": "query($n: Int) { me { email } customers(first: $n) { nodes { id } } }"}

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        authorization, expected = list(answers.items())[number % len(answers)]
        response = await client.post(
            "/graphql",
            json={**query, "variables": {"n": number}},
            headers={"Authorization": authorization},
        )
        body = response.json()
        if "errors" in body:
            reasons = {error["extensions"]["reason"] for error in body["errors"]}
            assert reasons == {expected}
        else:
            assert body["data"]["me"]["email"] == expected
            assert len(body["data"]["customers"]["nodes"]) == number

    async with httpx.AsyncClient(base_url=demo.url, trust_env=False, timeout=60) as client:
        await asyncio.gather(*(ask(client, number) for number in range(1, 201)))


@pytest.mark.xdist_group("demo")
def test_a_client_that_knows_nothing_but_http_signs_in_and_lists_customers(demo: Server) -> None:
    def post(query: str, **headers: str) -> dict[str, dict[str, object]]:
        connection = HTTPConnection(urlsplit(demo.url).netloc, timeout=30)
        body = json.dumps({"query": query})
        connection.request(
            "POST", "/graphql", body, {"Content-Type": "application/json", **headers}
        )
        data: dict[str, dict[str, object]] = json.loads(connection.getresponse().read())["data"]
        connection.close()
        return data

    _, (_, email, password) = sign_ins(demo)
    credentials = f'email: "{email}", password: "{password}"'
    login = post(f"mutation {{ login({credentials}) {{ status message token }} }}")["login"]
    assert login["status"] == "SUCCESS"
    listed = post(
        "{ customers(first: 3) { nodes { name } totalCount } }",
        Authorization=f"Bearer {login['token']}",
    )["customers"]
    assert listed["totalCount"] == 973  # of 1,000, those who are active
    nodes = listed["nodes"]
    assert isinstance(nodes, list)
    assert len(nodes) == 3
