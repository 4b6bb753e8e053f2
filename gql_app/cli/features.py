"""What a builder's application has besides: `make-migration`, and how its commands work."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Concatenate, ParamSpec, TypeVar

import typer

from gql_app.cli import application
from gql_app.cli.console import fail, out
from gql_app.cli.database import load_ready, transact
from gql_app.db.migrations.branches import alembic_config
from gql_app.lib.database import Transaction
from gql_app.settings import FeatureSettings

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=FeatureSettings)


def make_migration(
    message: Annotated[str, typer.Argument(help="What it does, in a few words.")],
    feature: Annotated[str | None, typer.Option(help="Whose it is, if several could.")] = None,
) -> None:
    """Write a feature's migration, from the database as it is to the feature's tables."""
    known = {each.name: each for each in application.branches()}
    if feature is None and len(known) == 1:
        [feature] = known
    if feature not in known:
        names = ", ".join(sorted(known)) or "none"
        fail(f"Say whose migration it is, by --feature. With a folder of migrations: {names}.")
    from alembic import command, util  # noqa: PLC0415 — most commands migrate nothing

    branch = known[feature]
    config = alembic_config(load_ready().database_url, branch)
    number = f"{len(branch.revisions) + 1:04}"
    folder = str(branch.folder)
    try:
        made = command.revision(
            config, message, autogenerate=True, rev_id=number, version_path=folder
        )
    except util.CommandError as error:
        fail(f"No migration can be written: {error}")
    out(f"Read and mend {getattr(made, 'path', folder)}, then run: gql-app --app … migrate")


def run(
    rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Return what a rule returns, run in a transaction: what a feature's command does its work by.

    The database is the one that is set; an SQLite file is made and migrated first if need be. The
    rule may be run several times, if what it did was undone. What it raises, such as Refused, ends
    the command with its words.

    def cancel_stale(days: int = 30) -> None:
        '''Cancel orders that nobody paid.'''
        print(gql_app.run(rules.cancel_stale, days), "orders are cancelled.")
    """
    return transact(load_ready(), rule, *args, **kwargs)


def settings_of(kind: type[S]) -> S:
    """Return the settings of a feature, for its commands. Raises LookupError, CannotStart.

    A resolver has them as info.context.settings_of(kind).
    """
    return application.extensions().settings_of(kind)
