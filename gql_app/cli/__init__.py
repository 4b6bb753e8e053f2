"""The command line: `python main.py ...`, or `gql-app ...` where it is installed."""

import gc
from typing import Final

import typer

from gql_app.cli import accounts, check, database, exports, imports, keys, schema, serve
from gql_app.cli.console import fail
from gql_app.cli.records import Unreadable
from gql_app.errors import Rejected
from gql_app.lib.database import Unavailable
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import CannotRotate

cli: Final = typer.Typer(
    help="Sign-in and a customer directory behind GraphQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (
    serve.serve,
    database.migrate,
    accounts.create_admin,
    accounts.change_email,
    accounts.seed,
    database.purge,
    database.backup,
    accounts.end_sessions,
    accounts.unlock,
    accounts.export_audit,
    check.check,
    schema.export_schema,
    schema.version,
):
    cli.command()(_command)
cli.command("import")(imports.import_customers)
cli.command("export")(exports.export_customers)
cli.add_typer(keys.keys, name="keys")


def main() -> None:
    """Run the program, whose modules stay for as long as it runs.

    So the garbage collector need not look through them, again and again, while the server's own
    modules are imported: that is a tenth of the time that it takes to start.
    """
    gc.freeze()
    run()


def run() -> None:
    """Run the command line, and print why a command fails: status 2 if it can't start, else 1."""
    try:
        cli()
    except CannotStart as why:
        fail(*why.faults, status=2)
    except Unavailable as why:
        fail(f"{why} ({why.cause})")
    except Rejected as why:
        fail(*(f"{fault.field}: {fault.message}" for fault in why.faults))
    except (CannotRotate, Unreadable) as why:
        fail(str(why))
