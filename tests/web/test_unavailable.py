"""A database that can't be used: 503 for both media types, and nobody is taken for signed out."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gql_app.db.tables import AuditRow
from gql_app.errors import KeysGone
from gql_app.lib import clock
from gql_app.lib.faults import DependencyFailed, Unavailable
from gql_app.settings import Settings
from gql_app.verify import NoPublishedKeys, ServerUnreachable
from tests.api import GRAPHQL, Answer, Api, running
from tests.conftest import SECRET, SetClock
from tests.databases import Postgres
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.processes import run_main
from tests.rows import value
from tests.web.test_health import closed_to_all

CROWD = 12
RENAME = "mutation Rename($name: String!) { updateMe(input: {name: $name}) { status } }"
LOGIN = f'mutation {{ login(email: "ada@example.com", password: "{PASSWORD}") {{ status }} }}'


@asynccontextmanager
async def serving(url: str, *, compiled: bool = True) -> AsyncIterator[tuple[Api, Person]]:
    """Run the API on a database, with somebody signed in."""
    async with running(Settings(database_url=url, secret_key=SECRET, compiled=compiled)) as api:
        yield api, await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))


def check_unavailable(answer: Answer, field: str) -> None:
    """See that a field was refused because the database is away, and the rest wasn't."""
    error = answer.error(field)
    assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}
    assert "can't be reached" in error["message"]
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("accept", [GRAPHQL, "application/json"])
@pytest.mark.parametrize("compiled", [True, False])
async def test_unavailable_database_is_503_with_what_could_be_answered(
    postgres: Postgres, accept: str, *, compiled: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with postgres.copied() as url:
        async with serving(url, compiled=compiled) as (api, ada):
            capsys.readouterr()
            async with closed_to_all(url):
                document = "{ me { id } customers { totalCount } __typename }"
                answer = await api.run(document, token=ada.token, accept=accept)
            check_unavailable(answer, "me")
            check_unavailable(answer, "customers")
            assert answer.body["data"] == {"me": None, "customers": None, "__typename": "Query"}
            assert answer.headers["content-type"].startswith(accept)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [told] = [line for line in lines if line["event"] == "The database is unavailable"]
    assert (told["level"], len(told["causes"])) == ("warning", 1)
    assert "not currently accepting connections" in told["causes"][0]
    [request] = [line for line in lines if line["event"] == "Request"]
    assert request["outcome"] == "SERVICE_UNAVAILABLE"
    assert not any("exception" in line or "stamina" in str(line) for line in lines)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("error", "event"),
    [
        (KeysGone, "No key is left to sign tokens: run keys new, then keys promote"),
        (ServerUnreachable, "The server that issues others' tokens is unavailable"),
        (NoPublishedKeys, "The server that issues others' tokens is unavailable"),
        (DependencyFailed, None),  # which is logged where it happens
    ],
)
async def test_nothing_else_that_is_unavailable_is_logged_as_the_database(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: type[Unavailable],
    event: str | None,
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("gql_app.schema.authentication.issue_token", refuse)
    async with running(settings) as api:
        await add_customer(api.database, "Ada")
        capsys.readouterr()
        assert (await api.run(LOGIN)).status == 503
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = {line["event"]: line["causes"] for line in lines if line["level"] == "warning"}
    assert told == ({event: [f"{error.__name__}: {error.advice}"]} if event else {})


async def test_server_that_takes_no_connection_is_no_late_operation() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_twice = ",".join([f"127.0.0.1:{silent.getsockname()[1]}"] * 2)
        url = f"postgresql://nobody@{silent_twice}/postgres"
        async with running(Settings(database_url=url, secret_key=SECRET)) as api:
            check_unavailable(await api.run(LOGIN), "login")


async def test_nobody_is_told_of_a_bad_token_while_nobody_can_tell(postgres: Postgres) -> None:
    with postgres.copied() as url:
        async with serving(url) as (api, ada):
            async with closed_to_all(url):
                for document, field in (
                    ("{ token { valid reason } }", "token"),
                    ("mutation { logout { status } }", "logout"),
                    (LOGIN, "login"),
                ):
                    answer = await api.run(document, token=ada.token, accept=GRAPHQL)
                    check_unavailable(answer, field)
                    assert "UNAUTHENTICATED" not in str(answer.body)
            assert (await api.run("{ token { valid } }", token=ada.token)).data["token"]["valid"]


async def test_who_may_only_read_is_not_kept_from_it(
    postgres: Postgres, set_clock: SetClock, tmp_path: Path
) -> None:
    """Each minute, reading notes that the session is in use; that can wait."""
    with postgres.copied() as url:
        read_only = f"{url}&default_transaction_read_only=on"
        async with serving(url) as (_, ada):
            pass
        async with running(Settings(database_url=read_only, secret_key=SECRET)) as api:
            set_clock(clock.now() + timedelta(minutes=2))
            answer = await api.run("{ me { name } }", token=ada.token)
            assert answer.data == {"me": {"name": "Ada Plain"}}
            check_unavailable(await api.run(RENAME, token=ada.token, name="Eve"), "updateMe")
        settings = {"database_url": read_only, "secret_key": SECRET, "admin_password": PASSWORD}
        naming = ("--email", "a@example.com", "--name", "A")
        done = run_main("create-admin", *naming, folder=tmp_path, **settings)
        assert (done.returncode, "read-only" in done.stderr) == (1, True)


async def test_changes_that_can_not_be_serialized_are_made_one_after_the_other(
    postgres: Postgres,
) -> None:
    with postgres.copied() as url:
        async with serving(f"{url}&default_transaction_isolation=serializable") as (api, ada):
            answers = await asyncio.gather(
                *(api.run(RENAME, token=ada.token, name=f"Ada {n}") for n in range(CROWD))
            )
            assert Counter(str(answer.body) for answer in answers) == {
                "{'data': {'updateMe': {'status': 'SUCCESS'}}}": CROWD
            }
            changes = select(func.count()).where(AuditRow.action == "customer:update")
            assert await value(api.database, changes) == CROWD
