"""The console: output, errors and progress of commands."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

import typer

from gql_app import __version__
from gql_app.lib.text import printable


def out(text: str) -> None:
    """Print text to standard output, with control characters escaped."""
    typer.echo(printable(text, keep="\n"))


def err(text: str) -> None:
    """Print text likewise, to standard error."""
    typer.echo(printable(text, keep="\n"), err=True)


def version() -> None:
    """Print the version."""
    out(__version__)


def ascii_json(value: object) -> str:
    """Return JSON in ASCII, which has no control characters."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def shown(to: BinaryIO) -> Callable[[bytes], object]:
    """Return a function that writes UTF-8 to a file, with controls escaped if it is a terminal."""
    if not to.isatty():
        return to.write
    return lambda text: to.write(printable(text.decode(), keep="\r\n").encode())


def fail(*messages: str, status: int = 1) -> NoReturn:
    """Print error messages, one per line, and exit."""
    for message in messages:
        err(message)
    sys.exit(status)


def unless_empty(param: typer.CallbackParam, value: str) -> str:
    """Return an option's value without blanks at its ends, or the default if it is empty."""
    return value.strip() or str(param.default)


@contextmanager
def bar(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and yield the function that sets its progress."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 — only terminals have one
    from rich.progress import Progress  # noqa: PLC0415 — as above

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
