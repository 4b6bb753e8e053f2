"""`migrate` and `backup`, and the database access of all commands."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from traceback import walk_tb
from typing import Annotated, Concatenate, Final, Literal, ParamSpec, TypeAlias, TypeVar

import typer
from sqlalchemy.exc import DBAPIError

from gql_app import settings
from gql_app.cli import application, backfill
from gql_app.cli.console import err, fail, out
from gql_app.db import readiness
from gql_app.db.migrations import revisions
from gql_app.db.migrations.branches import alembic_config
from gql_app.db.readiness import Condition, open_database, open_standby
from gql_app.lib import atomic_files, signals
from gql_app.lib.database import Cause, Database, Transaction, cause_of
from gql_app.lib.faults import IntegrityViolation, StatementError, sentence
from gql_app.lib.pagination import QueryReader
from gql_app.security.key_store import factor_encryption, key_store
from gql_app.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
Needs: TypeAlias = Literal["nothing", "review", "file", "tables", "reading"]
"""What a command needs beforehand.

With `nothing`, an SQLite file is made and migrated; with `file`, one that is there is migrated.
With `review`, it is as with `nothing`, but a feature's migrations run in a new file alone.
With `tables`, neither; `reading` is the same on a database that takes no changes, too.
"""
TRIES: Final = 3
"""Attempts of a command to reach the database, each of which may take two seconds."""
SHOWN: Final = 100
"""The most collisions of customers that are printed."""


def migrate() -> None:
    """Create the tables, or upgrade them to this version."""
    chosen = application.load()
    if reach(chosen).migrations == "newer":
        out("The database is of a newer version already.")
        return
    upgrade(chosen)  # and keys that servers of the version before have written since
    out("The database is up to date.")


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
) -> None:
    """Back up an SQLite database to a file while it is in use; PostgreSQL has pg_dump."""
    chosen = application.load()
    if not chosen.on_sqlite:
        fail("This copies SQLite files. For PostgreSQL there is pg_dump.")
    source = chosen.sqlite_file
    try:
        copy(source, file)
    except FileExistsError:
        fail(f"{file} is there already.")
    except OSError as why:
        fail(f"{file}: {why.strerror}")
    except sqlite3.Error as why:
        fail(sentence(f"{source} can't be copied: {why}"))
    out(f"{source} is copied to {file}.")


def copy(file: Path, to: Path) -> None:
    """Copy an SQLite file, which may be in use, to a new file of mode 0600, as a snapshot.

    Raises FileExistsError if the target exists, OSError, sqlite3.Error.
    """
    with atomic_files.creating(to) as draft:
        source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)
        with closing(source), closing(sqlite3.connect(draft)) as target:
            target.execute("PRAGMA journal_mode = OFF")  # a full disk would leave one behind
            source.backup(target)


def load_ready(*, serving: bool = False, needs: Needs = "nothing") -> Settings:
    """Return the settings, once the database is ready: prepare() migrates or fails."""
    chosen = application.load(serving=serving)
    prepare(chosen, needs)
    return chosen


def prepare(chosen: Settings, needs: Needs = "nothing") -> None:
    """Migrate an SQLite file, as far as `needs` allows; fail if the database is not migrated then.

    There is no way back but a backup, so no command that only reads may do it.
    """
    makes = needs in {"nothing", "review"}
    if chosen.on_sqlite and not makes and not chosen.sqlite_file.exists():
        fail(f"There is no database {chosen.sqlite_file}. Run: gql-app migrate")
    if reach(chosen, reads=needs == "reading").migrations != "pending":
        return
    if not chosen.on_sqlite or needs in {"tables", "reading"}:
        fail(str(readiness.NOT_MIGRATED))
    if needs == "review" and run_on_database(chosen, _has_unreviewed):
        fail(str(readiness.NOT_MIGRATED))
    upgrade(chosen)


async def _has_unreviewed(database: Database) -> bool:
    """Return whether a database that has tables lacks migrations of a feature."""
    _, *theirs = await revisions.states(database, application.branches())
    return "pending" in theirs and await revisions.revision(database) is not None


def prepare_to_serve(chosen: Settings) -> None:
    """Migrate an SQLite file; fail if PostgreSQL has a fault that waiting won't mend.

    Fail as well if secrets of second factors are encrypted by a key that is missing. For anything
    else the server waits.
    """
    if chosen.on_sqlite:
        prepare(chosen)
    ids = factor_encryption(chosen, key_store(chosen, application.signer())).key_ids
    cause = run_on_database(chosen, partial(readiness.condition, key_ids=ids)).cause
    if cause == readiness.LOST_KEY:
        fail(str(cause))
    if cause and cause.is_lasting:
        fail(_unusable(cause))


def reach(chosen: Settings, *, reads: bool = False) -> Condition:
    """Return the condition of the database; fail if it can't be reached, or only be read."""
    if chosen.on_sqlite:
        with suppress(OSError):  # a file that can't be created is reported below
            chosen.sqlite_file.touch(mode=0o600)
    condition = run_on_database(chosen, _condition)
    if condition.database not in ({"ok", "read-only"} if reads else {"ok"}):
        fail(_unusable(condition.cause))
    return condition


