"""Where the command line prints: what was asked for, and what went wrong."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import typer
from rich.console import Console

out: Final = Console(soft_wrap=True, highlight=False)
err: Final = Console(soft_wrap=True, highlight=False, stderr=True)


def fail(message: str) -> NoReturn:
    """Say what went wrong, and end with exit status 1."""
    err.print(message, markup=False)
    sys.exit(1)


def unless_empty(param: typer.CallbackParam, value: str) -> str:
    """Return an option without blanks at its ends, or its default if nothing is left of it."""
    return value.strip() or str(param.default)


@contextmanager
def bar(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show how far it is, where somebody watches."""
    from rich.progress import (  # noqa: PLC0415 — no server has one
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
