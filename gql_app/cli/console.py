"""The console: printing what was asked for, such as the version, and what went wrong."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

import typer

from gql_app import __version__
from gql_app.lib.text import printable


def out(text: str) -> None:
    """Print a text, in which what a terminal would obey is escaped."""
    typer.echo(printable(text, keep="\n"))


def err(text: str) -> None:
    """Print a text likewise, beside what was asked for."""
    typer.echo(printable(text, keep="\n"), err=True)


def version() -> None:
    """Print the version."""
    out(__version__)


def ascii_json(value: object) -> str:
    """Return JSON in ASCII, of which no terminal obeys anything."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def shown(to: BinaryIO) -> Callable[[bytes], object]:
    """Return what writes UTF-8 to a file; to a terminal, nothing that it would obey."""
    if not to.isatty():
        return to.write
    return lambda text: to.write(printable(text.decode(), keep="\r\n").encode())


def fail(*messages: str, status: int = 1) -> NoReturn:
    """Print what went wrong, each message on a line, and exit."""
    for message in messages:
        err(message)
    sys.exit(status)


def unless_empty(param: typer.CallbackParam, value: str) -> str:
    """Return an option without blanks at its ends, or its default if nothing is left of it."""
    return value.strip() or str(param.default)


@contextmanager
def bar(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and yield what moves it to a number."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 — only terminals have one
    from rich.progress import Progress  # noqa: PLC0415 — as above

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