def _unusable(cause: Cause | None) -> str:
    return f"The database of {settings.PREFIX}DATABASE_URL can't be used. {cause}"


async def _condition(database: Database) -> Condition:
    """Return the condition of a database after up to TRIES attempts: it may be slow at first."""
    known = application.branches()
    for _ in range(TRIES):
        condition = await readiness.condition(database, known)
        if condition.database != "unreachable":
            break
    return condition


def upgrade(chosen: Settings) -> None:
    """Migrate a database, and fail if two customers then have the same mailbox.

    Our migrations run first, then those of each feature; a branch that is newer stays as it is.
    """
    from alembic import command, util  # noqa: PLC0415 — most starts find it up to date

    branches = application.branches()
    states = run_on_database(chosen, lambda each: revisions.states(each, branches))
    try:
        for branch, state in zip((None, *branches), states, strict=True):
            if state != "newer":
                command.upgrade(alembic_config(chosen.database_url, branch), "head")
    except Exception as error:  # a script may raise anything
        frames = [frame.f_globals for frame, _ in walk_tb(error.__traceback__)]
        found = [each["revision"] for each in frames if "down_revision" in each]
        of = f" by revision {found[-1]} of {branch.name if branch else 'gql_app'}" if found else ""
        if isinstance(error, util.CommandError):
            fail(f"The database can't be migrated{of}: {error}")
        if isinstance(error, DBAPIError):
            cause = cause_of(error, chosen.database_url)
            is_of_url = cause.is_lasting and not chosen.on_sqlite
            told = cause.problem if found and is_of_url else cause  # the script is at fault
            fail(f"The database can't be migrated{of}. {told}")
        if not found:
            raise
        what = ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))
        fail(sentence(f"The database can't be migrated{of}. {what}"))
    collided = run_on_database(chosen, backfill.fill) if states[0] != "newer" else ()
    if collided:
        fail(
            *(f"{each.holder} and {each.other}" for each in collided[:SHOWN]),
            f"Pairs of customers who have one mailbox: {len(collided)}. Give one of each pair "
            "another address: gql-app change-email ID ADDRESS. Then migrate again.",
        )


def run_on_database(chosen: Settings, work: Callable[[Database], Awaitable[R]]) -> R:
    """Run a function with an open database, close the database, and return the result.

    Fail if the database refuses a statement, unless a constraint does.
    """

    async def run() -> R:
        async with open_database(chosen) as database:
            return await work(database)

    try:
        return signals.run(run())
    except IntegrityViolation:
        raise
    except StatementError as error:
        fail(_unusable(cause_of(error, chosen.database_url)))


def transact(
    chosen: Settings,
    rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run a rule in a transaction, which may be retried, and return its result."""
    return run_on_database(chosen, lambda database: database.transact(rule, *args, **kwargs))


@asynccontextmanager
async def lists(chosen: Settings, database: Database) -> AsyncIterator[QueryReader]:
    """Yield the reader for lists: the standby if one is set, or else the primary."""
    standby = open_standby(chosen, database)
    if standby is None:
        yield database
        return
    async with standby.watching():
        state = await standby.known_state()
        if state.cause:
            err(f"Reading from the primary. {state.cause}")
        yield standby
