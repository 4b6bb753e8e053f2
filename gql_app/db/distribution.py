"""Distribution: which tables a Citus cluster spreads over its machines, and whether it does."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from sqlalchemy import Table, text

from gql_app.db.migrations.branches import Branch
from gql_app.db.tables import DISTRIBUTED_BY, Row
from gql_app.lib.database import Database, Query

NONE, INCOMPLETE, COMPLETE = "none", "incomplete", "ok"
Names: TypeAlias = frozenset[str]


def tables(branches: Sequence[Branch] = ()) -> Iterator[Table]:
    """Yield our tables and those of features, each after those that it refers to."""
    yield from Row.metadata.sorted_tables
    for branch in branches:
        yield from (each for each in branch.metadata.sorted_tables if each.name in branch.tables)


def key_of(table: Table) -> str | None:
    """Return the column by which a table is distributed; None if every machine has all of it."""
    key: str | None = table.info.get(DISTRIBUTED_BY)
    return key


async def spread(database: Database) -> Names | None:
    """Return the tables that the machines of a cluster hold; None where there is no Citus.

    Raises Unavailable, StatementError.
    """
    if database.dialect == "sqlite":
        return None
    [there] = await database.probe(_HAS_CITUS)
    return frozenset(await database.probe(_SPREAD)) if there else None


def state(names: Names, every: Iterable[Table]) -> str:
    """Return how far tables are distributed, by the names of those that are."""
    found = {each.name in names for each in every}
    if found == {True}:
        return COMPLETE
    return INCOMPLETE if True in found else NONE


async def unreachable(database: Database) -> list[str]:
    """Return which machines of a cluster another of it can't reach, as `host:port`."""
    return sorted({*await database.fetch_all(_UNREACHABLE)})


_HAS_CITUS: Final[Query[bool]] = Query(
    text("SELECT to_regclass('pg_dist_partition') IS NOT NULL"), lambda row: bool(row[0])
)
_SPREAD: Final[Query[str]] = Query(
    # The others are tables of the coordinator's that Citus only knows of.
    text(
        "SELECT logicalrelid::regclass::text FROM pg_dist_partition "
        "WHERE partmethod <> 'n' OR repmodel = 't'"
    ),
    lambda row: str(row[0]),
)
_UNREACHABLE: Final[Query[str]] = Query(
    text(
        "SELECT to_nodename || chr(58) || to_nodeport FROM citus_check_cluster_node_health() "
        "WHERE result IS NOT TRUE"
    ),
    lambda row: str(row[0]),
)
