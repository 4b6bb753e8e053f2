"""Functions of builders: whether they can be called as they will be, and their names."""

import re
from collections.abc import Callable, Collection, Sequence
from inspect import iscoroutinefunction, signature
from typing import Any, Final, TypeGuard

_COMMAND: Final = re.compile(r"\w[\w.:-]*")


def function_fault(
    function: object, arguments: Sequence[str] | None, *, is_async: bool | None
) -> str | None:
    """Return why a value can't be called with so many positional arguments, None if it can.

    Any arguments will do if they are None. It must be asynchronous, or must not be, unless
    `is_async` is None.
    """
    if not callable(function):
        return "is no function"
    found = any(map(iscoroutinefunction, (function, type(function).__call__)))
    if is_async is not None and found is not is_async:
        return f"is {'no' if is_async else 'an'} asynchronous function"
    if arguments is not None and not _takes(function, arguments):
        return f"must take {', '.join(arguments)}"
    return None


def check_function(
    taker: str, function: object, arguments: Sequence[str] | None, *, is_async: bool
) -> None:
    """Raise TypeError with function_fault(), if there is one, and the name of what takes it."""
    if fault := function_fault(function, arguments, is_async=is_async):
        message = f"{taker}: {function_name(function)} {fault}."
        raise TypeError(message)


def function_name(function: object) -> str:
    """Return the name of a function, or the text of a value that has none."""
    return getattr(function, "__qualname__", repr(function))


def is_list(value: object) -> TypeGuard[Collection[Any]]:
    """Return whether a value is a collection, and neither a text nor a class."""
    return isinstance(value, Collection) and not isinstance(value, str | bytes | type)


def check_lists(taker: str, **values: object) -> None:
    """Raise TypeError unless all values are lists; they are given by their arguments' names."""
    for name, value in values.items():
        if not is_list(value):
            message = f"{taker}: {name} must be a list, not {value!r}."
            raise TypeError(message)


def command_name(command: Callable[..., Any]) -> str | None:
    """Return the name of a command on the command line, None if it has none.

    A function is called as Typer calls it.
    """
    name = getattr(command, "__name__", "").lower().replace("_", "-")
    if info := getattr(command, "info", None):  # of a Typer, which holds commands of its own
        name = getattr(info, "name", None)
    return name if isinstance(name, str) and _COMMAND.fullmatch(name) else None


def _takes(function: Callable[..., object], arguments: Sequence[object]) -> bool:
    """Return whether a function can be called with so many positional arguments."""
    try:
        signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it is written in C, and has no signature
        return True
    return True
