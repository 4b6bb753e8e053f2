"""`export`: all customers, page by page, as an import takes them."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from sqlalchemy import func, select

from gql_app.accounts import audit, visibility
from gql_app.accounts.audit import Action, Origin
from gql_app.cli import application
from gql_app.cli.batches import by_id
from gql_app.cli.console import bar, out, shown
from gql_app.cli.database import prepare, run_on_database
from gql_app.cli.records import FIELDS, STDIO, Format, Named, file_errors, format_of, writer
from gql_app.db.tables import CustomerRow
from gql_app.lib import atomic_files
from gql_app.lib.database import Database


def export_customers(
    file: Annotated[str, typer.Argument(help="Where to; - is standard output.")] = STDIO,
    named: Named = None,
    *,
    with_password_hashes: Annotated[
        bool, typer.Option("--with-password-hashes", help="Also what passwords are proven by.")
    ] = False,
) -> None:
    """Export all customers, the oldest first, as import takes them."""
    chosen = application.load()
    fields = [each for each in FIELDS if with_password_hashes or each != "password_hash"]
    with file_errors():
        form = format_of(file, named)
        prepare(chosen)
        quiet = file == STDIO
        to = nullcontext(sys.stdout.buffer) if quiet else atomic_files.replacing(Path(file))
        with to as output_file:
            count = run_on_database(
                chosen, lambda database: export(database, output_file, form, fields, quiet=quiet)
            )
    if not quiet:
        out(f"{count} customers are exported to {file}.")


async def export(
    database: Database, to: BinaryIO, form: Format, fields: list[str], *, quiet: bool
) -> int:
    """Write every customer, and return how many there are; the audit knows of it before.

    They come by id: that is the oldest first. No other column leaves the database.
    """
    done = 0
    await database.transact(audit.record, Action.CUSTOMERS_EXPORTED, Origin(), fields=fields)
    [[total]] = await database.fetch_all(select(func.count()).select_from(CustomerRow))
    write = writer(shown(to), form, fields)
    statement = select(*map(visibility.column, ["id", *fields]))
    with bar("Exporting", total, quiet=quiet) as advance:
        async for page in by_id(database, statement, tuple):
            for _, *values in page:
                write(values)
            done += len(page)
            advance(done)
    return done
