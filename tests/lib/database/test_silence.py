"""Servers that answer nothing: after one probe nobody waits for them, until a probe is answered."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from gql_app.lib.database import Database, Transaction, Unavailable
from gql_app.lib.database.errors import ConnectionLost, Unresponsive
from tests.lib.database.people import NAMES, ONE, PATIENCE, add, make_table, past, until
from tests.relay import Relay, relaying

SIZE = 3


@pytest.fixture
def relay(postgresql_url: str) -> Iterator[Relay]:
    """Put a network before a database."""
    with relaying(postgresql_url) as relay:
        yield relay


@pytest.fixture
async def database(relay: Relay) -> AsyncIterator[Database]:
    """Open a database that is reached by it; nobody gives up by themselves while a test lasts."""
    database = Database(relay.url, connections=SIZE, pool_timeout=2 * PATIENCE)
    await make_table(database)
    await database.probe(ONE)
    await asyncio.gather(*(database.fetch_all(ONE) for _ in range(SIZE)))
    yield database
    await database.close()


async def test_who_waits_and_who_comes_are_told_at_once_until_a_probe_is_answered(
    database: Database, relay: Relay
) -> None:
    async def add_slowly(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        begun.set()
        await silence.wait()
        await transaction.fetch_all(ONE)

    begun, silence = asyncio.Event(), asyncio.Event()
    writing = asyncio.create_task(database.transact(add_slowly))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        with relay.silent():
            waiting = [asyncio.create_task(database.fetch_all(NAMES)) for _ in range(2 * SIZE)]
            silence.set()
            with pytest.raises(Unavailable):
                await database.probe(ONE)
            for each in await asyncio.gather(writing, *waiting, return_exceptions=True):
                assert isinstance(each, Unresponsive)
                assert each.cause == "TimeoutError: no answer in 2 seconds"
            for _ in range(2 * SIZE):
                with pytest.raises(Unresponsive):
                    await database.fetch_all(NAMES)
                with pytest.raises(Unresponsive):
                    await database.transact(add, "Bob")
            await until(lambda: database.use["write"] == {"in_use": 0, "idle": 0})
            with pytest.raises(Unavailable):
                await database.probe(ONE)
        with pytest.raises(Unresponsive):
            await database.fetch_all(NAMES)
        await database.probe(ONE)
        await database.transact(add, "Cyd")
        assert await database.fetch_all(NAMES) == ["Cyd"]


async def test_commit_that_was_sent_goes_on_and_what_it_did_is_known(
    database: Database, relay: Relay
) -> None:
    """It is not given up: then nobody would know whether it was done. Nobody waits for it."""

    async def add_ada(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        await all_of_them.wait()
        quiet.enter_context(relay.silent())

    all_of_them = asyncio.Barrier(SIZE)
    with ExitStack() as quiet:
        committing = [asyncio.create_task(database.transact(add_ada)) for _ in range(SIZE)]
        waiting = [asyncio.create_task(database.transact(add, "Bob")) for _ in range(SIZE)]
        await until(lambda: relay.is_silent)
        with pytest.raises(Unavailable):
            await database.probe(ONE)
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in told] == [Unresponsive] * SIZE
        with pytest.raises(Unresponsive):
            await database.transact(add, "Cyd")
        assert not any(each.done() for each in committing)
    await asyncio.gather(*committing)
    await database.probe(ONE)
    assert await database.fetch_all(NAMES) == ["Ada"] * SIZE


async def test_answer_is_an_answer_though_it_refuses(
    database: Database, relay: Relay, postgresql_url: str
) -> None:
    name = urlsplit(postgresql_url).path.strip("/")
    server = postgresql_url.replace(name, "postgres")
    with relay.silent(), pytest.raises(Unavailable):
        await database.probe(ONE)
    await past(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    with pytest.raises(ConnectionLost, match="can't be reached"):
        await database.probe(ONE)
    with pytest.raises(ConnectionLost):
        await database.fetch_all(NAMES)
    await past(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert await database.fetch_all(NAMES) == []


async def test_connection_that_is_being_opened_is_given_up_with_who_leaves() -> None:
    comers: list[asyncio.StreamWriter] = []

    async def come(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        comers.append(writer)

    async with await asyncio.start_server(come, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(f"postgresql://nobody@127.0.0.1:{port}/nothing", connections=1)
        task = asyncio.create_task(database.fetch_all(ONE))
        await until(lambda: bool(comers))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not database.use["read"]["in_use"])
        assert len(comers) == 1
        await database.close()
        for each in comers:
            each.close()
