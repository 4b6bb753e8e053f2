"""`distribute`, readiness and `check` beside a database of one machine, and one that is a stand-in.

tests/distributed has a cluster: Citus is none of what the locks bring.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Table, UniqueConstraint, Uuid, text

from gql_app.cli.check import findings
from gql_app.cli.distribute import Step, beside, key_of, steps, wider_key
from gql_app.db.readiness import condition
from gql_app.db.tables import DISTRIBUTED_BY, Row
from gql_app.lib.database import Database, unreachable_machines
from gql_app.lib.faults import OperatorError
from gql_app.settings import Settings
from tests.api import running
from tests.commands import run_here
from tests.conftest import SECRET
from tests.databases import Postgres
from tests.processes import ROOT, run

TABLES = Row.metadata.sorted_tables
DISTRIBUTED = {
    "sessions": "id",
    "refresh_tokens": "session_id",
    "throttles": "subject",
    "used_challenges": "digest",
    "known_clients": "customer_id",
    "audit_events": "id",
}
STAND_IN = (
    'CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod "char", repmodel "char")',
    """CREATE FUNCTION citus_check_cluster_node_health() RETURNS TABLE
       (from_nodename text, from_nodeport int, to_nodename text, to_nodeport int, result bool)
       LANGUAGE sql AS $$ SELECT 'one', 5432, 'two', 5432, n
       FROM unnest(ARRAY[true, false]) n $$""",
)
"""What Citus says of its tables and machines, one of which can't be reached."""
KNOWN = "INSERT INTO pg_dist_partition SELECT oid, 'h', 's' FROM pg_class WHERE relname = :name"


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    """Give a test a migrated PostgreSQL database."""
    with postgres.copied() as url:
        yield url


def test_where_there_is_no_cluster_the_command_says_so_and_changes_nothing(
    database_url: str, tmp_path: Path
) -> None:
    done = run_here("distribute", "--yes", folder=tmp_path, database_url=database_url)
    kind = "This is an SQLite file."
    if database_url.startswith("postgresql"):
        kind = "This PostgreSQL has no Citus (CREATE EXTENSION citus)."
    words = f"{kind} Its tables are on one machine, and nothing was changed.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", words)


@pytest.mark.parametrize("unmigrated_url", ["postgresql"], indirect=True)
def test_who_has_not_migrated_is_told_to(unmigrated_url: str, tmp_path: Path) -> None:
    done = run_here("distribute", "--yes", folder=tmp_path, database_url=unmigrated_url)
    assert (done.returncode, done.stderr) == (
        1,
        "The database is not migrated. Run: gql-app migrate\n",
    )


def test_tests_of_a_cluster_say_that_they_need_one() -> None:
    for more in ([], ["URL="]):
        done = run(["make", "--silent", "test-distributed", *more], ROOT)
        assert done.returncode != 0
        assert done.stdout == ""
        assert done.stderr.startswith("This needs a Citus cluster: name an empty database of its ")


def test_each_key_and_reference_carries_the_column_of_its_table() -> None:
    assert {each.name: key_of(each) for each in TABLES if key_of(each)} == DISTRIBUTED
    for table in TABLES:
        key = key_of(table)
        unique = [set(index.columns) for index in table.indexes if index.unique]
        unique += [set(c.columns) for c in table.constraints if isinstance(c, UniqueConstraint)]
        assert wider_key(table) == (["digest", key] if table.name == "refresh_tokens" else [])
        for columns in unique:
            assert key is None or key in {column.name for column in columns}
        for reference in table.foreign_keys:
            whole = key_of(reference.column.table) is None
            assert whole or (reference.parent.name, reference.column.name) == (key, "id")


def test_tables_that_refer_to_one_another_are_distributed_in_one_step() -> None:
    planned = steps(frozenset(), TABLES)
    assert sorted(table.name for step in planned for table in step.tables) == sorted(
        each.name for each in TABLES
    )
    wholes = [key_of(step.tables[0]) is None for step in planned]
    assert wholes == sorted(wholes, reverse=True)
    [sessions] = [step for step in planned if len(step.tables) > 1]
    fate = "refresh_tokens: by session_id, beside sessions, with digest and session_id as key"
    assert str(sessions) == f"sessions: by id\n{fate}"
    assert str(planned[0]) == f"{planned[0].tables[0].name}: every machine has all of it"


def test_what_is_distributed_already_is_no_step() -> None:
    done = frozenset(each.name for each in TABLES)
    assert steps(done, TABLES) == []
    [step] = steps(done - {"refresh_tokens"}, TABLES)
    assert step == Step([Row.metadata.tables["refresh_tokens"]])
    assert beside(step.tables[0]) == "sessions"


def test_feature_that_refers_to_a_distributed_table_has_to_name_its_column() -> None:
    metadata = MetaData()
    sessions = Table("sessions", metadata, Column("id", Uuid(), primary_key=True))
    sessions.info[DISTRIBUTED_BY] = "id"
    to_session = Column("session_id", Uuid(), ForeignKey("sessions.id"), primary_key=True)
    notes = Table("notes", metadata, to_session)
    with pytest.raises(OperatorError, match=r"^notes refers to sessions.*distributed_by"):
        steps(frozenset(), [sessions, notes])
    notes.info[DISTRIBUTED_BY] = "session_id"
    assert steps(frozenset(), [sessions, notes]) == [Step([sessions, notes])]


async def test_readiness_and_check_know_how_far_the_tables_are_distributed(
    postgresql_url: str,
) -> None:
    given = {"database_url": postgresql_url, "secret_key": SECRET}
    chosen = Settings.model_validate(given | {"smtp_url": "smtp://mail.example.com"})

    async def told() -> tuple[str | None, set[str]]:
        found = await condition(database)
        assert found.ready
        codes = {each.code for each in await findings(chosen, "127.0.0.1", 1)}
        return found.distribution, codes - {"weak-key"}

    async with Database(postgresql_url) as database:
        assert await told() == (None, set())
        async with database.transaction() as db:
            for statement in STAND_IN:
                await db.execute(text(statement))
        assert await told() == ("none", set())
        lost = {"unreachable-machines"}
        for number, name in enumerate((each.name for each in TABLES), 1):
            async with database.transaction() as db:
                await db.execute(text(KNOWN), name=name)
            if number == 1:
                assert await told() == ("incomplete", {"undistributed-tables", *lost})
                async with running(chosen) as api:
                    parts = (await api.client.get("/readyz")).json()
                    assert parts["distribution"] == "incomplete"
        assert await told() == ("ok", lost)
        assert await unreachable_machines(database) == ["two:5432"]
        # what the coordinator alone has, though Citus knows of it
        async with database.transaction() as db:
            await db.execute(text("UPDATE pg_dist_partition SET partmethod = 'n'"))
        assert (await condition(database)).distribution == "none"
