"""`make-migration` of a builder's application, and the functions for its own commands."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

from gql_app.cli import application
from gql_app.cli.console import fail, out
from gql_app.cli.database import load_ready
from gql_app.db.migrations.branches import alembic_config
from gql_app.extending.settings import FeatureSettings
from gql_app.extending.tables import foreign_key_name
from gql_app.extending.transaction import Transaction, transact
from gql_app.lib import signals
from gql_app.resources import Resources

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=FeatureSettings)


def make_migration(
    message: Annotated[str, typer.Argument(help="What the migration does, in a few words.")],
    feature: Annotated[str | None, typer.Option(help="The feature, if there are several.")] = None,
) -> None:
    """Write a migration from the present database to a feature's tables."""
    known = {each.name: each for each in application.branches()}
    if feature is None and len(known) == 1:
        [feature] = known
    if feature not in known:
        names = ", ".join(sorted(known)) or "none"
        fail(f"Say whose migration it is, by --feature. With a folder of migrations: {names}.")
    from alembic import command, util  # noqa: PLC0415 — most commands migrate nothing

    branch = known[feature]
    losses: list[str] = []
    numbers = [int(each) for each in branch.revisions if each.isdecimal()]
    try:
        made: Any = command.revision(
            alembic_config(load_ready(needs="review").database_url, branch),
            message,
            autogenerate=True,
            rev_id=f"{max([len(branch.revisions), *numbers]) + 1:04}",
            version_path=str(branch.folder),
            process_revision_directives=partial(_prune, losses),
        )
    except util.CommandError as error:
        fail(f"No migration can be written: {error}")
    if not made:
        fail("There is nothing to migrate: the tables are as the database has them.")
    out(f"Look {made.path} over, mend it by hand where need be, and run: migrate")
    for loss in losses:
        out(loss)


def _prune(losses: list[str], _: object, __: object, scripts: list[Any]) -> None:
    """Drop a migration without operations, and operations that drop a foreign key by itself.

    A foreign key goes with its column, and has no name on SQLite if an older migration gave it
    none. Others without a name get the one that new tables have. A sentence on each column that is
    dropped is added to the losses.
    """
    from alembic.operations import ops  # noqa: PLC0415 — as above

    [script] = scripts
    for table in script.upgrade_ops.ops:
        if isinstance(table, ops.ModifyTableOps):
            gone = [each.column_name for each in table.ops if isinstance(each, ops.DropColumnOp)]
            losses.extend(
                f"It drops {table.table_name}.{each} with its values. If you renamed it, let the "
                f'script do so instead: batch_op.alter_column("{each}", new_column_name="…")'
                for each in gone
            )
            table.ops = [each for each in table.ops if set(gone).isdisjoint(_columns_of(each))]
    for table in (*script.upgrade_ops.ops, *script.downgrade_ops.ops):
        for each in getattr(table, "ops", ()):
            if (columns := _columns_of(each)) and each.constraint_name is None:
                each.constraint_name = foreign_key_name(table.table_name, columns)
    if script.upgrade_ops.is_empty():
        scripts.clear()


def _columns_of(change: Any) -> Sequence[str]:  # noqa: ANN401 — an operation of Alembic
    """Return the columns of a foreign key that is made or dropped, none of another operation."""
    is_one = getattr(change, "constraint_type", None) == "foreignkey"
    return change.to_constraint().column_keys if is_one else ()


def run(
    rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run a rule in a transaction and return its result, in a feature's command.

    The database is that of the settings; an SQLite file is created and migrated first if necessary.
    The rule may run several times, if its transaction is rolled back; it has no caller, and runs no
    hooks. An error of gql_app, such as Refused, ends the command with its message.

        def cancel_stale(days: int = 30) -> None:
            '''Cancel orders that nobody paid.'''
            print(gql_app.run(rules.cancel_stale, days), "orders are cancelled.")
    """
    chosen, extensions = load_ready(serving=True), application.extensions()

    async def work() -> R:
        async with Resources.open(chosen, extensions=extensions) as resources:
            return await transact(resources, rule, *args, **kwargs)

    return signals.run(work())


def settings_of(kind: type[S]) -> S:
    """Return the settings of a feature, for its commands. Raises LookupError, CannotStart.

    In a resolver, use info.context.settings_of(kind).
    """
    application.load()  # to report its faults together with those of features
    return application.extensions().settings_of(kind)
