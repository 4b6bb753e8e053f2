"""`distribute` on a cluster, and the migrations that go on afterwards."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

from gql_app.accounts import refresh_tokens, sessions
from gql_app.cli.distribute import key_of
from gql_app.db.migrations.engine import run_on
from gql_app.db.readiness import condition
from gql_app.db.tables import Row
from gql_app.lib.database import Database
from gql_app.security import tokens
from tests.accounts.rows import statements
from tests.commands import output_here, run_here
from tests.conftest import SECRET
from tests.databases import sent
from tests.distributed.cluster import Cluster
from tests.people import LIFETIMES, NOWHERE, add_customer

MARKET = "tests.extending.market.api:app"
PLACES = """
SELECT logicalrelid::regclass::text, column_to_column_name(logicalrelid, partkey)
FROM pg_dist_partition WHERE partmethod <> 'n' OR repmodel = 't'
"""


def chosen(cluster: Cluster, **more: str) -> dict[str, str]:
    """Return the settings of a server on the cluster."""
    return {"database_url": cluster.url(), "secret_key": SECRET, **more}


async def state(database: Database) -> str | None:
    """Return how far the tables are distributed."""
    return (await condition(database)).distribution


async def test_command_distributes_what_is_there_and_sessions_go_on(
    citus: Cluster, tmp_path: Path
) -> None:
    settings = chosen(citus)
    async with Database(citus.url()) as database:
        ada = await add_customer(database, "Ada Plain")
        async with database.transaction() as db:
            opened = await sessions.open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
        assert await state(database) == "none"
        asked = run_here("distribute", folder=tmp_path, **settings)
        assert (asked.returncode, await state(database)) == (1, "none")
        assert "refresh_tokens: by session_id, beside sessions, with digest" in asked.stdout
        done = output_here("distribute", "--yes", folder=tmp_path, **settings)
        assert done.endswith("Every table is distributed. Restart the servers.\n")
        assert await state(database) == "ok"
        expected = {each.name: key_of(each) for each in Row.metadata.sorted_tables}
        assert dict(citus.fetch(PLACES)) == expected
        again = output_here("distribute", "--yes", folder=tmp_path, **settings)
        assert again == "Every table is distributed already.\n"
        token = opened.refresh_token
        async with database.transaction() as db:
            with statements() as seen:
                carried = await refresh_tokens.rotate(db, token, NOWHERE, LIFETIMES)
        assert isinstance(carried, sessions.Opened)
        assert tokens.session_of(carried.refresh_token) == opened.session.id
        for sql, values in seen:
            plan = "\n".join(
                row[0] for row in await sent(citus.url(), f"EXPLAIN {sql}", values=values)
            )
            assert "Task Count: 1\n" in plan, plan


async def test_what_was_interrupted_goes_on(citus: Cluster, tmp_path: Path) -> None:
    for table in ("customers", "audit_events"):
        by = ", 'id'" if table == "audit_events" else ""
        kind = "distributed" if by else "reference"
        citus.fetch(f"SELECT create_{kind}_table('{table}'{by})")
    async with Database(citus.url()) as database:
        assert await state(database) == "incomplete"
        found = run_here("check", folder=tmp_path, **chosen(citus)).stdout
        assert "undistributed-tables: " in found
        done = output_here("distribute", "--yes", folder=tmp_path, **chosen(citus))
        assert "customers:" not in done
        assert await state(database) == "ok"
    assert (
        "undistributed-tables: " not in run_here("check", folder=tmp_path, **chosen(citus)).stdout
    )


async def test_migrations_of_a_feature_go_on_and_its_tables_are_distributed_by_and_by(
    citus: Cluster, tmp_path: Path
) -> None:
    settings = chosen(citus, app=MARKET)
    output_here("distribute", "--yes", folder=tmp_path, database_url=citus.url())
    try:
        output_here("migrate", folder=tmp_path, **settings)
        found = run_here("check", folder=tmp_path, **settings).stdout
        assert "undistributed-tables: " in found
        done = output_here("distribute", "--yes", folder=tmp_path, **settings)
        assert done.startswith("market_stalls: every machine has all of it\n")
        assert ("market_stalls", None) in citus.fetch(PLACES)
        output_here("migrate", folder=tmp_path, **settings)
    finally:
        citus.fetch("DROP TABLE IF EXISTS market_stalls, alembic_version_market CASCADE")


@pytest.mark.parametrize("table", ["customers", "sessions", "audit_events", "refresh_tokens"])
def test_what_migrations_are_made_of_works_on_every_kind_of_table(
    citus: Cluster, table: str
) -> None:
    citus.distribute()

    def change(connection: Connection) -> None:
        op = Operations(MigrationContext.configure(connection))
        op.add_column(table, sa.Column("note", sa.Text()))
        op.add_column(table, sa.Column("count", sa.Integer(), server_default="0", nullable=False))
        op.create_index(f"ix_{table}_note", table, ["note"])
        op.alter_column(table, "note", nullable=True, type_=sa.String(40))
        op.drop_index(f"ix_{table}_note", table)
        op.drop_column(table, "count")

    def index(connection: Connection) -> None:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in (
            f"CREATE INDEX CONCURRENTLY ix_{table}_note ON {table} (note)",
            f"DROP INDEX CONCURRENTLY ix_{table}_note",
        ):
            connection.execute(sa.text(statement))

    def forget(connection: Connection) -> None:
        Operations(MigrationContext.configure(connection)).drop_column(table, "note")

    for step in (change, index, forget):
        run_on(citus.url(), step)
