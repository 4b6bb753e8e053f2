"""Whether the process lives, and whether it can serve."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from alembic import command
from sqlalchemy import text

from gql_app.db.migrations.revisions import revision
from gql_app.db.readiness import condition
from gql_app.lib.database import Database
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SECRET
from tests.databases import Postgres, alembic_config, copied_sqlite
from tests.people import Person, add_customer, sign_in

RENAME = 'mutation { updateMe(input: {name: "Ada Changed"}) { status } }'


@asynccontextmanager
async def closed_to_all(url: str) -> AsyncIterator[None]:
    """Have PostgreSQL turn everybody away from a database for as long as the block lasts."""
    parts = urlsplit(url)
    name = parts.path.strip("/")
    server = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    try:
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await server.close()


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[None]:
    """Have a database take no changes for as long as the block lasts."""
    if url.startswith("sqlite"):
        may = os.access  # by which root may write whatever the mode is
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "access", lambda file, mode: mode != os.W_OK and may(file, mode))
            yield
        return
    parts = urlsplit(url)
    name = parts.path.strip("/")
    server = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    try:
        await server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        await server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await server.close()


async def readiness(api: Api) -> tuple[int, set[str]]:
    """Ask whether the process can serve: the status, and which parts are not as they should."""
    response = await api.client.get("/readyz")
    told = response.json()
    assert told.pop("status") == ("ready" if response.is_success else "not ready")
    assert set(told) == {"database", "migrations", "keys", "passwords"}
    return response.status_code, {part for part, how in told.items() if how != "ok"}


async def liveness(api: Api) -> int:
    """Ask whether the process lives."""
    return (await api.client.get("/livez")).status_code


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probes_may_ask_for_no_body(api: Api, method: str) -> None:
    for path in ("/livez", "/readyz"):
        assert (await api.client.request(method, path)).status_code == 200
        assert (await api.client.post(path)).status_code == 405


async def test_keys_that_cannot_be_read_are_told_and_the_old_ones_serve(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    async with running(settings.model_copy(update={"keys_dir": folder})) as api:
        assert await readiness(api) == (200, set())
        broken = folder / "broken.pem"
        broken.touch(mode=0o600)
        await until_ready(api, (200, {"keys"}))
        assert (await api.client.get("/readyz")).json()["keys"] == "stale"
        broken.unlink()
        await until_ready(api, (200, set()))


async def until_ready(api: Api, expected: tuple[int, set[str]]) -> None:
    """Wait until it is told like this; keys and the database are looked at once a second."""
    async with asyncio.timeout(20):
        while await readiness(api) != expected:  # noqa: ASYNC110 — files send no event
            await asyncio.sleep(0.05)


async def test_a_process_with_a_migrated_database_is_ready(api: Api) -> None:
    assert await liveness(api) == 200
    assert await readiness(api) == (200, set())


async def test_readiness_waits_for_the_migrations(unmigrated_url: str) -> None:
    async with running(Settings(database_url=unmigrated_url, secret_key=SECRET)) as api:
        assert await readiness(api) == (503, {"migrations"})
        assert await liveness(api) == 200
        await asyncio.to_thread(command.upgrade, alembic_config(unmigrated_url), "head")
        await until_ready(api, (200, set()))


async def test_server_stays_ready_once_a_newer_version_has_migrated(api: Api) -> None:
    async with api.database.transaction() as db:
        await db.execute(text("UPDATE alembic_version SET version_num = :at"), at="9999")
    assert await readiness(api) == (200, {"migrations"})
    assert (await api.client.get("/readyz")).json()["migrations"] == "newer"


async def test_readiness_comes_and_goes_with_postgresql(postgres: Postgres) -> None:
    with postgres.copied() as url:
        async with running(Settings(database_url=url, secret_key=SECRET)) as api:
            assert await readiness(api) == (200, set())
            async with closed_to_all(url):
                await until_ready(api, (503, {"database", "migrations"}))
                assert await liveness(api) == 200
            await until_ready(api, (200, set()))
            assert (await api.run("{ __typename }")).data == {"__typename": "Query"}


async def test_readiness_comes_with_the_sqlite_file(sqlite_template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "not mounted yet"
    async with running(
        Settings(database_url=f"sqlite:///{folder / 'test.db'}", secret_key=SECRET)
    ) as api:
        assert await readiness(api) == (503, {"database", "migrations"})
        assert await liveness(api) == 200
        folder.mkdir()
        copied_sqlite(sqlite_template, folder)
        await until_ready(api, (200, set()))


async def test_database_that_takes_no_changes_is_not_ready_until_it_does(
    api: Api, plain: Person, database_url: str
) -> None:
    assert await readiness(api) == (200, set())
    async with read_only(database_url):
        await until_ready(api, (503, {"database"}))
        assert (await api.client.get("/readyz")).json()["database"] == "read-only"
        assert (await api.run("{ me { id } }", token=plain.token)).data["me"]
        assert await liveness(api) == 200
    await until_ready(api, (200, set()))
    assert (await api.run(RENAME, token=plain.token)).data["updateMe"]["status"] == "SUCCESS"


async def test_nobody_notices_that_postgresql_was_away_between_requests(
    postgres: Postgres,
) -> None:
    with postgres.copied() as url:
        async with running(Settings(database_url=url, secret_key=SECRET)) as api:
            person = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
            async with closed_to_all(url):
                pass
            answer = await api.run("{ me { id } }", token=person.token)
            assert answer.data["me"] == {"id": str(person.id)}


async def test_a_failing_database_fails_no_more_than_its_fields(postgres: Postgres) -> None:
    with postgres.copied() as url:
        async with running(Settings(database_url=url, secret_key=SECRET)) as api:
            person = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
            async with closed_to_all(url):
                answer = await api.run("{ me { id } __typename }", token=person.token)
            assert answer.body["data"] == {"me": None, "__typename": "Query"}
            assert answer.code("me") == "SERVICE_UNAVAILABLE"
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            again = await api.run("{ me { id } }", token=person.token)
            assert again.data["me"] == {"id": str(person.id)}


async def test_database_is_asked_once_for_all_who_ask_within_a_second(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def counted(database: Database) -> str | None:
        nonlocal asked
        asked += 1
        return await revision(database)

    monkeypatch.setattr("gql_app.db.migrations.revisions.revision", counted)
    told = await asyncio.gather(*(readiness(api) for _ in range(200)))
    assert told == [(200, set())] * 200
    assert asked <= 3  # and not 200: a slow machine may take more than a second


async def test_loop_that_is_late_does_not_make_the_database_late(api: Api) -> None:
    async def hold_up() -> None:
        while True:
            time.sleep(0.3)  # noqa: ASYNC251 — what a flood of requests does to the loop
            await asyncio.sleep(0)

    late = asyncio.create_task(hold_up())
    async with asyncio.timeout(60):
        assert (await condition(api.database)).ready
    late.cancel()
