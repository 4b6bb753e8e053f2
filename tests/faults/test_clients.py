"""Clients that leave before they are answered: nothing is done for them any more."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text

from gql_app.db.tables import CustomerRow, ThrottleRow
from gql_app.lib.database import Database
from gql_app.settings import Settings
from tests.conftest import SECRET
from tests.faults.crowd import ME, RENAME, asked, gather_crowd
from tests.peers import Peer, connected, head
from tests.people import Person
from tests.processes import PATIENCE, Server, serving
from tests.rows import value
from tests.scraping import parsed
from tests.slow import hurry_inserts, slow_down, slow_down_inserts, speed_up, statements_at_work

TICKS = 30
"""Hundredths of a second that a server computes only if it is given something to do."""
ASLEEP = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event = 'PgSleep'"
)
THEIRS = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name <> 'tests'"
)
CROWD = 32
CONNECTIONS = Settings.model_fields["database_connections"].default
LEFT = r'.*"outcome": ?"CLIENT_CLOSED_REQUEST".*'


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open the database that the server runs on."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def people(database_url: str) -> list[Person]:
    """Sign two customers in."""
    return await gather_crowd(database_url, 2)


@pytest.fixture
def server(database_url: str, people: list[Person], tmp_path: Path) -> Iterator[Server]:
    """Serve with one connection, which nobody gives back but who lent it, and no deadline."""
    assert people
    with serving(
        folder=tmp_path,
        database_url=database_url,
        secret_key=SECRET,
        database_connections="1",
        operation_timeout="600",
    ) as server:
        yield server


def run(server: Server, query: str, person: Person, **variables: str) -> object:
    """Run an operation, and tell its data."""
    with connected(server) as peer:
        peer.send(asked(query, person, **variables))
        answer = json.loads(peer.answer().body)
    assert "errors" not in answer, answer
    return answer["data"]


def computed(server: Server) -> int:
    """Return for how many hundredths of a second a server has computed."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something has happened, of which no event tells."""
    async with asyncio.timeout(PATIENCE):
        while not await happened():  # noqa: ASYNC110 — what is waited for sends no event
            await asyncio.sleep(0.01)


async def until_at_work(server: Server, database: Database, before: int) -> None:
    """Wait until the server has a statement run."""

    async def at_work() -> bool:
        if database.dialect == "sqlite":
            return computed(server) > before + TICKS
        return bool(await value(database, ASLEEP))

    await until(at_work)


async def until_idle(database: Database) -> None:
    """Wait until no statement runs; what runs within SQLite holds the one connection."""

    async def idle() -> bool:
        return not await statements_at_work(database)

    await until(idle)


def end_of(server: Server) -> dict[str, object]:
    """Wait for the line of the request whose client left, and see that all is well else."""
    (line,) = server.await_log(LEFT)
    assert "Traceback" not in server.logged()
    assert {json.loads(each)["level"] for each in server.logged().splitlines()} == {"info"}
    told: dict[str, object] = json.loads(line)
    return told


async def test_query_whose_client_leaves_is_cancelled(
    server: Server, database: Database, people: list[Person]
) -> None:
    gone, other = people
    await slow_down(database, "customers", gone.id)
    before = computed(server)
    with connected(server) as peer:
        peer.send(asked(f"query Me {ME}", gone))
        await until_at_work(server, database, before)
    line = end_of(server)
    assert (line["operation"], line["status"]) == ("Me", 499)
    with server.client() as client:
        now = parsed(client.get("/metrics").text)
    labels = {"operation": "query", "outcome": "CLIENT_CLOSED_REQUEST"}
    assert now.of("gql_app_requests_total", **labels) == 1
    assert run(server, ME, other) == {"me": {"id": str(other.id), "name": other.name}}
    await until_idle(database)


async def test_write_whose_client_leaves_is_rolled_back_and_holds_nothing(
    server: Server, database: Database, people: list[Person]
) -> None:
    gone, other = people
    await slow_down_inserts(database, "audit_events")
    before = computed(server)
    with connected(server) as peer:
        peer.send(asked(RENAME, gone, name="Eve"))
        await until_at_work(server, database, before)
    assert end_of(server)["caller"] == str(gone.id)
    await until_idle(database)
    await hurry_inserts(database)
    assert run(server, RENAME, other, name="Eve") == {"updateMe": {"status": "SUCCESS"}}
    names = {row.id: row.name for row in await database.fetch_all(select(CustomerRow))}
    assert names == {gone.id: gone.name, other.id: "Eve"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_leaves_amid_a_body_is_not_waited_for(server: Server) -> None:
    with connected(server) as whole, connected(server) as half:
        for peer in (whole, half):
            peer.send(head(b"Content-Length: 24", b"Expect: 100-continue"))
            assert peer.connection.recv(100).startswith(b"HTTP/1.1 100")
        half.connection.shutdown(socket.SHUT_WR)
        assert half.answers() == []
        assert end_of(server)["status"] == 499
    server.await_log(LEFT, 2)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_guess_is_counted_though_its_client_left(server: Server, database: Database) -> None:
    guess = 'mutation { login(email: "p0@example.com", password: "a mere guess") { status } }'
    async with database.transaction() as db:
        await db.execute(text("LOCK TABLE throttles IN SHARE ROW EXCLUSIVE MODE"))
        with connected(server) as peer:
            peer.send(asked(guess))

            async def waits() -> bool:  # beside the statement that holds the table
                return await statements_at_work(database) == 2

            await until(waits)
        with server.client() as client:  # by whose answer the server knows who has left
            assert client.get("/livez").status_code == 200

    async def counted() -> bool:
        return len(await database.fetch_all(select(ThrottleRow))) == 3

    await until(counted)
    server.await_log(r'"path": ?"/graphql".*"outcome": ?"INVALID_CREDENTIALS"')


@contextmanager
def crowd_asking(server: Server, person: Person) -> Iterator[list[Peer]]:
    """Have many ask who they are, all at once, and leave when the block ends."""
    with ExitStack() as stack:
        peers = [stack.enter_context(connected(server)) for _ in range(CROWD)]
        for peer in peers:
            peer.send(asked(ME, person))
        yield peers


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_crowd_that_leaves_at_once_costs_no_connection(
    database_url: str, people: list[Person], tmp_path: Path
) -> None:
    gone, other = people
    with serving(folder=tmp_path, database_url=database_url, secret_key=SECRET) as server:
        database = Database(f"{database_url}&application_name=tests")
        with crowd_asking(server, gone) as peers:
            assert {peer.answer().status for peer in peers} == {200}
        before = set(await database.fetch_all(THEIRS))
        await slow_down(database, "customers", gone.id)
        with crowd_asking(server, gone):

            async def many_sleep() -> bool:
                return bool(await value(database, ASLEEP) == CONNECTIONS)

            await until(many_sleep)
        await until_idle(database)
        assert before <= set(await database.fetch_all(THEIRS)), "health has one more"
        assert run(server, ME, other) == {"me": {"id": str(other.id), "name": other.name}}
        await speed_up(database, "customers")
        with crowd_asking(server, gone):
            pass
        server.await_log(r'"path": ?"/graphql"', 3 * CROWD + 1)
        await until_idle(database)
        assert before <= set(await database.fetch_all(THEIRS)), "health has one more"
        assert run(server, ME, other) == {"me": {"id": str(other.id), "name": other.name}}
        await database.close()
