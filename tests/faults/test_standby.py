"""A standby that lists are read from: it lags, cancels, hangs and dies, and everybody is served."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import Integer, column, select, table

from gql_app.lib.database import Database, Query
from gql_app.lib.standby import Standby
from tests.clusters import Cluster, folder, running_cluster
from tests.commands import run_here
from tests.conftest import SECRET
from tests.faults.load import CREATE, READERS, people_of
from tests.people import PASSWORD, Person
from tests.processes import PATIENCE, Server, serving
from tests.scraping import parsed

PATIENT, STRICT = "600", "1"
"""Seconds that the standby may be behind: more than a test takes, and few."""
LIST = """
query List($name: String!) {
  customers(first: 1, filter: {search: $name}) { totalCount nodes { name } }
}
"""
PAGE = "{ customers(first: 5) { nodes { name } } }"
AUDIT = "{ auditEvents(first: 1) { nodes { id } } }"
OF_NOBODY = '{ auditEvents(customerId: "nobody") { nodes { action } } }'
LOGOUT = "mutation { logout { status } }"
READS = "gql_app_standby_reads_total"
SCANS = "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = '{}'"
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
SLOW_ON_A_STANDBY = """
CREATE FUNCTION waits() RETURNS boolean VOLATILE LANGUAGE plpgsql AS
$$ BEGIN IF pg_is_in_recovery() THEN PERFORM pg_sleep(60); END IF; RETURN true; END $$;
ALTER TABLE customers RENAME TO stored;
CREATE VIEW customers AS SELECT * FROM stored WHERE waits();
GRANT SELECT ON customers TO reader;
CREATE TABLE gone AS SELECT generate_series(1, 1000)
"""
AS_BEFORE = """
DROP VIEW customers; ALTER TABLE stored RENAME TO customers;
DROP FUNCTION waits; DROP TABLE gone
"""

pytestmark = pytest.mark.xdist_group("standby")


class Pair(NamedTuple):
    """A primary and a standby that nobody waits for."""

    primary: Cluster
    standby: Cluster

    def catch_up(self) -> None:
        """Wait until the standby has all that is there by now."""
        position = self.primary.run("SELECT pg_current_wal_flush_lsn()")
        self.standby.until(f"SELECT pg_last_wal_replay_lsn() >= '{position}'", "t")

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Have the standby stay as it is by now, for as long as the block lasts."""
        self.catch_up()
        self.standby.run("SELECT pg_wal_replay_pause()")
        self.standby.until("SELECT pg_get_wal_replay_pause_state()", "paused")
        try:
            yield
        finally:
            self.standby.run("SELECT pg_wal_replay_resume()")

    def settings(self, lag: str, *, database: str = "postgres") -> dict[str, str]:
        """Return the settings by which it is read from."""
        url = f"postgresql://reader@{self.standby.host}/{database}"
        found = {"database_url": self.primary.url, "read_url": url, "secret_key": SECRET}
        return {**found, "read_max_lag_seconds": lag}

    async def people(self) -> list[Person]:
        """Sign an admin in, and some customers, long ago."""
        people = await people_of(self.primary.url)
        self.age()
        return people

    def age(self) -> None:
        """Let a day go by since anybody wrote."""
        day = "- interval '1 day'"
        ago = f"SET created_at = created_at {day}, wrote_at = wrote_at {day}"
        self.primary.run(f"UPDATE sessions {ago}")


