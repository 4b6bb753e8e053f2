"""Functions of builders: whether they can be called as they will be."""

from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction, signature


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


def _takes(function: Callable[..., object], arguments: Sequence[object]) -> bool:
    """Return whether a function can be called with so many positional arguments."""
    try:
        signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it is written in C, and has no signature
        return True
    return True
