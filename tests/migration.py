"""Writes the migration from the last one to the present tables, and tests it.

The difference is found on PostgreSQL, which has all that SQLite has; operations that SQLite lacks
run on PostgreSQL only.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from alembic import command
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op
from alembic.operations import ops
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from gql_app.db.migrations import revisions
from gql_app.db.migrations.comparing import indexes_of
from gql_app.lib.database import Unavailable
from tests.databases import REVISION, alembic_config, migrated_sqlite, postgres_server

USAGE: Final = 'What does it do? make migration NAME="What it does"'
ALEMBICS_WORDS: Final = re.compile(r"^ *# ###.*\n", re.MULTILINE)
REVISIONS: Final = re.compile(r"(?<=^REVISIONS: Final = )\((.*?),?\s*\)", re.MULTILINE | re.DOTALL)


class OnPostgreSQL(ops.MigrateOperation):
    """Operations that only run on PostgreSQL."""

    def __init__(self, operations: list[ops.MigrateOperation]) -> None:
        self.operations = operations

    def reverse(self) -> "OnPostgreSQL":
        """Return the reverse operations."""
        return OnPostgreSQL([each.reverse() for each in reversed(self.operations)])


@renderers.dispatch_for(OnPostgreSQL)
def _render(context: AutogenContext, only: OnPostgreSQL) -> list[str]:
    lines = [line for each in only.operations for line in render_op(context, each)]
    return ['if op.get_bind().dialect.name == "postgresql":', *lines, ""]


class Draft:
    """Alembic's operations, adapted to both databases."""

    def __init__(self, sqlite: Path) -> None:
        engine = create_engine(f"sqlite:///{sqlite}")
        there = inspect(engine)
        names = [
            each["name"] for table in there.get_table_names() for each in there.get_indexes(table)
        ]
        engine.dispose()
        self._sqlites = indexes_of("sqlite") | set(names)

    def process(self, _: object, __: object, scripts: list[ops.MigrationScript]) -> None:
        """Separate PostgreSQL's operations, and drop a script without operations."""
        (script,) = scripts
        assert script.upgrade_ops is not None
        if script.upgrade_ops.is_empty():
            scripts.clear()
            return
        changes: list[ops.MigrateOperation] = []
        for change in script.upgrade_ops.ops:
            changes += self._parted(change) if isinstance(change, ops.ModifyTableOps) else [change]
        script.upgrade_ops = ops.UpgradeOps(changes)
        script.downgrade_ops = script.upgrade_ops.reverse()

    def _parted(self, table: ops.ModifyTableOps) -> Iterator[ops.MigrateOperation]:
        others: list[ops.MigrateOperation] = []
        both: list[ops.MigrateOperation] = []
        for each in table.ops:
            _judge(each)
            (others if self._is_postgresqls(each) else both).append(each)
        drops = [each for each in others if isinstance(each, ops.DropIndexOp)]
        adds = [each for each in others if isinstance(each, ops.CreateIndexOp)]
        if drops:
            yield OnPostgreSQL([*drops])
        if both:
            yield ops.ModifyTableOps(table.table_name, both, schema=table.schema)
        if adds:
            yield OnPostgreSQL([*adds])

    def _is_postgresqls(self, change: ops.MigrateOperation) -> bool:
        return (
            isinstance(change, ops.CreateIndexOp | ops.DropIndexOp)
            and change.index_name not in self._sqlites
        )


def _judge(change: ops.MigrateOperation) -> None:
    """Name constraints, as SQLite requires. Raises CommandError for columns that rows can't get."""
    if isinstance(change, ops.AddColumnOp):
        column = change.column
        if not column.nullable and column.server_default is None:
            msg = (
                f"{change.table_name}.{column.name} must be nullable or have a server_default: "
                "rows that are there have no value, and older servers give none to new ones."
            )
            raise CommandError(msg)
    if isinstance(change, ops.CreateForeignKeyOp) and change.constraint_name is None:
        change.constraint_name = "_".join([change.source_table, *change.local_cols, "fkey"])
    if isinstance(change, ops.CreateUniqueConstraintOp) and change.constraint_name is None:
        change.constraint_name = "_".join([change.table_name, *change.columns, "key"])


def write(message: str, url: str, sqlite: Path) -> None:
    """Write the file, and add its number to the list of them. Raises CommandError if it can't."""
    number = f"{int(REVISION) + 1:04}"
    made: Any = command.revision(
        alembic_config(url),
        message,
        autogenerate=True,
        rev_id=number,
        process_revision_directives=Draft(sqlite).process,
    )
    if not made:
        msg = "There is nothing to migrate: the tables are as of the last migration."
        raise CommandError(msg)
    file, listed = Path(made.path), Path(revisions.__file__)
    for changed, old, new in (
        (file, ALEMBICS_WORDS, ""),
        (listed, REVISIONS, rf'(\1, "{number}")'),
    ):
        text = changed.read_text(encoding="utf-8")
        changed.write_text(old.sub(new, text), encoding="utf-8")
    for arguments in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run(  # noqa: S603 — ours
            [sys.executable, "-m", "ruff", *arguments, str(file), str(listed)], check=False
        )


def try_out(url: str) -> None:
    """Upgrade, downgrade and upgrade again, until no difference is left. Raises CommandError."""
    config = alembic_config(url)
    try:
        command.upgrade(config, "head")
        command.downgrade(config, REVISION)
        command.upgrade(config, "head")
        command.check(config)
    except (CommandError, SQLAlchemyError, Unavailable, ValueError) as error:
        msg = f"It fails on {url.partition(':')[0]}, so mend it by hand: {error}"
        raise CommandError(msg) from error


def run(message: str) -> None:
    """Write a migration and test it on both databases. Raises CommandError."""
    if not re.search(r"\w", message):
        raise CommandError(USAGE)
    if ScriptDirectory.from_config(alembic_config("")).get_heads() != [REVISION]:
        msg = (
            "REVISIONS in gql_app/db/migrations/revisions.py doesn't end with the last migration "
            "that is there."
        )
        raise CommandError(msg)
    with TemporaryDirectory() as folder, postgres_server() as server, server.copied() as url:
        sqlite = migrated_sqlite(Path(folder))
        write(message, url, sqlite)
        try_out(url)
        try_out(f"sqlite:///{sqlite}")


if __name__ == "__main__":
    try:
        run(" ".join(sys.argv[1:]).strip().rstrip("."))
    except CommandError as refusal:
        sys.exit(str(refusal))