class Site(NamedTuple):
    """A server, and a client of it."""

    server: Server
    client: httpx.Client

    def ask(self, who: Person, query: str, **variables: object) -> dict[str, Any]:
        """Return the data of an answer without an error."""
        body = self.answer(who, query, **variables)
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    def answer(self, who: Person, query: str, **variables: object) -> dict[str, Any]:
        """Return an answer."""
        asked = {"query": query, "variables": variables}
        headers = {"Authorization": f"Bearer {who.token}"}
        body: dict[str, Any] = self.client.post("/graphql", json=asked, headers=headers).json()
        return body

    def names(self, who: Person, name: str) -> list[str]:
        """Return who is found by a name, of which there is one at most."""
        found = self.ask(who, LIST, name=name)["customers"]
        names = [each["name"] for each in found["nodes"]]
        assert found["totalCount"] == len(names)
        return names

    def reads(self, result: str) -> float:
        """Return how many lists came to a result so far."""
        return parsed(self.client.get("/metrics").text).of(READS, result=result)

    def until(self, state: str) -> None:
        """Wait until the standby is in a state; the server is ready all the while."""
        deadline = time.monotonic() + PATIENCE
        while True:
            response = self.client.get("/readyz")
            assert response.status_code == 200
            if response.json()["standby"] == state:
                return
            assert time.monotonic() < deadline, response.json()
            time.sleep(0.02)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Run a primary and a standby."""
    with folder() as place, running_cluster(place) as primary:
        primary.run("ALTER SYSTEM SET max_standby_streaming_delay = 0")  # which is copied
        primary.run("ALTER SYSTEM SET autovacuum = off")  # nor is anything vacuumed unasked
        primary.run("SELECT pg_reload_conf()")
        primary.run("CREATE ROLE reader LOGIN")
        primary.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        standby = Cluster(place / "standby")
        try:
            standby.copy(primary)
            yield Pair(primary, standby)
        finally:
            standby.kill()


def site_of(pair: Pair, lag: str, place: Path) -> Iterator[Site]:
    """Serve them until the tests are over."""
    with serving(folder=place, **pair.settings(lag)) as server, server.client() as client:
        yield Site(server, client)


@pytest.fixture(scope="module")
def patient(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve with a standby that may be behind for longer than a test takes."""
    yield from site_of(pair, PATIENT, tmp_path_factory.mktemp("patient"))


