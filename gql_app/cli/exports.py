"""`export`: all customers, page by page, as an import takes them."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO, Final
from uuid import UUID

import typer
from sqlalchemy import Integer, Uuid, bindparam, func, select

from gql_app import settings
from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import columns
from gql_app.cli.console import bar, out, shown
from gql_app.cli.database import prepare, run_on_database
from gql_app.cli.records import FIELDS, STDIO, Format, Named, file_errors, format_of, writer
from gql_app.db.tables import CustomerRow
from gql_app.lib import atomic_files
from gql_app.lib.database import Database, Query, Reader, Transaction

PAGE: Final = 1_000
"""Customers that are read at a time."""
_COUNT: Final = Query(select(func.count()).select_from(CustomerRow), lambda row: int(row[0]))


def export_customers(
    file: Annotated[str, typer.Argument(help="Where to; - is standard output.")] = STDIO,
    named: Named = None,
    *,
    with_password_hashes: Annotated[
        bool, typer.Option("--with-password-hashes", help="Also what passwords are proven by.")
    ] = False,
) -> None:
    """Export all customers, the oldest first, as import takes them."""
    chosen = settings.load()
    fields = [each for each in FIELDS if with_password_hashes or each != "password_hash"]
    with file_errors():
        form = format_of(file, named)
        prepare(chosen)
        quiet = file == STDIO
        to = nullcontext(sys.stdout.buffer) if quiet else atomic_files.replacing(Path(file))
        with to as output_file:
            count = run_on_database(
                chosen, lambda database: _export(database, output_file, form, fields, quiet=quiet)
            )
    if not quiet:
        out.print(f"{count} customers are exported to {file}.")


async def count(db: Reader) -> int:
    """Return the number of customers."""
    [number] = await db.fetch_all(_COUNT)
    return number


async def pages(db: Reader, fields: Sequence[str]) -> AsyncIterator[Sequence[Sequence[object]]]:
    """Yield these columns of every customer, page by page, by id: that is the oldest first.

    No column that is not asked for leaves the database.
    """
    read = columns(CustomerRow, ["id", *fields])
    page = select(*read).order_by(CustomerRow.id).limit(bindparam("size", type_=Integer()))
    beyond = Query(page.where(CustomerRow.id > bindparam("after", type_=Uuid())), tuple)
    rows = await db.fetch_all(Query(page, tuple), size=PAGE)
    while rows:
        yield [row[1:] for row in rows]
        after: UUID = rows[-1][0]
        rows = await db.fetch_all(beyond, size=PAGE, after=after)


async def record(db: Transaction, fields: Sequence[str]) -> None:
    """Record in the audit that all customers are read, and which of their fields."""
    await audit.record(db, Action.CUSTOMERS_EXPORTED, Origin(), fields=fields)


async def _export(
    database: Database, to: BinaryIO, form: Format, fields: list[str], *, quiet: bool
) -> int:
    """Write every customer, and return how many there are; the audit knows of it before."""
    done = 0
    await database.transact(record, fields)
    total = await count(database)
    write = writer(shown(to), form, fields)
    with bar("Exporting", total, quiet=quiet) as advance:
        async for page in pages(database, fields):
            for values in page:
                write(values)
            done += len(page)
            advance(done)
    return done
