"""Distribution: the tables that a Citus cluster distributes, and whether it has done so."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlalchemy import Table

from gql_app.db.migrations.branches import Branch
from gql_app.db.tables import DISTRIBUTED_BY, Row

NONE, INCOMPLETE, COMPLETE = "none", "incomplete", "ok"


def tables(branches: Sequence[Branch] = ()) -> Iterator[Table]:
    """Yield the core's tables and those of features, each after those that it refers to."""
    yield from Row.metadata.sorted_tables
    for branch in branches:
        yield from (each for each in branch.metadata.sorted_tables if each.name in branch.tables)


def key_of(table: Table) -> str | None:
    """Return the distribution column of a table; None if every machine has all rows of it."""
    key: str | None = table.info.get(DISTRIBUTED_BY)
    return key


def state(names: Collection[str] | None, every: Iterable[Table]) -> str | None:
    """Return NONE, INCOMPLETE or COMPLETE, given the distributed tables; None without Citus."""
    if names is None:
        return None
    found = {each.name in names for each in every}
    if found == {True}:
        return COMPLETE
    return INCOMPLETE if True in found else NONE
