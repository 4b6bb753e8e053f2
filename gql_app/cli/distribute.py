"""`distribute`: spread the tables over the machines of a Citus cluster."""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Final, NamedTuple

import typer
from sqlalchemy import Connection, Table, TextClause, text
from sqlalchemy.exc import DBAPIError

from gql_app.cli import application
from gql_app.cli.console import bar, fail, out
from gql_app.cli.database import reach, run_on_database
from gql_app.db import readiness
from gql_app.db.migrations.engine import run_on
from gql_app.db.tables import DISTRIBUTED_BY
from gql_app.lib.database import distributed_tables
from gql_app.lib.faults import OperatorError

ON_ONE_MACHINE: Final = "Its tables are on one machine, and nothing was changed."
MEANWHILE: Final = (
    "Each table is locked while its rows are copied, and requests wait for that: stop the servers, "
    "or choose a quiet hour."
)


class Step(NamedTuple):
    """Tables that are distributed in one transaction: one, and those colocated with it."""

    tables: Sequence[Table]

    def __str__(self) -> str:
        """Return a line on how each table is distributed."""
        return "\n".join(map(_fate, self.tables))

    def run(self, connection: Connection) -> None:
        """Distribute the tables.

        A table that is not distributed can't refer to one that is, so foreign keys are dropped
        first, and added again at the end. A primary key is extended by the distribution column.
        """
        references = list(_references(connection, self.tables))
        for table, name, _ in references:
            connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
        for each in self.tables:
            if key := wider_key(each):
                name = connection.execute(_KEY.bindparams(name=each.name)).scalar_one()
                swap = "ALTER TABLE {0} DROP CONSTRAINT {1}, ADD CONSTRAINT {1} PRIMARY KEY ({2})"
                connection.execute(text(swap.format(each.name, name, ", ".join(key))))
            connection.execute(_call(each))
        for table, name, definition in references:
            connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"))

    def clean(self, connection: Connection) -> None:
        """Free the disk space of the rows on the coordinator, which were copied to the shards."""
        for each in self.tables:
            connection.execute(_TRUNCATE_LOCAL.bindparams(name=each.name))


class InTurn(NamedTuple):
    """The setting of a database by which a transaction uses its shards sequentially."""

    def __str__(self) -> str:
        """Return a line on the change of the database."""
        return "the database: a transaction asks the shards of a machine one after the other"

    def run(self, connection: Connection) -> None:
        """Change the setting, for new connections.

        With parallel connections a transaction could not change customers after reading sessions.
        """
        connection.execute(_SET_SEQUENTIAL)

    def clean(self, _: Connection) -> None:
        """Do nothing: no rows are left behind."""


