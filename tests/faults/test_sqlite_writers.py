"""SQLite under many writers, of two servers on one file."""

import asyncio
from pathlib import Path

import pytest

from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.faults.crowd import Tally, gather_crowd, names_and_deeds, rename, renamed
from tests.processes import serving

WRITERS = 32
TIMES = 10


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_32_writers_at_two_servers_lose_nothing_and_meet_no_lock(
    database_url: str, tmp_path: Path
) -> None:
    people = await gather_crowd(database_url, WRITERS)
    settings = {"database_url": database_url, "secret_key": SECRET}
    with serving(folder=tmp_path, **settings) as one, serving(folder=tmp_path, **settings) as two:
        written = await asyncio.gather(
            *(
                rename((one, two)[number % 2], person, Tally(), times=TIMES)
                for number, person in enumerate(people)
            )
        )
    assert written == [TIMES] * WRITERS
    for server in (one, two):
        assert server.logged().count('"outcome":"OK"') >= WRITERS * TIMES // 2
        assert "locked" not in server.logged()
    database = Database(database_url)
    assert await names_and_deeds(database, people) == [(renamed(TIMES), TIMES)] * WRITERS
    await database.close()
