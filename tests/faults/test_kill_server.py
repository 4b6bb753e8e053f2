"""A server that is killed amid writes: what it acknowledged is there, and nothing is half done."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.faults.crowd import ME, Tally, asked, gather_crowd, names_and_deeds, rename, renamed
from tests.peers import connected
from tests.processes import PATIENCE, serving

WRITERS = 200
ENDLESS = 10**6


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open the database that the servers run on."""
    database = Database(database_url)
    yield database
    await database.close()


async def test_kill_amid_200_writes_loses_none_that_was_acknowledged(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    people = await gather_crowd(database_url, WRITERS)
    patient = dict.fromkeys(("database_pool_timeout", "operation_timeout"), str(PATIENCE))
    settings = {"database_url": database_url, "secret_key": SECRET, **patient}
    tally = Tally(wanted=2 * WRITERS)
    with serving(folder=tmp_path, **settings) as server:
        writing = [
            asyncio.create_task(rename(server, person, tally, times=ENDLESS)) for person in people
        ]
        async with asyncio.timeout(PATIENCE):
            await tally.enough.wait()
            server.process.kill()
            acknowledged = await asyncio.gather(*writing)
    assert sum(acknowledged) == tally.written
    with serving(folder=tmp_path, **settings) as again, connected(again) as peer:
        found = await names_and_deeds(database, people)
        for person, (name, deeds), times in zip(people, found, acknowledged, strict=True):
            assert times <= deeds <= times + 1  # what was under way may have been done
            assert name == (renamed(deeds) if deeds else person.name)
            peer.send(asked(ME, person))
            me = json.loads(peer.answer().body)["data"]["me"]
            assert me == {"id": str(person.id), "name": name}
        assert await rename(again, people[0], tally, times=1) == 1
    if database_url.startswith("sqlite"):
        assert await database.fetch_all(text("PRAGMA integrity_check")) == [("ok",)]
        assert await database.fetch_all(text("PRAGMA foreign_key_check")) == []