@pytest.fixture(scope="module")
def strict(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve with a standby that may be a second behind."""
    yield from site_of(pair, STRICT, tmp_path_factory.mktemp("strict"))


async def test_lists_are_the_standbys_and_who_wrote_reads_what_they_wrote(
    pair: Pair, patient: Site, strict: Site
) -> None:
    admin, other, leaving, *_ = await pair.people()
    auditor, *_ = await pair.people()
    new = {"name": "Zoe New", "email": "zoe@example.com", "password": PASSWORD}
    patient.until("ok")
    strict.until("ok")
    assert patient.names(other, "Zoe") == strict.names(other, "Zoe") == []
    with pair.lagging():
        before = patient.ask(auditor, AUDIT)
        assert patient.ask(admin, CREATE, **new)["createCustomer"]["status"] == "SUCCESS"
        read = patient.reads("standby")
        assert patient.names(admin, "Zoe") == ["Zoe New"]
        assert patient.ask(admin, AUDIT) != before
        assert patient.reads("standby") == read
        assert patient.names(other, "Zoe") == []
        assert patient.ask(auditor, AUDIT) == before
        assert patient.reads("standby") == read + 3  # a page, its count and the audit
        strict.until("behind")
        late = strict.reads("behind")
        assert strict.names(other, "Zoe") == ["Zoe New"]
        assert strict.reads("behind") == late + 2
        strict.server.await_log("more than 1 s behind.*A list is read from the primary")
        patient.ask(leaving, LOGOUT)
        [refused] = patient.answer(leaving, PAGE)["errors"]
        assert refused["extensions"]["reason"] == "TOKEN_REVOKED"
    wrote = "SELECT id FROM sessions WHERE wrote_at IS NOT NULL AND ended_at IS NULL"
    assert pair.primary.run(wrote) == str(admin.session_id)
    strict.until("ok")
    read = patient.reads("standby")
    assert patient.names(admin, "Zoe") == ["Zoe New"]
    assert patient.reads("standby") == read
    pair.age()
    pair.catch_up()
    assert patient.names(admin, "Zoe") == ["Zoe New"]
    assert patient.ask(admin, OF_NOBODY) == {"auditEvents": {"nodes": []}}
    assert (patient.reads("standby"), patient.reads("empty")) == (read + 2, 1)


async def test_exports_are_read_from_a_standby_that_has_what_is_there_and_check_tells_of_others(
    pair: Pair, tmp_path: Path
) -> None:
    admin, *_ = await pair.people()
    usual, hasty = pair.settings(PATIENT), pair.settings(STRICT)

    def scans(name: str) -> int:
        return int(pair.standby.run(SCANS.format(name)))

    before = {name: scans(name) for name in ("customers", "audit_events")}
    exported = run_here("export", "--format", "jsonl", folder=tmp_path, **usual)
    audited = run_here("export-audit", folder=tmp_path, **usual)
    assert admin.email in exported.stdout
    assert '"customer:export"' in audited.stdout
    assert exported.stderr == audited.stderr == ""
    for name, count in before.items():
        pair.standby.until(f"SELECT ({SCANS.format(name)}) > {count}", "t")
    assert "standby" not in run_here("check", folder=tmp_path, **usual).stdout
    with pair.lagging():
        [latest, *_] = await pair.people()
        said = run_here("export", "--format", "jsonl", folder=tmp_path, **hasty)
        assert latest.email in said.stdout
        assert "Reading from the primary. The standby is more than 1 s behind" in said.stderr
        checked = run_here("check", folder=tmp_path, **hasty).stdout
        assert "no-standby: The standby is more than 1 s behind the primary." in checked
    for url, problem in (
        (pair.settings(PATIENT, database="template1")["read_url"], "is one of another database"),
        (pair.primary.url, "is to be read from is no standby"),
        ("postgresql://postgres@127.0.0.1:9/postgres", "Nobody listens at 127.0.0.1:9"),
    ):
        checked = run_here("check", folder=tmp_path, **{**usual, "read_url": url}).stdout
        assert re.search(f"no-standby: .*{problem}", checked), checked


def test_standby_in_the_primarys_place_is_found_by_check(pair: Pair, tmp_path: Path) -> None:
    given = {"database_url": pair.standby.url, "secret_key": SECRET}
    told = run_here("check", folder=tmp_path, **given).stdout
    assert "no-database: PostgreSQL is a standby here, which takes no changes." in told


async def test_read_that_the_standby_cancels_for_its_replay_is_answered_by_the_primary(
    pair: Pair, patient: Site
) -> None:
    _, other, *_ = await pair.people()
    patient.until("ok")
    pair.primary.run(SLOW_ON_A_STANDBY)
    pair.catch_up()
    asking = asyncio.create_task(asyncio.to_thread(patient.ask, other, PAGE))
    try:
        await asyncio.to_thread(pair.standby.until, SLEEPING, "1")
        pair.primary.run("DELETE FROM gone")
        pair.primary.run("VACUUM gone")
        found = await asking
    finally:
        pair.primary.run(AS_BEFORE)
    assert len(found["customers"]["nodes"]) == 5
    assert patient.reads("conflict") == 1


@contextmanager
def observed(seen: list[str], sql: str) -> Iterator[None]:
    """Take down what is sent."""
    seen.append(sql)
    yield


async def test_table_that_the_standby_lacks_yet_is_read_from_the_primary(pair: Pair) -> None:
    counts = Counter[str]()
    newer = Query(
        select(column("n", Integer())).select_from(table("newer")), lambda row: int(row[0])
    )
    async with Database(pair.primary.url) as primary:
        copy = Database(pair.standby.url, retries=False)
        standby = Standby(primary, copy, max_lag=600, count=lambda why: counts.update([why]))
        seen: list[str] = []
        standby.copy.observer = partial(observed, seen)
        async with standby.watching():
            assert (await standby.known_state()).name == "ok"
            with pair.lagging():
                pair.primary.run("CREATE TABLE newer AS SELECT 1 AS n")
                assert await standby.fetch_all(newer) == [1]
            pair.catch_up()
            assert await standby.fetch_all(newer) == [1]
    assert counts == {"unreachable": 1, "standby": 1}
    assert len(seen) == 2


async def test_standby_that_hangs_or_dies_is_done_without_until_it_is_back(
    pair: Pair, patient: Site
) -> None:
    _, other, *_ = await pair.people()
    patient.until("ok")
    async with readers(patient, other) as answered:
        with pair.standby.hanging():
            await asyncio.to_thread(patient.until, "unreachable")
            await answered()
        await asyncio.to_thread(patient.until, "ok")
        await answered()
        await asyncio.to_thread(pair.standby.kill)
        await asyncio.to_thread(patient.until, "unreachable")
        await answered()
        await asyncio.to_thread(pair.standby.start)
        await asyncio.to_thread(patient.until, "ok")
        read = patient.reads("standby")
        await answered()
    assert patient.reads("standby") > read
    assert patient.reads("unreachable") > 0


@asynccontextmanager
async def readers(site: Site, who: Person) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Have some read on for as long as the block lasts; all of it has to be answered in time.

    Lends what waits until each has begun to read and was answered since.
    """
    over, counts = asyncio.Event(), [0] * READERS

    def read(number: int) -> None:
        with site.server.client() as client:
            while not over.is_set():
                assert site._replace(client=client).ask(who, PAGE)["customers"]["nodes"]
                counts[number] += 1

    async def answered() -> None:
        before = [count + 1 for count in counts]
        async with asyncio.timeout(PATIENCE):
            while any(now <= then for now, then in zip(counts, before, strict=True)):
                assert not any(task.done() for task in tasks)
                await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(asyncio.to_thread(read, n)) for n in range(READERS)]
    try:
        yield answered
    finally:
        over.set()
        await asyncio.gather(*tasks)
