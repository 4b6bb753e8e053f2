"""A server that is told to stop under load: nobody's request fails."""

import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text

from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.faults.crowd import ME, RENAME, asked, gather_crowd
from tests.peers import connected
from tests.people import Person
from tests.processes import Server, free_port, serving

KEEPERS = 12
"""Who keep their connections and write, and as many who open one for each request and read."""
ENOUGH = 100
"""Requests that have been answered before the server is told to stop."""


class Load:
    """What is asked of a server until it lets nobody in any more."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._answered = threading.Semaphore(0)

    def await_answers(self) -> None:
        """Wait until the server is busy."""
        for _ in range(ENOUGH):
            assert self._answered.acquire(timeout=60)

    def write(self, person: Person) -> int:
        """Rename somebody again and again on as few connections as can be; tell how often."""
        count = 0
        try:
            while True:
                with connected(self._server) as peer:
                    kept = True
                    while kept:
                        peer.send(asked(RENAME, person, name=f"Name {count + 1}"))
                        answer = peer.answer()
                        assert json.loads(answer.body)["data"]["updateMe"]["status"] == "SUCCESS"
                        count += 1
                        self._answered.release()
                        kept = answer.headers.get("connection") != "close"
        except ConnectionRefusedError:
            return count

    def read(self, person: Person) -> int:
        """Ask again and again, each time on a new connection; tell how often."""
        count = 0
        try:
            while True:
                with connected(self._server) as peer:
                    peer.send(asked(ME, person))
                    assert json.loads(peer.answer().body)["data"]["me"]["id"] == str(person.id)
                count += 1
                self._answered.release()
        except ConnectionRefusedError:
            return count


@pytest.mark.parametrize(("workers", "apart"), [(1, False), (2, True)])
async def test_no_request_fails_while_a_server_stops(
    database_url: str, tmp_path: Path, workers: int, *, apart: bool
) -> None:
    people = await gather_crowd(database_url, 2 * KEEPERS)
    writers, readers = people[:KEEPERS], people[KEEPERS:]
    arguments = ("--workers", str(workers))
    settings = {"database_url": database_url, "secret_key": SECRET}
    if apart:
        settings["management_port"] = str(free_port())
    with serving(*arguments, folder=tmp_path, **settings) as server:
        server.await_log("Application startup complete", workers)
        load = Load(server)
        with ThreadPoolExecutor(len(people)) as crowd:
            written = [crowd.submit(load.write, person) for person in writers]
            read = [crowd.submit(load.read, person) for person in readers]
            load.await_answers()
            server.process.terminate()
            counts = [each.result() for each in (*written, *read)][:KEEPERS]
        assert server.stop() in {0, -signal.SIGTERM}
    assert "Cancel" not in server.logged()
    assert "Traceback" not in server.logged()
    database = Database(database_url)
    names = {row.id: row.name for row in await database.fetch_all(select(CustomerRow))}
    await database.close()
    assert [names[person.id] for person in writers] == [f"Name {count}" for count in counts]


async def test_operation_that_waits_is_finished(database_url: str, tmp_path: Path) -> None:
    (person,) = await gather_crowd(database_url, 1)
    settings = {"database_url": database_url, "secret_key": SECRET}
    database = Database(database_url)
    with serving(folder=tmp_path, **settings) as server, connected(server) as peer:
        async with database.transaction() as db:
            await db.execute(text("UPDATE customers SET name = name"))
            peer.send(asked(RENAME, person, name="Eve"))
            server.process.terminate()
            server.await_log("Waiting for connections to close")
        answer = peer.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert json.loads(answer.body)["data"]["updateMe"]["status"] == "SUCCESS"
        assert server.stop() in {0, -signal.SIGTERM}
    await database.close()
