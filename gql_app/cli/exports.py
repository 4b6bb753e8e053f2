"""`export`: all customers, in batches, in the format of `import`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from sqlalchemy import func, select

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import customer_column
from gql_app.cli import application
from gql_app.cli.batches import by_id
from gql_app.cli.console import bar, out, shown
from gql_app.cli.database import lists, prepare, run_on_database
from gql_app.cli.records import FIELDS, STDIO, Format, Named, format_of, writer
from gql_app.db.tables import CustomerRow
from gql_app.lib import atomic_files
from gql_app.lib.database import Database, scalars
from gql_app.lib.pagination import QueryReader
from gql_app.lib.signals import interruptible
from gql_app.lib.text import counted


def export_customers(
    file: Annotated[str, typer.Argument(help="The file to write; - is standard output.")] = STDIO,
    named: Named = None,
    *,
    with_password_hashes: Annotated[
        bool, typer.Option("--with-password-hashes", help="Include the password hashes.")
    ] = False,
) -> None:
    """Export all customers, in the order of their ids, in the format of import."""
    chosen = application.load()
    fields = [each for each in FIELDS if with_password_hashes or each != "password_hash"]
    form = format_of(file, named)
    prepare(chosen, "tables")
    quiet = file == STDIO

    async def run(database: Database) -> int:
        """Record the export in the audit log, and then export."""
        exported = Action.CUSTOMERS_EXPORTED
        await database.transact(audit.record, exported, Origin(), fields=fields)
        async with lists(chosen, database) as db:
            return await export(db, output_file, form, fields, quiet=quiet)

    to = nullcontext(sys.stdout.buffer) if quiet else atomic_files.replacing(Path(file))
    with to as output_file:
        count = run_on_database(chosen, run)
    if not quiet:
        out(f"{counted(count, 'customer is', 'customers are')} exported to {file}.")


async def export(
    db: QueryReader, to: BinaryIO, form: Format, fields: list[str], *, quiet: bool
) -> int:
    """Write every customer, and return their number.

    They are ordered by id. No columns but these fields are read.
    """
    done = 0
    [total] = await db.fetch_all(_COUNT)
    write = writer(shown(to), form, fields)
    statement = select(*map(customer_column, ["id", *fields]))
    with bar("Exporting", total, quiet=quiet) as advance:
        async for page in by_id(db, statement, tuple):
            with interruptible():  # it may be a pipe
                for _, *values in page:
                    write(values)
            done += len(page)
            advance(done)
    return done


_COUNT: Final = scalars(select(func.count()).select_from(CustomerRow))
