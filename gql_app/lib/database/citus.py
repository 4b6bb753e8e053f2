"""Citus: the distributed tables and the unreachable machines of a cluster, by its coordinator."""

from typing import Final

from sqlalchemy import text

from gql_app.lib.database.database import Database
from gql_app.lib.database.statements import Query


async def distributed_tables(database: Database) -> frozenset[str] | None:
    """Return the tables that the machines of a cluster hold; None where there is no Citus.

    Raises Unavailable, StatementError.
    """
    if database.dialect == "sqlite":
        return None
    [there] = await database.probe(_HAS_CITUS)
    return frozenset(await database.probe(_TABLES)) if there else None


async def unreachable_machines(database: Database) -> list[str]:
    """Return the machines of a cluster that another one can't reach, as `host:port`."""
    return sorted({*await database.fetch_all(_UNREACHABLE)})


_HAS_CITUS: Final[Query[bool]] = Query(
    text("SELECT to_regclass('pg_dist_partition') IS NOT NULL"), lambda row: bool(row[0])
)
_TABLES: Final[Query[str]] = Query(
    # The others are the coordinator's own tables, which Citus only lists.
    text(
        "SELECT logicalrelid::regclass::text FROM pg_dist_partition "
        "WHERE partmethod <> 'n' OR repmodel = 't'"
    ),
    lambda row: str(row[0]),
)
_UNREACHABLE: Final[Query[str]] = Query(
    text(
        "SELECT to_nodename || chr(58) || to_nodeport FROM citus_check_cluster_node_health() "
        "WHERE NOT result"  # it is NULL for checks from an unreachable machine
    ),
    lambda row: str(row[0]),
)
