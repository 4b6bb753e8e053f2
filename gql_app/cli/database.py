"""`migrate`, `purge` and `backup`, and the state in which every command needs the database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from gql_app import background, settings
from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.cli import backfill
from gql_app.cli import backup as copies
from gql_app.cli.backfill import Collision
from gql_app.cli.console import err, fail, out
from gql_app.db import readiness
from gql_app.db.readiness import Condition, open_database
from gql_app.lib.database import Database, Unavailable, sqlite_file, tls_advice
from gql_app.resources import Resources
from gql_app.settings import Settings

SHOWN: Final = 100
"""Pairs of customers who collide that are printed."""


def migrate() -> None:
    """Bring the database up to date; this is also how it begins."""
    chosen = settings.load()
    if reach(chosen).migrations == "newer":
        out.print("The database is of a newer version already.")
        return
    upgrade(chosen)  # and keys that servers of the version before have written since
    out.print("The database is up to date.")


def purge() -> None:
    """Delete what is long over: old sessions and forgotten failures."""
    chosen = settings.load(serving=True)
    prepare(chosen)
    count = asyncio.run(_purge(chosen))
    out.print(f"{count} rows are gone.")


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; nothing may be there yet.")],
) -> None:
    """Copy an SQLite database to a file while it is in use; PostgreSQL has pg_dump."""
    chosen = settings.load()
    if not chosen.on_sqlite:
        fail("This copies SQLite files. For PostgreSQL there is pg_dump.")
    source = sqlite_file(chosen.database_url)
    try:
        copies.copy(source, file)
    except FileExistsError:
        fail(f"{file} is there already.")
    except OSError as why:
        fail(f"{file}: {why.strerror}")
    except sqlite3.Error as why:
        fail(f"{source} can't be copied: {why}.")
    out.print(f"{source} is copied to {file}.", markup=False)


def prepare(chosen: Settings) -> None:
    """Migrate an SQLite file; refuse a PostgreSQL that nobody has migrated."""
    if reach(chosen).ready:
        return
    if not chosen.on_sqlite:
        fail("The database is not migrated. Run: gql-app migrate")
    upgrade(chosen)


def reach(chosen: Settings) -> Condition:
    """Return the condition of the database; fail if it can't be reached."""
    if chosen.on_sqlite:
        with suppress(OSError):  # what can't be made can't be reached, which is reported below
            sqlite_file(chosen.database_url).touch(mode=0o600)
    condition = asyncio.run(_condition(chosen))
    if condition.database != "ok":
        hint = tls_advice(chosen.database_url)
        fail(f"The database of {settings.PREFIX}DATABASE_URL can't be reached.{hint}")
    return condition


def upgrade(chosen: Settings) -> None:
    """Bring a database up to date, and fail if that leaves two customers with one mailbox."""
    from gql_app.cli.upgrading import to_head  # noqa: PLC0415 — most starts find it up to date

    to_head(chosen)
    collided = asyncio.run(_filled(chosen))
    if collided:
        for each in collided[:SHOWN]:
            err.print(f"{each.holder} and {each.other}")
        fail(
            f"Of {len(collided)} customers the address is another's mailbox as well. Give one of "
            "each two another address: gql-app change-email ID ADDRESS. Then migrate again."
        )


def audited(chosen: Settings, action: Action) -> bool:
    """Record what a command did beside the database, and return whether that was possible."""
    if chosen.on_sqlite and not sqlite_file(chosen.database_url).exists():
        return False
    return asyncio.run(_audited(chosen, action))


@asynccontextmanager
async def opened(chosen: Settings) -> AsyncIterator[Database]:
    """Open the database, and close it when the block ends."""
    database = open_database(chosen)
    try:
        yield database
    finally:
        await database.close()


async def _audited(chosen: Settings, action: Action) -> bool:
    async with opened(chosen) as database:
        try:
            if not (await readiness.condition(database)).ready:
                return False
            async with database.transaction() as db:
                await audit.record(db, action, Origin())
        except Unavailable:
            return False
        return True


async def _condition(chosen: Settings) -> Condition:
    async with opened(chosen) as database:
        return await readiness.condition(database)


async def _filled(chosen: Settings) -> list[Collision]:
    async with opened(chosen) as database:
        return await backfill.fill(database)


async def _purge(chosen: Settings) -> int:
    async with Resources.open(chosen) as resources:
        count = await background.purge(resources)
        if count:
            async with resources.database.transaction() as db:
                await audit.record(db, Action.SESSIONS_PURGED, Origin(), times=count)
        return count
