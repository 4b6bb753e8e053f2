"""What is no standby, or isn't there, is told of, and the primary answers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Integer, bindparam, cast, column, false, func, select, table
from structlog.testing import capture_logs

from gql_app.lib.database import Database, Query, Unavailable
from gql_app.lib.standby import LOG_INTERVAL, Reading, Standby, State
from tests.databases import Postgres
from tests.lib.database.people import PATIENCE, past

ONE = select(cast(bindparam("number"), Integer()))
NUMBER = Query(ONE, lambda row: int(row[0]))
COUNT = Query(select(func.count()).where(false()), lambda row: int(row[0]))
NONE = Query(ONE.where(false()), tuple)
SLEEPING = "SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'"
END_IDLE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND state = 'idle'"
)
NOBODY = "postgresql://postgres@127.0.0.1:9/postgres"


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """Give a test a database on PostgreSQL."""
    with postgres.copied("template0") as url:
        yield url


@asynccontextmanager
async def reading(
    primary: str, copy: str, counts: Counter[Reading] | None = None
) -> AsyncIterator[Standby]:
    """Lend what reads from a copy of a primary."""
    counted = Counter[Reading]() if counts is None else counts
    async with Database(primary) as database:
        other = Database(copy, retries=False)
        yield Standby(
            database, other, max_lag=5, count=lambda reading: counted.update([Reading(reading)])
        )
        await other.close()


async def test_primary_answers_for_what_is_no_standby(url: str) -> None:
    counts = Counter[Reading]()
    async with reading(url, url, counts) as standby:
        assert standby.state.name == "unknown"
        assert await standby.fetch_all(NUMBER, number=1) == [1]
        state = await standby.known_state()
        assert await standby.fetch_all(NUMBER, number=2) == [2]
        assert (standby.state.name, state) == ("unfit", standby.state)
        assert standby.copy.use["read"] == {"in_use": 0, "idle": 0, "waiting": 0}
    assert str(state.cause).startswith("The server that is to be read from is no standby.")
    assert counts == {"unknown": 1, "unfit": 1}


async def test_answer_without_the_proof_is_not_taken(url: str) -> None:
    """What was a standby at the last look may be none, or another, when it answers."""
    counts = Counter[Reading]()
    async with reading(url, url, counts) as standby:
        await standby.known_state()
        standby.state = State(Reading.STANDBY)
        assert await standby.fetch_all(NUMBER, number=1) == [1]
        assert await standby.fetch_all(COUNT) == [0]
        assert await standby.fetch_all(NONE, number=1) == []
    assert counts == {"behind": 2, "empty": 1}


async def test_read_that_hangs_is_the_primarys_once_the_standby_takes_no_connection(
    url: str, postgres: Postgres
) -> None:
    counts = Counter[Reading]()
    slow = Query(select(column("n", Integer())).select_from(table("slow")), lambda row: int(row[0]))
    with postgres.copied("template0") as other:
        name = urlsplit(other).path.strip("/")
        await past(url, "CREATE VIEW slow AS SELECT 1 AS n")
        await past(other, "CREATE VIEW slow AS SELECT 1 AS n FROM pg_sleep(600)")
        async with reading(url, other, counts) as standby, asyncio.timeout(PATIENCE):
            await standby.known_state()
            standby.state = State(Reading.STANDBY)
            task = asyncio.create_task(standby.fetch_all(slow))
            while not await past(url, SLEEPING, name):  # noqa: ASYNC110 — a server sends no event
                await asyncio.sleep(0.01)
            await past(url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await past(url, END_IDLE, name)
            await standby.check()
            assert standby.state.name == "unreachable"
            assert await task == [1]
    assert counts == {"unreachable": 1}


async def test_why_the_primary_is_read_from_is_logged_once_a_minute_where_there_is_a_log(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("gql_app.lib.standby.monotonic", lambda: now)
    async with reading(url, NOBODY) as standby:
        await standby.check()
        assert standby.state.name == "unreachable"
        with capture_logs() as log:
            monkeypatch.setattr("gql_app.lib.standby.is_configured", lambda: False)
            await standby.fetch_all(NUMBER, number=1)
            assert log == []  # a command says by itself what it has to say
            monkeypatch.setattr("gql_app.lib.standby.is_configured", lambda: True)
            for _ in range(3):
                await standby.fetch_all(NUMBER, number=1)
            assert [each["event"] for each in log] == ["A list is read from the primary"]
            assert log[0]["problem"] == "Nobody listens at 127.0.0.1:9."
            now += LOG_INTERVAL
            for _ in range(3):
                await standby.fetch_all(NUMBER, number=1)
            assert len(log) == 2


async def test_nothing_is_known_of_a_standby_whose_primary_is_gone(url: str) -> None:
    async with reading(NOBODY, url) as standby:
        await standby.check()
        assert standby.state.reading is Reading.UNKNOWN
        assert standby.state.cause
        assert standby.state.cause.problem == "Nobody listens at 127.0.0.1:9."
        with pytest.raises(Unavailable):
            await standby.fetch_all(NUMBER, number=1)
