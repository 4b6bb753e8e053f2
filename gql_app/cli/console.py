"""The console: printing what was asked for, and what went wrong."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, NoReturn

import typer
from rich.console import Console as RichConsole

from gql_app.lib.text import printable


class Console(RichConsole):
    """A terminal that is sent nothing but text, no matter who wrote it."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 — rich's own
        """Print texts, in which what a terminal would obey is escaped."""
        texts = (printable(each, keep="\n") if isinstance(each, str) else each for each in objects)
        super().print(*texts, **options)


out: Final = Console(soft_wrap=True, highlight=False, markup=False)
err: Final = Console(soft_wrap=True, highlight=False, markup=False, stderr=True)


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
        err.print(message)
    sys.exit(status)


def unless_empty(param: typer.CallbackParam, value: str) -> str:
    """Return an option without blanks at its ends, or its default if nothing is left of it."""
    return value.strip() or str(param.default)


@contextmanager
def bar(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and yield what moves it to a number."""
    from rich.progress import Progress  # noqa: PLC0415 — no server has one

    with Progress(console=err, disable=quiet or not err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
