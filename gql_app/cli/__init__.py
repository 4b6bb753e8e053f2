"""The command line: `python main.py ...`, or `gql-app ...` where it is installed."""

import ast
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from gql_app.cli import application
from gql_app.cli.application import APP
from gql_app.cli.console import fail
from gql_app.commands import COMMANDS, ONLY_WITH_FEATURES
from gql_app.errors import Refusal, Rejected, Undeclared
from gql_app.lib import atomic_files
from gql_app.lib.environment import variable
from gql_app.lib.faults import IntegrityViolation, OperatorError, Unavailable
from gql_app.lib.signals import end_by_signals


def main() -> None:
    """Run the program, with the garbage collector off while modules are imported.

    Modules live as long as the process, so collecting during the imports frees nothing: it would
    take a tenth of the start-up time.
    """
    if _parse(sys.argv[1:])[1] != "serve":  # which stops by itself
        end_by_signals()
    with report_faults():
        gc.disable()
        try:
            cli = command_line(sys.argv[1:])
        except KeyboardInterrupt:  # which Typer handles from here on
            sys.exit(130)
        gc.freeze()
        gc.enable()
        cli()


@contextmanager
def report_faults() -> Iterator[None]:
    """Print the error of a command, and exit: with status 2 if it can't start, else 1.

    So are errors of the files that it reads and writes, and of its standard streams.
    """
    try:
        with _flushed():
            yield
    except BrokenPipeError:  # nobody reads on
        sys.exit(1)
    except (ConnectionError, TimeoutError):
        raise
    except OSError as why:
        nameless = "Standard output" if why.errno in atomic_files.NO_ROOM else "The file"
        fail(f"{why.filename or nameless}: {why.strerror}")
    except AttributeError as why:
        if why.obj is not None or all((sys.stdin, sys.stdout)):
            raise
        fail("Standard input or output is closed.")
    except OperatorError as why:
        fail(*why.faults, status=why.status)
    except Unavailable as why:
        fail(f"{why} ({why.cause})")
    except (IntegrityViolation, Refusal, Undeclared) as why:
        fail(str(why))
    except Rejected as why:
        fail(*(": ".join(filter(None, (fault.field, fault.message))) for fault in why.faults))


@contextmanager
def _flushed() -> Iterator[None]:
    """Write what is still buffered for standard output at the end; close it if that fails."""
    try:
        yield
    finally:
        try:
            if sys.stdout and not sys.stdout.closed:
                sys.stdout.flush()
        except OSError:
            with suppress(OSError):  # or Python tries again as it exits
                sys.stdout.close()
            raise


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line; only the module of the command in `arguments` is imported.

    It includes the commands of a builder's application. Raises CannotStart if that can't be loaded.
    """
    place, asked = _parse(arguments)
    if place is not None:
        os.environ[APP] = place  # for the workers of serve as well
    cli = typer.Typer(
        help="Sign-in and a customer directory behind GraphQL.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    cli.callback()(_options)
    commands = {**COMMANDS, **ONLY_WITH_FEATURES} if variable(APP) else COMMANDS
    for name, where in commands.items():
        module, _, function = where.partition(".")
        if name != asked:
            told = None if asked in commands else _docstring(module, function)
            cli.command(name, help=told)(lambda: None)  # a stand-in for the list of commands
            continue
        _add(cli, name, getattr(import_module(f"{__name__}.{module}"), function))
    app = application.application()
    for name, command in app.merged.commands.items() if app else ():
        _add(cli, name, command)
    return cli


def _options(
    app: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help=f"Your own application; also set by {APP}."),
    ] = None,
) -> None:
    """Take the options of every command, which command_line() has read before."""


def _parse(arguments: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the application of --app and the name of the command, each None if not given."""
    place, rest = None, iter(arguments)
    for each in rest:
        name, _, value = each.partition("=")
        if name == "--app":
            place = value or next(rest, None)
        elif not each.startswith("-"):
            return place, each
    return place, None


def _add(cli: typer.Typer, name: str, command: Callable[..., Any]) -> None:
    if isinstance(command, typer.Typer):
        cli.add_typer(command, name=name)
    else:
        cli.command(name)(command)


def _docstring(module: str, function: str) -> str | None:
    """Return the docstring of a function, or of its module, which is parsed and not imported."""
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef))
    return ast.get_docstring(next((each for each in functions if each.name == function), tree))
