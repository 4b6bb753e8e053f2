"""Where lists are read from a standby: who is asked first, who writes down that they wrote."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import update

from gql_app.db.tables import SessionRow
from gql_app.lib import clock
from gql_app.lib.standby import Reading
from gql_app.settings import Settings
from tests.api import Api, running
from tests.databases import Postgres
from tests.people import Person, add_customer, sign_in
from tests.rows import get_row
from tests.scraping import numbers
from tests.statements import listened

PAGE = "{ customers(first: 5) { nodes { name } } }"
RENAME = 'mutation { updateMe(input: {name: "Ada Renamed"}) { status } }'


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """Make an empty, migrated database on PostgreSQL."""
    with postgres.copied() as url:
        yield url


@pytest.fixture
async def beside(settings: Settings) -> AsyncIterator[Api]:
    """Run the API with the primary in the place of a standby, from which nothing is read then."""
    async with running(settings.model_copy(update={"read_url": settings.database_url})) as api:
        yield api


async def lists(api: Api) -> float:
    """Return how many lists a standby was to answer so far."""
    found = await numbers(api)
    return sum(found.of("gql_app_standby_reads_total", result=each) for each in Reading)


async def ada(api: Api) -> Person:
    """Sign somebody in, long ago."""
    person = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
    await forget(api)
    return person


async def forget(api: Api) -> None:
    """Let it be long ago that anybody wrote."""
    async with api.database.transaction() as db:
        ago = clock.now() - api.resources.own_writes
        await db.execute(update(SessionRow).values(created_at=ago, wrote_at=None))


async def test_caller_is_judged_by_the_primary_before_a_list_is_read(beside: Api) -> None:
    person = await ada(beside)
    await beside.run(PAGE, token=person.token)
    sent: list[str] = []
    with listened(lambda sql, _: sent.append(sql), block_only=True):
        await beside.run(PAGE, token=person.token)
    judging, page = (each for each in sent if "customers" in each)
    assert "sessions" in judging
    assert "sessions" not in page
    assert await lists(beside) == 2


async def test_who_wrote_reads_lists_from_the_primary_for_a_time(beside: Api) -> None:
    person = await ada(beside)
    other = await sign_in(beside.resources, await add_customer(beside.database, "Bob New"))
    await beside.run(PAGE, token=other.token)
    assert await lists(beside) == 0  # signing in was a write
    renamed = await beside.run(RENAME, token=person.token)
    assert renamed.data["updateMe"]["status"] == "SUCCESS"
    await beside.run(PAGE, token=person.token)
    assert await lists(beside) == 0
    assert (await get_row(beside.database, SessionRow, person.session_id)).wrote_at
    assert not (await get_row(beside.database, SessionRow, other.session_id)).wrote_at
    await forget(beside)
    await beside.run(PAGE, token=person.token)
    assert await lists(beside) == 1


async def test_without_a_standby_nobody_writes_down_that_they_wrote(api: Api) -> None:
    person = await ada(api)
    renamed = await api.run(RENAME, token=person.token)
    assert renamed.data["updateMe"]["status"] == "SUCCESS"
    assert not (await get_row(api.database, SessionRow, person.session_id)).wrote_at
    assert await lists(api) == 0
