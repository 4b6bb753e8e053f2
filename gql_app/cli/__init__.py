"""The command line: `python main.py ...`, or `gql-app ...` where it is installed."""

import ast
import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import typer

from gql_app.cli.console import fail
from gql_app.errors import Rejected
from gql_app.lib.faults import OperatorError, Unavailable

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "serve.serve",
    "migrate": "database.migrate",
    "create-admin": "accounts.create_admin",
    "change-email": "accounts.change_email",
    "seed": "accounts.seed",
    "purge": "accounts.purge",
    "backup": "database.backup",
    "end-sessions": "accounts.end_sessions",
    "unlock": "accounts.unlock",
    "export-audit": "audit.export_audit",
    "check": "check.check",
    "export-schema": "schema.export_schema",
    "version": "console.version",
    "import": "imports.import_customers",
    "export": "exports.export_customers",
    "keys": "keys.keys",
}
"""The commands, and the functions of this package's modules that they are."""


def main() -> None:
    """Run the program, whose modules stay for as long as it runs.

    So the garbage collector need not look through them, again and again, while they and the
    server's own modules are imported: that is a tenth of the time that it takes to start.
    """
    gc.disable()
    cli = command_line(sys.argv[1:])
    gc.freeze()
    gc.enable()
    run(cli)


def run(cli: typer.Typer) -> None:
    """Run the command line, and print why a command fails: status 2 if it can't start, else 1."""
    try:
        cli()
    except OperatorError as why:
        fail(*why.faults, status=why.status)
    except Unavailable as why:
        fail(f"{why} ({why.cause})")
    except Rejected as why:
        fail(*(f"{fault.field}: {fault.message}" for fault in why.faults))


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line, for which no command is imported but the one that is asked for."""
    asked = next((each for each in arguments if not each.startswith("-")), None)
    cli = typer.Typer(
        help="Sign-in and a customer directory behind GraphQL.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, place in COMMANDS.items():
        module, _, function = place.partition(".")
        if name != asked:
            told = None if asked in COMMANDS else _docstring(module, function)
            cli.command(name, help=told)(lambda: None)  # which stands for it in the list of all
            continue
        command = getattr(import_module(f"{__name__}.{module}"), function)
        if isinstance(command, typer.Typer):
            cli.add_typer(command, name=name)
        else:
            cli.command(name)(command)
    return cli


def _docstring(module: str, function: str) -> str | None:
    """Return what a function says of itself, or its module, which is read and not imported."""
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef))
    return ast.get_docstring(next((each for each in functions if each.name == function), tree))