def distribute(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Distribute the tables over a Citus cluster; tables that are distributed stay as they are."""
    chosen = application.load()
    if chosen.on_sqlite:
        fail(f"This is an SQLite file. {ON_ONE_MACHINE}")
    if not reach(chosen).ready:
        fail("The database is not migrated. Run: gql-app migrate")
    names = run_on_database(chosen, distributed_tables)
    if names is None:
        fail(f"This PostgreSQL has no Citus (CREATE EXTENSION citus). {ON_ONE_MACHINE}")
    planned: list[Step | InTurn] = [*steps(names, [*readiness.tables(application.branches())])]
    if not run_on(chosen.database_url, _is_sequential):
        planned.insert(0, InTurn())
    if not planned:
        out("Every table is distributed already.")
        return
    out("\n".join(map(str, planned)))
    out(MEANWHILE)
    if not yes and not typer.confirm("Distribute them?"):
        fail("Nothing was changed.")
    with bar("Tables", len(planned)) as advance:
        for done, step in enumerate(planned, 1):
            try:
                run_on(chosen.database_url, step.run)
                run_on(chosen.database_url, step.clean)
            except DBAPIError as error:
                fail(f"This failed: {step}", f"{_words(error)} What was done before stays so.")
            advance(done)
    out("Every table is distributed. Restart the servers.")


def steps(names: Collection[str], every: Sequence[Table]) -> list[Step]:
    """Return the steps that are left, by the names of the tables that are distributed already.

    Raises OperatorError if a reference table, which is replicated, refers to a distributed one.
    """
    keyed = {each.name for each in every if key_of(each)}
    left = [each for each in every if each.name not in names]
    faults = [
        f"{each.name} refers to {other}, so it has to be distributed as well: say by which column, "
        'as info={"distributed_by": "…"} of its table.'
        for each in left
        for other in sorted(_referred(each) & keyed)
        if not key_of(each)
    ]
    if faults:
        raise OperatorError(faults)
    whole = [Step([each]) for each in left if not key_of(each)]
    apart = [each for each in left if key_of(each)]
    waiting = {each.name for each in apart}
    roots = [each for each in apart if beside(each) not in waiting]
    return [
        *whole,
        *(Step([root, *(each for each in apart if beside(each) == root.name)]) for root in roots),
    ]


def _is_sequential(connection: Connection) -> bool:
    return bool(connection.execute(_SEQUENTIAL).scalar())


def key_of(table: Table) -> str | None:
    """Return the distribution column of a table; None if every machine has all rows of it."""
    key: str | None = table.info.get(DISTRIBUTED_BY)
    return key


def wider_key(table: Table) -> list[str]:
    """Return the primary key extended by the distribution column; empty if it has the column."""
    key, names = key_of(table), [each.name for each in table.primary_key]
    return [] if key is None or key in names else [*names, key]


def beside(table: Table) -> str | None:
    """Return the table to colocate a table with: the one that its distribution column refers to."""
    return next(
        (
            each.column.table.name
            for each in table.foreign_keys
            if each.parent.name == key_of(table) and key_of(each.column.table)
        ),
        None,
    )


def _referred(table: Table) -> set[str]:
    return {each.column.table.name for each in table.foreign_keys}


def _fate(table: Table) -> str:
    key, other = key_of(table), beside(table)
    if key is None:
        return f"{table.name}: every machine has all of it"
    wider = wider_key(table)
    return "".join(
        (
            f"{table.name}: by {key}",
            f", beside {other}" if other else "",
            f", with {' and '.join(wider)} as key" if wider else "",
        )
    )


def _call(table: Table) -> TextClause:
    """Return the statement that distributes a table."""
    key = key_of(table)
    if key is None:
        return _REPLICATE.bindparams(name=table.name)
    return _DISTRIBUTE.bindparams(name=table.name, key=key, beside=beside(table) or "none")


def _references(connection: Connection, tables: Sequence[Table]) -> Iterator[tuple[str, str, str]]:
    """Yield the foreign keys among tables: the table, the constraint's name, and its definition."""
    quote = connection.dialect.identifier_preparer.quote
    found = connection.execute(_REFERENCES, {"names": [each.name for each in tables]})
    for table, name, definition in found:
        yield table, quote(name), definition


def _words(error: DBAPIError) -> str:
    """Return the first line of a database's error message."""
    said = str(error.orig).partition(": ")[2] or str(error.orig)
    return said.partition("\n")[0].rstrip(".") + "."


_SET_SEQUENTIAL: Final = text(
    "DO $$ BEGIN EXECUTE format("
    "'ALTER DATABASE %I SET citus.multi_shard_modify_mode TO sequential', current_database()"
    "); END $$"
)
_SEQUENTIAL: Final = text(
    "SELECT 'citus.multi_shard_modify_mode=sequential' = ANY(setconfig) FROM pg_db_role_setting "
    "JOIN pg_database ON pg_database.oid = setdatabase "
    "WHERE datname = current_database() AND setrole = 0"
)
_KEY: Final = text(
    "SELECT quote_ident(conname) FROM pg_constraint "
    "WHERE conrelid = to_regclass(:name) AND contype = 'p'"
)
_REPLICATE: Final = text("SELECT create_reference_table(:name)")
_DISTRIBUTE: Final = text("SELECT create_distributed_table(:name, :key, colocate_with => :beside)")
_TRUNCATE_LOCAL: Final = text("SELECT truncate_local_data_after_distributing_table(:name)")
_REFERENCES: Final = text(
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE contype = 'f' AND conrelid::regclass::text = ANY(:names) "
    "AND confrelid::regclass::text = ANY(:names)"
)
