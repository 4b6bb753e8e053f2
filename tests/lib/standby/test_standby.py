"""What is no standby, or isn't there, is told of, and the primary answers."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Integer, bindparam, cast, false, func, select
from structlog.testing import capture_logs

from gql_app.lib.database import Database, Query, Unavailable
from gql_app.lib.standby import LOG_INTERVAL, Reading, Standby, State
from tests.databases import Postgres

ONE = select(cast(bindparam("number"), Integer()))
NUMBER = Query(ONE, lambda row: int(row[0]))
COUNT = Query(select(func.count()).where(false()), lambda row: int(row[0]))
NONE = Query(ONE.where(false()), tuple)
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
